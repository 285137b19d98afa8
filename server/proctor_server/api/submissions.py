"""Routes that post and wait in one request: a single submission, and rewards."""

import math
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import FailFast, Field

from proctor.types import (
    BatchStatus,
    ProblemId,
    Result,
    RewardsRequest,
    RewardsResponse,
    SubmissionRequest,
    Verdict,
)
from proctor_server.api import schema
from proctor_server.api.access import admit, most_bytes
from proctor_server.api.batches import Wait, replayed
from proctor_server.api.body import JSON, idempotency, media_type, parsed, read_body
from proctor_server.api.services import Services, of
from proctor_server.api.waiting import no_batch, pages
from proctor_server.api.wakeups import Watch
from proctor_server.callers import Scope
from proctor_server.door import alone, in_rewards, one_each, one_item
from proctor_server.results import ResultLines

router = APIRouter(tags=["submissions"])


@router.post(
    "/v1/submissions",
    summary="Post one program and wait for its result",
    responses={
        200: {"model": Result},
        202: {"model": BatchStatus, "description": "Not done yet: a batch of one, to ask for."},
        **schema.faults(400, 409, 413, 415, 422, 429, 503),
    },
    openapi_extra=schema.body(SubmissionRequest, schema.SUBMISSION),
)
async def post_submission(request: Request, wait: Wait = 30.0) -> Response:
    """Run one program; the result comes back in the answer if it is there within `wait`."""
    services, caller = of(request), admit(request, Scope.SUBMIT)
    media_type(request, JSON)
    body = await read_body(request, most_bytes(services, caller))
    key, digest = idempotency(request, caller, body)
    wait = min(wait, services.settings.max_wait_s)
    batch_id = await replayed(services, key, digest)
    if batch_id is not None:
        with services.wakeups.watch(batch_id) as watch:
            return await _result(services, batch_id, watch, wait)
    posted = parsed(SubmissionRequest, body)
    draft = await services.door.draft(one_item(posted), alone)
    # Watched before it is accepted, so that the news can't be missed and the first look at the
    # store, which would find nothing, is saved.
    with services.wakeups.watch(draft.id) as watch:
        batch_id = await services.intake.accept(
            replace(draft, caller=caller, idempotency=key, digest=digest)
        )
        if batch_id == draft.id:
            await watch.news(wait)
            return await _result(services, batch_id, watch, wait, (draft.items, draft.created))
    with services.wakeups.watch(batch_id) as watch:
        return await _result(services, batch_id, watch, wait)


@router.post(
    "/v1/rewards",
    summary="Completions in, rewards out",
    responses=schema.faults(400, 409, 413, 415, 422, 429, 503),
    openapi_extra=schema.body(RewardsRequest, schema.REWARDS),
)
async def post_rewards(request: Request) -> RewardsResponse:
    """Score completions; held until every reward is there, in the order of the completions.

    A reward is null when the fault is ours. A request that broke off is safe to send again
    under the same Idempotency-Key: nothing is run twice.
    """
    services, caller = of(request), admit(request, Scope.SUBMIT)
    media_type(request, JSON)
    body = await read_body(request, most_bytes(services, caller))
    key, digest = idempotency(request, caller, body)
    batch_id = await replayed(services, key, digest)
    if batch_id is None:
        posted = parsed(_UpToAFault, body)
        draft = await services.door.draft(one_each(posted), in_rewards)
        batch_id = await services.intake.accept(
            replace(draft, caller=caller, idempotency=key, digest=digest)
        )
    return await _rewards(services, batch_id, request)


class _UpToAFault(RewardsRequest):
    # Of each list the first entry that is no text is named: pydantic would take 2 KB for each
    # of them, and a body has room for millions.
    problem_ids: Annotated[list[ProblemId], FailFast()] = Field(min_length=1)
    completions: Annotated[list[str], FailFast()] = Field(min_length=1)


async def _result(
    services: Services,
    batch_id: str,
    watch: Watch,
    wait_s: float,
    known: tuple[bytes, float] | None = None,
) -> Response:
    async for page in pages(services, batch_id, watch, wait_s):
        if page.entries:
            known = known or await services.batches.items(batch_id)
            if known is None:
                raise no_batch()
            return Response(ResultLines(batch_id, *known).line(page.entries[0]), media_type=JSON)
    status = await services.batches.status(batch_id)
    if status is None:
        raise no_batch()
    return Response(
        status.model_dump_json(),
        status_code=202,
        media_type=JSON,
        headers={"Location": f"/v1/batches/{batch_id}"},
    )


async def _rewards(services: Services, batch_id: str, request: Request) -> RewardsResponse:
    known = await services.batches.items(batch_id)
    if known is None:
        raise no_batch()
    lines = ResultLines(batch_id, *known)
    rewards: list[float | None] = [None] * lines.total
    verdicts: list[Verdict | None] = [None] * lines.total
    with services.wakeups.watch(batch_id) as watch:
        async for page in pages(services, batch_id, watch, math.inf):
            for entry in page.entries:
                index, earned, verdict = lines.reward(entry)
                rewards[index], verdicts[index] = earned, verdict
    return RewardsResponse(batch_id=batch_id, rewards=rewards, verdicts=verdicts)
