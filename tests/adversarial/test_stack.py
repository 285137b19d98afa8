"""Attacks on a whole stack: real processes, which must stay, stay small, and go on serving."""

import itertools
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import redis
from rq import Queue
from rq.serializers import JSONSerializer

from proctor_sandbox.limits import MIB
from tests.adversarial.attacks.api import JSON, MOST_BODY_BYTES, REQUESTS, Request
from tests.integration.stack import Stack, running, until

QUEUE = "adversarial-tests"
HONEST = {"id": "honest", "tests": [{"kind": "stdin", "input": "40 2", "output": "42"}]}
# Bodies of 8 MB as bytes, as text and as objects; what malloc keeps of it for the next.
_API_GROWTH_BYTES = 192 * MIB
_WORKER_GROWTH_BYTES = 64 * MIB

_serial = itertools.count()


class Besieged:
    """A stack under attack."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.client = httpx.Client(base_url=stack.url, timeout=60, trust_env=False)
        self.client.put("/v1/problems/honest", json=HONEST).raise_for_status()
        self.serves()
        self._at_first = {name: self._peak_bytes(name) for name in stack.processes}

    def serves(self) -> None:
        """An honest program earns its reward."""
        # Each time another program: equal work would not be done again.
        source = f"```python\nprint(sum(map(int, input().split())))  # {next(_serial)}\n```"
        body = {"problem_ids": ["honest"], "completions": [source]}
        answer = self.client.post("/v1/rewards", json=body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["rewards"] == [1.0]

    def is_small(self) -> None:
        """API and worker are alive, and no larger than they may be."""
        for name, most in (("api", _API_GROWTH_BYTES), ("worker", _WORKER_GROWTH_BYTES)):
            assert self.stack.processes[name].poll() is None, f"the {name} has ended"
            growth = self._peak_bytes(name) - self._at_first[name]
            assert growth < most, f"the {name} has grown by {growth // MIB} MiB"

    def _peak_bytes(self, name: str) -> int:
        """The most that a process ever had resident."""
        status = Path(f"/proc/{self.stack.processes[name].pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024


@pytest.fixture(scope="module")
def besieged(redis_url: str, bubblewrap: str) -> Iterator[Besieged]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROCTOR_MAX_BODY_BYTES", str(MOST_BODY_BYTES))
        with running(redis_url, QUEUE) as stack:
            besieged = Besieged(stack)
            yield besieged
            besieged.client.close()


@pytest.mark.parametrize(
    "request_",
    [pytest.param(each, id=each.name[:60], marks=pytest.mark.attack(f"API: {each.name[:60]}"))
     for each in REQUESTS],
)  # fmt: skip
def test_a_hostile_request_is_refused(besieged: Besieged, request_: Request) -> None:
    try:
        answer = besieged.client.request(
            request_.method, request_.path, content=request_.body(), headers=request_.headers
        )
    except httpx.WriteError:
        # The connection was closed while the body was still being sent.
        assert 413 in request_.statuses
    else:
        assert answer.status_code in request_.statuses, answer.text[:500]
        assert answer.headers["content-type"] == "application/problem+json"
        assert len(answer.content) < MIB // 2
    besieged.serves()
    besieged.is_small()


@pytest.mark.attack("API: a body that claims a terabyte")
def test_a_length_is_believed_before_a_byte_is_read(besieged: Besieged) -> None:
    with _connected(besieged) as stream:
        stream.sendall(_head(10**12))
        assert stream.recv(4096).startswith(b"HTTP/1.1 413 ")
    besieged.serves()


@pytest.mark.attack("API: slow bodies, many at once")
def test_slow_bodies_hold_nobody_up(besieged: Besieged) -> None:
    with ExitStack() as held:
        for _ in range(200):
            stream = held.enter_context(_connected(besieged))
            stream.sendall(_head(1000) + b'{"items":')
        besieged.serves()
    besieged.serves()
    besieged.is_small()


@pytest.mark.attack("API: requests that are no HTTP")
@pytest.mark.parametrize(
    "said",
    [b"\x16\x03\x01\x02\x00", b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"a" * 200_000, b"\0" * 1000,
     b"BREW / HTTP/1.1\r\n\r\n",
     b"POST /v1/batches HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
     b"POST /v1/batches HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0"],
    ids=["TLS", "version", "path", "NUL", "method", "length", "smuggling"],
)  # fmt: skip
def test_what_is_no_http_harms_nobody(besieged: Besieged, said: bytes) -> None:
    with _connected(besieged) as stream:
        stream.sendall(said)
        stream.shutdown(socket.SHUT_WR)
        answer = stream.recv(65536)
        assert b" 500 " not in answer.partition(b"\r\n")[0]
    besieged.serves()
    besieged.is_small()


PROGRAMS = {
    "escapes, NUL and invalid UTF-8": r"import os; os.write(1, b'\x1b[2J\0\xff\xfe\r</script>')",
    "a flood": "while True: print('x' * 10_000)",
    "hoarding": "x = []\nwhile True: x.append(bytearray(10 << 20))",
    "killing all it can": "import os; os.kill(-1, 9)",
    "a long name of an exception": "raise type('E' * 100_000, (Exception,), {})('\\ud800' * 1000)",
}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.attack(f"stack: {n}")) for n in PROGRAMS]
)
def test_a_hostile_program_is_a_result_like_any_other(besieged: Besieged, name: str) -> None:
    body = {"problem_id": "honest", "source": PROGRAMS[name]}
    answer = besieged.client.post("/v1/submissions", json=body)
    assert answer.status_code == 200
    result = answer.json()
    assert result["verdict"] in ("WA", "RE", "OLE", "MLE", "TLE")
    assert result["reward"] == 0.0
    assert len(answer.content) < MIB
    besieged.serves()
    besieged.is_small()


@pytest.mark.attack("queue: a job of somebody else's")
def test_a_job_that_names_another_function_is_not_run(
    besieged: Besieged, redis_url: str, tmp_path: Path
) -> None:
    proof = tmp_path / "proof"
    with redis.Redis.from_url(redis_url) as client:
        queue = Queue(QUEUE, connection=client, serializer=JSONSerializer)
        for function, argument in (
            ("subprocess.getoutput", f"touch {proof}"),
            ("os.system", f"touch {proof}"),
            ("builtins.eval", f"open({str(proof)!r}, 'w')"),
            ("no.such.module", ""),
        ):
            queue.enqueue(function, argument)
        queue.push_job_id("no-such-job")
        until(lambda: queue.count == 0, "the worker to take the jobs")
    besieged.serves()
    besieged.is_small()
    assert not proof.exists()


def _connected(besieged: Besieged) -> socket.socket:
    address = urlsplit(besieged.stack.url)
    return socket.create_connection((address.hostname, address.port), timeout=30)


def _head(length: int) -> bytes:
    headers = {"Host": "x", "Content-Length": str(length), **JSON}
    lines = ["POST /v1/batches HTTP/1.1", *(f"{name}: {said}" for name, said in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()
