"""What a run is worth, and what a program's tests amount to."""

from itertools import permutations

import pytest

from proctor.types import (
    AssertionTest,
    CallTest,
    Comparer,
    LimitsSpec,
    Problem,
    StdinTest,
    TestCase,
    Verdict,
)
from proctor_sandbox.limits import MIB, Limits
from proctor_sandbox.programs import Answer, Assertions, End, Run
from proctor_server.grading.checklist import Checklist
from proctor_server.grading.checks import SHOWN_BYTES
from proctor_server.grading.verdicts import is_borderline, program_verdict
from proctor_server.limit_rules import LimitRules
from tests.server.runs import run

STDIN = StdinTest(input="1\n", output="2\n")
CALL = CallTest(function="f", args=[1], expected=2)
ASSERTS = AssertionTest(code="assert f(1) == 2\nassert f(2) == 3\n")
ONE_SECOND = LimitsSpec(cpu_time_s=1.0)


def graded(test: TestCase, evidence: Run) -> tuple[Verdict, int, int]:
    problem = Problem(id="p", tests=[test], limits=ONE_SECOND)
    checklist = Checklist.of(problem, LimitRules())
    result = checklist.checks[0].grade(evidence, checklist.limits, checklist.comparer)
    return result.verdict, result.passed, result.total


OK = b"2\n"


@pytest.mark.parametrize(
    ("evidence", "verdict"),
    [
        (run(OK), Verdict.AC),
        (run(b"3\n"), Verdict.WA),
        (run(b""), Verdict.WA),
        (run(OK, stderr=b"Traceback"), Verdict.AC),
        (run(OK, exit_code=1), Verdict.RE),
        (run(b"3\n", exit_code=1), Verdict.RE),
        (run(OK, end=End.SIGNALED, signal=11), Verdict.RE),
        (run(OK, exit_code=137), Verdict.RE),  # what an OOM kill looks like from afar
        (run(OK, exit_code=124), Verdict.RE),  # what timeout(1) says
        (run(OK, cpu_time_s=1.0), Verdict.AC),
        (run(OK, cpu_time_s=1.01), Verdict.TLE),
        (run(OK, cpu_time_s=1.01, exit_code=1), Verdict.TLE),
        (run(OK, cpu_time_s=1.01, end=End.SIGNALED, signal=6), Verdict.TLE),
        (run(OK, end=End.CPU_LIMIT, cpu_time_s=1.2), Verdict.TLE),
        (run(OK, end=End.WALL_LIMIT), Verdict.TLE),
        (run(OK, end=End.MEMORY_LIMIT), Verdict.MLE),
        (run(OK, end=End.MEMORY_LIMIT, cpu_time_s=1.01), Verdict.MLE),
        (run(OK, memory_bytes=4096 * MIB), Verdict.AC),  # no OOM kill, no MLE
        (run(OK, end=End.OUTPUT_LIMIT), Verdict.OLE),
        (run(OK, end=End.OUTPUT_LIMIT, cpu_time_s=1.01), Verdict.OLE),
    ],
)
def test_a_stdin_test_is_judged_by_its_end_then_its_output(evidence: Run, verdict: Verdict) -> None:
    assert graded(STDIN, evidence) == (verdict, int(verdict is Verdict.AC), 1)


@pytest.mark.parametrize(
    ("evidence", "verdict"),
    [
        (run(answer=Answer(2)), Verdict.AC),
        (run(answer=Answer(3)), Verdict.WA),
        (run(answer=Answer(None)), Verdict.WA),
        (run(answer=Answer(True)), Verdict.WA),
        (run(answer=Answer(2, plain=False)), Verdict.WA),
        (run(answer=Answer(2, error="ValueError")), Verdict.RE),
        (run(b"2\n"), Verdict.RE),  # printed, exited with 0, and never answered
        (run(exit_code=1), Verdict.RE),
        (run(answer=Answer(2), exit_code=1), Verdict.AC),  # what comes after the answer is moot
        (run(answer=Answer(2), cpu_time_s=1.01), Verdict.TLE),
        (run(answer=Answer(2), end=End.MEMORY_LIMIT), Verdict.MLE),
        (run(end=End.WALL_LIMIT), Verdict.TLE),
    ],
)
def test_a_call_test_is_judged_by_its_end_then_its_answer(evidence: Run, verdict: Verdict) -> None:
    assert graded(CALL, evidence) == (verdict, int(verdict is Verdict.AC), 1)


def held(passed: int, failures: dict[int, str] | None = None, broken: str | None = None) -> Run:
    return run(assertions=Assertions(2, passed, failures or {}, broken))


@pytest.mark.parametrize(
    ("evidence", "verdict", "passed"),
    [
        (held(2), Verdict.AC, 2),
        (held(1, {1: "false"}), Verdict.WA, 1),
        (held(0, {0: "false", 1: "TypeError"}), Verdict.WA, 0),
        (held(0, {1: "false", 0: "TypeError"}), Verdict.RE, 0),
        (held(1, {1: "RecursionError"}), Verdict.RE, 1),
        (held(1), Verdict.WA, 1),  # an assert that was never reached
        (held(1, broken="SystemExit"), Verdict.RE, 1),
        (held(1, broken="AssertionError"), Verdict.WA, 1),
        (held(2, broken="KeyError"), Verdict.RE, 1),  # all held, yet not to the end
        (run(), Verdict.RE, 0),  # sys.exit(0) before the asserts
        (run(exit_code=1), Verdict.RE, 0),
        (run(assertions=Assertions(2, 2, {}), cpu_time_s=1.01), Verdict.TLE, 1),
        (run(assertions=Assertions(2, 1, {}), end=End.CPU_LIMIT, cpu_time_s=1.2), Verdict.TLE, 1),
        (run(end=End.MEMORY_LIMIT), Verdict.MLE, 0),
        (run(assertions=Assertions(9, 9, {})), Verdict.WA, 1),  # the total is the text's own
    ],
)
def test_test_code_is_judged_by_its_end_then_its_first_failure(
    evidence: Run, verdict: Verdict, passed: int
) -> None:
    assert graded(ASSERTS, evidence) == (verdict, passed, 2)


@pytest.mark.parametrize("code", ["check(f)\n", "x = f(1)\n", "def check(f):\n    pass\n"])
def test_test_code_without_asserts_is_one_test_case(code: str) -> None:
    test = AssertionTest(code=code)
    assert graded(test, run(assertions=Assertions(1, 1, {}))) == (Verdict.AC, 1, 1)
    assert graded(test, run(assertions=Assertions(1, 0, {}, "ValueError"))) == (Verdict.RE, 0, 1)


def test_a_program_has_the_verdict_of_its_first_failed_test() -> None:
    assert program_verdict([]) is Verdict.AC
    assert program_verdict([Verdict.AC, Verdict.AC]) is Verdict.AC
    for first, second in permutations([Verdict.WA, Verdict.TLE, Verdict.RE], 2):
        assert program_verdict([Verdict.AC, first, Verdict.AC, second]) is first


@pytest.mark.parametrize(
    ("evidence", "borderline"),
    [
        (run(cpu_time_s=1.0), False),
        (run(cpu_time_s=1.001), True),
        (run(cpu_time_s=1.2), True),
        (run(cpu_time_s=1.21), False),
        (run(cpu_time_s=1.1, end=End.SIGNALED), True),
        # Whatever the sandbox had to stop was over the slack, however it was measured.
        (run(cpu_time_s=1.2, end=End.CPU_LIMIT), False),
        (run(cpu_time_s=0.79, end=End.WALL_LIMIT), False),
        (run(cpu_time_s=0.8, end=End.WALL_LIMIT), True),
        (run(cpu_time_s=1.2, end=End.WALL_LIMIT), True),
        (run(cpu_time_s=1.21, end=End.WALL_LIMIT), False),
        (run(cpu_time_s=1.1, end=End.MEMORY_LIMIT), False),
        (run(cpu_time_s=1.1, end=End.OUTPUT_LIMIT), False),
    ],
)
def test_a_time_within_a_fifth_of_the_limit_is_borderline(evidence: Run, borderline: bool) -> None:
    assert is_borderline(evidence, Limits.for_cpu(1.0)) is borderline


def test_only_a_public_test_shows_what_was_run() -> None:
    evidence = run(b"3\xff\n", stderr=b"oops")
    for test, shown in [
        (STDIN, None),
        (STDIN.model_copy(update={"public": True}), ("1\n", "2\n")),
        (CALL.model_copy(update={"public": True}), ('f {"args": [1], "kwargs": {}}', "2")),
        (ASSERTS.model_copy(update={"public": True}), (ASSERTS.code, "")),
    ]:
        checklist = Checklist.of(Problem(id="p", tests=[test]), LimitRules())
        public = checklist.checks[0].grade(evidence, checklist.limits, Comparer()).public
        if shown is None:
            assert public is None
        else:
            assert public is not None
            assert (public.input, public.expected) == shown
            assert (public.stdout, public.stderr) == ("3\ufffd\n", "oops")


def test_a_public_test_shows_a_bounded_part_of_the_output() -> None:
    test = STDIN.model_copy(update={"public": True})
    checklist = Checklist.of(Problem(id="p", tests=[test]), LimitRules())
    flood = run(b"x" * (2 * SHOWN_BYTES))
    public = checklist.checks[0].grade(flood, checklist.limits, Comparer()).public
    assert public is not None
    assert len(public.stdout) == SHOWN_BYTES


@pytest.mark.parametrize("code", ["assert (", "assert \x00", "assert " + "(" * 10_000])
def test_test_code_that_is_no_python_is_refused(code: str) -> None:
    with pytest.raises((SyntaxError, ValueError)):
        Checklist.of(Problem(id="p", tests=[AssertionTest(code=code)]), LimitRules())


@pytest.mark.parametrize(
    ("spec", "excesses"),
    [
        (LimitsSpec(), []),
        (LimitsSpec(cpu_time_s=60, wall_time_s=244, memory_mb=4096, output_kb=65536), []),
        (LimitsSpec(cpu_time_s=61), [("cpu_time_s", 60.0)]),
        (LimitsSpec(wall_time_s=245), [("wall_time_s", 244.0)]),
        (LimitsSpec(memory_mb=4097, output_kb=65537), [("memory_mb", 4096), ("output_kb", 65536)]),
    ],
)
def test_limits_above_the_maximum_are_named(
    spec: LimitsSpec, excesses: list[tuple[str, float]]
) -> None:
    assert list(LimitRules().excesses(spec)) == excesses


def test_what_a_problem_leaves_out_is_the_servers_default() -> None:
    rules = LimitRules(default=Limits.for_cpu(5.0, memory_bytes=256 * MIB))
    assert rules.resolve(LimitsSpec()) == rules.default
    one = rules.resolve(LimitsSpec(cpu_time_s=1.0, memory_mb=64, output_kb=1))
    assert (one.cpu_time_s, one.wall_time_s) == (1.0, 8.0)
    assert (one.memory_bytes, one.output_bytes) == (64 * MIB, 1024)
    assert rules.resolve(LimitsSpec(wall_time_s=3.0)).wall_time_s == 3.0


def test_odd_but_valid_test_code_warns_nobody() -> None:
    # Warnings are errors in tests; this one would show the hidden line in the log.
    test = AssertionTest(code="assert f('\\w') is 1\n")
    assert Checklist.of(Problem(id="p", tests=[test]), LimitRules()).total == 1
