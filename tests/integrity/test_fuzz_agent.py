"""A corrupt worker speaks to an agent: it tells of a fault, or goes on, and ends as it should."""

import select
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from proctor_sandbox.agent import frames
from proctor_sandbox.bubblewrap import BubblewrapBackend
from proctor_sandbox.channel import AgentSandbox
from tests.integrity.nonsense import changed, scratched
from tests.integrity.test_fuzz_host import framed

LIMITS = {
    "cpu_s": 0.2,
    "wall_s": 0.5,
    "memory_bytes": 64 * 1024 * 1024,
    "output_bytes": 1024,
    "processes": 8,
}
SOURCE = b"def f(x): return x\nprint(1)"
CASES = [b"", b'["call","f",[1],{"t":"dict","v":[]}]', b"assert f(1) == 1"]
WORK = {
    "op": "work",
    "id": 7,
    "file": "main.py",
    "files": [],
    "made": None,
    "compile": [],
    "run": [],
    "env": {},
    "limits": LIMITS,
    "compile_limits": LIMITS,
    "cases": [{"kind": "stdin"}, {"kind": "call"}, {"kind": "examine", "entry_point": "f"}],
    "step": False,
    "blobs": [len(SOURCE), *map(len, CASES)],
}


@pytest.fixture(scope="module")
def backend(bubblewrap: str) -> BubblewrapBackend:
    return BubblewrapBackend()


def spoken_to(backend: BubblewrapBackend, said: bytes) -> tuple[list[dict[str, Any]], str]:
    """The frames that an agent answers with until it ends, and how it ended."""
    sandbox = backend.start("python")
    assert isinstance(sandbox, AgentSandbox)
    transport: Any = sandbox._transport
    try:
        transport.memory_limit(256 * 1024 * 1024)
        transport._socket.sendall(said)
        transport._socket.shutdown(1)
        return list(_frames(transport)), transport.autopsy()
    finally:
        sandbox.close()


def _frames(transport: Any) -> Iterator[dict[str, Any]]:
    decoder = frames.Decoder()
    deadline = time.monotonic() + 30
    while (data := transport.read()) != b"":
        assert time.monotonic() < deadline, "the agent neither answers nor ends"
        if data is None:
            select.select([transport.read_fd], [], [], 1)
            continue
        decoder.feed(data)
        while (frame := decoder.next()) is not None:
            yield frame[0]


def test_good_works_are_answered_and_an_agent_ends_with_its_host(
    backend: BubblewrapBackend,
) -> None:
    said, end = spoken_to(backend, framed(WORK, [SOURCE, *CASES]) * 2)
    assert [one["op"] for one in said] == ["runs", "runs"]
    assert [run["end"] for one in said for run in one["runs"]] == ["exited"] * 6
    assert end == "bubblewrap ended with status 0"


def test_nonsense_is_answered_with_a_fault(backend: BubblewrapBackend) -> None:
    @settings(
        deadline=None,
        derandomize=True,
        max_examples=12,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(
        changed(WORK).map(lambda header: framed(header, [SOURCE, *CASES]))
        | scratched(framed(WORK, [SOURCE, *CASES]))
        | st.binary(max_size=100)
    )
    @example(framed({**WORK, "cases": [{"kind": "no such"}] * 3}, [SOURCE, *CASES]))
    @example(framed({**WORK, "file": "../../etc/passwd"}, [SOURCE, *CASES]))
    @example(framed({**WORK, "limits": {}}, [SOURCE, *CASES]))
    @example(framed([], [SOURCE, *CASES]))
    @example(b"\xff" * 64)
    def spoken(said: bytes) -> None:
        answered, end = spoken_to(backend, said)
        ops = [one["op"] for one in answered]
        if "fault" in ops:
            assert ops[-1] == "fault"
            assert ops.count("fault") == 1
            assert end.startswith("bubblewrap ended with status 1"), end
            assert len(answered[-1]["why"]) < 500
        else:
            assert set(ops) <= {"runs"}
            assert end == "bubblewrap ended with status 0", end

    spoken()
