"""What can go wrong on the server's side of the API, as exceptions that become answers.

ServerError
├── BadRequest      400/413/422: the request is at fault; names every field
├── NotFound        404
├── Conflict        409
├── Overloaded      503: try again later
└── StoreUnavailable 503: Redis does not answer
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from proctor.types import FieldProblem


@dataclass
class ServerError(Exception):
    """Base of what becomes an application/problem+json answer."""

    detail: str
    errors: Sequence[FieldProblem] = field(default=())
    status: int = 500
    title: str = "Internal error"

    def __str__(self) -> str:
        return self.detail


@dataclass
class BadRequest(ServerError):
    """Raised when a request can't be served as it is; `errors` says what to mend."""

    status: int = 422
    title: str = "Invalid request"


@dataclass
class NotFound(ServerError):
    """Raised when what a path names is not there, or no longer."""

    status: int = 404
    title: str = "Not found"


@dataclass
class Conflict(ServerError):
    """Raised when an Idempotency-Key was used for another body."""

    status: int = 409
    title: str = "Conflict"


@dataclass
class Overloaded(ServerError):
    """Raised when so much work is queued that more would only wait."""

    status: int = 503
    title: str = "Overloaded"


@dataclass
class StoreUnavailable(ServerError):
    """Raised when Redis does not answer."""

    status: int = 503
    title: str = "Store unavailable"
