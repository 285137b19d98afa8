"""SandboxFusion's /submit: a completion judged by a stored problem, or by one that it brings."""

from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field, JsonValue
from pydantic_core import from_json

from proctor.types import (
    AssertionTest,
    Comparer,
    Extraction,
    Item,
    Problem,
    Result,
    StdinTest,
    TestCase,
    TestResult,
    Verdict,
)
from proctor_sandbox.languages import LANGUAGES
from proctor_server.api.compat.judged import judged, not_judged
from proctor_server.api.compat.limits import for_test
from proctor_server.api.compat.peer import Posted, checked, posted, refusing
from proctor_server.api.compat.sandbox_fusion import language, refusal
from proctor_server.extract import extract
from proctor_server.faults import refuse
from proctor_server.limit_rules import LimitRules

router = APIRouter(route_class=refusing(refusal), include_in_schema=False)

# Seconds, where config.run_timeout says nothing.
_COMPILED_S, _SCRIPT_S = 10.0, 20.0
# Of a test that held only the beginning is given back, unless all of it is asked for.
_SHOWN_CHARS = 1000
_DATA = "config.provided_data"


class TestConfig(Posted):
    """How a submission is to be judged; seconds."""

    __test__ = False

    language: str | None = None
    run_timeout: float | None = Field(None, gt=0, allow_inf_nan=False)
    custom_extract_logic: str | None = None
    provided_data: dict[str, JsonValue] | list[dict[str, JsonValue]] | None = None
    extra: dict[str, JsonValue] = Field({})


class Submit(Posted):
    """What /submit takes."""

    dataset: str
    id: int | str
    completion: str
    config: TestConfig


@router.post("/submit")
async def submit(request: Request) -> Response:
    """Judge a completion. What it is compared with never enters a sandbox."""
    services, caller, asked = await posted(request, Submit)
    item = to_item(asked, services.settings.limit_rules())
    stop: Literal["never", "first_failure"] = (
        "never" if asked.config.extra.get("run_all_cases") else "first_failure"
    )
    [result] = await judged(
        services, caller, [item], request.is_disconnected, where=_where, stop=stop
    )
    return JSONResponse(answer(asked, item, result))


def to_item(asked: Submit, rules: LimitRules) -> Item:
    """The submission of a request. Raises BadRequest."""
    config = asked.config
    if config.custom_extract_logic is not None:
        where = "config.custom_extract_logic"
        refuse(where, "is code, which is not run here", "extract the program before it is sent")
    row = _row(asked)
    spoken = language(_language(config, row), "config.language")
    if row is None:
        name = f"{asked.dataset}/{asked.id}"
        return checked(Item, problem_id=name, completion=asked.completion, language=spoken)
    seconds = _COMPILED_S if LANGUAGES[spoken].compile else _SCRIPT_S
    problem = checked(
        Problem,
        id="provided",
        limits=for_test(config.run_timeout or seconds, rules),
        comparer=Comparer(name="sandbox_fusion"),
        entry_point=_labels(row).get("entry_point"),
        tests=provided_tests(row.get("test")),
    )
    return Item(problem=problem, completion=asked.completion, language=spoken)


def provided_tests(test: JsonValue) -> list[TestCase]:
    """Tests as a data set has them: cases of standard input and output, or Python with asserts.

    They are the caller's own, so that outputs are shown to it. Raises BadRequest.
    """
    where = f"{_DATA}.test"
    if isinstance(test, str) and test.lstrip().startswith(("[", "{")):
        try:
            test = from_json(test)
        except ValueError as error:
            refuse(where, f"is no JSON: {error}", "give the tests")
    if isinstance(test, dict):
        test = test.get("code")
    codes = [test] if isinstance(test, str) else test
    if not isinstance(codes, list) or not codes:
        refuse(where, "holds no tests", 'give cases, {"code": ...}, or a list of asserts')
    return [
        AssertionTest(code=one, public=True)
        if isinstance(one, str) and one.strip()
        else _stdin_test(one, f"{where}[{place}]")
        for place, one in enumerate(codes)
    ]


def answer(asked: Submit, item: Item, result: Result) -> dict[str, Any]:
    """An EvalResult. Raises NotJudged for a fault of ours."""
    if result.pass_rate is None:
        raise not_judged(result)
    code = extract(asked.completion, Extraction())
    tests = item.problem.tests if item.problem is not None else [None] * len(result.tests)
    full = bool(asked.config.extra.get("return_full_case"))
    if result.verdict is Verdict.CE:
        told = [_not_run(result, item.language)]
    else:
        told = [
            {
                "passed": one.verdict is Verdict.AC,
                "exec_info": _exec_info(one, asserts=isinstance(test, AssertionTest)),
                "test_info": _test_info(test, full or one.verdict is not Verdict.AC),
            }
            for one, test in zip(result.tests, tests, strict=False)
        ]
    return {
        "id": asked.id,
        "accepted": result.verdict is Verdict.AC,
        "extracted_code": code,
        "full_code": None,
        "test_code": None,
        "tests": told,
        "extracted_type": "fenced" if code else "empty",
        "extra": None,
    }


def _row(asked: Submit) -> dict[str, JsonValue] | None:
    data = asked.config.provided_data
    if not isinstance(data, list):
        return data
    for row in data:
        if str(row.get("id")) == str(asked.id):
            return row
    return refuse(_DATA, "has no row with this id", "send the row of the problem")


def _language(config: TestConfig, row: dict[str, JsonValue] | None) -> str:
    labels = _labels(row or {})
    return config.language or str(labels.get("programming_language") or "python")


def _labels(row: dict[str, JsonValue]) -> dict[str, JsonValue]:
    labels = row.get("labels")
    if isinstance(labels, str):
        try:
            labels = from_json(labels)
        except ValueError as error:
            refuse(f"{_DATA}.labels", f"is no JSON: {error}", "give an object")
    return labels if isinstance(labels, dict) else {}


def _stdin_test(case: JsonValue, where: str) -> StdinTest:
    given = case.get("input") if isinstance(case, dict) else None
    wanted = case.get("output") if isinstance(case, dict) else None
    if not isinstance(given, dict) or not isinstance(wanted, dict) or set(wanted) != {"stdout"}:
        refuse(where, "is no test", 'give {"input": {"stdin": ...}, "output": {"stdout": ...}}')
    files = {name: content for name, content in given.items() if name != "stdin"}
    return checked(
        StdinTest,
        input=given.get("stdin", ""),
        output=wanted["stdout"],
        files=files,
        public=True,
    )


def _exec_info(test: TestResult, *, asserts: bool) -> dict[str, Any]:
    late = test.verdict is Verdict.TLE
    # A wrong output is no failed run, but an assert that does not hold is one.
    well = test.verdict is Verdict.AC or (test.verdict is Verdict.WA and not asserts)
    code = 0 if well else -test.signal if test.signal else test.exit_code or 1
    return _run_info(
        "Success" if well else "Failed",
        run_result={
            "status": "TimeLimitExceeded" if late else "Finished",
            "execution_time": test.wall_time_s,
            "return_code": None if late else code,
            # Of a stored problem only public tests show them.
            "stdout": test.public.stdout if test.public else None,
            "stderr": test.public.stderr if test.public else None,
        },
    )


def _not_run(result: Result, language: str) -> dict[str, Any]:
    """The one entry for a program that does not compile: a script's phase is its run."""
    failed = {
        "status": "Finished",
        "execution_time": result.run_time_s,
        "return_code": 1,
        "stdout": "",
        "stderr": result.compile_output or "",
    }
    phase = "compile_result" if LANGUAGES[language].compile else "run_result"
    return {"passed": False, "exec_info": _run_info("Failed", **{phase: failed}), "test_info": None}


def _run_info(status: str, **phases: dict[str, Any]) -> dict[str, Any]:
    nothing = {"compile_result": None, "run_result": None, "executor_pod_name": None}
    return {"status": status, "message": "", "files": {}, **nothing, **phases}


def _test_info(test: TestCase | None, full: bool) -> dict[str, Any] | None:
    if not isinstance(test, StdinTest):
        return None
    most = None if full else _SHOWN_CHARS
    return {"input": {"stdin": test.input[:most]}, "output": {"stdout": test.output[:most]}}


def _where(_: int, name: str) -> str:
    theirs = {"problem": _DATA, "problem_id": "id", "language": "config.language"}
    return theirs.get(name.partition(".")[0], name)
