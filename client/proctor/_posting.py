"""Posting: how much goes into one batch, and what may have become of it after that."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from proctor.errors import ProctorError

T = TypeVar("T")

# A tenth of what a server takes at most (PROCTOR_MAX_BODY_BYTES, PROCTOR_MAX_BATCH_ITEMS): inline
# problems come with every sample. Keys may be allowed less, then the parts are halved.
PART_BYTES = 24 * 1024 * 1024
PART_ITEMS = 5000


class Forgotten(ProctorError):
    """Raised when the server does not know a batch any more that it accepted."""


def parts(things: Iterable[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    """Things in their order, cut so that each part is small enough for one batch.

    `size` is of one thing, in bytes; one that is too large by itself is a part by itself.
    """
    part: list[T] = []
    total = 0
    for thing in things:
        more = size(thing)
        if part and (total + more > PART_BYTES or len(part) == PART_ITEMS):
            yield part
            part, total = [], 0
        part.append(thing)
        total += more
    if part:
        yield part
