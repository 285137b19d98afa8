"""Wake-ups: who waits for a batch is woken when workers have news of it."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import redis.asyncio
from redis.exceptions import RedisError

from proctor_server.store import keys

# A message can be lost (a connection that breaks); then a look at the store helps.
BACKSTOP_S = 1.0
# While Redis is away; waiters look for themselves meanwhile.
_RECONNECT_S = 0.5

_log = logging.getLogger(__name__)


class Wakeups:
    """One subscription per process, shared by all who wait."""

    def __init__(self, client: "redis.asyncio.Redis") -> None:
        self._redis = client
        self._waiting: dict[bytes, set[asyncio.Event]] = {}

    @contextmanager
    def watch(self, batch_id: str) -> Iterator["Watch"]:
        """Watch a batch. News from here on is not missed, however late it is waited for."""
        event = asyncio.Event()
        key = batch_id.encode()
        self._waiting.setdefault(key, set()).add(event)
        try:
            yield Watch(event)
        finally:
            others = self._waiting[key]
            others.discard(event)
            if not others:
                del self._waiting[key]

    async def run(self) -> None:
        """Listen until cancelled; a broken connection is made again."""
        while True:
            try:
                async with self._redis.pubsub() as subscription:
                    await subscription.subscribe(keys.NEWS)
                    self._wake_all()
                    async for message in subscription.listen():
                        if message["type"] == "message":
                            self._wake(message["data"])
            except RedisError as error:
                _log.warning("no news from Redis (%s), trying again", type(error).__name__)
            await asyncio.sleep(_RECONNECT_S)

    def _wake(self, batch_ids: bytes) -> None:
        for batch_id in batch_ids.split():
            for event in self._waiting.get(batch_id, ()):
                event.set()

    def _wake_all(self) -> None:
        for events in self._waiting.values():
            for event in events:
                event.set()


class Watch:
    """One who waits for one batch."""

    def __init__(self, event: asyncio.Event) -> None:
        self._event = event

    async def news(self, timeout_s: float) -> None:
        """Return on news, or after `timeout_s` or BACKSTOP_S without any."""
        timer = asyncio.get_running_loop().call_later(
            max(0.0, min(timeout_s, BACKSTOP_S)), self._event.set
        )
        try:
            await self._event.wait()
        finally:
            timer.cancel()
            self._event.clear()
