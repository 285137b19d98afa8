"""CodeContests' stdin problems, with programs that replay the expected outputs.

The set has no solutions. A table from each input to its output stands in for one.
"""

import json
from pathlib import Path

import pytest

from proctor.importers import read_records
from proctor.types import Comparer, Problem, StdinTest, Verdict
from tests.integration.conftest import Judge

REPLAY = """\
import sys
output = {outputs!r}[sys.stdin.read()]
{print_it}
"""
AS_IT_IS = "sys.stdout.write(output)"
RESPACED = "print(*output.split(), sep=chr(10) * 2)"


@pytest.fixture(scope="module")
def problems(data: Path) -> list[Problem]:
    return [
        Problem(
            id=f"CodeContests/{record['id']}",
            comparer=Comparer(name="tokens"),
            tests=[
                StdinTest(input=test["input"]["stdin"], output=test["output"]["stdout"])
                for test in json.loads(record["test"])
            ],
        )
        for record in read_records(data / "code_contests_sample.jsonl")
    ]


def replay(problem: Problem, *, spoilt: int = 0, print_it: str = AS_IT_IS) -> str:
    """A program that knows every output, of which it spoils that many."""
    outputs = {test.input: test.output for test in problem.tests if isinstance(test, StdinTest)}
    for known in list(outputs)[:spoilt]:
        outputs[known] = outputs[known].strip() + " 0\n"
    return REPLAY.format(outputs=outputs, print_it=print_it)


def test_known_outputs_are_accepted_whatever_their_white_space(
    judge: Judge, problems: list[Problem]
) -> None:
    programs = [
        (problem, replay(problem, print_it=print_it))
        for problem in problems
        for print_it in (AS_IT_IS, RESPACED)
    ]
    outcomes = judge.judge(programs)
    assert {outcome.verdict for outcome in outcomes} == {Verdict.AC}
    assert sum(outcome.passed for outcome in outcomes) == 2 * 2233


def test_wrong_outputs_are_wrong_answers_and_the_others_still_count(
    judge: Judge, problems: list[Problem]
) -> None:
    programs = [(problem, replay(problem, spoilt=2)) for problem in problems]
    outcomes = judge.judge(programs)
    assert {outcome.verdict for outcome in outcomes} == {Verdict.WA}
    for (problem, _), outcome in zip(programs, outcomes, strict=True):
        inputs = [test.input for test in problem.tests if isinstance(test, StdinTest)]
        spoilt = sum(one in set(list(dict.fromkeys(inputs))[:2]) for one in inputs)
        assert (outcome.passed, outcome.total) == (len(inputs) - spoilt, len(inputs))
