"""A corrupt agent speaks to the host: its sandbox is lost, or what it says can be graded."""

import contextlib
import json
import math
import tracemalloc
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from proctor.types import Comparer, Verdict
from proctor_sandbox.artefacts import Artefacts
from proctor_sandbox.channel import AgentSandbox
from proctor_sandbox.errors import SandboxLost
from proctor_sandbox.limits import MIB, Limits
from proctor_sandbox.programs import CallCase, ExamineCase, Program, Run, StdinCase, Work
from proctor_server.grading.checks import AssertionCheck, CallCheck, Check, StdinCheck
from tests.integrity.nonsense import JSON, changed, scratched
from tests.sandbox.test_channel import INFO, READY, ScriptedTransport

STABLE = settings(deadline=None, derandomize=True, max_examples=250, database=None)
CHECKS: list[Check] = [
    StdinCheck(StdinCase(b""), 1, 1.0, None, b"never printed"),
    CallCheck(CallCase("f", [], {}), 1, 1.0, None, {"never": ["returned", 1.5]}),
    AssertionCheck(ExamineCase("assert f(1)\nassert f(2)"), 2, 1.0, None),
]
LIMITS = Limits(memory_bytes=64 * MIB, wall_time_s=0.1)
WORK = Work(Program("python", "pass"), [check.case for check in CHECKS], LIMITS)
RUN = {"end": "exited", "code": 0, "signal": None, "cpu": 0.1, "wall": 0.2, "mem": 3, "b": ""}
TOLD = {"total": 2, "passed": 1, "failures": {"1": "false"}, "broken": None}
RUNS = [{**RUN, "b": "oe"}, {**RUN, "b": "a"}, {**RUN, "assertions": TOLD}]
BLOBS = [b"out", b"e", b'["value",3,{"t":"dict","v":[]}]']
REPORT = {"op": "runs", "id": 1, "runs": RUNS, "last": True, "blobs": [*map(len, BLOBS)]}


def framed(header: Any, blobs: list[bytes] = BLOBS) -> bytes:
    """A frame as it is on the wire, whatever its header is."""
    head = json.dumps(header).encode()
    body = len(head).to_bytes(4, "big") + head + b"".join(blobs)
    return len(body).to_bytes(4, "big") + body


def heard(said: bytes, first: bytes = READY) -> list[Run] | None:
    """The runs of a work that an agent answered with these bytes; None if it was lost."""
    transport = ScriptedTransport(lambda *_: [said, b""], first=first, cut=1 << 20)
    try:
        (report,) = AgentSandbox(transport, INFO, Artefacts()).execute([WORK])
    except SandboxLost:
        return None
    finally:
        transport.close()
    return report.runs


def graded(runs: list[Run]) -> None:
    """What was heard has a verdict, and nothing that was not there is right."""
    for check, run in zip(CHECKS, runs, strict=False):
        result = check.grade(run, LIMITS, Comparer())
        assert result.verdict is not Verdict.IE
        assert 0 <= result.passed <= result.total == check.total
        assert math.isfinite(result.cpu_time_s + result.wall_time_s + result.memory_mb)
        assert len(result.model_dump_json()) < 10_000


def test_a_good_report_is_heard() -> None:
    runs = heard(framed(REPORT))
    assert runs is not None
    assert [run.end.value for run in runs] == ["exited"] * 3
    assert [run.stdout for run in runs] == [b"out", b"", b""]
    graded(runs)


@STABLE
@given(changed(REPORT))
@example({**REPORT, "runs": [{**RUN, "cpu": math.nan}] * 3, "blobs": []})
@example({**REPORT, "runs": [{**RUN, "cpu": "0.1"}] * 3, "blobs": []})
@example({**REPORT, "runs": [{**RUN, "mem": 10**400}] * 3, "blobs": []})
@example({**REPORT, "runs": [*RUNS[:2], {**RUN, "assertions": {**TOLD, "passed": 9}}]})
def test_a_report_with_something_changed(header: Any) -> None:
    runs = heard(framed(header))
    if runs is not None:
        graded(runs)


@STABLE
@given(scratched(framed(REPORT)) | st.binary(max_size=200))
def test_bytes_that_are_no_frames(said: bytes) -> None:
    runs = heard(said)
    if runs is not None:
        graded(runs)


@STABLE
@given(changed({"op": "ready", "meter": "cgroup2", "memory_bytes": 5, "python": "3"}))
def test_a_greeting_with_something_changed(header: Any) -> None:
    heard(framed(REPORT), first=framed(header, []))


@STABLE
@given(
    scratched(b'["value",[1,{"t":"tuple","v":[2.5]}],{"t":"dict","v":[[0,[1]]]}]')
    | changed(["value", [1, {"t": "tuple", "v": [2.5]}], {"t": "dict", "v": [[0, [1]]]}]).map(
        lambda message: json.dumps(message).encode()
    )
    | st.tuples(st.sampled_from(["value", "error", "end"]), JSON, JSON).map(
        lambda message: json.dumps(message).encode()
    )
    # As deep as is still read, and deeper.
    | st.integers(1, 3000).map(lambda deep: b'["error",[' + b"[" * deep + b"]" * deep + b"],[]]")
)
def test_answers_of_a_hostile_candidate(said: bytes) -> None:
    header = {**REPORT, "blobs": [3, 1, len(said)]}
    runs = heard(framed(header, [*BLOBS[:2], said]))
    assert runs is not None, "an answer is the program's doing: no sandbox is lost for it"
    graded(runs)
    assert CHECKS[1].grade(runs[1], LIMITS, Comparer()).verdict in (Verdict.WA, Verdict.RE)


def test_an_agent_that_never_ends_its_frame_costs_no_more_than_it_sent() -> None:
    announced = (400 * MIB).to_bytes(4, "big") + (100).to_bytes(4, "big")
    tracemalloc.start()
    try:
        with contextlib.suppress(SandboxLost):
            heard(announced + bytes(MIB))
        assert tracemalloc.get_traced_memory()[1] < 10 * MIB
        assert heard((513 * MIB).to_bytes(4, "big") + bytes(8)) is None
    finally:
        tracemalloc.stop()
