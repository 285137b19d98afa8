"""What is wrong with a request, found before it is sent and told as the server would."""

from collections.abc import Mapping
from typing import Any, TypeVar

import pydantic

from proctor.errors import InvalidRequest
from proctor.types import FieldProblem, ProblemDetails

M = TypeVar("M", bound=pydantic.BaseModel)

# By pydantic's type of error; the others say themselves what is wanted.
_REMEDIES = {"missing": "add it", "extra_forbidden": "leave it out"}
_REMEDY = "docs/client.md and proctor.types say what goes here"


def checked(kind: type[M], value: M | Mapping[str, Any], where: str = "") -> M:
    """A value as a wire type.

    Raises:
        InvalidRequest: it is not one; `where` stands before the fields that are named.
    """
    if isinstance(value, kind):
        return value
    try:
        return kind.model_validate(value)
    except pydantic.ValidationError as error:
        raise _refused(faults(error, where)) from error


def invalid(field: str, reason: str, remedy: str) -> InvalidRequest:
    """The error for one thing that is wrong."""
    return _refused([FieldProblem(field=field, reason=reason, remedy=remedy)])


def faults(error: pydantic.ValidationError, where: str = "") -> list[FieldProblem]:
    """Field by field what pydantic found wrong. The values, maybe hidden tests, are left out."""
    return [
        FieldProblem(
            field=_path(where, fault["loc"]) or "request",
            reason=fault["msg"],
            remedy=_REMEDIES.get(fault["type"], _REMEDY),
        )
        for fault in error.errors(include_url=False, include_context=False, include_input=False)
    ]


def one_line(error: pydantic.ValidationError) -> str:
    """The same on one line, for a message about a line of a file."""
    return "; ".join(
        f"{fault.field}: {fault.reason}" if fault.field != "request" else fault.reason
        for fault in faults(error)
    )


def _refused(errors: list[FieldProblem]) -> InvalidRequest:
    details = ProblemDetails(
        title="Invalid request",
        status=422,
        detail=f"{len(errors)} fault(s), found before it was sent",
        errors=errors,
    )
    return InvalidRequest(details, status=None)


def _path(where: str, loc: tuple[int | str, ...]) -> str:
    for part in loc:
        where += f"[{part}]" if isinstance(part, int) else f".{part}" if where else part
    return where
