"""Repetition: tests that a problem has twice, and problems that a set has twice."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from proctor.types import AssertionTest, CallTest, Problem, PytestTest, StdinTest, TestCase


@dataclass(frozen=True, slots=True)
class Repeats:
    """What a problem's tests repeat, in words; tests are named by number, from 1.

    Attributes:
        duplicates: of tests that ask the same and expect the same.
        contradictions: of tests that ask the same and expect something else.
    """

    duplicates: list[str]
    contradictions: list[str]


def repeated_tests(problem: Problem) -> Repeats:
    """What the tests of a problem repeat."""
    by_question: defaultdict[str, list[int]] = defaultdict(list)
    for number, test in enumerate(problem.tests, 1):
        by_question[_question(test)].append(number)
    found = Repeats([], [])
    for numbers in by_question.values():
        if len(numbers) == 1:
            continue
        named = ", ".join(map(str, numbers))
        if len({_answer(problem.tests[number - 1]) for number in numbers}) == 1:
            found.duplicates.append(f"tests {named} are the same")
        else:
            found.contradictions.append(f"tests {named} have one input and several answers")
    return found


def repeated_problems(problems: Sequence[Problem]) -> dict[int, list[str]]:
    """By place in the set the problems whose tests others have too, with the others' ids."""
    by_tests: defaultdict[str, list[int]] = defaultdict(list)
    for place, problem in enumerate(problems):
        tests = sorted(_question(test) + _answer(test) for test in problem.tests)
        by_tests[sha256("\0".join(tests).encode()).hexdigest()].append(place)
    return {
        place: [problems[other].id for other in places if other != place]
        for places in by_tests.values()
        if len(places) > 1
        for place in places
    }


# -- helpers ----------------------------------------------------------------------------------


def _question(test: TestCase) -> str:
    match test:
        case StdinTest():
            return json.dumps(["stdin", test.input])
        case CallTest():
            return json.dumps(["call", test.function, test.args, test.kwargs], sort_keys=True)
        case AssertionTest():
            return json.dumps(["assertion", test.code, test.entry_point])
        case PytestTest():
            return str(test.model_dump_json(exclude={"weight", "public"}))


def _answer(test: TestCase) -> str:
    match test:
        case StdinTest():
            return test.output
        case CallTest():
            return json.dumps(test.expected, sort_keys=True)
        case AssertionTest() | PytestTest():
            return ""
