"""`python -m bench`: measure everything, print tables, write bench/out/latest.json."""

import json
import os
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from bench import machine, rounds
from bench.bare import NoSuchInterpreter, described
from bench.report import record, show
from bench.sandbox import WrongOutput
from bench.stack import WrongReward, running_stack
from bench.workloads import FULL, QUICK
from proctor.errors import ProctorError
from proctor_sandbox.errors import SandboxError
from proctor_server.backends import SandboxKind, open_backend
from proctor_server.up import StackError

_OUT = Path(__file__).parent / "out"
# An odd number, so that the median is a round that was run.
_ROUNDS = 5
_NAMES = [measure.name for measure in rounds.MEASURES]


@click.command()
@click.option("--quick", is_flag=True, help="A smoke test: figures mean nothing.")
@click.option("--only", multiple=True, type=click.Choice(_NAMES), help="Only this; repeatable.")
@click.option(
    "--sandbox",
    type=click.Choice(["auto", "docker", "bubblewrap"]),
    default="auto",
    show_default=True,
)
@click.option("--runtime", help="Docker's runtime.  [default: PROCTOR_RUNTIME, or the engine's]")
@click.option(
    "--rounds", "count", type=click.IntRange(1), help=f"[default: {_ROUNDS}; 1 with --quick]"
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="[default: bench/out/latest.json; partial.json with --only, quick.json with --quick]",
)
def main(
    quick: bool,
    only: tuple[str, ...],
    sandbox: SandboxKind,
    runtime: str | None,
    count: int | None,
    out: Path | None,
) -> None:
    """Measure Proctor beside bare processes and `docker run`, every program distinct."""
    console = Console(highlight=False)
    sizes = QUICK if quick else FULL
    measures = [one for one in rounds.MEASURES if not only or one.name in only]
    out = out or _OUT / ("quick.json" if quick else "partial.json" if only else "latest.json")
    runtime = runtime or os.environ.get("PROCTOR_RUNTIME")
    count = count or (1 if quick else _ROUNDS)
    facts: dict[str, Any] = {"date": machine.today(), "git_revision": machine.revision()}
    facts |= {"quick": quick, "machine": machine.facts()}
    try:
        # As a worker of `proctor up` has them: on one core.
        backend, meaning = open_backend(sandbox, runtime, min(os.sched_getaffinity(0)))
        console.print(f"Sandbox: {meaning}.")
        kind: SandboxKind = "docker" if backend.name == "docker" else "bubblewrap"
        with (
            running_stack(kind, runtime) as server,
            rounds.subject(server, backend, sizes) as subject,
        ):
            info = subject.sandboxes.python.info
            facts |= {"backend": info.backend, "runtime": info.runtime}
            facts |= {"workers": len(server.parts.workers), "bare": described(subject.python)}
            console.print(f"Bare programs are run by {facts['bare']}.")
            with console.status("warming up") as status:
                # Where nobody looks at a terminal, a log shall say how far it is.
                say = status.update if console.is_terminal else console.print
                if not quick:
                    rounds.measured(subject, measures, QUICK, 1, lambda _: None)
                figures = rounds.measured(subject, measures, sizes, count, say)
    except (StackError, SandboxError, ProctorError, NoSuchInterpreter) as error:
        raise click.ClickException(str(error)) from error
    except (WrongReward, WrongOutput) as error:
        raise click.ClickException(f"nothing is measured: {error}") from error
    recorded = record(figures, facts)
    show(console, recorded)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(recorded, indent=2) + "\n")
    console.print(f"Written to {out}.")


if __name__ == "__main__":
    main()
