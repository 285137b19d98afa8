"""Waiting for a batch: the one loop behind every request that is held."""

import time
from collections.abc import AsyncIterator

from proctor_server.api.services import Services
from proctor_server.api.wakeups import Watch
from proctor_server.errors import NotFound
from proctor_server.store.batches import Page
from proctor_server.store.status import State

# About 1 MB of result lines: large enough to be cheap, small enough to start at once.
ENTRIES_AT_ONCE = 1000
# News of a large batch comes every few milliseconds, and each look costs about one.
_LINGER_S = 0.05


async def pages(
    services: Services, batch_id: str, watch: Watch, wait_s: float, cursor: int = 0
) -> AsyncIterator[Page]:
    """Pages of a batch's entries as they come, each with some.

    Ends once the batch has ended and all was given, or after `wait_s`; the last page may be
    without entries and has the state at the end. Raises NotFound.
    """
    deadline = time.monotonic() + wait_s
    while True:
        page = await services.batches.page(batch_id, cursor, ENTRIES_AT_ONCE)
        if page is None:
            raise no_batch()
        cursor += len(page.entries)
        left = deadline - time.monotonic()
        ended = page.state != "running" and len(page.entries) < ENTRIES_AT_ONCE
        if ended or left <= 0:
            yield page
            return
        if page.entries:
            yield page
        if len(page.entries) < ENTRIES_AT_ONCE:
            await watch.news(left, _LINGER_S)


async def until_ended(
    services: Services, batch_id: str, watch: Watch, wait_s: float
) -> State | None:
    """Wait until a batch has ended, for `wait_s` at most; its state then, None if unknown."""
    deadline = time.monotonic() + wait_s
    while True:
        state = await services.batches.state(batch_id)
        left = deadline - time.monotonic()
        if state != "running" or left <= 0:
            return state
        await watch.news(left)


def no_batch() -> NotFound:
    """A batch id that stands for nothing."""
    return NotFound("there is no batch with this id; results are kept for a limited time")
