"""NeMo Gym's resources server for code: /verify."""

import asyncio
import json
import time
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from proctor.types import Extraction, Item, LimitsSpec, Result, TestCase, Verdict
from proctor_server.api.access import most_bytes
from proctor_server.api.compat import livecodebench
from proctor_server.api.compat.judged import judged, not_judged
from proctor_server.api.compat.labels import Unscored
from proctor_server.api.compat.limits import for_test
from proctor_server.api.compat.packed import unpacked
from proctor_server.api.compat.peer import checked, detail, posted, refusing
from proctor_server.extract import extract
from proctor_server.faults import refuse

router = APIRouter(route_class=refusing(detail), include_in_schema=False)

# Of one test, in seconds: unit_test_timeout_secs in its configuration.
_TEST_S = 10.0


class Verify(BaseModel):
    """What /verify takes and, with a reward, gives back: whatever else is in it, too."""

    model_config = ConfigDict(extra="allow", frozen=True)

    response: dict[str, JsonValue]
    verifier_metadata: dict[str, JsonValue]


class UnitTests(BaseModel):
    """LiveCodeBench's tests. With `fn_name` an input has an argument as JSON on each line."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    inputs: list[str] = Field(min_length=1)
    outputs: list[str]
    fn_name: str | None = None

    @model_validator(mode="after")
    def _same_length(self) -> "UnitTests":
        if len(self.inputs) != len(self.outputs):
            raise ValueError(f"has {len(self.inputs)} inputs and {len(self.outputs)} outputs")
        return self


@router.post("/verify")
async def verify(request: Request, unscored: Unscored = None) -> Response:
    """Judge a response: 1.0 if every test holds, else 0.0; the request with it comes back.

    Without `unscored` a fault of ours is an error.
    """
    services, caller, asked = await posted(request, Verify)
    began = time.monotonic()
    words = output_text(asked.response)
    limits = for_test(_TEST_S, services.settings.limit_rules())
    most = most_bytes(services, caller)
    item = await asyncio.to_thread(to_item, asked.verifier_metadata, words, limits, most)
    [result] = await judged(
        services, caller, [item], request.is_disconnected, where=_where, stop="first_failure"
    )
    told = answer(result, unscored)
    told["extracted_model_output"] = words or None
    told["extracted_model_code"] = extract(words, Extraction()) or None
    told["unit_tests_time_taken"] = round(time.monotonic() - began, 6)
    told["difficulty"] = asked.verifier_metadata.get("difficulty")
    return JSONResponse({**asked.model_dump(), **told})


def output_text(response: dict[str, JsonValue]) -> str:
    """The text of a response of OpenAI's Responses API. Raises BadRequest."""
    items = response.get("output")
    if not isinstance(items, list):
        refuse("response.output", "is no list", "give a response of the Responses API")
    return "".join(
        str(part.get("text") or "")
        for item in items
        if isinstance(item, dict) and item.get("type") == "message"
        for part in _parts(item.get("content"))
        if isinstance(part, dict) and part.get("type") == "output_text"
    )


def to_item(
    metadata: dict[str, JsonValue], words: str, limits: LimitsSpec, most_bytes: int
) -> Item:
    """A response with its tests, or with the id of its problem. Raises BadRequest."""
    if (problem_id := metadata.get("problem_id")) is not None:
        return checked(Item, problem_id=problem_id, completion=words)
    code = extract(words, Extraction())
    tests = checked(UnitTests, **_unpacked(metadata.get("unit_tests"), most_bytes))
    cases: list[TestCase] = []
    for place, (given, expected) in enumerate(zip(tests.inputs, tests.outputs, strict=True)):
        where = f"verifier_metadata.unit_tests[{place}]"
        if tests.fn_name:
            cases.append(livecodebench.call_test(tests.fn_name, code, given, expected, where))
        else:
            cases.append(livecodebench.stdin_test(given, expected, where))
    return livecodebench.item(code, cases, limits)


def answer(result: Result, unscored: float | None) -> dict[str, Any]:
    """The reward, and LiveCodeBench's code for each test that was run. Raises NotJudged."""
    if result.pass_rate is None:
        if unscored is None:
            raise not_judged(result)
        return {"reward": unscored, "result": [], "metadata": {"error_message": "not judged"}}
    codes = [_CODES.get(test.verdict, -4) for test in result.tests]
    return {
        "reward": float(result.verdict is Verdict.AC),
        "result": codes or [-4],
        "metadata": {"verdict": result.verdict, "passed": result.passed, "total": result.total},
    }


_CODES: dict[Verdict, bool | int] = {Verdict.AC: True, Verdict.WA: -2, Verdict.TLE: -3}


def _unpacked(tests: JsonValue, most_bytes: int) -> dict[str, JsonValue]:
    """Tests as they are, or out of base64 of zlib of JSON. Raises BadRequest."""
    where = "verifier_metadata.unit_tests"
    if not isinstance(tests, dict):
        refuse(where, "is no object", "give inputs and outputs, or problem_id beside it")
    if not isinstance(packed := tests.get("packed"), str):
        return tests
    try:
        found = json.loads(unpacked(packed, most_bytes, f"{where}.packed"))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        refuse(f"{where}.packed", "holds no object as JSON", "give inputs and outputs")
    return {**found, "fn_name": tests.get("fn_name")}


def _parts(content: JsonValue) -> list[JsonValue]:
    return content if isinstance(content, list) else []


def _where(_: int, name: str) -> str:
    program = name in ("completion", "continuation")
    return "response" if program else f"verifier_metadata.{name}"
