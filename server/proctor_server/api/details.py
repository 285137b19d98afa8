"""Routes for who looks at what was posted: the list of batches, and one submission."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from proctor.types import BatchPage, ListedBatch, Result, SubmissionDetail
from proctor_server.api import schema
from proctor_server.api.access import admit, check_owner
from proctor_server.api.services import Services, of
from proctor_server.api.waiting import ENTRIES_AT_ONCE, no_batch
from proctor_server.callers import Caller, Scope
from proctor_server.errors import NotFound
from proctor_server.faults import refuse
from proctor_server.results import ResultLines
from proctor_server.store.listing import Place
from proctor_server.store.sources import read_source

router = APIRouter(tags=["batches"])


@router.get("/v1/batches", summary="List batches", responses=schema.faults(422, 503))
async def list_batches(
    request: Request,
    after: Annotated[
        str | None, Query(max_length=100, description="`next` of the page before.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> BatchPage:
    """One's own batches whose results are kept, newest first; everybody's with the admin scope."""
    caller = admit(request, Scope.READ)
    return await batch_page(of(request), caller, after, limit)


@router.get(
    "/v1/batches/{batch_id}/results/{index}",
    summary="One submission",
    responses=schema.faults(404, 422, 503),
)
async def get_submission(batch_id: str, index: int, request: Request) -> SubmissionDetail:
    """A submission's program and result: for a look at one, not for reading a batch.

    Finding it costs the more the larger its batch is. Hidden test data is never in it.
    """
    services, caller = of(request), admit(request, Scope.READ)
    await check_owner(services, caller, batch_id)
    return await submission(services, batch_id, index)


async def batch_page(
    services: Services, caller: Caller, after: str | None, limit: int
) -> BatchPage:
    """A page of the batches that a caller may see. Raises BadRequest."""
    try:
        place = None if after is None else Place.read(after)
    except ValueError:
        refuse("after", "is no place in the list", "give the `next` of the page before, or nothing")
    found = await services.listing.newest(caller, place, limit + 1)
    batches = [ListedBatch(**one.status.model_dump(), caller=one.caller) for one in found[:limit]]
    return BatchPage(batches=batches, next=str(found[limit - 1].place) if found[limit:] else None)


async def submission(services: Services, batch_id: str, index: int) -> SubmissionDetail:
    """One submission of a batch. Raises NotFound."""
    known = await services.batches.items(batch_id)
    if known is None:
        raise no_batch()
    lines = ResultLines(batch_id, *known)
    if not 0 <= index < lines.total:
        raise NotFound("the batch has no submission with this index")
    entry = await _entry(services, batch_id, index, lines.total)
    problem_id, language = lines.about(index)
    return SubmissionDetail(
        index=index,
        problem_id=problem_id,
        language=language,
        source=await read_source(services.redis, batch_id, index),
        result=None if entry is None else Result.model_validate_json(lines.line(entry)),
    )


async def _entry(services: Services, batch_id: str, index: int, total: int) -> bytes | None:
    """The entry of an item. They are in completion order, which is not far from the items'."""
    starts = range(0, total, ENTRIES_AT_ONCE)
    for start in sorted(starts, key=lambda start: abs(start + ENTRIES_AT_ONCE // 2 - index)):
        page = await services.batches.page(batch_id, start, ENTRIES_AT_ONCE)
        for entry in page.entries if page is not None else ():
            if entry.startswith(b"%d " % index):
                return entry
    return None
