"""Over a real socket: servers that hang up, break off and stall."""

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from proctor import ConnectionFailed, Retry
from proctor.testing import FakeServer

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDED = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def result(index: int) -> bytes:
    return (
        f'{{"index":{index},"submission_id":"s","problem_id":"p","language":"python",'
        f'"verdict":"AC","pass_rate":1.0,"reward":1.0,"passed":1,"total":1}}\n'
    ).encode()


STATUS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 69\r\n\r\n"
    b'{"id":"b","state":"running","total":3,"completed":1,"created_at":0.0}'
)
assert len(STATUS.partition(b"\r\n\r\n")[2]) == 69


class Scripted:
    """Answers its connections, one after the other, with these bytes and hangs up."""

    def __init__(self, answers: list[bytes], hold: threading.Event | None = None) -> None:
        self.asked: list[bytes] = []
        self._answers = answers
        self._hold = hold
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        for answer in self._answers:
            connection, _ = self._socket.accept()
            with connection:
                self.asked.append(connection.recv(65536))
                connection.sendall(answer)
                if self._hold is not None:
                    self._hold.wait(10)

    def close(self) -> None:
        self._thread.join(10)
        self._socket.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Scripted]]:
    """Starts scripted servers: serve(answers, hold=...)."""
    started: list[Scripted] = []

    def made(answers: list[bytes], hold: threading.Event | None = None) -> Scripted:
        started.append(Scripted(answers, hold))
        return started[-1]

    yield made
    for server in started:
        server.close()


def test_a_stream_cut_by_the_network_goes_on_at_its_cursor(
    connect: Any, serve: Callable[..., Scripted]
) -> None:
    server = serve(
        [
            STATUS,
            HEAD + chunk(result(0) + result(1)[:30]),
            b"",
            HEAD + chunk(result(1)) + chunk(result(2)) + ENDED,
            HEAD + chunk(b'{"cursor":3,"state":"done"}\n') + ENDED,
        ]
    )
    batch = connect(url=server.url).batch("b")
    assert [found.index for found in batch.results()] == [0, 1, 2]
    paths = [asked.split(b" ")[1] for asked in server.asked[1:]]
    assert [path.partition(b"cursor=")[2][:1] for path in paths] == [b"0", b"1", b"1", b"3"]


def test_a_server_that_stalls_is_given_up(connect: Any, serve: Callable[..., Scripted]) -> None:
    released = threading.Event()
    server = serve([b"HTTP/1.1 200 OK\r\n"], released)
    client = connect(url=server.url, read_timeout_s=0.2, retry=Retry(attempts=0))
    try:
        with pytest.raises(ConnectionFailed, match="no answer from http://127"):
            client.info()
    finally:
        released.set()


def test_nobody_there_is_a_failed_connection(connect: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ConnectionFailed, match="is it up"):
        connect(url=f"http://127.0.0.1:{port}", retry=Retry(attempts=1, base_s=0)).info()


def test_a_garbled_answer_is_a_failed_connection(
    connect: Any, serve: Callable[..., Scripted]
) -> None:
    server = serve([b"SSH-2.0-OpenSSH_9.2\r\n"])
    with pytest.raises(ConnectionFailed):
        connect(url=server.url, retry=Retry(attempts=0)).info()


@pytest.mark.parametrize(
    ("url", "proxied"), [("http://127.0.0.1:1", False), ("http://proctor.test", True)]
)
def test_only_a_remote_server_is_spoken_to_through_a_proxy(
    connect: Any,
    serve: Callable[..., Scripted],
    monkeypatch: pytest.MonkeyPatch,
    url: str,
    proxied: bool,
) -> None:
    for name in ("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    answer = b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"version":"1"}'
    proxy = serve([answer] if proxied else [])
    monkeypatch.setenv("http_proxy", proxy.url)
    client = connect(url=url, retry=Retry(attempts=0))
    if proxied:
        assert client.info().version == "1"
    else:
        with pytest.raises(ConnectionFailed):
            client.info()


def test_a_consumer_that_stops_early_leaves_no_connection_open(
    connect: Any, server: FakeServer
) -> None:
    batch = connect(transport=server).submit({"problem_id": "a", "source": "x"} for _ in range(9))
    results = iter(batch.results())
    assert next(results).index == 0
    if hasattr(results, "close"):
        results.close()
