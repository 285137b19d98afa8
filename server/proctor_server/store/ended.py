"""Batches that a script has ended, as it tells of them: what there is to say of each in a log."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

# As the scripts ask for their counts.
_VERDICTS = ("AC", "WA", "TLE", "MLE", "OLE", "RE", "CE", "IE")


@dataclass(frozen=True, slots=True)
class Ended:
    """A batch at its end. `created` is the Unix time at which it was accepted."""

    batch: str
    state: str
    total: int
    completed: int
    created: float
    request: str
    verdicts: dict[str, int]


def read_ended(raw: Iterable[Sequence[Any]]) -> list[Ended]:
    """What a script's note_end noted."""
    found = []
    for batch, state, total, completed, created, request, *counts in raw:
        verdicts = {
            verdict: int(count)
            for verdict, count in zip(_VERDICTS, counts, strict=True)
            if count is not None
        }
        # A batch that an older version accepted has no request.
        asked = "" if request is None else request.decode()
        ended = Ended(
            batch.decode(),
            state.decode(),
            int(total),
            int(completed),
            float(created),
            asked,
            verdicts,
        )
        found.append(ended)
    return found
