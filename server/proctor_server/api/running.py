"""A raw run from request to result, held until the result is there.

The formats of other sandboxes stand on this as well. Their clients take a refusal for an end, so
that a run which there is no room for yet waits here.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from starlette.requests import ClientDisconnect

from proctor.runs import RunRequest, RunResult
from proctor.types import Verdict
from proctor_server.api.services import Services
from proctor_server.api.waiting import no_batch, pages
from proctor_server.api.wakeups import Watch
from proctor_server.callers import Caller
from proctor_server.errors import Overloaded, TooManyQueued
from proctor_server.outcome import Outcome
from proctor_server.store.batches import Draft

# Longer than any peer's client waits, so that it is the client who gives up.
_HOLD_S = 600.0
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.05, 1.0
# So often it is looked whether the caller is still there.
_LOOK_S = 2.0

Gone = Callable[[], Awaitable[bool]]


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
        await _accepted(services, draft, gone)
        entry = await _entry(services, draft.id, watch, gone)
    await services.batches.drop_results(draft.id)
    return _result(entry, draft.created)


async def _accepted(services: Services, draft: Draft, gone: Gone | None) -> None:
    deadline = time.monotonic() + _HOLD_S
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            await services.intake.accept(draft)
        except (Overloaded, TooManyQueued):
            if time.monotonic() > deadline:
                raise
        else:
            return
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, _LAST_PAUSE_S)
        if gone is not None and await gone():
            raise ClientDisconnect


async def _entry(services: Services, batch_id: str, watch: Watch, gone: Gone | None) -> bytes:
    await watch.news(_LOOK_S)
    while True:
        async for page in pages(services, batch_id, watch, _LOOK_S):
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
