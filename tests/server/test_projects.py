"""Projects through verify: what pytest files hold is found out once, and then what passes."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from proctor.types import (
    LimitsSpec,
    Problem,
    PytestCase,
    PytestTest,
    RewardPolicy,
    StdinTest,
    Verdict,
)
from proctor_sandbox.programs import Case, End, Run, Tested, Way
from proctor_sandbox.programs import PytestCase as ProjectCase
from proctor_server.limit_rules import LimitRules
from proctor_server.outcome import Cause, Outcome
from proctor_server.rewards import reward
from proctor_server.units import Unit
from proctor_server.verify import Verifier
from tests.server.runs import run
from tests.server.scripted import Script, ScriptedPool

NAMES = ["test_a.py::test_1", "test_a.py::test_2", "test_a.py::test_3"]
FILES = {"test_a.py": "def test_1(): pass"}
LIMITS = LimitsSpec(cpu_time_s=1.0)


def project(*tests: PytestTest | StdinTest) -> Problem:
    return Problem(id="project", tests=[*tests], limits=LIMITS)


PROBLEMS = {
    "hidden": project(PytestTest(files=FILES)),
    "public": project(PytestTest(files=FILES, public=True)),
    "in process": project(PytestTest(files=FILES, isolation="in_process")),
    "both": project(StdinTest(input="", output=""), PytestTest(files=FILES)),
}


def went(*whys: str, broken: str | None = None) -> Run:
    """A run in which the first tests ended so."""
    outcomes = dict(zip(NAMES, whys, strict=False))
    return replace(run(), tested=Tested(NAMES, outcomes, broken))


def names(case: Case) -> Run:
    assert isinstance(case, ProjectCase)
    assert case.way in (Way.COLLECT, Way.COLLECT_SHARED)
    return went()


@pytest.fixture
def script() -> Script:
    script = Script()
    script[""] = names
    return script


@pytest.fixture
def verifier(script: Script) -> Iterator[Verifier]:
    pool = ScriptedPool(script)
    yield Verifier(pool, PROBLEMS.__getitem__, {"python": "python"}, LimitRules())
    assert pool.leased == 0


def judged(verifier: Verifier, *sources: str, problem: str = "hidden") -> list[Outcome]:
    units = [Unit(f"{n} {source}", "python", source, problem) for n, source in enumerate(sources)]
    outcomes = {unit.key: outcome for unit, outcome in verifier.verify(units)}
    return [outcomes[unit.key] for unit in units]


@pytest.mark.parametrize(
    ("one", "verdict", "passed"),
    [
        (went("", "", ""), Verdict.AC, 3),
        (went("", "AssertionError: assert 1 == 2", ""), Verdict.WA, 2),
        (went("Failed: DID NOT RAISE", "", ""), Verdict.WA, 2),
        (went("KeyError: 1", "AssertionError: ", ""), Verdict.RE, 1),
        (went("", "", broken="stopped"), Verdict.RE, 2),
        (went("", "", "", broken="INTERNAL_ERROR"), Verdict.RE, 2),
        (went(broken="KeyError"), Verdict.RE, 0),
        (replace(went("", "", ""), cpu_time_s=1.5), Verdict.TLE, 2),
        (replace(went("", broken="stopped"), end=End.CPU_LIMIT), Verdict.TLE, 1),
        (run(), Verdict.RE, 0),
        # Tests that the problem does not have are no tests.
        (replace(run(), tested=Tested(["x"], {"x": ""})), Verdict.RE, 0),
    ],
)
def test_tests_are_counted_and_the_first_that_fails_decides(
    verifier: Verifier, script: Script, one: Run, verdict: Verdict, passed: int
) -> None:
    script["program"] = lambda case: one
    (outcome,) = judged(verifier, "program")
    assert (outcome.verdict, outcome.passed, outcome.total) == (verdict, passed, 3)
    assert (outcome.isolation, outcome.tests[0].isolation) == (None, None)
    assert (outcome.tests[0].cases, outcome.tests[0].public) == ([], None)


def test_the_tests_are_collected_once_and_without_the_program(
    verifier: Verifier, script: Script
) -> None:
    script.read_ahead = 0
    script["program"] = lambda case: went("", "", "")
    assert [one.passed for one in judged(verifier, "program", "program")] == [3, 3]
    assert [source for source, _ in script.ran] == ["", "program", "program"]


def test_the_total_is_the_problems_whatever_the_program_is(
    verifier: Verifier, script: Script
) -> None:
    (empty,) = judged(verifier, " \n")
    assert (empty.verdict, empty.passed, empty.total) == (Verdict.CE, 0, 3)
    assert [source for source, _ in script.ran] == [""]
    script["refused"] = lambda case: run(end=End.COMPILE_ERROR)
    (refused,) = judged(verifier, "refused", problem="both")
    assert (refused.verdict, refused.passed, refused.total) == (Verdict.CE, 0, 4)


def test_files_alone_are_a_program_where_all_tests_are_pytests(
    verifier: Verifier, script: Script
) -> None:
    asked: list[Case] = []

    def behave(case: Case) -> Run:
        asked.append(case)
        return went("", "", "")

    script[""] = behave
    script["main"] = behave
    units = [
        Unit("1", "python", "", "hidden", files={"a.py": "x"}),
        Unit("2", "python", "", "hidden", files={"main.py": "main"}),
        Unit("3", "python", "", "both", files={"a.py": "x"}),
    ]
    outcomes = {unit.key: outcome.verdict for unit, outcome in verifier.verify(units)}
    assert outcomes == {"1": Verdict.AC, "2": Verdict.AC, "3": Verdict.CE}
    # The file that the source would lie in is the source.
    assert "main" in [source for source, _ in script.ran]


@pytest.mark.parametrize(
    ("problem", "one", "reason"),
    [
        ("hidden", went(broken="NeedsProgram: secret words"),
         "pytest can't collect its tests without a program: NeedsProgram"),
        ("hidden", went(broken="ImportError: secret words"),
         "pytest can't collect its tests without a program: ImportError"),
        ("hidden", went(broken="SecretError: words"),
         "pytest can't collect its tests without a program: an exception of their own"),
        ("public", went(broken="NeedsProgram: words"),
         "pytest can't collect its tests without a program: NeedsProgram: words"),
        ("hidden", run(end=End.CPU_LIMIT), "pytest's collection of its tests was ended: cpu_limit"),
        ("hidden", run(), "pytest's collection of its tests was ended: exited"),
        ("hidden", replace(run(), tested=Tested([f"{n}" for n in range(2001)], {})),
         "its pytest files hold more than 2000 tests"),
    ],
)  # fmt: skip
def test_a_problem_whose_tests_cannot_be_collected_is_no_programs_fault(
    verifier: Verifier, script: Script, problem: str, one: Run, reason: str
) -> None:
    script[""] = lambda case: one
    (outcome,) = judged(verifier, "program", problem=problem)
    assert (outcome.verdict, outcome.cause) == (Verdict.IE, Cause.PROBLEM_FAULTY)
    assert (outcome.reason, reward(outcome, RewardPolicy())) == (reason, None)


def test_what_ran_in_the_programs_process_is_marked(verifier: Verifier, script: Script) -> None:
    script["program"] = lambda case: went("", "", "")
    (outcome,) = judged(verifier, "program", problem="in process")
    assert (outcome.isolation, outcome.tests[0].isolation) == ("in_process", "in_process")
    ways = [case.way for _, case in script.ran if isinstance(case, ProjectCase)]
    assert ways == [Way.COLLECT_SHARED, Way.SHARE]
    assert b'"isolation":"in_process"' in outcome.to_json()


def test_each_test_of_a_public_one_is_shown(verifier: Verifier, script: Script) -> None:
    script["program"] = lambda case: went("", "KeyError: 'x'", broken="stopped")
    (outcome,) = judged(verifier, "program", problem="public")
    (test,) = outcome.tests
    assert test.cases == [
        PytestCase(name=NAMES[0], passed=True),
        PytestCase(name=NAMES[1], passed=False, reason="KeyError: 'x'"),
        PytestCase(name=NAMES[2], passed=False, reason="it was not reached"),
    ]
    assert test.public is not None
    assert test.public.input == "# test_a.py\ndef test_1(): pass"
