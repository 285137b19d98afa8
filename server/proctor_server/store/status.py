"""Statuses of batches, as the store has them and as scripts tell of those that they have ended."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from proctor.types import PASS_RATES, BatchStatus, Verdict

N = TypeVar("N")

State = Literal["running", "done", "cancelled"]

# Of a batch's hash: what read_status reads.
STATUS_FIELDS = [
    *("state", "total", "completed", "created_at"),
    *(f"v:{one}" for one in Verdict),
    *(f"p:{place}" for place in range(len(PASS_RATES))),
]


@dataclass(frozen=True, slots=True)
class Ended:
    """A batch at its end, and the id of the request that brought it."""

    status: BatchStatus
    request: str


def read_status(batch_id: str, raw: Sequence[bytes | None]) -> BatchStatus | None:
    """How far a batch is, from its STATUS_FIELDS; None where there is no such batch."""
    state, total, completed, created, *counts = raw
    if state is None:
        return None
    return BatchStatus(
        id=batch_id,
        state=state_of(state),
        total=int(total or 0),
        completed=int(completed or 0),
        verdicts=_counted(Verdict, counts[: len(Verdict)]),
        pass_rates=_counted(PASS_RATES, counts[len(Verdict) :]),
        created_at=float(created or 0),
    )


def _counted(names: Iterable[N], counts: Iterable[bytes | None]) -> dict[N, int]:
    return {
        name: int(count) for name, count in zip(names, counts, strict=True) if count is not None
    }


def read_ended(raw: Iterable[Sequence[Any]]) -> list[Ended]:
    """What a script's note_end noted of each batch: its id, its request, its STATUS_FIELDS."""
    found = []
    for batch, request, *fields in raw:
        status = read_status(batch.decode(), fields)
        if status is not None:
            # A batch that an older version accepted has no request.
            found.append(Ended(status, "" if request is None else request.decode()))
    return found


def state_of(raw: bytes) -> State:
    """A batch's state. Raises ValueError for what no version of ours has written."""
    match raw:
        case b"running":
            return "running"
        case b"done":
            return "done"
        case b"cancelled":
            return "cancelled"
    raise ValueError(f"a batch is in the state {raw!r}")
