"""open-instruct's code API: /test_program and /test_program_stdio."""

import asyncio
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from proctor.types import AssertionTest, Item, Problem, Result, TestCase, Verdict
from proctor_sandbox.agent import asserts
from proctor_server.api.access import most_bytes
from proctor_server.api.compat import livecodebench
from proctor_server.api.compat.encoded_tests import decoded
from proctor_server.api.compat.judged import judged, not_judged
from proctor_server.api.compat.limits import for_test
from proctor_server.api.compat.peer import Posted, detail, posted, refusing
from proctor_server.door import alone
from proctor_server.faults import refuse
from proctor_server.limit_rules import LimitRules

router = APIRouter(route_class=refusing(detail), include_in_schema=False)

_FAILED = (0, -1.0)


class TestRequest(Posted):
    """What both routes take; seconds. `tests` is a list, JSON, or a packed pickle."""

    __test__ = False

    program: str
    tests: Any
    max_execution_time: float = Field(1.0, gt=0, allow_inf_nan=False)


@router.get("/health")
async def health() -> dict[str, str]:
    """Whether the server is there; asks for no key, as /healthz does not."""
    return {"status": "healthy"}


@router.post("/test_program")
async def test_program(request: Request) -> Response:
    """Run each test, Python with asserts, after the program."""

    def item(asked: TestRequest, cases: list[TestCase], rules: LimitRules) -> Item:
        limits = for_test(asked.max_execution_time, rules)
        problem = Problem(id="open-instruct", limits=limits, tests=cases)
        return Item(problem=problem, continuation=asked.program)

    return await _answered(request, assertions, item)


@router.post("/test_program_stdio")
async def test_program_stdio(request: Request) -> Response:
    """Run the program on each input, and compare as LiveCodeBench does."""

    def item(asked: TestRequest, cases: list[TestCase], rules: LimitRules) -> Item:
        # That API's alarm knows whole seconds only.
        limits = for_test(math.ceil(asked.max_execution_time), rules)
        return livecodebench.item(asked.program, cases, limits)

    return await _answered(request, stdio, item)


def assertions(tests: Sequence[object]) -> dict[int, TestCase]:
    """Tests by their places. One that is no Python can't hold: it is left out, and fails."""
    return {
        place: AssertionTest(code=test)
        for place, test in enumerate(tests)
        if isinstance(test, str) and _is_python(test)
    }


def stdio(tests: Sequence[object]) -> dict[int, TestCase]:
    """Tests by their places. Raises BadRequest for what has no input and output."""
    cases: dict[int, TestCase] = {}
    for place, test in enumerate(tests):
        where = f"tests[{place}]"
        if not isinstance(test, dict) or not {"input", "output"} <= test.keys():
            refuse(where, "has no input and output", 'give {"input": ..., "output": ...}')
        cases[place] = livecodebench.stdin_test(test["input"], test["output"], where)
    return cases


def answer(count: int, places: Iterable[int], result: Result | None) -> dict[str, Any]:
    """The answer for so many tests, of which those at `places` were judged. Raises NotJudged."""
    told = [_FAILED] * count
    if result is not None and result.pass_rate is None:
        raise not_judged(result)
    for place, test in zip(places, result.tests if result else (), strict=False):
        if test.verdict is Verdict.AC:
            told[place] = 1, test.wall_time_s
    return {
        "results": [passed for passed, _ in told],
        "runtimes": [seconds for _, seconds in told],
    }


async def _answered(
    request: Request,
    cases_of: Callable[[Sequence[object]], dict[int, TestCase]],
    item_of: Callable[[TestRequest, list[TestCase], LimitRules], Item],
) -> Response:
    services, caller, asked = await posted(request, TestRequest)
    tests = await asyncio.to_thread(decoded, asked.tests, most_bytes(services, caller))
    cases = cases_of(tests)
    if not cases:
        return JSONResponse(answer(len(tests), (), None))
    item = item_of(asked, list(cases.values()), services.settings.limit_rules())
    [result] = await judged(services, caller, [item], request.is_disconnected, where=alone)
    return JSONResponse(answer(len(tests), cases, result))


def _is_python(code: str) -> bool:
    try:
        asserts.count(code)
    except (SyntaxError, ValueError):
        return False
    return bool(code.strip())
