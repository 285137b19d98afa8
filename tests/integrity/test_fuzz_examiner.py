"""A hostile candidate speaks arbitrary bytes: its examiner comes to an end and counts nothing."""

import contextlib
import json
import socket
import struct
import threading
from io import FileIO
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from proctor.types import AssertionTest, CallTest, Problem, Verdict
from proctor_sandbox.agent import asserts, examiner, handles, told
from tests.integration.conftest import Judge
from tests.integrity.forgery import LIMITS
from tests.integrity.nonsense import JSON, changed, scratched

STABLE = settings(deadline=None, derandomize=True, max_examples=200, database=None)
# No value that hypothesis makes is the expected one; what it claims to be true may be.
CODE = """
items = [1, 2]
assert candidate(items) == "9b1d"
assert candidate(3, key=[4]) in ("c4a7", ["e0"])
assert [x for x in candidate(5)] == ["7f02"]
assert len(candidate(6)) == 918273
assert candidate(7).part(8)[9] == "d1c5"
assert str(candidate(10)) == "0ab3" and items[0] == "5e5e"
try:
    candidate(11)
    assert False
except ValueError as error:
    assert error.args == ("66aa",)
"""
TOTAL = asserts.count(CODE)
VALUE: Any = ["value", [1, {"t": "handle", "v": [0, "list"]}], {"t": "dict", "v": [[0, [1]]]}]
ERROR: Any = ["error", ["Mine", "ValueError"], {"t": "tuple", "v": ["no", 2]}]
MESSAGE = (
    st.sampled_from([VALUE, ERROR, ["end"], ["value", 0, {"t": "dict", "v": []}]])
    | changed(VALUE)
    | changed(ERROR)
    | st.tuples(st.sampled_from(["value", "error", "end", "x"]), JSON, JSON)
).map(lambda message: json.dumps(message).encode())
SAID = st.lists(MESSAGE | MESSAGE.flatmap(scratched) | st.binary(max_size=20), max_size=12).map(
    lambda texts: b"".join(struct.pack("!I", len(text)) + text for text in texts)
)


def examined(said: bytes, code: str = CODE) -> dict[str, Any]:
    """How test code went against a candidate that says this, whatever it is asked."""
    ours, theirs = socket.socketpair()
    speaker = threading.Thread(target=_speak, args=(theirs, said))
    speaker.start()
    lines: list[str] = []
    prepared = asserts.prepare(code)
    with theirs, FileIO(ours.detach(), "r+") as stream:
        far = handles.Program(stream)
        namespace = {
            asserts.RECORDER: examiner.Recorder(lines.append),
            "candidate": handles.Function(far, "candidate"),
        }
        try:
            exec(compile(prepared.tree, "test.py", "exec"), namespace)  # noqa: S102 - test code
        except Exception as error:
            lines.append(f"B {type(error).__name__}")
        else:
            lines.append("D")
    speaker.join()
    text = "\n".join([f"T {prepared.total}", *lines]).encode(errors="strict")
    heard: dict[str, Any]
    heard, _ = told.assertions(text)
    return heard


def _speak(line: socket.socket, said: bytes) -> None:
    with contextlib.suppress(OSError):  # nobody has to listen to the end
        line.sendall(said)
        line.shutdown(socket.SHUT_WR)


def reply(*message: object) -> bytes:
    text = json.dumps(message).encode()
    return struct.pack("!I", len(text)) + text


def test_a_right_answer_counts() -> None:
    told = examined(reply("value", "9b1d", {"t": "dict", "v": []}))
    assert (told["total"], told["passed"]) == (TOTAL, 1)


@STABLE
@given(SAID | SAID.flatmap(scratched) | st.binary(max_size=100))
@example(reply("error", ["A" * 5_000_000], []))
@example(reply("value", 0, {"t": "dict", "v": [[-1, [2]]]}))
@example(reply({"t": "handle", "v": [0, "x"]}) * 50)
def test_an_examiner_ends_and_counts_no_more_than_held(said: bytes) -> None:
    told = examined(said)
    assert told["total"] == TOTAL
    assert told["passed"] == 0, (said, told)
    assert told["broken"] is None or told["broken"].isidentifier()
    assert all(0 <= ordinal < TOTAL for ordinal in told["failures"])
    # What the agent has to keep of it is little.
    assert len(json.dumps(told)) < 5000


SAYS = """
import os, stat
for fd in range(3, 64):
    try: kind = os.fstat(fd).st_mode
    except OSError: continue
    if stat.S_ISSOCK(kind) or stat.S_ISFIFO(kind):
        os.set_blocking(fd, False)
        try: os.write(fd, {said!r})
        except OSError: pass
        os.set_blocking(fd, True)
def candidate(*args, **kwargs): return {answer!r}
"""
ASSERTED = Problem(
    id="fuzz", limits=LIMITS, entry_point="candidate", tests=[AssertionTest(code=CODE)]
)
CALLED = Problem(
    id="fuzz",
    limits=LIMITS,
    tests=[CallTest(function="candidate", args=[1], expected=["never", 1.5])],
)


@pytest.mark.parametrize("problem", [ASSERTED, CALLED], ids=["asserted", "called"])
def test_the_same_in_a_sandbox(judge: Judge, problem: Problem) -> None:
    @settings(STABLE, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(SAID | st.binary(max_size=100), st.integers(0, 3))
    def judged(said: bytes, answer: int) -> None:
        (outcome,) = judge.judge([(problem, SAYS.format(said=said, answer=answer))])
        assert outcome.verdict in (Verdict.WA, Verdict.RE), outcome
        assert outcome.passed == 0, outcome

    judged()
