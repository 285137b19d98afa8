"""What OpenAPI says of bodies that are read as bytes: their schemas and examples."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from proctor.runs import RunRequest
from proctor.types import (
    BatchRequest,
    Item,
    Problem,
    ProblemDetails,
    RewardsRequest,
    StreamEnd,
    SubmissionRequest,
)
from proctor_server.api.body import JSON, NDJSON

_REF = "#/components/schemas/{model}"

PROBLEM = {
    "id": "sum-of-two",
    "statement": "Read two integers, print their sum.",
    "limits": {"cpu_time_s": 2.0, "memory_mb": 256},
    "comparer": {"name": "tokens"},
    "tests": [
        {"kind": "stdin", "input": "1 2\n", "output": "3\n", "public": True},
        {"kind": "stdin", "input": "40 2\n", "output": "42\n"},
    ],
}
_SOURCE = "print(sum(map(int, input().split())))"
ITEM = {"id": "sample-0", "problem_id": "sum-of-two", "source": _SOURCE}
BATCH = {
    "items": [
        ITEM,
        {"problem_id": "sum-of-two", "completion": "Here it is:\n```python\nprint(3)\n```"},
    ],
    "reward": {"name": "pass_rate"},
}
SUBMISSION = {"problem": PROBLEM, "source": _SOURCE}
RUN = {"source": _SOURCE, "stdin": "1 2\n"}
REWARDS = {
    "problem_ids": ["sum-of-two", "sum-of-two"],
    "completions": ["```python\nprint(3)\n```", "I don't know."],
    "reward": {"name": "all_or_nothing"},
}

_MODELS: dict[str, type[Any]] = {
    model.__name__: model
    for model in (
        Problem,
        Item,
        BatchRequest,
        SubmissionRequest,
        RewardsRequest,
        RunRequest,
        ProblemDetails,
        StreamEnd,
    )
}


def body(model: type[Any], example: object, ndjson: str | None = None) -> dict[str, Any]:
    """The `openapi_extra` of a route whose body is a model; `ndjson` describes its lines."""
    schema = {"$ref": _REF.format(model=model.__name__)}
    content: dict[str, Any] = {JSON: {"schema": schema, "example": example}}
    if ndjson is not None:
        content[NDJSON] = {"schema": {"type": "string", "description": ndjson}}
    return {"requestBody": {"required": True, "content": content}}


def faults(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route for these error statuses, and those of every key."""
    schema = {"$ref": _REF.format(model="ProblemDetails")}
    return {
        status: {
            "description": _MEANINGS[status],
            "content": {"application/problem+json": {"schema": schema}},
        }
        for status in sorted({401, 403, *statuses})
    }


_MEANINGS = {
    400: "The body is no JSON, or no gzip.",
    401: "The server wants a key, and this request has none that it knows.",
    403: "The key has not the scope that this needs.",
    404: "There is no such thing, or no longer.",
    409: "The Idempotency-Key was used for another body.",
    413: "The body is too long.",
    415: "The body's type or encoding is not served.",
    422: "Something in the request is wrong; every field is named and nothing was done.",
    429: "This key has as many programs queued as it may. Try again later.",
    503: "Redis does not answer, or too much is queued. Try again later.",
}


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with the models that FastAPI does not see."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
        )
        _, definitions = models_json_schema(
            [(model, "validation") for model in _MODELS.values()],
            ref_template=_REF,
        )
        known = document.setdefault("components", {}).setdefault("schemas", {})
        for name, schema in definitions.get("$defs", {}).items():
            known.setdefault(name, schema)
        document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        # Without a file of keys none is asked for.
        document["security"] = [{"key": []}, {}]
        app.openapi_schema = document
    return app.openapi_schema
