"""`proctor demo`: HumanEval and a set of hostile programs through the whole stack."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click
from rich.console import Console

from proctor import Client
from proctor.errors import ProctorError
from proctor.importers import humaneval, packaged_humaneval
from proctor.progress import ResultsProgress
from proctor.types import RewardPolicy
from proctor_server.backends import SandboxKind
from proctor_server.demo_programs import expectations
from proctor_server.demo_report import Timing, deviations, paired, show
from proctor_server.up import StackError, StackOptions, background_stack, cores, free_port

# The slowest program ends after some 4 s of CPU time; on a swamped machine the whole takes longer.
_LONGEST_S = 900.0


@click.command()
@click.option("--url", help="Use the server there instead of starting a stack here.")
@click.option("--workers", type=click.IntRange(1), help="Worker processes.  [default: cores]")
@click.option(
    "--sandbox",
    type=click.Choice(["auto", "docker", "bubblewrap"]),
    default="auto",
    show_default=True,
)
def demo(url: str | None, workers: int | None, sandbox: SandboxKind) -> None:
    """Score HumanEval here, hostile programs included.

    Right, empty, broken and hostile programs go all the way from an API to their rewards. Exits
    with status 0 only if every program earned exactly what it should.
    """
    console = Console(highlight=False)
    try:
        if url is not None:
            right = _score(console, url)
        else:
            with _own_stack(console, workers, sandbox) as own:
                right = _score(console, own)
    except (StackError, ProctorError, ModuleNotFoundError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    if not right:
        raise SystemExit(1)


@contextmanager
def _own_stack(console: Console, workers: int | None, sandbox: SandboxKind) -> Iterator[str]:
    """The address of a stack of the demo's own; its log is shown when it does not start."""
    with tempfile.TemporaryDirectory(prefix="proctor-demo-") as folder:
        options = StackOptions(
            state_dir=Path(folder), port=free_port(), workers=workers or cores(), sandbox=sandbox
        )
        with (Path(folder) / "log").open("w+b") as log:
            try:
                with background_stack(options, log) as running:
                    console.print(f"Sandbox: {running.sandbox}")
                    yield running.url
            except StackError:
                _show_tail(console, log)
                raise


def _show_tail(console: Console, log: IO[bytes]) -> None:
    log.seek(0)
    for line in log.read().decode(errors="replace").splitlines()[-30:]:
        console.print(line, markup=False, style="dim")


def _score(console: Console, url: str) -> bool:
    """Whether every program earned what it should."""
    with Client(url) as client:
        info = client.info().model_extra or {}
        problems = humaneval(packaged_humaneval())
        report = client.import_problems(problems)
        console.print(
            f"Server: {url}, {len(info['workers'])} workers. "
            f"HumanEval: {report.stored + report.unchanged} problems."
        )
        expected = expectations(problems, info["languages"])
        started = time.perf_counter()
        batch = client.submit(
            [one.item for one in expected],
            reward=RewardPolicy(name="all_or_nothing"),
            fresh=True,  # an equal program's known result would make the times a lie
        )
        accepted = time.perf_counter()
        with ResultsProgress(batch.total, "Programs", console) as bar:
            results = list(bar.track(batch.results(timeout_s=_LONGEST_S)))
        ended = time.perf_counter()
    outcomes = paired(expected, results)
    console.print()
    show(console, outcomes, Timing(accepted - started, ended - started, len(info["workers"])))
    return not deviations(outcomes)
