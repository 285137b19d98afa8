"""The API against its own OpenAPI document: requests made of it, and answers that keep to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from schemathesis import GenerationMode, checks

from proctor_server.api.app import create_app
from proctor_server.settings import Settings
from tests.server.conftest import Workers, post, results, serving

SCHEMA: Any = schemathesis.openapi.from_dict(create_app(Settings()).openapi())
OPERATIONS: dict[str, Any] = {
    operation.ok().label: operation.ok() for operation in SCHEMA.get_all_operations()
}
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
# The same requests each time; enough that each field is wrong in some of them.
EXAMPLES = hypothesis_settings(
    max_examples=40,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@dataclass(frozen=True)
class Target:
    """An API with a worker, and what is there to be asked for."""

    url: str
    known: dict[str, str]


@pytest.fixture
def target(settings: Settings, worker: Workers) -> Iterator[Target]:
    brief = settings.model_copy(update={"max_wait_s": 0.05})
    with serving(brief) as api:
        two: dict[str, Any] = {"kind": "stdin", "input": "1", "output": "2", "public": True}
        problem = {"id": "two", "statement": "Add one.", "tests": [two]}
        api.put("/v1/problems/two", json=problem).raise_for_status()
        batch = post(api, "ac", "wa")
        while results(api, batch)[-1]["state"] != "done":
            pass
        yield Target(str(api.base_url), {"problem_id": "two", "batch_id": batch, "index": "1"})


@pytest.mark.parametrize("label", OPERATIONS)
def test_every_answer_is_a_documented_one(target: Target, label: str) -> None:
    operation = OPERATIONS[label]
    statuses = set()

    @EXAMPLES
    @given(data=st.data(), about_known=st.booleans())
    def ask(mode: GenerationMode, data: st.DataObject, about_known: bool) -> None:
        case = data.draw(operation.as_strategy(generation_mode=mode))
        if about_known:  # ids that are made up are never there
            case.path_parameters = _known(case.path_parameters, target)
            case.body = _known(case.body, target)
        answer = case.call_and_validate(base_url=target.url, checks=CHECKS, timeout=20)
        statuses.add(answer.status_code)

    ask(GenerationMode.POSITIVE)
    assert min({*statuses, _documented_example(target, operation)}) < 300  # not all are refused
    if operation.query or operation.body:  # else there is no wrong request
        ask(GenerationMode.NEGATIVE)
        assert max(statuses) >= 400


def test_the_documented_examples_are_served(target: Target) -> None:
    served = {
        label: _documented_example(target, operation)
        for label, operation in OPERATIONS.items()
        if operation.body
    }
    assert set(served) == {
        "PUT /v1/problems/{problem_id}",
        "POST /v1/problems",
        "POST /v1/batches",
        "POST /v1/submissions",
        "POST /v1/rewards",
        "POST /v1/runs",
    }
    assert max(served.values()) < 300, served


def _documented_example(target: Target, operation: Any) -> int:
    """The status with which a route's own example is answered; 999 where it has none."""
    described = SCHEMA.raw_schema["paths"][operation.path][operation.method.lower()]
    content = described.get("requestBody", {}).get("content", {})
    example = content.get("application/json", {}).get("example")
    if example is None:
        return 999
    path = operation.path.format(**target.known)
    answer = httpx.request(
        operation.method.upper(), target.url.rstrip("/") + path, json=_known(example, target)
    )
    return answer.status_code


def _known(value: Any, target: Target) -> Any:
    """A request's part with ids of things that are there."""
    if isinstance(value, dict):
        told = {name: _known(part, target) for name, part in value.items()}
        told |= {name: one for name, one in target.known.items() if name in told}
        if isinstance(told.get("completions"), list):
            told["problem_ids"] = [target.known["problem_id"]] * len(told["completions"])
        if "tests" in told and "id" in told:
            told["id"] = target.known["problem_id"]
        return told
    return [_known(one, target) for one in value] if isinstance(value, list) else value


def test_an_id_with_a_line_break_is_a_documented_404(api: httpx.Client) -> None:
    # What a longer run of the test above came upon.
    assert api.put("/v1/problems/a%0Ab", json={}).status_code == 404
    documented = SCHEMA.raw_schema["paths"]["/v1/problems/{problem_id}"]["put"]["responses"]
    assert "404" in documented


def test_the_document_is_the_one_that_is_served(api: httpx.Client) -> None:
    assert api.get("/openapi.json").json() == SCHEMA.raw_schema
    assert len(OPERATIONS) > 10
