"""Reward endpoints of trainers: samples and labels as items, results as their rewards."""

import base64
import json
import zlib
from typing import Any

import pytest

from proctor.types import CallTest, LimitsSpec, Result, StdinTest, Verdict
from proctor_server.api.compat import livecodebench, nemo_gym, open_instruct, openrlhf
from proctor_server.api.compat.labels import Scored, labelled
from proctor_server.errors import BadRequest, NotJudged
from tests.server.compat.results import AC, CE, RE, TLE, result

WA, IE = Verdict.WA, Verdict.IE
LIMITS = LimitsSpec()
MOST = 1_000_000
GROUND_TRUTH = {"inputs": ["1", "2"], "outputs": ["2", "4"]}

# -- labels -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "problem_id", "language"),
    [
        ("HumanEval/0", "HumanEval/0", "python"),
        ("17", "17", "python"),
        ({"problem_id": "a/1"}, "a/1", "python"),
        ({"problem_id": "a/1", "language": "C++"}, "a/1", "cpp"),
        ('{"problem_id": "a/1"}', "a/1", "python"),
    ],
)
def test_a_label_may_name_a_problem(label: Any, problem_id: str, language: str) -> None:
    item = labelled(label, "words", "label")
    assert (item.problem_id, item.language, item.completion) == (problem_id, language, "words")


@pytest.mark.parametrize("label", [GROUND_TRUTH, json.dumps(GROUND_TRUTH)])
def test_a_label_may_hold_the_tests(label: Any) -> None:
    item = labelled(label, "words", "label")
    assert item.problem is not None
    assert item.problem.tests == [
        StdinTest(input="1", output="2"),
        StdinTest(input="2", output="4"),
    ]


@pytest.mark.parametrize(
    "label",
    [
        None,
        5,
        [],
        ["x"],
        True,
        "",
        "two words",
        {"a": 1},
        '{"inputs": ["hidden"]',
        '{"problem_id": 1}',
    ],
)
def test_a_label_that_is_neither_is_refused_and_not_quoted(label: Any) -> None:
    with pytest.raises(BadRequest) as refused:
        labelled(label, "words", "label")
    assert "hidden" not in f"{refused.value} {refused.value.errors}"


# -- OpenRLHF ---------------------------------------------------------------------------------

BLOCK = "```python\nprint(1)\n```"


@pytest.mark.parametrize(
    ("query", "prompt", "response"),
    [
        ("Q?" + BLOCK, "Q?", BLOCK),
        ("<s>Q?" + BLOCK + "</s>", "Q?", BLOCK),
        (f"Q?{BLOCK}<|im_end|>", "Q?", BLOCK),
        (f"Q?{BLOCK}<|im_end|>\n<|endoftext|><pad><pad>", "Q?", BLOCK),
        (f"Q?{BLOCK}<\uff5cend\u2581of\u2581sentence\uff5c>", "Q?", BLOCK),
        (f"Q?{BLOCK}\n<html>", "Q?", f"{BLOCK}\n<html>"),
        ("another prompt" + BLOCK, "Q?", "another prompt" + BLOCK),
        (BLOCK, "", BLOCK),
        ("Q?", "Q?", ""),
    ],
)
def test_a_response_is_what_follows_the_prompt(query: str, prompt: str, response: str) -> None:
    assert openrlhf.response(query, prompt) == response


def test_openrlhf_is_told_which_rewards_are_none() -> None:
    told = openrlhf.answer([Scored(0.5, result(WA, AC, WA)), Scored(0.0, result(IE))])
    assert told["rewards"] == told["scores"] == [0.5, 0.0]
    assert told["extra_logs"] == {"pass_rate": [0.5, 0.0], "unscored": [0.0, 1.0]}


# -- open-instruct ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "results", "runtimes"),
    [
        (result(AC, AC, AC), [1, 0, 1], [0.25, -1.0, 0.25]),
        (result(RE, AC, RE), [1, 0, 0], [0.25, -1.0, -1.0]),
        (result(CE), [0, 0, 0], [-1.0, -1.0, -1.0]),
        (None, [0, 0, 0], [-1.0, -1.0, -1.0]),
    ],
)
def test_open_instruct_has_a_number_for_every_test(
    found: Result | None, results: list[int], runtimes: list[float]
) -> None:
    assert open_instruct.answer(3, [0, 2], found) == {"results": results, "runtimes": runtimes}


def test_what_could_not_be_judged_is_no_zero_for_open_instruct() -> None:
    with pytest.raises(NotJudged, match="lost"):
        open_instruct.answer(1, [0], result(IE, reason="lost"))


def test_a_test_that_is_no_python_is_left_out() -> None:
    tests = ["assert f()", "this is not", "", "x = 1", 5, "assert \0"]
    assert list(open_instruct.assertions(tests)) == [0, 3]


@pytest.mark.parametrize("test", ["assert f()", {"input": "x"}, {"input": 1, "output": "x"}])
def test_a_case_without_input_and_output_is_named(test: Any) -> None:
    with pytest.raises(BadRequest) as refused:
        open_instruct.stdio([{"input": "1", "output": ["1", "2"]}, test])
    assert refused.value.errors[0].field == "tests[1]"


# -- LiveCodeBench and NeMo Gym ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "function"), [("def f(x): ...", "f"), ("class Solution: ...", "Solution.f")]
)
def test_a_call_is_made_where_the_program_has_the_function(program: str, function: str) -> None:
    test = livecodebench.call_test("f", program, '[1]\n"a"', "null", "tests[0]")
    assert test == CallTest(function=function, args=[[1], "a"], expected=None)


def test_names_are_there_without_an_import_but_not_before_a_future_one() -> None:
    [case] = open_instruct.stdio([{"input": "", "output": ""}]).values()
    plain = livecodebench.item("x = deque()", [case], LIMITS)
    future = livecodebench.item("from __future__ import annotations", [case], LIMITS)
    assert plain.problem is not None
    assert future.problem is not None
    compile(plain.problem.prefix + "x = deque()", "program", "exec")
    assert future.problem.prefix == ""


def packed(value: object) -> str:
    return base64.b64encode(zlib.compress(json.dumps(value).encode())).decode()


@pytest.mark.parametrize(
    "metadata",
    [
        {"unit_tests": GROUND_TRUTH},
        {"unit_tests": {"packed": packed(GROUND_TRUTH), "fn_name": None}},
    ],
)
def test_nemo_gyms_tests_are_read_in_both_forms(metadata: dict[str, Any]) -> None:
    item = nemo_gym.to_item(metadata, "x", LIMITS, MOST)
    assert item.problem is not None
    assert [test.input for test in item.problem.tests if isinstance(test, StdinTest)] == ["1", "2"]


def test_nemo_gyms_tests_may_stay_at_the_server() -> None:
    item = nemo_gym.to_item({"problem_id": "a/1"}, "words", LIMITS, MOST)
    assert (item.problem_id, item.completion) == ("a/1", "words")


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"unit_tests": "hidden"},
        {"unit_tests": {"inputs": ["hidden"], "outputs": []}},
        {"unit_tests": {"packed": "hidden"}},
        {"unit_tests": {"packed": packed({"inputs": ["0" * (MOST + 1)], "outputs": [""]})}},
        {"unit_tests": {"packed": packed(["hidden"])}},
        {"unit_tests": {"inputs": ["hidden"], "outputs": ["1"], "fn_name": "f"}},
        {"problem_id": 5},
    ],
)
def test_what_can_not_be_verified_is_refused_and_not_quoted(metadata: dict[str, Any]) -> None:
    with pytest.raises(BadRequest) as refused:
        nemo_gym.to_item(metadata, "x", LIMITS, MOST)
    assert "hidden" not in f"{refused.value} {refused.value.errors}"


@pytest.mark.parametrize(
    ("found", "reward", "codes"),
    [
        (result(AC, AC, AC), 1.0, [True, True]),
        (result(WA, AC, WA), 0.0, [True, -2]),
        (result(TLE, TLE), 0.0, [-3]),
        (result(RE, RE), 0.0, [-4]),
        (result(CE), 0.0, [-4]),
        (result(IE), -1.0, []),
    ],
)
def test_nemo_gym_has_a_reward_and_livecodebenchs_codes(
    found: Result, reward: float, codes: list[Any]
) -> None:
    told = nemo_gym.answer(found, -1.0)
    assert (told["reward"], told["result"]) == (reward, codes)


def test_what_could_not_be_judged_has_no_reward_unless_one_is_said() -> None:
    with pytest.raises(NotJudged):
        nemo_gym.answer(result(IE), None)


def test_the_text_of_a_response_is_its_messages() -> None:
    response: Any = {
        "output": [
            {"type": "reasoning", "summary": [{"text": "hm"}]},
            {"type": "message", "content": [{"type": "output_text", "text": "a"}, {"type": "x"}]},
            {"type": "message", "content": [{"type": "output_text", "text": "b"}]},
            {"type": "message", "content": "odd"},
            "odd",
        ]
    }
    assert nemo_gym.output_text(response) == "ab"
    with pytest.raises(BadRequest):
        nemo_gym.output_text({"output": "text"})
