"""`python -m bench.scaling`: throughput by number of workers, measured and as the model has it."""

import json
import os
import statistics
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from bench import costs, machine, workloads
from bench.simulation import Fleet, simulated
from bench.stack import running_stack, trivial_batch
from proctor_server.backends import SandboxKind, open_backend
from proctor_server.up import cores

_OUT = Path(__file__).parent / "out"


def throughput(kind: SandboxKind, workers: int, programs: int, mark: str) -> float:
    """Trivial programs a second through a stack of its own, warm. Raises StackError."""
    with running_stack(kind, os.environ.get("PROCTOR_RUNTIME"), workers) as server:
        trivial_batch(server, workloads.QUICK.trivial * workers, f"warm {mark}")
        return programs / trivial_batch(server, programs, mark)


def predicted(known: costs.Costs, workers: int, programs: int) -> float:
    """What the model says of the same, with everything on this machine's cores."""
    posts = [[known.sandbox_s] * programs]
    fleet = Fleet(workers, cores=cores(), round_trip_s=0.0)
    return programs / simulated(posts, fleet, known).makespan_s


@click.command()
@click.option("--workers", multiple=True, type=click.IntRange(1), help="[default: 1, 2, 3, 4]")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--programs", type=click.IntRange(1), default=2000, show_default=True)
@click.option("--sandbox", type=click.Choice(["auto", "docker", "bubblewrap"]), default="auto")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), default=_OUT / "scaling.json"
)
def main(
    workers: tuple[int, ...], rounds: int, programs: int, sandbox: SandboxKind, out: Path
) -> None:
    """Measure how much more workers do. Compare the ratios."""
    console = Console(highlight=False)
    backend, meaning = open_backend(sandbox, os.environ.get("PROCTOR_RUNTIME"))
    console.print(f"Sandbox: {meaning}.")
    kind: SandboxKind = "docker" if backend.name == "docker" else "bubblewrap"
    counts = workers or (1, 2, 3, 4)
    figures: dict[int, list[float]] = {count: [] for count in counts}
    for number in range(rounds):
        for count in counts:
            found = throughput(kind, count, programs, f"scaling {number} {count}")
            figures[count].append(round(found, 1))
            console.print(f"round {number + 1}: {count} workers, {found:.0f} programs/s")
    medians = {count: statistics.median(values) for count, values in figures.items()}
    record = _OUT / "latest.json"
    known = costs.measured(record) if record.exists() else costs.DOCUMENTED
    model = {count: round(predicted(known, count, programs), 1) for count in counts}
    recorded: dict[str, Any] = {"date": machine.today(), "git_revision": machine.revision()}
    recorded |= {"machine": machine.facts(), "backend": kind, "programs": programs}
    recorded |= {"programs_per_s": medians, "predicted_per_s": model, "rounds": figures}
    _show(console, medians, figures, model)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(recorded, indent=2) + "\n")
    console.print(f"Written to {out}.")


def _show(
    console: Console,
    medians: dict[int, float],
    figures: dict[int, list[float]],
    model: dict[int, float],
) -> None:
    table = Table(title="Batch of trivial programs")
    for name in ("workers", "programs/s", "min .. max", "x the first", "model", "off by"):
        table.add_column(name, justify="right")
    base = next(iter(medians.values()))
    for count, median in medians.items():
        spread = f"{min(figures[count]):.0f} .. {max(figures[count]):.0f}"
        off = f"{model[count] / median - 1:+.0%}"
        ratio = f"{median / base:.2f}"
        table.add_row(str(count), f"{median:.0f}", spread, ratio, f"{model[count]:.0f}", off)
    console.print(table)


if __name__ == "__main__":
    main()
