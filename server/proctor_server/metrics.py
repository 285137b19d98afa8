"""Metrics: what this API process counts itself, and what is in the store when asked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import redis.asyncio
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from proctor_server.errors import StoreUnavailable
from proctor_server.fleet import Announcement, present
from proctor_server.store import keys
from proctor_server.store.connection import translated

# From a cached answer to a request that is held to the end.
_BUCKETS_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)


@dataclass(frozen=True, slots=True)
class StoreState:
    """What the store says at one moment."""

    up: bool
    pending: int = 0
    chunks_waiting: int = 0
    jobs_refused: int = 0
    verdicts: Mapping[str, int] = field(default_factory=dict)
    workers: list[Announcement] = field(default_factory=list)
    queued: Mapping[str, int] = field(default_factory=dict)
    held: Mapping[str, int] = field(default_factory=dict)


async def read_store(client: "redis.asyncio.Redis", queue: str) -> StoreState:
    """Read the state; where Redis does not answer, that is the state."""
    try:
        workers = await present(client)
        with translated():
            pending = int(await client.get(keys.PENDING) or 0)
            # Read without RQ: its registries clean up as they are counted.
            waiting = await client.llen(f"rq:queue:{queue}")
            refused = int(await client.get(keys.REFUSED) or 0)
            stats: Any = await client.hgetall(keys.STATS)
            queued: Any = await client.hgetall(keys.QUEUED)
            turns: Any = await client.zrange(keys.TURNS, 0, -1)
            held = {
                caller.decode(): await client.llen(keys.HELD + caller.decode()) for caller in turns
            }
    except StoreUnavailable:
        return StoreState(up=False)
    verdicts = {verdict.decode(): int(count) for verdict, count in stats.items()}
    by_caller = {caller.decode(): int(count) for caller, count in queued.items()}
    return StoreState(True, pending, waiting, refused, verdicts, workers, by_caller, held)


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

    def page(self, state: StoreState) -> bytes:
        """The text that Prometheus reads."""
        shown = CollectorRegistry()
        shown.register(_Snapshot(state))
        return generate_latest(self._registry) + generate_latest(shown)


class _Snapshot(Collector):
    def __init__(self, state: StoreState) -> None:
        self._state = state

    def collect(self) -> Iterable[Metric]:
        state = self._state
        yield GaugeMetricFamily("proctor_redis_up", "Whether Redis answers", int(state.up))
        if not state.up:
            return
        yield GaugeMetricFamily(
            "proctor_pending_units", "Programs queued or running", state.pending
        )
        yield GaugeMetricFamily("proctor_waiting_chunks", "Jobs in the queue", state.chunks_waiting)
        for name, words, counts in (
            ("proctor_queued_items", "Programs without a result, by key", state.queued),
            ("proctor_held_chunks", "Jobs that wait for their key's turn", state.held),
        ):
            by_caller = GaugeMetricFamily(name, words, labels=["key"])
            for caller, count in counts.items():
                by_caller.add_metric([caller], count)
            yield by_caller
        yield CounterMetricFamily(
            "proctor_jobs_refused", "Jobs in the queue that were none of ours", state.jobs_refused
        )
        verdicts = CounterMetricFamily("proctor_results", "Results by verdict", labels=["verdict"])
        for verdict, count in state.verdicts.items():
            verdicts.add_metric([verdict], count)
        yield verdicts
        yield from _fleet(state.workers)


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
