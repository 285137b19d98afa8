"""The list of batches: each caller's own, newest first, a page at a time."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis.asyncio

from proctor.types import BatchStatus
from proctor_server.callers import Caller
from proctor_server.store import keys
from proctor_server.store.connection import run_script_async, translated
from proctor_server.store.scripts import FORGET
from proctor_server.store.status import STATUS_FIELDS, read_status

_FORGET_AT_ONCE = 1000


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a batch is in the list: by when it was accepted, then by its id."""

    created: float
    batch_id: str

    def __str__(self) -> str:
        return f"{self.created:.6f}-{self.batch_id}"

    @classmethod
    def read(cls, text: str) -> "Place":
        """Read what str() wrote. Raises ValueError for anything else."""
        created, dash, batch_id = text.partition("-")
        moment = float(created)
        if not dash or not math.isfinite(moment):
            raise ValueError("this is no place in the list of batches")
        return cls(moment, batch_id)


@dataclass(frozen=True, slots=True)
class Listed:
    """A batch in the list, and who posted it."""

    place: Place
    caller: str
    status: BatchStatus


class Listing:
    """Every method raises StoreUnavailable where Redis does not answer."""

    def __init__(self, client: "redis.asyncio.Redis") -> None:
        self._redis = client

    async def newest(self, caller: Caller, after: Place | None, limit: int) -> list[Listed]:
        """Up to `limit` batches that a caller may see, newest first, those after a place.

        Batches whose results go this very moment are left out.
        """
        with translated():
            names = await self._posters() if caller.is_admin else [caller.name]
            places = await self._places(names, after, limit)
            async with self._redis.pipeline(transaction=False) as pipe:
                for place, _ in places:
                    pipe.hmget(keys.BATCH + place.batch_id, STATUS_FIELDS)
                raw = await pipe.execute()
        return [
            Listed(place, name, status)
            for (place, name), fields in zip(places, raw, strict=True)
            if (status := read_status(place.batch_id, fields)) is not None
        ]

    async def forget_ended(self) -> None:
        """Take batches whose results are gone off the list."""
        with translated():
            gone = _FORGET_AT_ONCE
            while gone == _FORGET_AT_ONCE:
                now = f"{time.time():.6f}"
                gone = await run_script_async(self._redis, FORGET, now, _FORGET_AT_ONCE)

    async def _posters(self) -> list[str]:
        found: Any = await self._redis.zrange(keys.POSTERS, 0, -1)
        return [name.decode() for name in found]

    async def _places(
        self, names: Sequence[str], after: Place | None, limit: int
    ) -> list[tuple[Place, str]]:
        """The newest of all, each with who posted it: each caller's newest, merged."""
        found: list[tuple[Place, str]] = []
        async with self._redis.pipeline(transaction=False) as pipe:
            for name in names:
                key = keys.BATCHES + name
                newest: dict[str, Any] = {"byscore": True, "desc": True, "withscores": True}
                newest |= {"offset": 0, "num": limit}
                if after is None:
                    pipe.zrange(key, "+inf", "-inf", **newest)
                else:
                    moment = f"{after.created:.6f}"
                    pipe.zrange(key, f"({moment}", "-inf", **newest)
                    # Two may have been accepted at one moment.
                    pipe.zrangebyscore(key, moment, moment, withscores=True)
            answers = await pipe.execute()
        each = 1 if after is None else 2
        for number, name in enumerate(names):
            for entries in answers[number * each : (number + 1) * each]:
                found += [(Place(score, entry.decode()), name) for entry, score in entries]
        found.sort(reverse=True)
        return [one for one in found if after is None or one[0] < after][:limit]
