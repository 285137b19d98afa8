"""Judged submissions for peers: programs and their tests in, results out.

Every format that brings tests goes this way, so that what is expected never enters a sandbox.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from starlette.requests import ClientDisconnect

from proctor.types import BatchRequest, Extraction, Item, Result, RewardPolicy
from proctor_server.api.holding import LOOK_S, Gone, accept
from proctor_server.api.services import Services
from proctor_server.api.waiting import pages
from proctor_server.callers import Caller
from proctor_server.door import Where, in_batch
from proctor_server.errors import NotJudged
from proctor_server.results import ResultLines


async def judged(
    services: Services,
    caller: Caller,
    items: Sequence[Item],
    gone: Gone,
    *,
    where: Where = in_batch,
    stop: Literal["never", "first_failure"] = "never",
    reward: RewardPolicy | None = None,
) -> list[Result]:
    """The results of items in their order, held until all are there.

    `where` names their fields as the peer's request has them. Raises BadRequest,
    StoreUnavailable, Overloaded or TooManyQueued after ten minutes without room, and
    ClientDisconnect, with the rest cancelled, when the caller hangs up.
    """
    request = BatchRequest.model_construct(
        items=list(items),
        reward=reward or RewardPolicy(),
        stop=stop,
        extraction=Extraction(),
        deadline_s=None,
    )
    draft = replace(await services.door.draft(request, where), caller=caller)
    with services.wakeups.watch(draft.id) as watch:
        await accept(services, draft, gone)
        lines = ResultLines(draft.id, draft.items, draft.created)
        found: dict[int, Result] = {}
        while len(found) < len(items):
            async for page in pages(services, draft.id, watch, LOOK_S, len(found)):
                for entry in page.entries:
                    result = Result.model_validate_json(lines.line(entry))
                    found[result.index] = result
            if len(found) < len(items) and await gone():
                await services.batches.cancel(draft.id)
                raise ClientDisconnect
    return [found[index] for index in range(len(items))]


def not_judged(result: Result) -> NotJudged:
    """The error for a result that says nothing about its program."""
    return NotJudged(result.reason or "the submission was cancelled")
