"""Connections to Redis, and the one way a script is run on each kind."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialBackoff
from redis.exceptions import (
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.retry import Retry

from proctor_server.errors import StoreUnavailable
from proctor_server.store.scripts import Script

# A worker outlives a restart of Redis (10 s with a large append-only file) in the middle of a
# job: 0.05 + 0.1 + ... + 1 s steps, about a minute in all.
_WORKER_RETRIES = 64
# A caller waits: a blip is bridged (0.75 s), an outage is answered 503.
_API_RETRIES = 4
_BACKOFF = {"cap": 1.0, "base": 0.05}
# Words of a Redis that answers and takes no writes: its memory is full, it is a replica, or has
# no replica, or its disk is full. Those of a script are in the middle of a sentence.
_NO_WRITES = re.compile(r"\b(OOM|READONLY|NOREPLICAS|MISCONF)\b")
_LOOK_EVERY_S = 0.5
# Of a command that does not block; the scripts take milliseconds.
_API_TIMEOUT_S = 10.0


_T = TypeVar("_T")


class TakesNoWrites(redis.exceptions.ConnectionError):
    """Raised for a Redis that answers and refuses every write: as good as away."""


class _Patience(Retry):
    """Tries again while Redis is away, and while it takes no writes."""

    def call_with_retry(self, do: Callable[[], _T], *rest: Any, **options: Any) -> _T:
        """Retry's, for more errors."""

        def attempt() -> _T:
            try:
                return do()
            except ResponseError as error:
                if _takes_no_writes(error):
                    raise TakesNoWrites(str(error)) from error
                raise

        return super().call_with_retry(attempt, *rest, **options)


def worker_connection(url: str, password: str | None = None) -> "redis.Redis":
    """A blocking connection that waits out a restart of Redis, or a full memory."""
    retry = _Patience(ExponentialBackoff(**_BACKOFF), _WORKER_RETRIES)
    return redis.Redis.from_url(url, password=password, retry=retry)


def _takes_no_writes(error: ResponseError) -> bool:
    """Whether this is Redis refusing every write, for now."""
    told = isinstance(error, OutOfMemoryError | ReadOnlyError)
    return told or _NO_WRITES.search(str(error)) is not None


def await_redis(url: str, password: str | None, say: Callable[[str], object]) -> None:
    """Wait until Redis answers, saying so where it does not at once."""
    told = ""
    with redis.Redis.from_url(url, password=password, retry=Retry(ExponentialBackoff(), 0)) as one:
        while True:
            try:
                one.ping()
            except RedisError as error:
                why = f"waiting for Redis at {_place(one)}: {error}"
                if why != told:
                    say(why)
                    told = why
                time.sleep(_LOOK_EVERY_S)
            else:
                break
    if told:
        say("Redis answers")


def _place(client: "redis.Redis") -> str:
    """Where a Redis is; its address may hold a password."""
    where = client.connection_pool.connection_kwargs
    return str(where.get("path") or f"{where.get('host')}:{where.get('port')}")


def api_connection(url: str, password: str | None = None) -> "redis.asyncio.Redis":
    """An asyncio connection that gives up soon."""
    retry = AsyncRetry(ExponentialBackoff(**_BACKOFF), _API_RETRIES)
    return redis.asyncio.Redis.from_url(
        url, password=password, retry=retry, socket_timeout=_API_TIMEOUT_S
    )


@contextmanager
def translated() -> Iterator[None]:
    """Raise StoreUnavailable where Redis does not answer, or can't (loading, out of memory)."""
    try:
        yield
    except redis.exceptions.RedisError as error:
        raise StoreUnavailable(f"Redis: {type(error).__name__}: {error}") from error


def run_script(client: "redis.Redis", script: Script, *args: Any) -> Any:
    """Run a script; a Redis that does not know it yet is told it."""
    try:
        return client.evalsha(script.sha, 0, *args)
    except NoScriptError:
        return client.eval(script.text, 0, *args)


async def run_script_async(client: "redis.asyncio.Redis", script: Script, *args: Any) -> Any:
    """As run_script, for asyncio."""
    try:
        return await client.evalsha(script.sha, 0, *args)
    except NoScriptError:
        return await client.eval(script.text, 0, *args)
