"""Statistics: from counters to what an operator is told."""

from collections import Counter
from collections.abc import Mapping, Sequence

from proctor.types import (
    MemoryStats,
    ProblemStats,
    Stats,
    StatsBucket,
    Suspicion,
    WorkerStats,
)
from proctor_server.fleet import Announcement
from proctor_server.store.counters import Counts
from proctor_server.store.keys import BUCKET_S
from proctor_server.store.memory import Memory
from proctor_server.store.problems import Head
from proctor_server.store.statistics import Backlog, ProblemCounts
from proctor_server.version import VERSION

_MINUTE_S = 60
# Below this many verdicts, all right or all wrong may be chance.
_ENOUGH = 20
# One program that draws lots must not make its problem flaky: two re-runs, and one in twenty.
_FLAKY_RERUNS = 2
_FLAKY_SHARE = 0.05


def stats(
    now: float,
    backlog: Backlog,
    memory: Memory,
    workers: Sequence[Announcement],
    history: Mapping[int, Counts],
) -> Stats:
    """How the service does at a Unix time. `history` is of the last hour, oldest first."""
    verdicts: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    cached = 0
    for counts in history.values():
        verdicts += counts.verdicts
        faults += counts.faults
        cached += counts.cached
    programs = verdicts.total()
    return Stats(
        at=now,
        version=VERSION,
        pending=backlog.pending,
        waiting_chunks=backlog.chunks,
        oldest_wait_s=None if backlog.oldest is None else max(0.0, now - backlog.oldest),
        memory=MemoryStats(
            used_bytes=memory.used, limit_bytes=memory.limit, nearly_full=memory.nearly_full
        ),
        programs_per_s=_rate(now, history),
        ie_share=verdicts["IE"] / programs if programs else 0.0,
        cached_share=cached / programs if programs else 0.0,
        verdicts=dict(verdicts),
        faults=dict(faults),
        workers=[WorkerStats.model_validate(one.model_dump()) for one in workers],
        history=[_bucket(at, counts) for at, counts in history.items()],
    )


def problem_stats(problem_id: str, head: Head, counts: ProblemCounts) -> ProblemStats:
    """What is known of one problem's results."""
    judged = counts.submissions - counts.ie
    return ProblemStats(
        id=problem_id,
        tests=head.size.tests,
        submissions=counts.submissions,
        accepted=counts.accepted,
        pass_rate=counts.ppm / 1e6 / judged if judged else None,
        internal_errors=counts.ie,
        reruns=counts.reruns,
        flaky=counts.flaky,
        suspicious=_suspicious(counts, judged),
    )


def _rate(now: float, history: Mapping[int, Counts]) -> float:
    """Programs a second over the last minute, and what of this bucket's ten seconds is over."""
    begin = int(now) // BUCKET_S * BUCKET_S - _MINUTE_S
    programs = sum(counts.programs for at, counts in history.items() if at >= begin)
    return programs / (now - begin)


def _bucket(at: int, counts: Counts) -> StatsBucket:
    return StatsBucket(
        at=at,
        programs=counts.programs,
        verdicts=dict(counts.verdicts),
        cached=counts.cached,
        queue_wait_s=counts.waits.spread(),
        run_s=counts.runs.spread(),
    )


def _suspicious(counts: ProblemCounts, judged: int) -> Suspicion | None:
    if judged < _ENOUGH:
        return None
    if counts.flaky >= max(_FLAKY_RERUNS, _FLAKY_SHARE * counts.reruns):
        return "flaky"
    if counts.accepted == judged:
        return "always 1"
    return "always 0" if counts.ppm == 0 else None
