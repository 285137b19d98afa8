"""A model of the queue: API processes, one Redis, workers, and a burst of work through them."""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import simpy

from bench.costs import Costs, units
from proctor_server.queue import into_chunks
from proctor_server.runner import FLUSH_UNITS

Steps = Generator[simpy.Event, Any, None]
# From the programs of one post, the number of workers and the backlog to chunks.
Cut = Callable[[int, int, int], list[int]]

# A kernel lets others run before a long piece of work is done.
_SLICE_S = 0.005


@dataclass(frozen=True, slots=True)
class Fleet:
    """What work goes through. `cores` None: every worker, API process and Redis has its own.

    A round trip is between a worker and Redis, in seconds.
    """

    workers: int
    api: int = 1
    cores: int | None = None
    round_trip_s: float = 0.0002


@dataclass(slots=True)
class Seen:
    """What came of a burst, in seconds; `answered_s` is of each program, from the posting on.

    A worker is busy while it has a chunk, and at work while it does not wait for Redis.
    """

    makespan_s: float = 0.0
    answered_s: list[float] = field(default_factory=list)
    chunks: int = 0
    api_busy_s: float = 0.0
    redis_busy_s: float = 0.0
    worker_busy_s: float = 0.0
    worker_work_s: float = 0.0
    longest_chunk_s: float = 0.0


def by_the_queue(programs: int, workers: int, backlog: int) -> list[int]:
    """Sizes of chunks as the product cuts them."""
    return [len(chunk.units) for chunk in into_chunks(units(programs), workers, backlog)]


def of_size(size: int) -> Cut:
    """Chunks of one size."""

    def cut(programs: int, _workers: int, _backlog: int) -> list[int]:
        whole, rest = divmod(programs, size)
        return [size] * whole + [rest] * bool(rest)

    return cut


def simulated(
    posts: Sequence[Sequence[float]], fleet: Fleet, costs: Costs, cut: Cut = by_the_queue
) -> Seen:
    """Send posts, all at once, through a fleet; each is the sandbox seconds of its programs."""
    run = _Run(simpy.Environment(), fleet, costs, cut)
    run.go(posts)
    return run.seen


class _Run:
    """One run of the model."""

    def __init__(self, env: simpy.Environment, fleet: Fleet, costs: Costs, cut: Cut) -> None:
        self._env = env
        self._fleet = fleet
        self._costs = costs
        self._cut = cut
        self._redis = simpy.Resource(env, capacity=1)
        self._apis = simpy.Resource(env, capacity=fleet.api)
        self._machine = simpy.Resource(env, capacity=fleet.cores) if fleet.cores else None
        self._queue = simpy.Store(env)
        self._pending = 0
        self._left = 0
        self._all_answered = env.event()
        self.seen = Seen()

    def go(self, posts: Sequence[Sequence[float]]) -> None:
        self._left = sum(map(len, posts))
        for post in posts:
            self._env.process(self._accept(post))
        for _ in range(self._fleet.workers):
            self._env.process(self._work())
        self._env.run(until=self._all_answered)
        self.seen.makespan_s = self._env.now

    def _accept(self, post: Sequence[float]) -> Steps:
        """One request: read and checked by the API, stored by Redis in one step."""
        costs, count = self._costs, len(post)
        with self._apis.request() as turn:
            yield turn
            # Half of what the API spends on a batch is for its posting, the rest for its results.
            seconds = (costs.api_per_request_s + costs.api_per_submission_s * count) / 2
            seconds += costs.client_per_submission_s * count / 2
            yield from self._busy(seconds, self._machine)
            self.seen.api_busy_s += seconds
            sizes = self._cut(count, self._fleet.workers, self._pending)
            self._pending += count
            self.seen.chunks += len(sizes)
            each_s = costs.redis_per_chunk_s / 3 * len(sizes)
            yield from self._on_redis(each_s + costs.redis_per_submission_s / 2 * count)
        rest = iter(post)
        for size in sizes:
            yield self._queue.put([next(rest) for _ in range(size)])

    def _work(self) -> Steps:
        """A worker: takes chunks, runs their programs, has what it knows written."""
        costs, fleet = self._costs, self._fleet
        core = self._machine or simpy.Resource(self._env, capacity=1)
        while True:
            programs: list[float] = yield self._queue.get()
            began = self._env.now
            yield self._env.timeout(2 * fleet.round_trip_s)
            yield from self._on_redis(costs.redis_per_chunk_s / 3)
            yield from self._busy(costs.worker_per_chunk_s / 2, core)
            for group in _groups(programs):
                # The worker reads and grades while the sandbox is at the next program.
                yield self._env.all_of(
                    [
                        self._env.process(self._busy(sum(group), core)),
                        self._env.process(
                            self._busy(costs.worker_per_submission_s * len(group), core)
                        ),
                    ]
                )
                self._env.process(self._answer(len(group)))
            yield from self._busy(costs.worker_per_chunk_s / 2, core)
            yield self._env.timeout(fleet.round_trip_s)
            yield from self._on_redis(costs.redis_per_chunk_s / 3)
            work_s = sum(programs) + costs.worker_per_submission_s * len(programs)
            self.seen.worker_work_s += work_s + costs.worker_per_chunk_s
            self.seen.longest_chunk_s = max(self.seen.longest_chunk_s, sum(programs))
            self.seen.worker_busy_s += self._env.now - began

    def _answer(self, count: int) -> Steps:
        """Outcomes on their way: written to Redis, read by the API, sent to the client."""
        costs = self._costs
        yield from self._on_redis(costs.redis_per_submission_s / 2 * count)
        self._pending -= count
        with self._apis.request() as turn:
            yield turn
            seconds = costs.api_per_submission_s / 2 + costs.client_per_submission_s / 2
            yield from self._busy(seconds * count, self._machine)
            self.seen.api_busy_s += seconds * count
        self.seen.answered_s += [self._env.now] * count
        self._left -= count
        if not self._left:
            self._all_answered.succeed()

    def _on_redis(self, seconds: float) -> Steps:
        with self._redis.request() as turn:
            yield turn
            yield from self._busy(seconds, self._machine)
            self.seen.redis_busy_s += seconds

    def _busy(self, seconds: float, core: "simpy.Resource | None") -> Steps:
        if core is None:
            yield self._env.timeout(seconds)
            return
        while seconds > 0:
            part = min(seconds, _SLICE_S)
            with core.request() as turn:
                yield turn
                yield self._env.timeout(part)
            seconds -= part


def _groups(programs: list[float]) -> Iterator[list[float]]:
    """As they are written: FLUSH_UNITS at a time at most."""
    for start in range(0, len(programs), FLUSH_UNITS):
        yield programs[start : start + FLUSH_UNITS]
