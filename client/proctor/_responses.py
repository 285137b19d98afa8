"""Reads every answer of the API, sync and async alike."""

from collections.abc import Iterator
from typing import TypeVar

import pydantic

from proctor._effects import Answer
from proctor.errors import BadAnswer, refusal
from proctor.types import BatchStatus, LimitsSpec, ProblemDetails, Result, StreamEnd

M = TypeVar("M", bound=pydantic.BaseModel)

# Of an answer that is not ours, enough to recognise whose it is.
_SHOWN_CHARS = 200


class ProblemPage(pydantic.BaseModel):
    """One page of problem ids; `next` is where the following page begins, if there is one."""

    ids: list[str]
    next: str | None = None


class ServerInfo(pydantic.BaseModel):
    """What a server says of itself. Fields beyond these are kept in `model_extra`."""

    model_config = pydantic.ConfigDict(extra="allow", frozen=True)

    version: str
    default_limits: LimitsSpec | None = None


def read(kind: type[M], answer: Answer) -> M:
    """The answer's body as a wire type.

    Raises:
        Refused: the status is not 2xx; the class says which kind of refusal it is.
        BadAnswer: the body is not what the status promises.
    """
    check(answer)
    return _parsed(kind, answer.body)


def check(answer: Answer) -> None:
    """Raise what an answer that is not 2xx stands for."""
    if 200 <= answer.status < 300:
        return
    try:
        details = ProblemDetails.model_validate_json(answer.body)
    except pydantic.ValidationError:
        # Not ours: a proxy's page, or a server that fell over before it could explain.
        details = ProblemDetails(
            title=f"HTTP status {answer.status}",
            status=answer.status,
            detail=_excerpt(answer.body) or "no explanation given",
        )
    raise refusal(details, answer.status)


def read_submission(answer: Answer) -> Result | BatchStatus:
    """A submission's result, or the batch to look at later (202)."""
    return read(BatchStatus, answer) if answer.status == 202 else read(Result, answer)


def read_line(line: bytes) -> Result | StreamEnd:
    """One line of a results stream."""
    if line.startswith(b'{"cursor"'):
        return _parsed(StreamEnd, line)
    try:
        return Result.model_validate_json(line)
    except pydantic.ValidationError:
        # A re-encoding proxy may have moved the keys; if it is no end either, say so.
        return _parsed(StreamEnd, line)


class Lines:
    """Whole lines out of chunks of bytes. What follows the last newline is kept back."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The lines that the chunk completes, without blank ones."""
        head, newline, rest = chunk.partition(b"\n")
        self._parts.append(head)
        if not newline:
            return
        whole = b"".join(self._parts)
        *lines, last = rest.split(b"\n")
        self._parts = [last]
        for line in (whole, *lines):
            if line.strip():
                yield line


def _parsed(kind: type[M], body: bytes) -> M:
    try:
        return kind.model_validate_json(body)
    except pydantic.ValidationError as error:
        raise BadAnswer(
            f"expected a {kind.__name__}, got {_excerpt(body)!r}: is this a Proctor server?"
        ) from error


def _excerpt(body: bytes) -> str:
    text = " ".join(body[: 4 * _SHOWN_CHARS].decode("utf-8", "replace").split())
    return text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "..."
