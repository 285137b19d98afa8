"""`proctor eval`: a model's samples against a problem set, with gates and reports for CI."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import click
from rich.console import Console

from proctor import problem_sets
from proctor._client import Client
from proctor._command_options import connected, embedded_option, sampled, server_options, serving
from proctor._requests import Form
from proctor.harness import gates, html, junit, markdown, terminal
from proctor.harness import report as reports
from proctor.harness.evaluation import Plan, evaluate
from proctor.harness.report import Report, read_report
from proctor.harness.results_file import BadResults, ResultsFile
from proctor.harness.wording import named
from proctor.progress import ResultsProgress
from proctor.samples import FORMS
from proctor.types import Item, ProblemInfo

# Exit codes, beside click's own 2 (usage): see docs/ci.md.
BELOW = 1
OURS = 3

_WRITERS: dict[str, Callable[[Report], str]] = {
    ".json": lambda report: report.model_dump_json(indent=2),
    ".md": markdown.render,
    ".xml": junit.render,
    ".html": html.render,
}
_SHARE = click.FloatRange(0, 1)


def _ks(ctx: click.Context, parameter: click.Parameter, value: str) -> list[int]:
    try:
        ks = sorted({int(word) for word in value.split(",")} | {1})
    except ValueError as error:
        raise click.BadParameter(f"{value!r}: give numbers such as 1,10") from error
    if ks[0] < 1:
        raise click.BadParameter("give numbers from 1 on")
    return ks


def _writable(ctx: click.Context, parameter: click.Parameter, paths: Sequence[Path]) -> list[Path]:
    """Whatever is wrong with a report's file is found before the run, not after it."""
    for path in paths:
        if path.suffix not in _WRITERS:
            raise click.BadParameter(f"{path}: its name must end in {', '.join(_WRITERS)}")
        try:
            if path.suffix == ".html":
                html.check_installed()
            path.parent.mkdir(parents=True, exist_ok=True)
        except (html.NoReportExtra, OSError) as error:
            raise click.BadParameter(str(error)) from error
    return list(paths)


@click.command("eval")
@click.argument("problems", metavar="PROBLEMS")
@click.argument("samples", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--form", type=click.Choice(FORMS), help="What the programs are; see the guide.")
@click.option("--language", default="python", show_default=True, help="Where a line says none.")
@click.option("--k", "ks", default="1", callback=_ks, help="For pass@k, such as 1,10.")
@click.option("--partial", is_flag=True, help="Some problems may have no sample.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Results, kept as they come; a second run asks only for what is missing.",
)
@click.option(
    "--report",
    "paths",
    multiple=True,
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    callback=_writable,
    help="Write a report: .json, .md, .xml (JUnit) or .html. May be given several times.",
)
@click.option("--json", "as_json", is_flag=True, help="The report as JSON, not as a table.")
@click.option("--min-pass-at-1", type=_SHARE, help="Exit with 1 where pass@1 is lower.")
@click.option("--min-pass-rate", type=_SHARE, help="Exit with 1 where the mean pass rate is lower.")
@click.option(
    "--baseline",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A JSON report; exit with 1 where pass@1 fell by more than noise.",
)
@click.option(
    "--alpha", type=_SHARE, default=0.05, show_default=True, help="A p below it is no noise."
)
@embedded_option
@server_options
@click.pass_context
def eval_command(
    ctx: click.Context,
    /,
    problems: str,
    samples: Path,
    form: str | None,
    language: str,
    ks: list[int],
    partial: bool,
    output: Path | None,
    paths: list[Path],
    as_json: bool,
    baseline: Path | None,
    embedded: bool,
    url: str,
    api_key: str | None,
    **limits: Any,
) -> None:
    """Score samples of a problem set: pass@k, reports, gates.

    PROBLEMS is what the server has under a prefix, such as HumanEval, or `humaneval`, or a file
    as `proctor import` takes it, which is imported first. SAMPLES are JSON lines, as `proctor
    score` reads them; `-` is standard input.

    Exits with 0 where all is well, 1 below a gate, 2 for wrong usage, 3 where Proctor failed.
    """
    items = sampled(samples, cast("Form | None", form), language)
    earlier = _baseline(baseline)
    known = _known(problems, embedded)
    with ExitStack() as stack:
        kept = stack.enter_context(_results_file(output))
        own = stack.enter_context(serving(url, embedded))
        client = stack.enter_context(connected(own, api_key))
        ids = _ids(client, problems, known)
        missing = _checked(items, ids, problems, partial)
        asked = {id_: client.problem(id_) for id_ in ids if id_ not in missing}
        if earlier is not None and not gates.comparable(asked, earlier):
            raise click.UsageError("--baseline: no problem of it is in this run, in this version")
        name = known.name if known else problems
        report = _run(client, name, items, asked, missing, ks, kept)
    report = report.model_copy(update={"gates": _gates(report, earlier, **limits)})
    for path in paths:
        path.write_text(_WRITERS[path.suffix](report), encoding="utf-8")
    if as_json:
        click.echo(report.model_dump_json(indent=2))
    else:
        terminal.show(report, Console())
    if report.unscored:
        click.echo(
            f"proctor: {len(report.unscored)} sample(s) were not scored, through no fault of the "
            "programs; they count for nothing above. Run it again.",
            err=True,
        )
        ctx.exit(OURS)
    if not report.passed:
        ctx.exit(BELOW)


# -- what is asked for ------------------------------------------------------------------------


def _baseline(path: Path | None) -> Report | None:
    try:
        return None if path is None else read_report(path)
    except (OSError, reports.BadReport) as error:
        raise click.UsageError(str(error)) from error


def _known(problems: str, embedded: bool) -> problem_sets.ProblemSet | None:
    """The set, where it is to be had here."""
    if problem_sets.is_known(problems):
        try:
            return problem_sets.read(problems)
        except problem_sets.BadProblems as error:
            raise click.UsageError(str(error)) from error
    if embedded:
        raise click.UsageError(
            f"{problems!r} is no file and no set that is known, and a server that is started for "
            "the run has no problems yet"
        )
    return None


def _results_file(output: Path | None) -> ResultsFile:
    try:
        return ResultsFile(output)
    except (OSError, BadResults) as error:
        raise click.UsageError(str(error)) from error


def _ids(client: Client, problems: str, known: problem_sets.ProblemSet | None) -> list[str]:
    """The ids of the set's problems, which the server has from now on."""
    if known is not None:
        client.import_problems(known.problems)
        return [problem.id for problem in known.problems]
    prefix = problems.rstrip("/")
    ids = [id_ for id_ in client.problems() if id_ == prefix or id_.startswith(f"{prefix}/")]
    if not ids:
        raise click.UsageError(
            f"the server has no problem {prefix!r} and none below {prefix + '/'!r}; "
            "proctor problems lists them, and no such file is here either"
        )
    return ids


def _checked(items: list[Item], ids: list[str], problems: str, partial: bool) -> set[str]:
    """The problems without a sample, where there may be any."""
    sampled = {item.problem_id or "" for item in items}
    if strange := sorted(sampled.difference(ids)):
        raise click.UsageError(f"samples of problems that are not in {problems}: {named(strange)}")
    missing = set(ids) - sampled
    if missing and not partial:
        raise click.UsageError(
            f"no samples of {len(missing)} problem(s): {named(sorted(missing))}. Without them a "
            "mean says too much; --partial has it all the same"
        )
    return missing


# -- what comes of it -------------------------------------------------------------------------


def _run(
    client: Client,
    name: str,
    items: list[Item],
    problems: dict[str, ProblemInfo],
    missing: set[str],
    ks: list[int],
    kept: ResultsFile,
) -> Report:
    began_at, began = datetime.now(UTC), time.monotonic()
    plan = Plan.of(items, problems, kept)
    console = Console(stderr=True)
    if len(plan.asked) < len(items):
        known = len(items) - len(plan.asked)
        console.print(
            f"{len(plan.asked)} programs to judge; {known} equal one of them, or are known"
        )
    with ResultsProgress(len(plan.asked), console=console) as bar:
        results = evaluate(plan, client, kept, bar.add)
    scores = reports.scores(results, problems)
    return Report(
        problem_set=name,
        server=_server(client),
        began_at=began_at,
        seconds=time.monotonic() - began,
        samples=len(items),
        judged=len(plan.asked),
        missing=sorted(missing),
        pass_at_k={k: reports.pass_at(scores, k) for k in ks},
        mean_pass_rate=reports.mean_pass_rate(scores),
        verdicts=reports.verdict_mix(results),
        unscored=reports.unscored(results),
        slowest=reports.slowest(results),
        problems=scores,
    )


def _server(client: Client) -> str:
    info = client.info()
    said = info.model_extra or {}
    return f"Proctor {info.version}, sandbox {said.get('sandbox') or 'unknown'}"


def _gates(
    report: Report,
    earlier: Report | None,
    *,
    min_pass_at_1: float | None,
    min_pass_rate: float | None,
    alpha: float,
) -> list[reports.Gate]:
    found = []
    if min_pass_at_1 is not None:
        found.append(gates.at_least("min-pass-at-1", report.pass_at_k[1], min_pass_at_1))
    if min_pass_rate is not None:
        found.append(gates.at_least("min-pass-rate", report.mean_pass_rate, min_pass_rate))
    if earlier is not None:
        found.append(gates.no_drop(report, earlier, alpha))
    return found
