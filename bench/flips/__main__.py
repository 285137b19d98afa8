"""`python -m bench.flips`: judge, judge again on a busy machine, count what differs."""

import json
import os
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from bench import machine
from bench.busy import busy_loops
from bench.flips import counting, judging, programs
from bench.flips.calibration import Calibration, calibrated
from proctor_sandbox.errors import SandboxError
from proctor_sandbox.limits import MIB
from proctor_sandbox.seam import Backend
from proctor_server.backends import SandboxKind, open_backend
from proctor_server.up import cores

_OUT = Path(__file__).parents[1] / "out"


@click.command()
@click.option("--quick", is_flag=True, help="A smoke test: a few programs, two runs.")
@click.option("--runs", type=click.IntRange(1), help="Busy runs.  [default: 5; 2 with --quick]")
@click.option("--programs", "count", type=click.IntRange(1), help="In all.  [default: 2000]")
@click.option(
    "--busy-loops", "loops", type=click.IntRange(0), default=4, help="Per core.  [default: 4]"
)
@click.option(
    "--workers-per-core", type=click.IntRange(1), default=4, help="In busy runs.  [default: 4]"
)
@click.option(
    "--sandbox",
    type=click.Choice(["auto", "docker", "bubblewrap"]),
    default="auto",
    show_default=True,
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False))
def main(
    quick: bool,
    runs: int | None,
    count: int | None,
    loops: int,
    workers_per_core: int,
    sandbox: SandboxKind,
    out: Path | None,
) -> None:
    """Count verdicts that change when the machine is busy. Fails if one away from limits does."""
    console = Console(highlight=False)
    sizes = programs.QUICK if quick else programs.FULL
    if count is not None:
        sizes = replace(sizes, programs=count)
    runs = runs or (2 if quick else 5)
    out = out or _OUT / ("flips-quick.json" if quick else "flips.json")
    facts: dict[str, Any] = {"date": machine.today(), "git_revision": machine.revision()}
    facts |= {"machine": machine.facts(), "quick": quick}
    facts |= {"busy_loops_per_core": loops, "workers_per_core": workers_per_core}
    seconds: dict[str, float] = {}

    def timed(name: str, workers: int) -> list[judging.Judged]:
        began = time.perf_counter()
        found = judging.judged(submissions, backend, workers)
        seconds[name] = round(time.perf_counter() - began, 1)
        console.print(f"{name}: {seconds[name]} s")
        return found

    try:
        first, meaning = open_backend(sandbox, os.environ.get("PROCTOR_RUNTIME"))
        console.print(f"Sandbox: {meaning}.")
        kind: SandboxKind = "docker" if first.name == "docker" else "bubblewrap"

        def backend(core: int) -> Backend:
            return open_backend(kind, os.environ.get("PROCTOR_RUNTIME"), core)[0]

        calibration = _calibrated(backend(min(os.sched_getaffinity(0))))
        facts |= {"backend": kind, "calibration": asdict(calibration)}
        submissions = programs.submissions(sizes, calibration)
        quiet, again = timed("quiet", cores()), timed("quiet again", cores())
        many = cores() * workers_per_core
        with busy_loops(loops):
            busy = [timed(f"busy {number}", many) for number in range(1, runs + 1)]
    except (SandboxError, judging.WorkerFailed) as error:
        raise click.ClickException(str(error)) from error
    counted = counting.rows(submissions, quiet, again, busy)
    recorded = counting.record(counted, runs, facts, seconds)
    counting.show(console, counted)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(recorded, indent=2) + "\n")
    console.print(f"Written to {out}.")
    console.print(counting.last_line(recorded))
    sys.exit(1 if recorded["flips_away"] else 0)


def _calibrated(backend: Backend) -> Calibration:
    sandbox = backend.start("python")
    try:
        return calibrated(sandbox, programs.MEMORY_MB * MIB)
    finally:
        sandbox.close()


if __name__ == "__main__":
    main()
