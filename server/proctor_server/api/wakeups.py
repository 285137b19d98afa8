"""Wake-ups: who waits for a batch is woken when workers have news of it."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress

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
        self._waiting: dict[bytes, set[Watch]] = {}

    @contextmanager
    def watch(self, batch_id: str) -> Iterator["Watch"]:
        """Watch a batch. News from here on is not missed, however late it is waited for."""
        watch = Watch()
        key = batch_id.encode()
        self._waiting.setdefault(key, set()).add(watch)
        try:
            yield watch
        finally:
            others = self._waiting[key]
            others.discard(watch)
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
                _log.info("no news from Redis (%s), trying again", type(error).__name__)
            await asyncio.sleep(_RECONNECT_S)

    def _wake(self, batch_ids: bytes) -> None:
        for word in batch_ids.split():
            for watch in self._waiting.get(word.rstrip(b"!"), ()):
                watch.wake(ended=word.endswith(b"!"))

    def _wake_all(self) -> None:
        for watches in self._waiting.values():
            for watch in watches:
                watch.wake(ended=True)


class Watch:
    """One who waits for one batch."""

    def __init__(self) -> None:
        self._news = asyncio.Event()
        self._ended = asyncio.Event()

    def wake(self, *, ended: bool) -> None:
        """There is news; `ended`: look at once."""
        self._news.set()
        if ended:
            self._ended.set()

    async def news(self, timeout_s: float, linger_s: float = 0.0) -> None:
        """Return on news, or after `timeout_s` or BACKSTOP_S without any.

        News of less than a batch's end may gather for `linger_s` first.
        """
        if await _is_set(self._news, min(timeout_s, BACKSTOP_S)) and linger_s:
            await _is_set(self._ended, min(timeout_s, linger_s))
        self._news.clear()
        self._ended.clear()


async def _is_set(event: asyncio.Event, timeout_s: float) -> bool:
    if not event.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, timeout_s)):
                await event.wait()
    return event.is_set()
