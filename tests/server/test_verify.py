"""Units in, outcomes out: whatever programs and sandboxes do."""

from collections.abc import Iterator

import pytest

from proctor.types import (
    AssertionTest,
    Comparer,
    LimitsSpec,
    Problem,
    StdinTest,
    TestCase,
    Verdict,
)
from proctor_sandbox.errors import LanguageUnavailable, SandboxLost, SandboxUnavailable
from proctor_sandbox.programs import Assertions, Case, End, Run, StdinCase
from proctor_sandbox.seam import Sandbox
from proctor_server import progress
from proctor_server.grading.checklist import Checklist
from proctor_server.limit_rules import LimitRules
from proctor_server.outcome import Outcome
from proctor_server.progress import Progress
from proctor_server.units import Unit, problem_version
from proctor_server.verify import Verifier
from tests.server.runs import run
from tests.server.scripted import Script, ScriptedPool, loses, prints

IMAGES = {"python": "python", "cpp": "native", "c": "native"}
LIMITS = LimitsSpec(cpu_time_s=1.0)


def double(*inputs: int) -> list[TestCase]:
    """Tests of a program that must print twice its input."""
    return [StdinTest(input=f"{number}\n", output=f"{2 * number}\n") for number in inputs]


PROBLEMS = {
    "one": Problem(id="one", tests=double(1), limits=LIMITS),
    "three": Problem(id="three", tests=double(1, 2, 3), limits=LIMITS),
    "weighted": Problem(
        id="weighted",
        tests=[test.model_copy(update={"weight": 2.0}) for test in double(1, 2)],
        limits=LIMITS,
    ),
    "silent": Problem(id="silent", tests=[StdinTest(input="", output="")], limits=LIMITS),
    "asserts": Problem(
        id="asserts",
        tests=[AssertionTest(code="assert f(1)\nassert f(2)\n"), AssertionTest(code="f(3)\n")],
        limits=LIMITS,
    ),
}


def right(case: Case) -> Run:
    assert isinstance(case, StdinCase)
    return run(b"%d\n" % (2 * int(case.stdin)))


@pytest.fixture
def script() -> Script:
    script = Script()
    script["right"] = right
    script["wrong"] = prints(b"nonsense\n")
    return script


@pytest.fixture
def pool(script: Script) -> Iterator[ScriptedPool]:
    pool = ScriptedPool(script)
    yield pool
    assert pool.leased == 0, "every leased sandbox must be given back or discarded"


@pytest.fixture
def verifier(pool: ScriptedPool) -> Verifier:
    return Verifier(pool, PROBLEMS.__getitem__, IMAGES, LimitRules())


def unit(source: str, problem: str = "one", language: str = "python", stop: bool = False) -> Unit:
    return Unit(f"{language} {source} {problem}", language, source, problem, stop)


def one(verifier: Verifier, unit: Unit) -> Outcome:
    ((returned, outcome),) = verifier.verify([unit])
    assert returned is unit
    return outcome


def verdicts(outcome: Outcome) -> list[Verdict]:
    return [test.verdict for test in outcome.tests]


# -- outcomes ---------------------------------------------------------------------------------


def test_a_right_program_is_accepted(verifier: Verifier, pool: ScriptedPool) -> None:
    outcome = one(verifier, unit("right", "three"))
    assert outcome.verdict is Verdict.AC
    assert (outcome.passed, outcome.total, outcome.pass_rate) == (3, 3, 1.0)
    assert outcome.run_time_s == pytest.approx(0.06)
    assert pool.log == ["lease python-0", "give back python-0"]


def test_every_test_is_run_and_counted_however_many_fail(
    verifier: Verifier, script: Script
) -> None:
    script["odd"] = [run(b"2\n"), run(exit_code=1), run(b"0\n")]
    outcome = one(verifier, unit("odd", "three"))
    assert verdicts(outcome) == [Verdict.AC, Verdict.RE, Verdict.WA]
    assert (outcome.verdict, outcome.passed, outcome.total) == (Verdict.RE, 1, 3)


def test_what_was_left_out_after_the_first_failure_still_counts(
    verifier: Verifier, script: Script
) -> None:
    script["second fails"] = [run(b"2\n"), run(b"0\n"), run(b"6\n")]
    outcome = one(verifier, unit("second fails", "three", stop=True))
    assert verdicts(outcome) == [Verdict.AC, Verdict.WA]
    assert (outcome.verdict, outcome.passed, outcome.total) == (Verdict.WA, 1, 3)
    assert outcome.total_weight == 3.0
    assert len(script.ran) == 2


def test_a_right_program_is_run_to_its_end_under_the_stop_policy(verifier: Verifier) -> None:
    outcome = one(verifier, unit("right", "three", stop=True))
    assert (outcome.verdict, outcome.passed) == (Verdict.AC, 3)


def test_a_compile_error_keeps_the_total_and_the_compilers_words(
    verifier: Verifier, script: Script
) -> None:
    script["bad"] = [run(end=End.COMPILE_ERROR, stderr=b"line 1: what?\xff")]
    outcome = one(verifier, unit("bad", "weighted"))
    assert (outcome.verdict, outcome.passed, outcome.total) == (Verdict.CE, 0, 2)
    assert (outcome.total_weight, outcome.tests) == (4.0, [])
    assert outcome.compile_output == "line 1: what?\ufffd"


def test_asserts_count_one_by_one_whether_run_or_not(verifier: Verifier, script: Script) -> None:
    script["half"] = [run(assertions=Assertions(2, 1, {1: "false"})), run()]
    outcome = one(verifier, unit("half", "asserts"))
    assert verdicts(outcome) == [Verdict.WA, Verdict.RE]
    assert (outcome.passed, outcome.total) == (1, 3)


@pytest.mark.parametrize("source", ["", " \n\t\n"])
def test_no_program_is_a_compile_error_even_where_nothing_is_expected(
    verifier: Verifier, pool: ScriptedPool, source: str
) -> None:
    outcome = one(verifier, unit(source, "silent"))
    assert (outcome.verdict, outcome.total) == (Verdict.CE, 1)
    assert pool.log == []


def test_a_problem_that_is_gone_is_our_failure(verifier: Verifier) -> None:
    outcome = one(verifier, unit("right", "unheard of"))
    assert (outcome.verdict, outcome.pass_rate) == (Verdict.IE, None)
    assert outcome.reason is not None
    assert "unheard of" in outcome.reason


# -- many units -------------------------------------------------------------------------------


def test_no_units_take_no_sandbox(verifier: Verifier, pool: ScriptedPool) -> None:
    assert list(verifier.verify([])) == []
    assert pool.log == []


def test_every_unit_gets_exactly_one_outcome_in_one_sandbox_per_image(
    verifier: Verifier, pool: ScriptedPool
) -> None:
    units = [
        unit(source, problem, language)
        for source in ("right", "wrong", "")
        for problem in ("one", "three", "unheard of")
        for language in IMAGES
    ]
    outcomes = list(verifier.verify(units))
    assert sorted(done.key for done, _ in outcomes) == sorted(asked.key for asked in units)
    for done, outcome in outcomes:
        if done.problem == "unheard of":
            assert outcome.verdict is Verdict.IE
        else:
            wanted = {"right": Verdict.AC, "wrong": Verdict.WA, "": Verdict.CE}[done.source]
            assert outcome.verdict is wanted
    assert [line.split("-")[0] for line in pool.log] == [
        "lease python",
        "give back python",
        "lease native",
        "give back native",
    ]


def test_units_are_read_as_they_are_needed_and_outcomes_given_as_they_are_known(
    verifier: Verifier, script: Script
) -> None:
    read: list[int] = []

    def units() -> Iterator[Unit]:
        for number in range(100):
            read.append(number)
            yield unit("right")

    outcomes = verifier.verify(units())
    next(outcomes)
    assert len(read) <= script.read_ahead + 2
    assert len(list(outcomes)) == 99


def test_a_sandbox_runs_no_more_programs_than_the_pool_allows(
    verifier: Verifier, pool: ScriptedPool, script: Script
) -> None:
    pool.max_programs = 2
    script["slow"] = [run(b"2\n", cpu_time_s=1.1)] * 3
    units = [unit("right"), unit("slow"), unit("right"), unit("right")]
    assert len(list(verifier.verify(units))) == 4
    # Four programs and two second runs, two to a sandbox.
    assert [line.split()[0] for line in pool.log] == ["lease", "give"] * 3


def test_an_abandoned_run_takes_its_sandbox_with_it(verifier: Verifier, pool: ScriptedPool) -> None:
    outcomes = verifier.verify([unit("right")] * 5)
    next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]
    assert pool.log == ["lease python-0", "discard python-0: abandoned in use"]


def test_a_language_that_nothing_here_runs_is_an_error(verifier: Verifier) -> None:
    with pytest.raises(LanguageUnavailable, match="cobol"):
        list(verifier.verify([unit("right"), unit("right", language="cobol")]))


# -- time -------------------------------------------------------------------------------------


def timed(cpu_time_s: float, end: End = End.EXITED) -> Run:
    return run(b"2\n", cpu_time_s=cpu_time_s, end=end)


@pytest.mark.parametrize(
    ("runs", "verdict", "cpu_time_s"),
    [
        ([timed(1.1), timed(0.9)], Verdict.AC, 0.9),
        ([timed(1.1), timed(1.15), timed(0.95)], Verdict.AC, 0.95),
        ([timed(1.15), timed(1.1), timed(1.05)], Verdict.TLE, 1.05),
        ([timed(1.1), timed(1.15), timed(1.2)], Verdict.TLE, 1.1),
        ([timed(1.1), timed(1.2, End.CPU_LIMIT)], Verdict.TLE, 1.1),
        ([timed(1.21, End.CPU_LIMIT)], Verdict.TLE, 1.21),
        ([timed(0.2, End.WALL_LIMIT)], Verdict.TLE, 0.2),
        ([timed(0.85, End.WALL_LIMIT), timed(0.95)], Verdict.AC, 0.95),
        ([timed(0.85, End.WALL_LIMIT)] * 3, Verdict.TLE, 0.85),
        ([timed(1.1), run(b"0\n", cpu_time_s=0.9)], Verdict.WA, 0.9),
        ([timed(1.0)], Verdict.AC, 1.0),
    ],
)
@pytest.mark.parametrize("stop", [False, True])
def test_a_borderline_time_is_run_again_and_the_best_run_counts(
    verifier: Verifier,
    script: Script,
    runs: list[Run],
    verdict: Verdict,
    cpu_time_s: float,
    stop: bool,
) -> None:
    script["timed"] = list(runs)
    outcome = one(verifier, unit("timed", stop=stop))
    (test,) = outcome.tests
    assert (outcome.verdict, test.cpu_time_s) == (verdict, cpu_time_s)
    assert len(script.ran) == len(runs)


def test_a_program_that_waits_is_not_run_again(verifier: Verifier, script: Script) -> None:
    # That it was let run all that time is the agent's to know.
    waits = run(cpu_time_s=0.1, end=End.WALL_LIMIT)
    script["waits"] = [waits] * 3
    outcome = one(verifier, unit("waits", "three"))
    assert (outcome.verdict, outcome.passed) == (Verdict.TLE, 0)
    assert len(script.ran) == 3


def test_only_the_borderline_tests_are_run_again(verifier: Verifier, script: Script) -> None:
    script["timed"] = [run(b"2\n"), run(b"4\n", cpu_time_s=1.1), run(b"6\n"), run(b"4\n")]
    outcome = one(verifier, unit("timed", "three"))
    assert outcome.verdict is Verdict.AC
    assert [case.stdin for _, case in script.ran if isinstance(case, StdinCase)] == [
        b"1\n",
        b"2\n",
        b"3\n",
        b"2\n",
    ]


def test_under_the_stop_policy_a_second_run_that_passes_goes_on(
    verifier: Verifier, script: Script
) -> None:
    script["timed"] = [run(b"2\n"), run(b"4\n", cpu_time_s=1.1), run(b"4\n"), run(b"6\n")]
    outcome = one(verifier, unit("timed", "three", stop=True))
    assert (outcome.verdict, outcome.passed) == (Verdict.AC, 3)
    assert len(script.ran) == 4


# -- lost sandboxes ---------------------------------------------------------------------------


def test_what_a_lost_sandbox_owed_is_run_in_another_one(
    verifier: Verifier, pool: ScriptedPool, script: Script
) -> None:
    script["unlucky"] = loses(1, run(b"2\n"))
    units = [unit("right"), unit("unlucky"), unit("right"), unit("wrong")]
    outcomes = list(verifier.verify(units))
    assert [done for done, _ in outcomes] == units
    assert [outcome.verdict for _, outcome in outcomes] == [
        Verdict.AC,
        Verdict.AC,
        Verdict.AC,
        Verdict.WA,
    ]
    assert pool.log == [
        "lease python-0",
        "discard python-0: it is gone",
        "lease python-1",
        "give back python-1",
    ]
    assert [source for source, _ in script.ran].count("right") == 2  # reported runs stand


def test_a_program_that_three_sandboxes_are_lost_on_ends_as_our_failure(
    verifier: Verifier, pool: ScriptedPool, script: Script
) -> None:
    script["killer"] = loses(3, run(b"2\n"), why="it was killed from outside")
    outcomes = {
        done.source: outcome
        for done, outcome in verifier.verify([unit("killer"), unit("right"), unit("wrong")])
    }
    assert {source: outcome.verdict for source, outcome in outcomes.items()} == {
        "killer": Verdict.IE,
        "right": Verdict.AC,
        "wrong": Verdict.WA,
    }
    killer = outcomes["killer"]
    assert (killer.pass_rate, killer.total) == (None, 1)
    assert killer.reason is not None
    assert "it was killed from outside" in killer.reason
    assert len(pool.log) == 8


def test_two_losses_are_forgiven(verifier: Verifier, script: Script) -> None:
    script["unlucky"] = loses(2, run(b"2\n"))
    assert one(verifier, unit("unlucky")).verdict is Verdict.AC


class _Pool(ScriptedPool):
    """A pool whose sandboxes do something that no program can make them do."""

    def __init__(self, execute: str) -> None:
        super().__init__(Script())
        self.execute = execute

    def lease(self, image: str) -> Sandbox:
        sandbox = super().lease(image)
        sandbox.execute = getattr(self, self.execute)  # type: ignore[method-assign]
        return sandbox

    def dies_at_once(self, works: object) -> Iterator[object]:
        raise SandboxLost("no agent")

    def ends_early(self, works: Iterator[object]) -> Iterator[object]:
        next(works)
        return iter(())


def test_sandboxes_that_never_take_a_program_are_given_up_on() -> None:
    pool = _Pool("dies_at_once")
    verifier = Verifier(pool, PROBLEMS.__getitem__, IMAGES, LimitRules())
    with pytest.raises(SandboxUnavailable, match="no agent"):
        list(verifier.verify([unit("right")]))
    assert [line.split()[0] for line in pool.log] == ["lease", "discard"] * 3


def test_a_sandbox_that_ends_its_reports_early_is_a_lost_one() -> None:
    pool = _Pool("ends_early")
    verifier = Verifier(pool, PROBLEMS.__getitem__, IMAGES, LimitRules())
    assert one(verifier, unit("right")).verdict is Verdict.IE
    assert pool.leased == 0


# -- keys -------------------------------------------------------------------------------------


def test_equal_work_has_equal_keys_and_nothing_else_has() -> None:
    problem = PROBLEMS["one"]
    version = problem_version(problem)
    units = [
        Unit.of("python", "a", version),
        Unit.of("cpp", "a", version),
        Unit.of("python", "b", version),
        Unit.of("python", "a", version, stop_on_failure=True),
        Unit.of("python", "a", problem_version(PROBLEMS["three"])),
        Unit.of("python", "a", version, fresh=True),
        Unit.of("python", "a", version, fresh=True),
        Unit.of("python", "a\ud800", version),
    ]
    assert len({each.key for each in units}) == len(units)
    assert Unit.of("python", "a", version).key == units[0].key


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"id": "other"}, True),
        ({"statement": "other"}, True),
        ({"prefix": "other"}, True),
        ({"metadata": {"a": 1}}, True),
        ({"entry_point": "f"}, False),
        ({"limits": LimitsSpec(cpu_time_s=2.0)}, False),
        ({"comparer": Comparer(name="tokens")}, False),
        ({"tests": double(2)}, False),
        ({"tests": [double(1)[0].model_copy(update={"weight": 2.0})]}, False),
        ({"tests": [double(1)[0].model_copy(update={"public": True})]}, False),
    ],
)
def test_a_problems_version_changes_with_what_decides_an_outcome(
    change: dict[str, object], same: bool
) -> None:
    problem = PROBLEMS["one"]
    changed = problem.model_copy(update=change)
    assert (problem_version(changed) == problem_version(problem)) is same


def test_judged_output_is_not_kept() -> None:
    checklist = Checklist.of(PROBLEMS["three"], LimitRules())
    work = Progress(unit("flood", "three"), checklist).next_work()
    assert work.condense is not None
    assert work.condense(0, run(b"x" * 1_000_000)).stdout == b""


@pytest.mark.parametrize("stop", [False, True])
@pytest.mark.parametrize("bound", [1, 2500])
def test_large_tests_go_to_the_sandbox_a_few_at_a_time(
    verifier: Verifier,
    pool: ScriptedPool,
    script: Script,
    monkeypatch: pytest.MonkeyPatch,
    stop: bool,
    bound: int,
) -> None:
    monkeypatch.setattr(progress, "WORK_BYTES", bound)
    outcome = one(verifier, unit("right", "three", stop=stop))
    assert (outcome.verdict, outcome.passed, len(script.ran)) == (Verdict.AC, 3, 3)
    script["fails"] = [run(b"2\n"), run(b"0\n"), run(b"6\n")]
    outcome = one(verifier, unit("fails", "three", stop=stop))
    assert len(outcome.tests) == (2 if stop else 3)
    assert (outcome.verdict, outcome.passed) == (Verdict.WA, 1 if stop else 2)
