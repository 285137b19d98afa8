"""`python -m bench.simulate`: where a larger fleet meets its next limit."""

import json
import math
import random
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from bench.costs import DOCUMENTED, Costs, measured
from bench.simulation import Fleet, Seen, by_the_queue, of_size, simulated

_OUT = Path(__file__).parent / "out"

# One rollout step of a trainer: 512 prompts with 32 samples each, posted 64 prompts at a time.
PROGRAMS = 512 * 32
POSTS = 8
WORKERS = (10, 30, 100, 300, 1000)
CHUNKS = (1, 4, 16, 64, 256)
CHUNKS_WORKERS = 256
# HumanEval's canonical solutions take a sandbox 10 ms (bench/out/latest.json); what models write
# for contests takes longer, unevenly, and sometimes never ends: then the CPU limit ends it.
MEDIAN_S = 0.010
SPREAD = 0.8
ENDLESS_SHARE = 0.01
ENDLESS_S = 2.0 * 1.2


def burst(programs: int, costs: Costs, endless_share: float) -> list[list[float]]:
    """Sandbox seconds of the programs of each post, the same each time."""
    chance = random.Random(16_384)  # noqa: S311 - a model, not a secret

    def seconds() -> float:
        if chance.random() < endless_share:
            return ENDLESS_S
        return max(costs.sandbox_s, chance.lognormvariate(math.log(MEDIAN_S), SPREAD))

    every = [seconds() for _ in range(programs)]
    return [every[start::POSTS] for start in range(POSTS)]


def row(fleet: Fleet, seen: Seen) -> dict[str, Any]:
    """Figures of one run: seconds, programs a second, and parts of the makespan."""
    answered = sorted(seen.answered_s)
    span_s = seen.makespan_s
    return {
        "workers": fleet.workers,
        "makespan_s": round(span_s, 2),
        "programs_per_s": round(len(answered) / span_s),
        "p50_s": round(answered[len(answered) // 2], 2),
        "p99_s": round(answered[math.ceil(0.99 * len(answered)) - 1], 2),
        "workers_busy": round(seen.worker_busy_s / span_s / fleet.workers, 3),
        "redis_busy": round(seen.redis_busy_s / span_s, 3),
        "api_busy": round(seen.api_busy_s / span_s / fleet.api, 3),
        "chunks": seen.chunks,
        "limit": limit(fleet, seen),
    }


def by_workers(posts: list[list[float]], costs: Costs, api: int) -> Iterator[dict[str, Any]]:
    """A row for each number of workers."""
    for workers in WORKERS:
        fleet = Fleet(workers, api)
        yield row(fleet, simulated(posts, fleet, costs))


def by_chunk(posts: list[list[float]], costs: Costs, api: int) -> Iterator[dict[str, Any]]:
    """A row for each size of chunk, and one for the product's own."""
    fleet = Fleet(CHUNKS_WORKERS, api)
    for size in CHUNKS:
        yield {"chunk": str(size)} | row(fleet, simulated(posts, fleet, costs, of_size(size)))
    yield {"chunk": "ours"} | row(fleet, simulated(posts, fleet, costs, by_the_queue))


def limit(fleet: Fleet, seen: Seen) -> str:
    """What a burst can't be faster than: the part that alone would take longest."""
    alone_s = {
        "workers": seen.worker_work_s / fleet.workers,
        "Redis": seen.redis_busy_s,
        "API": seen.api_busy_s / fleet.api,
        "stragglers": seen.longest_chunk_s,
    }
    return max(alone_s, key=lambda part: alone_s[part])


def conclusion(rows: list[dict[str, Any]], costs: Costs) -> str:
    """Where the next limit is, in one sentence."""
    parts = ", ".join(f"{one['limit']} at {one['workers']}" for one in rows)
    each_s = costs.api_per_submission_s + costs.client_per_submission_s
    return (
        f"What a burst of {PROGRAMS:,} programs waits for, by number of workers: {parts}; "
        f"Redis alone would pass "
        f"{1 / costs.redis_per_submission_s:,.0f} programs a second in large chunks and "
        f"{1 / costs.redis_per_chunk_s:,.0f} one by one, an API process {1 / each_s:,.0f}."
    )


@click.command()
@click.option("--api", type=click.IntRange(1), default=1, help="API processes.  [default: 1]")
@click.option(
    "--costs",
    "record",
    type=click.Path(path_type=Path, dir_okay=False),
    default=_OUT / "latest.json",
    help="A record of make bench.  [default: bench/out/latest.json, else documented figures]",
)
@click.option("--endless", type=click.FloatRange(0, 1), default=ENDLESS_SHARE, show_default=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=_OUT / "simulation.json",
    show_default="bench/out/simulation.json",
)
def main(api: int, record: Path, endless: float, out: Path) -> None:
    """Simulate bursts through 10 to 1,000 workers with measured costs."""
    console = Console(highlight=False)
    costs, source = (measured(record), str(record)) if record.exists() else (DOCUMENTED, "docs")
    posts = burst(PROGRAMS, costs, endless)
    workers = list(by_workers(posts, costs, api))
    chunks = list(by_chunk(posts, costs, api))
    heading = f"{PROGRAMS:,} programs in {POSTS} posts, {api} API process(es)"
    _show(console, heading, workers)
    _show(console, f"The same by size of chunk, {CHUNKS_WORKERS} workers", chunks)
    said = conclusion(workers, costs)
    written = {"costs": asdict(costs), "costs_from": source, "workers": workers, "chunks": chunks}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(written | {"conclusion": said}, indent=2) + "\n")
    console.print(f"Written to {out}.")
    console.print(said)


# A busy part is shown as a part of the makespan.
_SHOWN = {
    "chunk": "chunk",
    "workers": "workers",
    "makespan_s": "s",
    "programs_per_s": "per s",
    "p99_s": "p99 s",
    "workers_busy": "workers busy",
    "redis_busy": "Redis busy",
    "api_busy": "API busy",
    "chunks": "chunks",
    "limit": "limit",
}


def _show(console: Console, title: str, rows: list[dict[str, Any]]) -> None:
    table = Table(title=title)
    names = [name for name in rows[0] if name in _SHOWN]
    for name in names:
        table.add_column(_SHOWN[name], justify="right")
    for one in rows:
        table.add_row(*(str(one[name]) for name in names))
    console.print(table)


if __name__ == "__main__":
    main()
