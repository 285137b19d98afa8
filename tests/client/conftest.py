"""A fake server, and clients of both kinds that a test can treat alike."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from proctor import AsyncClient, Client, Retry
from proctor.testing import FakeServer

# Tries again at once, as often as the real default.
IMPATIENT = Retry(base_s=0.0)


class Blocked:
    """Anything async, with its methods made blocking; async iterators become lists."""

    def __init__(self, inner: object, runner: asyncio.Runner) -> None:
        self._inner = inner
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not inspect.ismethod(found):
            return found
        return lambda *args, **named: self._done(found(*args, **named))

    def _done(self, value: Any) -> Any:
        if isinstance(value, AsyncIterator):
            return self._runner.run(_listed(value))
        value = self._runner.run(value)
        return Blocked(value, self._runner) if type(value).__name__ == "AsyncBatch" else value


async def _listed(items: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in items]


@pytest.fixture
def server() -> FakeServer:
    """A server whose judge rewards a program with its length in tenths, at most 1.0."""
    return FakeServer(lambda program: min(1.0, len(program.text) / 10))


@pytest.fixture(params=["blocking", "async"])
def connect(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Makes a client of either kind: connect(url=..., transport=..., retry=...)."""
    closing: list[Any] = []

    def made(**options: Any) -> Any:
        options.setdefault("retry", IMPATIENT)
        client = Client(**options) if request.param == "blocking" else None
        closing.append(client or Blocked(AsyncClient(**options), runner))
        return closing[-1]

    with asyncio.Runner() as runner:
        yield made
        for client in closing:
            client.close()


@pytest.fixture
def client(connect: Callable[..., Any], server: FakeServer) -> Any:
    """A client of either kind, of the fake server."""
    return connect(transport=server)
