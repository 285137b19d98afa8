"""Faults of a request: every field that is wrong, why, and how to mend it.

A value that a client sent is never repeated here: it may be hidden test data, and an error
ends in logs.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

import pydantic

from proctor.types import FieldProblem
from proctor_server.errors import BadRequest

# So many are listed; all are counted. A client mends them all the same way anyway.
MOST_LISTED = 100
_MOST_CHARS = 300

# pydantic's words quote the input for these; ours don't.
_REASONS = {
    "union_tag_invalid": "is not one of the kinds that exist",
    "union_tag_not_found": "has no kind",
}
_REMEDIES = {
    "missing": "add this field",
    "extra_forbidden": "remove this field, or mend its name: there is none like it",
    "string_too_long": "shorten it",
    "string_too_short": "give at least one character",
    "too_short": "give at least one",
    "union_tag_invalid": "give stdin, call or assertion as the test's kind",
    "union_tag_not_found": "give stdin, call or assertion as the test's kind",
}
_REMEDY = "see /docs for what this field takes"
# A union's branch is a part of pydantic's path to a field, but not of the request.
_BRANCHES = {"stdin", "call", "assertion"}


@dataclass
class Faults:
    """Collects faults; raises them all at once."""

    listed: list[FieldProblem] = field(default_factory=list)
    count: int = 0

    def add(self, where: str, reason: str, remedy: str) -> None:
        """Note one fault of the field at `where`."""
        self.count += 1
        if len(self.listed) < MOST_LISTED:
            where = where[:_MOST_CHARS] or "body"
            self.listed.append(FieldProblem(field=where, reason=reason, remedy=remedy))

    def add_invalid(self, error: pydantic.ValidationError, where: str = "") -> None:
        """Note what pydantic found in the value at `where`."""
        for fault in _errors(error):
            reason = _REASONS.get(fault["type"], fault["msg"].removeprefix("Value error, "))
            remedy = _REMEDIES.get(fault["type"], _REMEDY)
            self.add(path(where, fault["loc"]), reason, remedy)

    def check(self, what: str = "the request") -> None:
        """Raise BadRequest if anything was noted."""
        if self.count:
            raise self.error(what)

    def error(self, what: str = "the request") -> BadRequest:
        """What was noted, as an error to raise."""
        more = self.count - len(self.listed)
        shown = f", of which {len(self.listed)} are listed" if more else ""
        plural = "fault" if self.count == 1 else "faults"
        return BadRequest(f"{what} has {self.count} {plural}{shown}; nothing was done", self.listed)


def refuse(
    where: str, reason: str, remedy: str, *, status: int = 422, title: str = "Invalid request"
) -> NoReturn:
    """Raise BadRequest for a single fault."""
    fault = FieldProblem(field=where, reason=reason, remedy=remedy)
    raise BadRequest(f"{where} {reason}; nothing was done", [fault], status, title)


@contextmanager
def invalid_json(where: str = "body") -> Iterator[None]:
    """Raise BadRequest for what is no JSON; other validation errors pass."""
    try:
        yield
    except pydantic.ValidationError as error:
        first = _errors(error)[0]
        if first["type"] == "json_invalid":
            # Its message says what and where, and quotes nothing.
            refuse(where, first["msg"], "send valid JSON in UTF-8", status=400, title="Bad JSON")
        raise


def path(where: str, location: Sequence[int | str]) -> str:
    """The path of a field, such as items[3].source."""
    before: int | str = ""
    for part in location:
        if not (isinstance(before, int) and part in _BRANCHES):
            where += f"[{part}]" if isinstance(part, int) else f".{part}" if where else part
        before = part
    return where


def _errors(error: pydantic.ValidationError) -> list[Any]:
    return list(error.errors(include_url=False, include_context=False, include_input=False))
