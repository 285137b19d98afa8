"""MBPP sanitized, whole."""

from pathlib import Path

import pytest

from proctor.importers import mbpp, read_records
from proctor.types import Problem, Verdict
from tests.integration.conftest import Judge, accepted_constants


@pytest.fixture(scope="module")
def problems(data: Path) -> list[Problem]:
    return mbpp(read_records(data / "mbpp_sanitized.jsonl"))


def test_every_reference_solution_is_accepted(judge: Judge, problems: list[Problem]) -> None:
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
    assert len(outcomes) == 427


def test_another_problems_solution_earns_nothing(judge: Judge, problems: list[Problem]) -> None:
    neighbours = zip(problems, problems[1:] + problems[:1], strict=True)
    programs = [
        (problem, other.reference.source)
        for problem, other in neighbours
        if other.reference is not None and problem.entry_point != other.entry_point
    ]
    outcomes = judge.judge(programs, stop_on_failure=True)
    assert {outcome.verdict for outcome in outcomes} == {Verdict.RE}
    assert sum(outcome.passed for outcome in outcomes) == 0


def test_no_constant_is_accepted(judge: Judge, problems: list[Problem]) -> None:
    assert accepted_constants(judge, problems) == []
