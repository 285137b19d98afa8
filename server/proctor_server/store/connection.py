"""Connections to Redis, and the one way a script is run on each kind."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialBackoff
from redis.exceptions import NoScriptError
from redis.retry import Retry

from proctor_server.errors import StoreUnavailable
from proctor_server.store.scripts import Script

# A worker outlives a restart of Redis (10 s with a large append-only file) in the middle of a
# job: 0.05 + 0.1 + ... + 1 s steps, about a minute in all.
_WORKER_RETRIES = 64
# A caller waits: a blip is bridged (0.75 s), an outage is answered 503.
_API_RETRIES = 4
_BACKOFF = {"cap": 1.0, "base": 0.05}
# Of a command that does not block; the scripts take milliseconds.
_API_TIMEOUT_S = 10.0


def worker_connection(url: str, password: str | None = None) -> "redis.Redis":
    """A blocking connection that waits out a restart of Redis."""
    retry: Retry = Retry(ExponentialBackoff(**_BACKOFF), _WORKER_RETRIES)
    return redis.Redis.from_url(url, password=password, retry=retry)


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
