"""What each part of the stack costs, told from a run of the bench."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proctor_server.queue import Size, into_chunks
from proctor_server.units import Unit


@dataclass(frozen=True, slots=True)
class Costs:
    """CPU seconds. `sandbox` is of a trivial program; the engine's share is in it."""

    api_per_request_s: float
    api_per_submission_s: float
    redis_per_chunk_s: float
    redis_per_submission_s: float
    worker_per_chunk_s: float
    worker_per_submission_s: float
    sandbox_s: float
    client_per_submission_s: float


# Those of docs/performance.md's machine, for who has not run the bench.
DOCUMENTED = Costs(
    api_per_request_s=3.1e-3,
    api_per_submission_s=0.08e-3,
    redis_per_chunk_s=0.85e-3,
    redis_per_submission_s=0.05e-3,
    worker_per_chunk_s=2.5e-3,
    worker_per_submission_s=0.21e-3,
    sandbox_s=2.3e-3,
    client_per_submission_s=0.05e-3,
)


def measured(path: Path) -> Costs:
    """The costs in a record of the bench. Raises OSError, and KeyError for a partial record.

    Requests for one program each (`single`) and a batch (`trivial`) differ in how many chunks
    there are to a program: that tells a chunk's cost from a program's.
    """
    recorded: dict[str, Any] = json.loads(path.read_text())
    single, batch = (recorded["cpu_seconds"][name] for name in ("single", "trivial"))
    singles, programs = (recorded["cpu_programs"][name] for name in ("single", "trivial"))
    chunks = len(into_chunks(units(programs), recorded["workers"], 0))

    def split(part: str, many: int) -> tuple[float, float]:
        """Seconds of one of `many` and of one program in a batch."""
        both_s = single[part] / singles
        each_s = (batch[part] - many * both_s) / (programs - many)
        return both_s - each_s, each_s

    api, redis, worker = split("api", 1), split("redis", chunks), split("worker", chunks)
    return Costs(
        api_per_request_s=api[0],
        api_per_submission_s=api[1],
        redis_per_chunk_s=redis[0],
        redis_per_submission_s=redis[1],
        worker_per_chunk_s=worker[0],
        worker_per_submission_s=worker[1],
        sandbox_s=(batch["sandbox"] + batch["engine"]) / programs,
        client_per_submission_s=batch["client"] / programs,
    )


def units(count: int, prefix: str = "") -> list[tuple[Unit, Size]]:
    """Distinct units of one test each, with keys that count up."""
    size = Size(tests=1, worst_s=12.0)
    return [(Unit(f"{prefix}{number}", "python", "", ""), size) for number in range(count)]
