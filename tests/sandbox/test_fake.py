"""The fake's own controls; that it behaves like a backend is in tests/contract."""

import pytest

from proctor_sandbox.errors import SandboxLost, SandboxUnavailable
from proctor_sandbox.fake import (
    Behaviour,
    FakeBackend,
    asserts,
    echoes,
    ends,
    loses_sandbox,
    never_ends,
    prints,
    returns,
)
from proctor_sandbox.limits import Limits
from proctor_sandbox.programs import (
    Answer,
    Assertions,
    CallCase,
    Case,
    End,
    ExamineCase,
    Program,
    Run,
    StdinCase,
    Work,
)


def run(behaviour: Behaviour, case: Case | None = None) -> Run:
    sandbox = FakeBackend({"x": behaviour}).start("python")
    case = case or StdinCase(b"in")
    (report,) = sandbox.execute([Work(Program("python", "x"), (case,), Limits(cpu_time_s=2.0))])
    return report.runs[0]


def test_behaviours_leave_the_evidence_that_they_say() -> None:
    assert run(prints(b"out")).stdout == b"out"
    assert run(echoes()).stdout == b"in"
    assert run(echoes(bytes.upper)).stdout == b"IN"
    assert run(ends(exit_code=4)).exit_code == 4
    assert (run(never_ends()).end, run(never_ends()).cpu_time_s) == (End.CPU_LIMIT, 2.4)


def test_calls_and_assertions_are_answered() -> None:
    divide = returns(lambda a, b: a / b)
    assert run(divide, CallCase("f", (1, 2))).answer == Answer(value=0.5)
    assert run(divide, CallCase("f", (1, 0))).answer == Answer(error="ZeroDivisionError")
    examined = run(asserts(3, {0: "false"}), ExamineCase("..."))
    assert examined.assertions == Assertions(total=3, passed=2, failures={0: "false"})


def test_an_unknown_source_exits_in_peace() -> None:
    sandbox = FakeBackend().start("python")
    (report,) = sandbox.execute([Work(Program("python", "whatever"), (StdinCase(b""),))])
    assert (report.runs[0].end, report.runs[0].exit_code) == (End.EXITED, 0)


def test_a_sandbox_is_lost_as_often_as_told() -> None:
    backend = FakeBackend({"x": loses_sandbox(times=2)})
    work = Work(Program("python", "x"), (StdinCase(b""),))
    for _ in range(2):
        sandbox = backend.start("python")
        with pytest.raises(SandboxLost):
            list(sandbox.execute([work]))
        with pytest.raises(SandboxLost):
            list(sandbox.execute([Work(Program("python", "y"), (StdinCase(b""),))]))
    assert len(list(backend.start("python").execute([work]))) == 1


def test_a_broken_backend_starts_nothing_and_closed_sandboxes_are_not_live() -> None:
    backend = FakeBackend()
    sandbox = backend.start("python")
    assert backend.live == [sandbox]
    sandbox.close()
    backend.broken = "told so"
    with pytest.raises(SandboxUnavailable, match="told so"):
        backend.start("python")
    assert backend.live == []
