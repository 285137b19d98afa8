"""`proctor check`: the quality gate of a problem set."""

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from proctor import problem_sets
from proctor._command_options import connected, embedded_option, server_options, serving
from proctor.harness.checking import Check, CheckedProblem, CheckReport
from proctor.progress import ResultsProgress

# Exit codes, beside click's own 2 (usage): see docs/ci.md.
FAULTY = 1
OURS = 3

_HEADS = ("problem", "reference", "free", "CPU s", "limit s", "advised s")
_LEGEND = (
    "reference: verdicts of its runs; free: the most that a program earns which solves nothing; "
    "CPU s: the reference's slowest test"
)


@click.command("check")
@click.argument("problems", metavar="humaneval|mbpp|FILE")
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False
)
@click.option(
    "--repeats",
    type=click.IntRange(1, 100),
    default=3,
    show_default=True,
    help="How often each reference is run.",
)
@click.option("--all", "show_all", is_flag=True, help="Show problems without findings too.")
@click.option("--json", "as_json", is_flag=True, help="What was found, as JSON.")
@embedded_option
@server_options
@click.pass_context
def check_command(
    ctx: click.Context,
    /,
    problems: str,
    file: Path | None,
    repeats: int,
    show_all: bool,
    as_json: bool,
    embedded: bool,
    url: str,
    api_key: str | None,
) -> None:
    """Check that a problem set is worth training on.

    References must pass, each time they are run. Programs that do nothing, exit, or return what
    is equal to everything must pass no test; a constant and an echo must not be accepted. The
    set is named as for `proctor import`, and nothing of it is stored.

    Exits with 0 where no problem has a fault, 1 where one has, 2 for wrong usage, 3 where Proctor
    failed.
    """
    if not problem_sets.is_known(problems):
        raise click.UsageError(
            f"{problems}: no such file or set. A check needs tests and references, which a server "
            "shows to nobody"
        )
    try:
        problem_set = problem_sets.read(problems, file)
    except problem_sets.BadProblems as error:
        raise click.UsageError(str(error)) from error
    check = Check(problem_set.name, problem_set.problems, repeats)
    with (
        serving(url, embedded) as own,
        connected(own, api_key) as client,
        ResultsProgress(check.programs, "Checking", Console(stderr=True)) as bar,
    ):
        report = check.run(client, bar.add)
    if as_json:
        click.echo(report.model_dump_json(indent=2))
    else:
        _show(report, Console(), show_all=show_all)
    if report.unscored:
        first = report.unscored[0]
        click.echo(
            f"proctor: {len(report.unscored)} program(s) could not be judged, through no fault of "
            f"the set; the first was for {first.problem_id}: {first.reason}",
            err=True,
        )
        ctx.exit(OURS)
    if not report.sound:
        ctx.exit(FAULTY)


# -- helpers ----------------------------------------------------------------------------------


def _show(report: CheckReport, console: Console, *, show_all: bool) -> None:
    shown = [each for each in report.problems if show_all or each.faults or each.warnings]
    if shown:
        table = Table(*_HEADS, box=None, pad_edge=False)
        for column in range(2, len(_HEADS)):
            table.columns[column].justify = "right"
        for each in shown:
            table.add_row(*_row(each))
        console.print(table)
        console.print(_LEGEND, style="dim")
        console.print()
    for each in shown:
        for style, findings in (("bold red", each.faults), ("yellow", each.warnings)):
            for finding in findings:
                console.print(Text.assemble((each.id, style), f": {finding}"), soft_wrap=True)
    faulty = sum(bool(each.faults) for each in report.problems)
    doubtful = sum(bool(each.warnings) and not each.faults for each in report.problems)
    good = len(report.problems) - faulty - doubtful
    console.print(
        f"{report.problem_set}: {len(report.problems)} problem(s), {report.programs} programs run: "
        f"{faulty} with a fault, {doubtful} with a warning, {good} without either",
        style="bold red" if faulty else "bold",
        soft_wrap=True,
    )


def _row(each: CheckedProblem) -> list[Text]:
    runs = sum(each.reference.values())
    reference = " ".join(f"{verdict} {count}" for verdict, count in each.reference.items())
    cells = [
        each.id,
        reference if runs else "none",
        f"{each.free_pass_rate:.2f}",
        "-" if each.cpu_time_s is None else f"{each.cpu_time_s:.3f}",
        *(
            "-" if value is None else f"{value:.3g}"
            for value in (each.cpu_limit_s, each.recommended_cpu_limit_s)
        ),
    ]
    return [Text(cell) for cell in cells]
