"""Metrics: what this API process counts itself, and what is in the store when asked."""

from collections.abc import Iterable
from dataclasses import dataclass

import redis.asyncio
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from proctor_server.errors import StoreUnavailable
from proctor_server.fleet import Announcement, present
from proctor_server.outcome import Cause
from proctor_server.store.counters import LAST_PLACE, STEPS_PER_DOUBLING, Counts, Durations, most_s
from proctor_server.store.memory import Memory, read_memory
from proctor_server.store.statistics import Backlog, Statistics

# From a cached answer to a request that is held to the end.
_BUCKETS_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)


@dataclass(frozen=True, slots=True)
class StoreState:
    """What the store says at one Unix time."""

    at: float
    backlog: Backlog
    totals: Counts
    workers: list[Announcement]
    memory: Memory


async def read_store(
    client: "redis.asyncio.Redis", statistics: Statistics, now: float
) -> StoreState | None:
    """Read the state; None where Redis does not answer."""
    try:
        workers = await present(client)
        backlog, totals = await statistics.backlog(), await statistics.totals()
        memory = await read_memory(client)
    except StoreUnavailable:
        return None
    return StoreState(now, backlog, totals, workers, memory)


class Metrics:
    """One application's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "proctor_requests",
            "HTTP requests answered",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "proctor_request_seconds",
            "Time to the first byte of an answer",
            ["method", "route"],
            buckets=_BUCKETS_S,
            registry=self._registry,
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def page(self, state: StoreState | None) -> bytes:
        """The text that Prometheus reads."""
        shown = CollectorRegistry()
        shown.register(_Snapshot(state))
        return generate_latest(self._registry) + generate_latest(shown)


class _Snapshot(Collector):
    def __init__(self, state: StoreState | None) -> None:
        self._state = state

    def collect(self) -> Iterable[Metric]:
        state = self._state
        up = int(state is not None)
        yield GaugeMetricFamily("proctor_redis_up", "Whether Redis answers", up)
        if state is not None:
            yield from _redis(state.memory)
            yield from _waiting(state.at, state.backlog)
            yield from _results(state.totals)
            yield from _fleet(state.workers)


def _redis(memory: Memory) -> Iterable[Metric]:
    yield GaugeMetricFamily(
        "proctor_redis_memory_bytes", "Memory that Redis's data takes", memory.used
    )
    yield GaugeMetricFamily(
        "proctor_redis_memory_max_bytes", "What it may take; 0: no limit", memory.limit or 0
    )


def _waiting(now: float, backlog: Backlog) -> Iterable[Metric]:
    yield GaugeMetricFamily("proctor_pending_units", "Programs queued or running", backlog.pending)
    yield GaugeMetricFamily(
        "proctor_waiting_chunks", "Jobs that no worker has taken yet", backlog.chunks
    )
    oldest_s = 0.0 if backlog.oldest is None else max(0.0, now - backlog.oldest)
    yield GaugeMetricFamily(
        "proctor_oldest_wait_seconds", "For how long the oldest such job has waited", oldest_s
    )
    for name, words, counts in (
        ("proctor_queued_items", "Programs without a result, by key", backlog.queued),
        ("proctor_held_chunks", "Jobs that wait for their key's turn", backlog.held),
    ):
        by_caller = GaugeMetricFamily(name, words, labels=["key"])
        for caller, count in counts.items():
            by_caller.add_metric([caller], count)
        yield by_caller
    yield CounterMetricFamily(
        "proctor_jobs_refused", "Jobs in the queue that were none of ours", backlog.jobs_refused
    )


def _results(totals: Counts) -> Iterable[Metric]:
    results = CounterMetricFamily(
        "proctor_results", "Results by verdict and language", labels=["verdict", "language"]
    )
    for (verdict, language), count in totals.results.items():
        results.add_metric([verdict, language], count)
    yield results
    yield CounterMetricFamily(
        "proctor_cached_results", "Results for which nothing was run", totals.cached
    )
    faults = CounterMetricFamily(
        "proctor_internal_errors", "IEs by what went wrong", labels=["cause"]
    )
    # All there are, so that the first one is seen as an increase.
    for cause in Cause:
        faults.add_metric([cause], totals.faults[cause])
    yield faults
    yield _histogram(
        "proctor_queue_wait_seconds", "From accepted to started, of programs", totals.waits
    )
    yield _histogram("proctor_run_seconds", "Time of programs in sandboxes", totals.runs)
    yield _histogram("proctor_chunk_seconds", "From taken to ended, of jobs", totals.chunks)


def _histogram(name: str, words: str, durations: Durations) -> Metric:
    """As Prometheus has them, a bucket each time that the duration doubles."""
    buckets: list[tuple[str, float]] = []
    below = 0
    for place in range(LAST_PLACE + 1):
        below += durations.places[place]
        if place % STEPS_PER_DOUBLING == 0:
            buckets.append((f"{most_s(place):g}", below))
    # What took longer than can be told is in the last place too.
    buckets.append(("+Inf", below))
    return HistogramMetricFamily(name, words, buckets=buckets, sum_value=durations.sum_s)


def _fleet(workers: list[Announcement]) -> Iterable[Metric]:
    by_state = GaugeMetricFamily("proctor_workers", "Workers by state", labels=["state"])
    for state in ("starting", "idle", "busy", "no sandbox"):
        by_state.add_metric([state], sum(one.state == state for one in workers))
    yield by_state
    units = CounterMetricFamily(
        "proctor_worker_units", "Units that a worker answered", labels=["worker"]
    )
    sandboxes = CounterMetricFamily(
        "proctor_sandboxes", "Sandboxes by what became of them", labels=["worker", "event"]
    )
    for one in workers:
        units.add_metric([one.name], one.units)
        for event, count in one.sandboxes.items():
            sandboxes.add_metric([one.name, event], count)
    yield units
    yield sandboxes
