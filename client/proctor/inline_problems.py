"""Tests as data sets for training carry them, made into inline problems.

Two forms are read beside Proctor's own: open-r1's and SYNTHETIC-1's `verification_info`
({"language", "test_cases": [{"input", "output"}, {"type": "function_call", "fn_name", ...}]}) and
the `ground_truth` of APPS, TACO and verl ({"inputs", "outputs", "fn_name"?, "assert_case"?}).
"""

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pydantic

from proctor._faults import invalid, one_line
from proctor.types import AssertionTest, CallTest, Problem, StdinTest

Test = StdinTest | CallTest | AssertionTest

# Problems parsed lately, kept by their text: samples of one prompt come together, and each brings
# the whole text. Few, as a text may have megabytes.
_KEPT = 64
# What data sets call a language -> what Proctor does.
_LANGUAGES = {"python3": "python", "py": "python", "c++": "cpp", "c++17": "cpp"}
_FORMS = (
    "give a problem's fields, verification_info with test_cases, or ground_truth with inputs and "
    "outputs"
)


@dataclass(frozen=True, slots=True)
class InlineProblem:
    """A problem that goes with each program for it.

    Attributes:
        problem: with an id made of its content, where it had none.
        digest: SHA-256 of its content.
        size: bytes that it takes in a request.
        language: of the programs for it, where the data set says so.
    """

    problem: Problem
    digest: str
    size: int
    language: str | None = None


def inline_problem(given: Problem | Mapping[str, Any] | str, where: str) -> InlineProblem:
    """An inline problem out of any form, or of JSON text that holds one.

    Raises:
        InvalidRequest: it is none; `where` names the place.
    """
    try:
        return _parsed(given) if isinstance(given, str) else _made(given)
    except pydantic.ValidationError as error:
        raise invalid(where, one_line(error), _FORMS) from error
    except _Unreadable as error:
        raise invalid(where, str(error), _FORMS) from error


def language_name(said: str) -> str:
    """A language's name as Proctor has it; what it does not know is left to the server."""
    name = said.strip().lower()
    return _LANGUAGES.get(name, name)


# -- helpers ----------------------------------------------------------------------------------


class _Unreadable(Exception):
    """Raised when something has none of the forms; the message says what is wrong."""


@functools.lru_cache(maxsize=_KEPT)
def _parsed(text: str) -> InlineProblem:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise _Unreadable(f"is no JSON: {error}") from error
    return _made(value)


def _made(value: object) -> InlineProblem:
    if isinstance(value, Problem):
        return _inline(value)
    if not isinstance(value, Mapping):
        raise _Unreadable(f"is a {type(value).__name__}")
    language = None
    # None is not there: in a column of an Arrow table every row has every row's keys.
    if value.get("tests") is not None:
        fields = {key: said for key, said in value.items() if said is not None}
        fields["tests"] = [_without_nones(test) for test in value["tests"]]
    elif value.get("test_cases") is not None:
        fields = {"tests": _test_cases(_decoded(value["test_cases"]), value)}
        language = value.get("language")
    elif value.get("inputs") is not None or value.get("assert_case") is not None:
        fields = {"tests": _ground_truth(value)}
        language = value.get("language")
    else:
        raise _Unreadable(
            f"has none of tests, test_cases and inputs, but {sorted(map(str, value))}"
        )
    named = "id" in fields
    made = _inline(Problem.model_validate({"id": "inline", **fields}), named=named)
    if language is None:
        return made
    return InlineProblem(made.problem, made.digest, made.size, language_name(str(language)))


def _inline(problem: Problem, *, named: bool = True) -> InlineProblem:
    text = problem.model_dump_json(exclude={"id"}).encode()
    digest = sha256(text).hexdigest()
    if not named:
        problem = problem.model_copy(update={"id": f"inline/{digest[:16]}"})
    return InlineProblem(problem, digest, len(text))


def _without_nones(test: object) -> object:
    if not isinstance(test, Mapping):
        return test
    return {key: said for key, said in test.items() if said is not None or key == "expected"}


def _test_cases(cases: object, whole: Mapping[str, Any]) -> list[Test]:
    if not isinstance(cases, Sequence) or isinstance(cases, str):
        raise _Unreadable("test_cases is no list")
    made = []
    for place, case in enumerate(cases):
        if not isinstance(case, Mapping) or not {"input", "output"} <= case.keys():
            raise _Unreadable(f"test_cases[{place}] has no input and output")
        function = case.get("fn_name") or whole.get("fn_name")
        called = (case.get("type") or ("function_call" if function else "")) == "function_call"
        if called and not function:
            raise _Unreadable(f"test_cases[{place}] is a function_call without fn_name")
        made.append(_test(case["input"], case["output"], function if called else None))
    return made


def _ground_truth(value: Mapping[str, Any]) -> list[Test]:
    asserts = value.get("assert_case") or []
    inputs, outputs = value.get("inputs") or [], value.get("outputs") or []
    if len(inputs) != len(outputs):
        raise _Unreadable(f"has {len(inputs)} inputs and {len(outputs)} outputs")
    if asserts and inputs and len(asserts) != len(inputs):
        raise _Unreadable(f"has {len(inputs)} inputs and {len(asserts)} of assert_case")
    made: list[Test] = []
    for place in range(len(asserts) or len(inputs)):
        # As verl has it, an assert goes before the input and output at its place.
        if asserts and asserts[place].strip():
            made.append(AssertionTest(code=asserts[place]))
        elif inputs:
            made.append(_test(inputs[place], outputs[place], value.get("fn_name")))
    return made


def _test(given: object, expected: object, function: str | None) -> Test:
    if function is None:
        return StdinTest(input=_text(given), output=_text(expected))
    return CallTest.model_validate(
        {"function": function, "args": _arguments(given), "expected": _expected(given, expected)}
    )


def _text(value: object) -> str:
    """Standard input or output: text, or the lines of it as APPS has them."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "\n".join(str(line) for line in value)
    return value if isinstance(value, str) else str(value)


def _arguments(given: object) -> list[Any]:
    if not isinstance(given, str):
        return list(given) if isinstance(given, Sequence) else [given]
    try:
        return [json.loads(line) for line in given.split("\n") if line.strip()]
    except json.JSONDecodeError as error:
        raise _Unreadable(f"has an input that is no line of JSON an argument: {error}") from error


def _expected(given: object, expected: object) -> object:
    if isinstance(expected, str) and isinstance(given, str):
        return _decoded(expected)
    # APPS and SYNTHETIC-1 give a list of arguments, and put the value expected into a list too.
    if not isinstance(given, str) and isinstance(expected, Sequence) and len(expected) == 1:
        return expected if isinstance(expected, str) else expected[0]
    return expected


def _decoded(value: object) -> Any:
    """What JSON text stands for; other values, and text that is no JSON, as they are."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value
