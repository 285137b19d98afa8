"""Builds every request of the client, sync and async alike."""

import uuid
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias, TypedDict
from urllib.parse import quote

import pydantic
import pydantic_core

from proctor._effects import Call
from proctor._faults import checked, invalid
from proctor.runs import RunRequest
from proctor.types import (
    BatchRequest,
    Extraction,
    Item,
    Problem,
    RewardPolicy,
    SubmissionRequest,
)

# Below this a body fits one packet and compressing it saves nothing.
GZIP_ABOVE_BYTES = 1024
# Problems with large tests go in several requests: each is checked and stored as a whole.
IMPORT_BYTES = 8 * 1024 * 1024
# How long the server holds a request or a stream before it answers "not yet". Proxies cut
# idle connections after 60 s (nginx, AWS load balancers), so stay well below.
HOLD_S = 30.0
# A raw run has no number to ask for later: the server keeps it until it has room, and it has run.
RUN_HOLD_S = 900.0

Policy: TypeAlias = RewardPolicy | Literal["pass_rate", "all_or_nothing", "weighted", "threshold"]
Stop: TypeAlias = Literal["never", "first_failure"]
ItemLike: TypeAlias = Item | Mapping[str, Any]
ProblemLike: TypeAlias = Problem | Mapping[str, Any]
RunLike: TypeAlias = RunRequest | Mapping[str, Any]
# Which field of an item a program's text goes into.
Form: TypeAlias = Literal["completion", "source", "continuation"]


def put_problem(problem: ProblemLike) -> Call:
    """PUT /v1/problems/{id}."""
    stored = checked(Problem, problem)
    return _call("PUT", f"/v1/problems/{_segment(stored.id)}", stored)


def get_problem(problem_id: str) -> Call:
    """GET /v1/problems/{id}."""
    return Call("GET", f"/v1/problems/{_segment(problem_id)}")


def list_problems(after: str | None, limit: int) -> Call:
    """GET /v1/problems: one page of ids."""
    return _page("/v1/problems", after, limit)


def problem_stats(problem_id: str) -> Call:
    """GET /v1/problems/{id}/stats."""
    return Call("GET", f"/v1/problems/{_segment(problem_id)}/stats")


def list_problem_stats(after: str | None, limit: int) -> Call:
    """GET /v1/problems/stats: one page."""
    return _page("/v1/problems/stats", after, limit)


def import_problems(problems: Iterable[ProblemLike]) -> Iterator[Call]:
    """POST /v1/problems, one problem a line, in as many requests as their size asks for."""
    lines: list[bytes] = []
    size = 0
    for place, problem in enumerate(problems):
        line = _json(checked(Problem, problem, f"problems[{place}]"))
        if lines and size + len(line) > IMPORT_BYTES:
            yield _import(lines)
            lines, size = [], 0
        lines.append(line)
        size += len(line) + 1
    if lines:
        yield _import(lines)


class Options(TypedDict, total=False):
    """What a batch says of all its items; the defaults are those of `BatchRequest`.

    reward: a policy, or the name of one.
    stop: after a program's "first_failure", or "never" (needed for a pass rate).
    extraction: how a program is taken out of a `completion`.
    fresh: run every program even if an equal one's result is known.
    deadline_s: seconds after which the server cancels what has no result yet.
    """

    reward: Policy
    stop: Stop
    extraction: Extraction
    fresh: bool
    deadline_s: float | None


def batch_request(items: Iterable[ItemLike], options: Options) -> BatchRequest:
    """A batch of items, each checked; what is wrong is named by its place."""
    each = [checked(Item, item, f"items[{i}]") for i, item in enumerate(items)]
    return checked(BatchRequest, {"items": each, **_options(options)})


def score_request(
    problem_ids: str | Sequence[str],
    completions: Sequence[str],
    form: Form,
    language: str,
    options: Options,
) -> BatchRequest:
    """A batch of one item per completion; a single problem id stands for all of them."""
    if isinstance(completions, str):
        raise invalid("completions", "is one string", "give a list of strings")
    ids = [problem_ids] * len(completions) if isinstance(problem_ids, str) else problem_ids
    if len(ids) != len(completions):
        raise invalid(
            "problem_ids",
            f"has {len(ids)} entries, completions has {len(completions)}",
            "give one problem id per completion",
        )
    items = (
        {"problem_id": problem_id, "language": language, form: text}
        for problem_id, text in zip(ids, completions, strict=True)
    )
    return batch_request(items, options)


def submission_request(item: ItemLike, options: Options) -> SubmissionRequest:
    """One program for one problem, with what a batch says of all its items."""
    # Not model_dump: it would leave out the `kind` of an inline problem's tests, or say too much.
    said = {n: getattr(item, n) for n in item.model_fields_set} if isinstance(item, Item) else item
    return checked(SubmissionRequest, {**said, **_options(options)})


def create_batch(request: BatchRequest, idempotency_key: str | None) -> Call:
    """POST /v1/batches. Sent again, it is the same batch: the key sees to it."""
    return _call("POST", "/v1/batches", request, key=idempotency_key or uuid.uuid4().hex)


def list_batches(after: str | None, limit: int) -> Call:
    """GET /v1/batches: one page."""
    return _page("/v1/batches", after, limit)


def batch_status(batch_id: str, wait_s: float = 0.0) -> Call:
    """GET /v1/batches/{id}, held until the batch is complete or `wait_s` is over."""
    return Call("GET", f"/v1/batches/{_segment(batch_id)}", _wait(wait_s), held_s=wait_s)


def batch_results(batch_id: str, cursor: int, wait_s: float) -> Call:
    """GET /v1/batches/{id}/results from a cursor on, for at most `wait_s` seconds."""
    return Call(
        "GET",
        f"/v1/batches/{_segment(batch_id)}/results",
        {"cursor": str(cursor), **_wait(wait_s)},
        headers={"Accept": "application/x-ndjson"},
        held_s=wait_s,
    )


def batch_submission(batch_id: str, index: int) -> Call:
    """GET /v1/batches/{id}/results/{index}."""
    return Call("GET", f"/v1/batches/{_segment(batch_id)}/results/{index}")


def cancel_batch(batch_id: str) -> Call:
    """DELETE /v1/batches/{id}."""
    return Call("DELETE", f"/v1/batches/{_segment(batch_id)}")


def submission(request: SubmissionRequest, wait_s: float) -> Call:
    """POST /v1/submissions, held until the result is there or `wait_s` is over."""
    key = uuid.uuid4().hex
    return _call("POST", "/v1/submissions", request, key=key, params=_wait(wait_s), held_s=wait_s)


def info() -> Call:
    """GET /v1/info."""
    return Call("GET", "/v1/info")


def run(request: RunLike) -> Call:
    """POST /v1/runs, held until the program has ended."""
    return replace(_call("POST", "/v1/runs", checked(RunRequest, request)), held_s=RUN_HOLD_S)


def stats() -> Call:
    """GET /v1/stats."""
    return Call("GET", "/v1/stats")


# -- helpers ----------------------------------------------------------------------------------


def _import(lines: list[bytes]) -> Call:
    return _with_body("POST", "/v1/problems", b"\n".join(lines), "application/x-ndjson")


def _page(path: str, after: str | None, limit: int) -> Call:
    params = {"limit": str(limit)}
    if after is not None:
        params["after"] = after
    return Call("GET", path, params)


def _wait(seconds: float) -> dict[str, str]:
    return {"wait": f"{seconds:.3f}"}


def _segment(text: str) -> str:
    # Slashes stay: HumanEval/0 is an id, and the server's route takes the rest of the path.
    return quote(text, safe="/")


def _options(options: Options) -> dict[str, object]:
    given: dict[str, object] = {**options}
    if isinstance(reward := given.get("reward"), str):
        given["reward"] = {"name": reward}
    return given


def _call(
    method: str,
    path: str,
    model: pydantic.BaseModel,
    *,
    key: str | None = None,
    params: Mapping[str, str] | None = None,
    held_s: float = 0.0,
) -> Call:
    return _with_body(method, path, _json(model), "application/json", key, params, held_s)


def _with_body(
    method: str,
    path: str,
    body: bytes,
    content_type: str,
    key: str | None = None,
    params: Mapping[str, str] | None = None,
    held_s: float = 0.0,
) -> Call:
    headers = {"Content-Type": content_type}
    if key is not None:
        headers["Idempotency-Key"] = key
    if len(body) > GZIP_ABOVE_BYTES:
        # Level 1: programs shrink about fourfold already, for a third of level 6's time.
        body = zlib.compress(body, level=1, wbits=31)
        headers["Content-Encoding"] = "gzip"
    return Call(method, path, params or {}, headers, body, held_s)


def _json(model: pydantic.BaseModel) -> bytes:
    # Defaults are the server's to know, which halves the bytes of a batch; but a test's `kind`
    # is one too, and must be said.
    tests = isinstance(model, Problem) or (
        isinstance(model, BatchRequest) and any(item.problem for item in model.items)
    )
    if isinstance(model, Item):
        tests = model.problem is not None
    try:
        return model.model_dump_json(exclude_defaults=not tests).encode()
    except pydantic_core.PydanticSerializationError as error:
        raise invalid(
            "body", str(error), "give text without lone surrogates: it has to be valid UTF-8"
        ) from error
