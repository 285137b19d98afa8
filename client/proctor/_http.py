"""Performs flows over httpx, blocking and async. No httpx exception leaves this module."""

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterator,
    Mapping,
)
from dataclasses import dataclass
from typing import Any

import httpx

from proctor._effects import Answer, Call, Effect, Flow, Open, Read, Send, Sleep, Stream, T
from proctor._version import __version__
from proctor.errors import BadAnswer, ConnectionFailed, ProctorError
from proctor.types import Result

# A server that is there accepts a connection at once; an unreachable host should not take long.
_CONNECT_S = 10.0
# As many connections as callers: one that waits for another's is slow through our fault.
# Idle ones go before the server (uvicorn: after 5 s) closes them under a request.
_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=256, keepalive_expiry=4.0)


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the server is and how to speak to it.

    Args:
        url: the server's address, http:// or https://.
        api_key: sent as a bearer token.
        read_timeout_s: seconds between two pieces of an answer, on top of the time for which
            the server was asked to hold the request.

    Raises:
        ValueError: the address or the key cannot be right.
    """

    url: str
    api_key: str | None
    read_timeout_s: float

    def __post_init__(self) -> None:
        try:
            parsed = httpx.URL(self.url)
        except httpx.InvalidURL as error:
            raise ValueError(f"url {self.url!r}: {error}") from error
        if parsed.scheme not in {"http", "https"} or not parsed.host:
            raise ValueError(f"url {self.url!r}: give one such as http://127.0.0.1:8077")
        key = self.api_key
        if key is not None and not (key and key.isascii() and key.isprintable()):
            raise ValueError("api_key: give printable ASCII characters only")

    def client_options(self) -> dict[str, Any]:
        """Keyword arguments for either of httpx's clients."""
        headers = {"User-Agent": f"proctor/{__version__}", "Accept": "application/json"}
        if self.api_key is not None:
            headers["Authorization"] = f"Bearer {self.api_key}"
        # A cluster's HTTP_PROXY cannot reach this machine's own loopback address.
        loopback = httpx.URL(self.url).host in {"localhost", "127.0.0.1", "::1"}
        return {
            "base_url": self.url,
            "headers": headers,
            "limits": _LIMITS,
            "trust_env": not loopback,
        }

    def request_options(self, call: Call) -> dict[str, Any]:
        """Keyword arguments for building one request."""
        return {
            "method": call.method,
            "url": call.path,
            "params": call.params or None,
            "headers": call.headers,
            "content": call.body,
            "timeout": httpx.Timeout(
                call.held_s + self.read_timeout_s, connect=_CONNECT_S, pool=None
            ),
        }

    def failure(self, error: httpx.HTTPError) -> ProctorError:
        """What an exception of httpx means to our caller."""
        what = str(error) or type(error).__name__
        failure: ProctorError
        if isinstance(error, httpx.TransportError):
            hint = " (is it up?)" if isinstance(error, httpx.ConnectError) else ""
            failure = ConnectionFailed(f"no answer from {self.url}: {what}{hint}")
        else:
            failure = BadAnswer(f"unreadable answer from {self.url}: {what}")
        failure.__cause__ = error
        return failure


class Blocking:
    """Performs flows over an httpx.Client. Safe to use from several threads."""

    def __init__(
        self,
        connection: Connection,
        sleep: Callable[[float], None],
        transport: httpx.BaseTransport | None,
    ) -> None:
        self._connection = connection
        self._sleep = sleep
        self._http = httpx.Client(**connection.client_options(), transport=transport)

    def run(self, flow: Flow[T]) -> T:
        """Perform a flow to its end and return what it returns."""
        running = self.iterate(flow)
        try:
            while True:
                next(running)
        except StopIteration as end:
            value: T = end.value
            return value

    def iterate(self, flow: Stream[T]) -> Generator[Result, None, T]:
        """Perform a flow and yield its results as they come."""
        stream = _BlockingStream()
        outcome: object = None
        try:
            while True:
                step = _resumed(flow, outcome)
                if isinstance(step, Result):
                    yield step
                    outcome = None
                else:
                    outcome = self._performed(step, stream)
        except StopIteration as end:
            value: T = end.value
            return value
        finally:
            flow.close()
            stream.close()

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def _performed(self, effect: Effect, stream: "_BlockingStream") -> object:
        try:
            match effect:
                case Send(call):
                    response = self._http.request(**self._connection.request_options(call))
                    return _answer(response, response.content)
                case Open(call):
                    stream.close()
                    request = self._http.build_request(**self._connection.request_options(call))
                    response = self._http.send(request, stream=True)
                    stream.open(response)
                    return _answer(response, b"")
                case Read():
                    return next(stream.chunks, b"")
                case Sleep(seconds):
                    self._sleep(seconds)
                    return None
        except httpx.HTTPError as error:
            return self._connection.failure(error)


class Async:
    """Performs flows over an httpx.AsyncClient."""

    def __init__(
        self,
        connection: Connection,
        sleep: Callable[[float], Awaitable[None]],
        transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        self._connection = connection
        self._sleep = sleep
        self._http = httpx.AsyncClient(**connection.client_options(), transport=transport)

    async def run(self, flow: Flow[T]) -> T:
        """Perform a flow to its end and return what it returns."""
        stream = _AsyncStream()
        outcome: object = None
        try:
            while True:
                outcome = await self._performed(_resumed(flow, outcome), stream)
        except StopIteration as end:
            value: T = end.value
            return value
        finally:
            flow.close()
            await stream.close()

    async def iterate(self, flow: Stream[object]) -> AsyncGenerator[Result, None]:
        """Perform a flow and yield its results as they come."""
        stream = _AsyncStream()
        outcome: object = None
        try:
            while True:
                step = _resumed(flow, outcome)
                if isinstance(step, Result):
                    yield step
                    outcome = None
                else:
                    outcome = await self._performed(step, stream)
        except StopIteration:
            return
        finally:
            flow.close()
            await stream.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def _performed(self, effect: Effect, stream: "_AsyncStream") -> object:
        try:
            match effect:
                case Send(call):
                    response = await self._http.request(**self._connection.request_options(call))
                    return _answer(response, response.content)
                case Open(call):
                    await stream.close()
                    request = self._http.build_request(**self._connection.request_options(call))
                    response = await self._http.send(request, stream=True)
                    stream.open(response)
                    return _answer(response, b"")
                case Read():
                    return await anext(stream.chunks, b"")
                case Sleep(seconds):
                    await self._sleep(seconds)
                    return None
        except httpx.HTTPError as error:
            return self._connection.failure(error)


# -- helpers ----------------------------------------------------------------------------------


class _BlockingStream:
    """The one stream that a flow may have open."""

    def __init__(self) -> None:
        self._response: httpx.Response | None = None
        self.chunks: Iterator[bytes] = iter(())

    def open(self, response: httpx.Response) -> None:
        self._response = response
        self.chunks = response.iter_bytes()

    def close(self) -> None:
        if self._response is not None:
            self._response.close()


class _AsyncStream:
    """The same, async. Its chunks are there only once it has been opened."""

    chunks: AsyncIterator[bytes]

    def __init__(self) -> None:
        self._response: httpx.Response | None = None

    def open(self, response: httpx.Response) -> None:
        self._response = response
        self.chunks = response.aiter_bytes()

    async def close(self) -> None:
        if self._response is not None:
            await self._response.aclose()


def _resumed(flow: Generator[Any, Any, Any], outcome: object) -> Any:
    """Tell a flow what came of its last effect; what it wants next. StopIteration at its end."""
    if isinstance(outcome, ProctorError):
        return flow.throw(outcome)
    return flow.send(outcome)


def _answer(response: httpx.Response, body: bytes) -> Answer:
    headers: Mapping[str, str] = response.headers
    return Answer(response.status_code, headers, body)
