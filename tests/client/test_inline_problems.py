"""Tests as data sets carry them -> problems."""

import json
from typing import Any

import pytest

from proctor import InvalidRequest, Problem, StdinTest
from proctor.inline_problems import inline_problem
from proctor.types import AssertionTest, CallTest

IO = [StdinTest(input="1 2\n", output="3\n"), StdinTest(input="4 5\n", output="9\n")]
CALL = [CallTest(function="add", args=[1, [2]], expected=[3])]

FORMS: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "open-r1": (
        {
            "language": "Python",
            "test_cases": [
                {"input": "1 2\n", "output": "3\n", "type": "stdin_stdout"},
                {"input": "4 5\n", "output": "9\n", "fn_name": None, "type": None},
            ],
        },
        IO,
    ),
    "open-r1, the cases as JSON": (
        {"test_cases": json.dumps([{"input": t.input, "output": t.output} for t in IO])},
        IO,
    ),
    "SYNTHETIC-1": (
        {
            "language": "python",
            "test_cases": [
                {"type": "function_call", "fn_name": "add", "input": [1, [2]], "output": [[3]]}
            ],
        },
        CALL,
    ),
    "DeepCoder, a name for all": (
        {"fn_name": "add", "test_cases": [{"input": "1\n[2]", "output": "[3]"}]},
        CALL,
    ),
    "verl": ({"inputs": ["1 2\n", "4 5\n"], "outputs": ["3\n", "9\n"]}, IO),
    "verl, a call": ({"fn_name": "add", "inputs": ["1\n[2]"], "outputs": ["[3]"]}, CALL),
    "verl, a call that returns text": (
        {"fn_name": "f", "inputs": ['"a"'], "outputs": ["plain words"]},
        [CallTest(function="f", args=["a"], expected="plain words")],
    ),
    "verl, asserts": (
        {"inputs": ["", "4 5\n"], "outputs": ["", "9\n"], "assert_case": ["assert f(1) == 2", ""]},
        [AssertionTest(code="assert f(1) == 2"), IO[1]],
    ),
    "asserts alone": (
        {"assert_case": ["assert f(1) == 2"]},
        [AssertionTest(code="assert f(1) == 2")],
    ),
    "APPS, lines": (
        {"inputs": [["1", "2"]], "outputs": [["3"]]},
        [StdinTest(input="1\n2", output="3")],
    ),
    "APPS, a call": ({"fn_name": "add", "inputs": [[1, [2]]], "outputs": [[[3]]]}, CALL),
    "Proctor's own": ({"tests": [{"kind": "stdin", "input": "1 2\n", "output": "3\n"}]}, IO[:1]),
    "Proctor's own, out of an Arrow table": (
        {
            "id": None,
            "tests": [
                {
                    "kind": "call",
                    "function": "f",
                    "args": [],
                    "expected": None,
                    "input": None,
                    "output": None,
                }
            ],
        },
        [CallTest(function="f", expected=None)],
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_read_as_mapping_and_as_json(form: str) -> None:
    given, tests = FORMS[form]
    made = inline_problem(given, "problems[0]")
    assert made.problem.tests == tests
    assert inline_problem(json.dumps(given), "problems[0]") == made
    assert made.language == ("python" if "language" in given else None)


def test_the_id_is_made_of_the_content() -> None:
    one, same, other = (
        inline_problem({"inputs": [text], "outputs": ["1"]}, "p") for text in ("a", "a", "b")
    )
    assert one.problem.id == same.problem.id != other.problem.id
    assert one.problem.id.startswith("inline/")
    own = Problem(id="mine", tests=one.problem.tests)
    assert inline_problem(own, "p").problem == own
    assert inline_problem(own, "p").digest == one.digest


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("{", r"problems\[3\]: is no JSON"),
        ("[1]", "is a list"),
        ({"answer": 1}, "has none of tests, test_cases and inputs, but .'answer'."),
        ({"test_cases": 1}, "test_cases is no list"),
        ({"test_cases": [{"input": "1"}]}, r"test_cases\[0\] has no input and output"),
        (
            {"test_cases": [{"type": "function_call", "input": "1", "output": "2"}]},
            r"test_cases\[0\] is a function_call without fn_name",
        ),
        ({"inputs": ["1"], "outputs": []}, "has 1 inputs and 0 outputs"),
        ({"inputs": ["1"], "outputs": ["1"], "assert_case": ["", ""]}, "2 of assert_case"),
        ({"fn_name": "f", "inputs": ["x y"], "outputs": ["1"]}, "no line of JSON an argument"),
        ({"inputs": [], "outputs": []}, "tests"),
        ({"tests": [{"kind": "stdin"}]}, "tests"),
    ],
)
def test_what_has_no_form_is_refused_with_its_place(given: Any, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message) as refused:
        inline_problem(given, "problems[3]")
    assert "problems[3]" in str(refused.value)
