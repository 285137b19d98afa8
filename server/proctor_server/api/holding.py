"""Requests that wait for room, and see when their caller has hung up.

Clients of other sandboxes take a refusal for an end, so that what there is no room for yet waits
here instead.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect

from proctor_server.api.services import Services
from proctor_server.errors import Overloaded, TooManyQueued
from proctor_server.store.batches import Draft

# Longer than any peer's client waits, so that it is the client who gives up.
_HOLD_S = 600.0
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.05, 1.0
# So often (seconds) it is looked whether the caller is still there.
LOOK_S = 2.0

# Whether the caller has hung up.
Gone = Callable[[], Awaitable[bool]]


async def accept(services: Services, draft: Draft, gone: Gone | None) -> None:
    """Store and queue a draft as soon as there is room.

    Raises StoreUnavailable, Overloaded or TooManyQueued where there was none in ten minutes, and
    ClientDisconnect when the caller has hung up.
    """
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
