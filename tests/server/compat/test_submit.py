"""SandboxFusion's /submit: the problem that comes along, and results as its EvalResult."""

from typing import Any

import pytest

from proctor.types import AssertionTest, LimitsSpec, PublicRun, StdinTest, Verdict
from proctor_server.api.compat.sandbox_fusion_submit import Submit, answer, provided_tests, to_item
from proctor_server.errors import BadRequest, NotJudged
from proctor_server.limit_rules import LimitRules
from tests.server.compat.results import AC, CE, RE, TLE, one_test, result

WA = Verdict.WA
CASE = {"input": {"stdin": "1"}, "output": {"stdout": "2"}}
STDIN = StdinTest(input="1", output="2", public=True)
ASSERT = AssertionTest(code="assert f()", public=True)


def asked(data: Any = None, **config: Any) -> Submit:
    return Submit.model_validate(
        {
            "dataset": "set",
            "id": 7,
            "completion": "```\nprint(2)\n```",
            "config": {"provided_data": data, **config},
        }
    )


@pytest.mark.parametrize(
    ("test", "tests"),
    [
        ([CASE], [STDIN]),
        ('[{"input": {"stdin": "1"}, "output": {"stdout": "2"}}]', [STDIN]),
        ({"code": "assert f()"}, [ASSERT]),
        ("assert f()", [ASSERT]),
        (["assert f()", "assert f()"], [ASSERT, ASSERT]),
        (
            [{"input": {"stdin": "1", "a.txt": "x"}, "output": {"stdout": "2"}}],
            [StdinTest(input="1", output="2", files={"a.txt": "x"}, public=True)],
        ),
    ],
)
def test_tests_come_as_data_sets_have_them(test: Any, tests: list[Any]) -> None:
    assert provided_tests(test) == tests


@pytest.mark.parametrize(
    "test",
    [
        None,
        [],
        "",
        5,
        {"asset": {}},
        "[hidden",
        [{"input": "hidden", "output": "2"}],
        [{"input": {"stdin": "hidden"}, "output": {"out.txt": "2"}}],
        [{"input": {"stdin": 1}, "output": {"stdout": "hidden"}}],
    ],
)
def test_tests_that_can_not_be_read_are_refused_and_not_quoted(test: Any) -> None:
    with pytest.raises(BadRequest) as refused:
        provided_tests(test)
    assert "hidden" not in f"{refused.value} {refused.value.errors}"


def test_a_problem_may_be_stored_or_come_along() -> None:
    assert to_item(asked(), LimitRules()).problem_id == "set/7"
    rows = [{"id": 6, "test": [CASE]}, {"id": "7", "test": [CASE, CASE]}]
    item = to_item(asked(rows, language="cpp", run_timeout=3), LimitRules())
    assert item.problem is not None
    assert (item.language, len(item.problem.tests)) == ("cpp", 2)
    assert item.problem.limits == LimitsSpec(cpu_time_s=3, wall_time_s=4.5)
    assert item.problem.comparer.name == "sandbox_fusion"


@pytest.mark.parametrize(
    ("data", "config", "field"),
    [
        ({"test": [CASE]}, {"custom_extract_logic": "exit()"}, "config.custom_extract_logic"),
        ({"test": [CASE]}, {"language": "jest"}, "config.language"),
        ([{"id": 8, "test": [CASE]}], {}, "config.provided_data"),
        ({"test": [CASE], "labels": "{"}, {}, "config.provided_data.labels"),
    ],
)
def test_what_can_not_be_judged_is_named(data: Any, config: Any, field: str) -> None:
    with pytest.raises(BadRequest) as refused:
        to_item(asked(data, **config), LimitRules())
    assert [fault.field for fault in refused.value.errors] == [field]


def told(verdict: Verdict, *tests: Verdict, data: Any = None, **config: Any) -> dict[str, Any]:
    request = asked(data or {"test": [CASE] * max(1, len(tests))}, **config)
    return answer(request, to_item(request, LimitRules()), result(verdict, *tests))


@pytest.mark.parametrize(
    ("verdict", "status", "run_status", "return_code"),
    [
        (AC, "Success", "Finished", 0),
        (WA, "Success", "Finished", 0),
        (RE, "Failed", "Finished", 1),
        (TLE, "Failed", "TimeLimitExceeded", None),
    ],
)
def test_each_test_has_an_execution(
    verdict: Verdict, status: str, run_status: str, return_code: int | None
) -> None:
    [test] = told(verdict, verdict)["tests"]
    assert (test["passed"], test["exec_info"]["status"]) == (verdict is AC, status)
    run = test["exec_info"]["run_result"]
    assert (run["status"], run["return_code"]) == (run_status, return_code)
    assert test["test_info"] == CASE


def test_an_assert_that_does_not_hold_is_a_failed_run() -> None:
    [test] = told(WA, WA, data={"test": "assert f()"})["tests"]
    assert (test["exec_info"]["status"], test["exec_info"]["run_result"]["return_code"]) == (
        "Failed",
        1,
    )


def test_a_program_that_does_not_compile_has_one_failed_entry() -> None:
    [test] = told(CE, language="cpp")["tests"]
    assert test["exec_info"]["compile_result"]["return_code"] == 1
    [test] = told(CE)["tests"]
    assert test["exec_info"]["run_result"]["return_code"] == 1


def test_long_cases_that_held_are_cut_unless_asked_for_whole() -> None:
    long = {"test": [{"input": {"stdin": "x" * 5000}, "output": {"stdout": ""}}]}
    [test] = told(AC, AC, data=long)["tests"]
    assert len(test["test_info"]["input"]["stdin"]) == 1000
    [test] = told(AC, AC, data=long, extra={"return_full_case": True})["tests"]
    assert len(test["test_info"]["input"]["stdin"]) == 5000


def test_of_a_stored_problem_only_public_tests_show_output() -> None:
    request = asked()
    shown = PublicRun(input="1", expected="2", stdout="3", stderr="")
    tests = [one_test(WA).model_copy(update={"public": shown}), one_test(WA)]
    found = result(WA, WA).model_copy(update={"tests": tests})
    outputs = [
        test["exec_info"]["run_result"]["stdout"]
        for test in answer(request, to_item(request, LimitRules()), found)["tests"]
    ]
    assert outputs == ["3", None]


def test_what_could_not_be_judged_is_no_rejection() -> None:
    with pytest.raises(NotJudged):
        answer(asked(), to_item(asked(), LimitRules()), result(Verdict.IE))
