"""The fleet: what workers say of themselves, and what the API makes of it."""

import time
from typing import Any, Literal

import redis
import redis.asyncio
from pydantic import BaseModel, ConfigDict

from proctor_server.store import keys
from proctor_server.store.connection import translated

State = Literal["starting", "idle", "busy", "no sandbox"]


class Announcement(BaseModel):
    """What one worker says of itself, every few seconds."""

    model_config = ConfigDict(frozen=True)

    name: str
    host: str
    pid: int
    slots: int = 1
    languages: list[str]
    versions: dict[str, str] = {}
    backend: str
    runtime: str
    version: str
    state: State = "starting"
    started_at: float
    units: int = 0
    units_per_s: float = 0.0
    batch: str | None = None
    language: str | None = None
    sandboxes: dict[str, int] = {}


def announce(client: "redis.Redis", announcement: Announcement) -> None:
    """Write an announcement; it holds for ANNOUNCEMENT_TTL_S."""
    with client.pipeline(transaction=False) as pipe:
        pipe.set(
            keys.WORKER + announcement.name,
            announcement.model_dump_json(),
            ex=keys.ANNOUNCEMENT_TTL_S,
        )
        pipe.zadd(keys.WORKERS, {announcement.name: time.time()})
        pipe.zremrangebyscore(keys.WORKERS, "-inf", time.time() - 10 * keys.ANNOUNCEMENT_TTL_S)
        pipe.execute()


def withdraw(client: "redis.Redis", name: str) -> None:
    """Take a worker off the list at once, as it ends."""
    with client.pipeline(transaction=False) as pipe:
        pipe.delete(keys.WORKER + name)
        pipe.zrem(keys.WORKERS, name)
        pipe.execute()


async def present(client: "redis.asyncio.Redis") -> list[Announcement]:
    """The workers that are there, oldest first. Raises StoreUnavailable."""
    with translated():
        names: Any = await client.zrangebyscore(
            keys.WORKERS, time.time() - keys.ANNOUNCEMENT_TTL_S, "+inf"
        )
        if not names:
            return []
        raw = await client.mget([keys.WORKER.encode() + name for name in names])
    found = [Announcement.model_validate_json(one) for one in raw if one is not None]
    return sorted(found, key=lambda one: one.started_at)
