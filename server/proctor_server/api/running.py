"""A raw run from request to result, held until the result is there."""

from dataclasses import replace

from starlette.requests import ClientDisconnect

from proctor.runs import RunRequest, RunResult
from proctor.types import Verdict
from proctor_server.api.holding import LOOK_S, Gone, accept
from proctor_server.api.services import Services
from proctor_server.api.waiting import no_batch, pages
from proctor_server.api.wakeups import Watch
from proctor_server.callers import Caller
from proctor_server.outcome import Outcome


async def run(
    services: Services, caller: Caller, request: RunRequest, gone: Gone | None = None
) -> RunResult:
    """Run one program. Runs that are asked for at the same time share a chunk.

    `gone` tells whether the caller has hung up: what then has no result is cancelled, and
    ClientDisconnect raised. Raises BadRequest, StoreUnavailable, and Overloaded or
    TooManyQueued where there was no room for it in ten minutes.
    """
    draft = replace(services.door.raw_draft(request), caller=caller)
    # Watched before it is accepted, so that the news can't be missed.
    with services.wakeups.watch(draft.id) as watch:
        await accept(services, draft, gone)
        entry = await _entry(services, draft.id, watch, gone)
    await services.batches.drop_results(draft.id)
    return _result(entry, draft.created)


async def _entry(services: Services, batch_id: str, watch: Watch, gone: Gone | None) -> bytes:
    await watch.news(LOOK_S)
    while True:
        async for page in pages(services, batch_id, watch, LOOK_S):
            if page.entries:
                return page.entries[0]
            if page.state != "running":
                raise no_batch()
        if gone is not None and await gone():
            await services.batches.cancel(batch_id)
            raise ClientDisconnect


def _result(entry: bytes, created: float) -> RunResult:
    _, cached, started, outcome = entry.split(b" ", 3)
    if cached == b"c":
        return RunResult(verdict=Verdict.IE, reason="the run was cancelled")
    told = Outcome.from_json(outcome)
    ran = {} if told.ran is None else dict(told.ran)
    queued_s = max(0.0, float(started) - created)
    return RunResult(
        verdict=told.verdict, reason=told.reason, queue_time_s=round(queued_s, 6), **ran
    )
