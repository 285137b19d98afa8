"""Statistics in the store, read by the API: counters, what waits, and problems' counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis.asyncio

from proctor_server.store import keys
from proctor_server.store.connection import translated
from proctor_server.store.counters import Counts

# A worker writes what it kept during an outage of Redis with the time at which it first tried.
_FINAL_AFTER_S = 120


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits at one moment."""

    pending: int = 0  # units, those that run included
    chunks: int = 0  # that no worker has taken
    oldest: float | None = None  # the Unix time at which the oldest of them was made
    queued: Mapping[str, int] = field(default_factory=dict)  # items without a result, by caller
    held: Mapping[str, int] = field(default_factory=dict)  # chunks that wait for a turn, by caller
    jobs_refused: int = 0


@dataclass(frozen=True, slots=True)
class ProblemCounts:
    """What came of the results for one problem version."""

    submissions: int = 0
    accepted: int = 0
    ppm: int = 0  # the sum of pass rates, in millionths
    ie: int = 0
    reruns: int = 0
    flaky: int = 0


class Statistics:
    """Every method raises StoreUnavailable where Redis does not answer."""

    def __init__(self, client: "redis.asyncio.Redis", queue_key: str) -> None:
        """`queue_key` is the Redis key of RQ's queue."""
        self._redis = client
        self._queue_key = queue_key
        # Buckets to which nothing is added any more, by their time; None for an empty one.
        self._final: dict[int, Counts | None] = {}

    async def history(self, now: float) -> dict[int, Counts]:
        """The last hour's buckets that are not empty, by their Unix time, oldest first."""
        last = int(now) // keys.BUCKET_S * keys.BUCKET_S
        times = range(last - keys.HISTORY_S, last + keys.BUCKET_S, keys.BUCKET_S)
        unknown = [moment for moment in times if moment not in self._final]
        with translated():
            async with self._redis.pipeline(transaction=False) as pipe:
                for moment in unknown:
                    pipe.hgetall(f"{keys.BUCKET}{moment}")
                raw = await pipe.execute()
        read = {
            moment: Counts.of(each) if each else None
            for moment, each in zip(unknown, raw, strict=True)
        }
        found = self._final | read
        self._final = {moment: found[moment] for moment in times if moment < now - _FINAL_AFTER_S}
        return {moment: counts for moment in times if (counts := found[moment]) is not None}

    async def totals(self) -> Counts:
        """All that was counted since the store was made."""
        with translated():
            raw: Any = await self._redis.hgetall(keys.STATS)
        return Counts.of(raw)

    async def backlog(self) -> Backlog:
        """What waits now."""
        with translated():
            # Read without RQ: its registries clean up as they are counted.
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.get(keys.PENDING)
                pipe.llen(self._queue_key)
                pipe.lrange(self._queue_key, 0, -1)
                pipe.zrange(keys.TURNS, 0, -1)
                pipe.hgetall(keys.QUEUED)
                pipe.get(keys.REFUSED)
                pending, ready, heads, turns, queued, refused = await pipe.execute()
            callers = [caller.decode() for caller in turns]
            async with self._redis.pipeline(transaction=False) as pipe:
                for caller in callers:
                    pipe.llen(keys.HELD + caller)
                    pipe.lrange(keys.HELD + caller, 0, 0)
                answers = await pipe.execute()
            held = dict(zip(callers, answers[::2], strict=True))
            heads += [entry.split()[0] for first in answers[1::2] for entry in first]
            async with self._redis.pipeline(transaction=False) as pipe:
                for chunk_id in heads:
                    pipe.zscore(keys.CHUNKS, chunk_id)
                made = [moment for moment in await pipe.execute() if moment is not None]
        return Backlog(
            pending=int(pending or 0),
            chunks=ready + sum(held.values()),
            oldest=min(made, default=None),
            queued={caller.decode(): int(items) for caller, items in queued.items()},
            held=held,
            jobs_refused=int(refused or 0),
        )

    async def problems(self, versions: Sequence[str]) -> list[ProblemCounts]:
        """The counts of problem versions, in their order."""
        with translated():
            async with self._redis.pipeline(transaction=False) as pipe:
                for version in versions:
                    pipe.hgetall(keys.JUDGED + version)
                raw = await pipe.execute()
        return [
            ProblemCounts(**{name.decode(): int(value) for name, value in each.items()})
            for each in raw
        ]
