"""The journal: what is logged of batches and of faults, with the ids by which to follow them.

A request's id leads to its batches, a batch's to the chunk, unit and worker of what went wrong.
"""

import logging
import time
from collections.abc import Sequence

from proctor_server.logs import fields
from proctor_server.outcome import Cause
from proctor_server.store.status import Ended

_log = logging.getLogger(__name__)


def batch_accepted(batch: str, caller: str, request: str, items: int) -> None:
    """A batch is stored and queued."""
    extra = fields(batch=batch, caller=caller, request=request, items=items)
    _log.info("batch accepted", extra=extra)


def batch_ended(ended: Ended) -> None:
    """A batch has all its results, or is cancelled."""
    status = ended.status
    extra = fields(
        batch=status.id,
        state=status.state,
        request=ended.request,
        items=status.total,
        completed=status.completed,
        verdicts=status.verdicts,
        seconds=round(time.time() - status.created_at, 3),
    )
    _log.info("batch ended", extra=extra)


def internal_error(unit: str, cause: Cause | None, chunk: str, waiting: Sequence[bytes]) -> None:
    """A unit ended as IE; `waiting` are some of those who waited for it, "<batch> <index>"."""
    submissions = [one.decode().replace(" ", "-") for one in waiting]
    extra = fields(cause=cause, unit=unit, chunk=chunk, submissions=submissions)
    _log.error("internal error", extra=extra)


def sandbox_lost(reason: str, units: Sequence[str]) -> None:
    """A sandbox was lost while it ran the first of these units; the others are run again too."""
    # What follows a colon is the sandbox's own words, which may be a program's.
    extra = fields(reason=reason.partition(":")[0], unit=next(iter(units), None), owed=len(units))
    _log.warning("sandbox lost", extra=extra)
