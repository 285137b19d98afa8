"""What the client's logic asks its driver to do.

All logic (retries, resumption, waiting) is written once, as generators that yield these
effects and are sent what came of them. `_http.py` performs them, blocking or async.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from proctor.types import Result

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request, ready to be sent any number of times."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    # How long the server may hold the request, in seconds, before its answer begins.
    held_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `body` is empty where the answer is still being streamed."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Send:
    """Send a call and read the whole answer -> Answer."""

    call: Call


@dataclass(frozen=True, slots=True)
class Open:
    """Send a call and read the answer's head -> Answer. The stream open before is closed."""

    call: Call


@dataclass(frozen=True, slots=True)
class Read:
    """Read some of the open stream -> bytes, empty at its end."""


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait -> None."""

    seconds: float


Effect: TypeAlias = Send | Open | Read | Sleep
# What a `yield` gives depends on the effect; generators cannot say so in their type.
Flow: TypeAlias = Generator[Effect, Any, T]
# A flow that also yields results as they come, for which it is sent nothing.
Stream: TypeAlias = Generator[Effect | Result, Any, T]
