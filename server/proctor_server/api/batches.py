"""Routes of batches: posted, followed, streamed and cancelled."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, FailFast, Field, ValidationError
from pydantic_core import from_json

from proctor.types import BatchRequest, BatchStatus, Item, Result
from proctor_server.api import schema
from proctor_server.api.access import admit, check_owner, most_bytes
from proctor_server.api.body import JSON, NDJSON, idempotency, lines, media_type, read_body
from proctor_server.api.services import Services, of
from proctor_server.api.waiting import no_batch, pages, until_ended
from proctor_server.callers import Scope
from proctor_server.door import salvage
from proctor_server.faults import Faults, invalid_json, refuse
from proctor_server.intake import conflict
from proctor_server.results import ResultLines, end_line
from proctor_server.store.batches import Draft

router = APIRouter(tags=["batches"])

Wait = Annotated[
    float, Query(ge=0, allow_inf_nan=False, description="Seconds; the server may wait less.")
]

_NDJSON_LINES = (
    'An optional first line {"options": {"reward", "stop", "extraction", "fresh"}}, '
    "then one Item a line."
)


@router.post(
    "/v1/batches",
    status_code=201,
    summary="Post a batch",
    responses={
        201: {"model": BatchStatus},
        200: {"model": BatchStatus, "description": "This key's batch, posted before."},
        **schema.faults(400, 409, 413, 415, 422, 429, 503),
    },
    openapi_extra=schema.body(BatchRequest, schema.BATCH, _NDJSON_LINES),
)
async def post_batch(request: Request) -> Response:
    """Queue many submissions, or none where any has a fault.

    What is answered 2xx is stored and queued. With an Idempotency-Key the same body may be
    posted again and is the same batch.
    """
    services, caller = of(request), admit(request, Scope.SUBMIT)
    kind = media_type(request, JSON, NDJSON)
    body = await read_body(request, most_bytes(services, caller))
    key, digest = idempotency(request, caller, body)
    known = await replayed(services, key, digest)
    if known is None:
        draft = await _draft(services, body, ndjson=kind == NDJSON)
        batch_id = await services.intake.accept(
            replace(draft, caller=caller, idempotency=key, digest=digest)
        )
        known = batch_id if batch_id != draft.id else None
    else:
        batch_id = known
    status = await _status(services, batch_id)
    return Response(
        status.model_dump_json(),
        status_code=201 if known is None else 200,
        media_type=JSON,
        headers={"Location": f"/v1/batches/{batch_id}"},
    )


@router.get(
    "/v1/batches/{batch_id}",
    summary="How far a batch is",
    responses=schema.faults(404, 422, 503),
)
async def get_batch(batch_id: str, request: Request, wait: Wait = 0.0) -> BatchStatus:
    """A batch's progress; with `wait`, held until the batch has ended or the time is over."""
    services, caller = of(request), admit(request, Scope.READ)
    await check_owner(services, caller, batch_id)
    wait = min(wait, services.settings.max_wait_s)
    if wait > 0:
        with services.wakeups.watch(batch_id) as watch:
            await until_ended(services, batch_id, watch, wait)
    return await _status(services, batch_id)


@router.get(
    "/v1/batches/{batch_id}/results",
    summary="Stream results",
    response_class=Response,
    responses={
        200: {
            "description": "Result lines in completion order, then one StreamEnd line.",
            "content": {NDJSON: {"schema": {"$ref": "#/components/schemas/Result"}}},
            "model": Result,
        },
        **schema.faults(404, 422, 503),
    },
)
async def get_results(
    batch_id: str,
    request: Request,
    cursor: int = Query(0, ge=0, le=2**31, description="How many results were read already."),
    wait: Wait = 30.0,
) -> Response:
    """Results as they are known, one JSON object a line, in completion order.

    The last line says where to go on and whether there is more to come. A stream that breaks
    is taken up again with the number of whole lines read as its cursor.
    """
    services, caller = of(request), admit(request, Scope.READ)
    await check_owner(services, caller, batch_id)
    known = await services.batches.items(batch_id)
    if known is None:
        raise no_batch()
    made = ResultLines(batch_id, *known)
    wait = min(wait, services.settings.max_wait_s)
    return StreamingResponse(_lines(services, batch_id, made, cursor, wait), media_type=NDJSON)


@router.delete(
    "/v1/batches/{batch_id}", summary="Cancel a batch", responses=schema.faults(404, 503)
)
async def cancel_batch(batch_id: str, request: Request) -> BatchStatus:
    """Cancel what of a batch has no result yet; those it has are kept."""
    services, caller = of(request), admit(request, Scope.SUBMIT)
    await check_owner(services, caller, batch_id)
    if not await services.batches.cancel(batch_id):
        raise no_batch()
    return await _status(services, batch_id)


async def replayed(services: Services, key: str, digest: str) -> str | None:
    """The batch that an Idempotency-Key stands for already. Raises Conflict."""
    known = await services.batches.known(key) if key else None
    if known is None:
        return None
    batch_id, first = known
    if first != digest:
        raise conflict()
    return batch_id


async def _draft(services: Services, body: bytes, *, ndjson: bool) -> Draft:
    faults = Faults()
    most = services.settings.max_batch_items
    if ndjson:
        batch, bad = _read_lines(body, faults, most)
    else:
        bad = set()
        try:
            with invalid_json():
                batch = _UpToAFault.model_validate_json(body)
        except ValidationError:
            batch, bad = salvage(from_json(body), faults, most)
    return await services.door.draft(batch, faults=faults, skip=bad)


def _read_lines(body: bytes, faults: Faults, most: int) -> tuple[BatchRequest, set[int]]:
    numbered = lines(body)
    options: dict[str, object] = {}
    if numbered and numbered[0][1].lstrip().startswith(b'{"options"'):
        _, first = numbered.pop(0)
        try:
            with invalid_json("line 1"):
                options = _OptionsLine.model_validate_json(first).options
        except ValidationError as error:
            faults.add_invalid(error, "line 1")
    raw: list[object] = []
    # One more than there may be is enough to be refused for.
    for number, line in numbered[: most + 1]:
        try:
            with invalid_json(f"line {number}"):
                raw.append(Item.model_validate_json(line))
        except ValidationError:
            raw.append(from_json(line))
    if not raw:
        refuse("body", "holds no item", "send one item as JSON a line")
    return salvage({**options, "items": raw}, faults, most)


class _UpToAFault(BatchRequest):
    # The first bad item says that `salvage` is needed, which goes on from there. pydantic would
    # take 2 KB for each of them, and a body has room for millions.
    items: Annotated[list[Item], FailFast()] = Field(min_length=1)


class _OptionsLine(BaseModel):
    model_config = ConfigDict(extra="forbid")

    options: dict[str, object]


async def _status(services: Services, batch_id: str) -> BatchStatus:
    status = await services.batches.status(batch_id)
    if status is None:
        raise no_batch()
    return status


async def _lines(
    services: Services, batch_id: str, made: ResultLines, cursor: int, wait: float
) -> AsyncIterator[bytes]:
    state = "running"
    with services.wakeups.watch(batch_id) as watch:
        async for page in pages(services, batch_id, watch, wait, cursor):
            state = page.state
            cursor += len(page.entries)
            if page.entries:
                yield b"".join([made.line(entry) + b"\n" for entry in page.entries])
    yield end_line(cursor, state) + b"\n"
