"""HumanEval, whole: what is right is accepted and nothing else is."""

import pytest

from proctor.importers import humaneval, packaged_humaneval
from proctor.types import Problem, Verdict
from tests.integration.conftest import Judge, accepted_constants


@pytest.fixture(scope="module")
def problems() -> list[Problem]:
    return humaneval(packaged_humaneval())


def test_every_canonical_solution_is_accepted(judge: Judge, problems: list[Problem]) -> None:
    programs = [
        (problem, problem.reference.source) for problem in problems if problem.reference is not None
    ]
    outcomes = judge.judge(programs)
    refused = {
        problem.id: (outcome.verdict, outcome.passed, outcome.total, outcome.reason)
        for (problem, _), outcome in zip(programs, outcomes, strict=True)
        if outcome.verdict is not Verdict.AC or outcome.pass_rate != 1.0
    }
    assert refused == {}
    assert len(outcomes) == 164


def test_no_empty_body_is_accepted_and_the_totals_stay(
    judge: Judge, problems: list[Problem]
) -> None:
    bodies = [
        (problem, problem.prefix + body)
        for problem in problems
        for body in ("    pass\n", "    import sys; sys.exit(0)\n")
    ]
    outcomes = judge.judge(bodies)
    accepted = [
        problem.id
        for (problem, _), outcome in zip(bodies, outcomes, strict=True)
        if outcome.verdict not in (Verdict.WA, Verdict.RE) or outcome.passed >= outcome.total
    ]
    assert accepted == []
    # Whatever a program does, a problem has as many test cases: 1,133 asserts in all.
    assert sum(outcome.total for outcome in outcomes) == 2 * 1133


def test_an_answer_that_claims_to_equal_everything_is_not_accepted(
    judge: Judge, problems: list[Problem]
) -> None:
    forgery = (
        "\n\nclass Yes:\n"
        "    def __eq__(self, other): return True\n"
        "    __ne__ = __lt__ = __gt__ = __le__ = __ge__ = lambda self, other: True\n"
        "    def __bool__(self): return True\n"
        "    __sub__ = __rsub__ = __abs__ = lambda self, other=None: 0\n"
        "    __hash__ = None\n"
        "def {entry_point}(*args, **kwargs): return Yes()\n"
    )
    programs = [
        (problem, problem.prefix + "    pass" + forgery.format(entry_point=problem.entry_point))
        for problem in problems
    ]
    accepted = [
        problem.id
        for (problem, _), outcome in zip(programs, judge.judge(programs), strict=True)
        if outcome.verdict is Verdict.AC
    ]
    assert accepted == []


def test_no_constant_is_accepted(judge: Judge, problems: list[Problem]) -> None:
    assert accepted_constants(judge, problems) == []
