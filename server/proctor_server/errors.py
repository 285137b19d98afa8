"""What can go wrong on the server's side of the API, as exceptions that become answers.

ServerError
├── BadRequest      400/413/422: the request is at fault; names every field
├── Unauthorized    401: no key, or none that is known
├── Forbidden       403: the key is not good for this
├── NotFound        404
├── Conflict        409
├── TooManyQueued   429: this key's programs have to be run first
├── Overloaded      503: try again later
├── NotJudged       503: a failure of ours, where the answer has no place for one
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
class Unauthorized(ServerError):
    """Raised when a request has no key, or none that is known."""

    status: int = 401
    title: str = "Unauthorized"


@dataclass
class Forbidden(ServerError):
    """Raised when a key has not the scope that a route needs."""

    status: int = 403
    title: str = "Forbidden"


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
class TooManyQueued(ServerError):
    """Raised when a caller has as many programs queued as it may."""

    status: int = 429
    title: str = "Too many queued"


@dataclass
class Overloaded(ServerError):
    """Raised when so much work is queued that more would only wait."""

    status: int = 503
    title: str = "Overloaded"


@dataclass
class NotJudged(ServerError):
    """Raised when a program could not be judged and a peer's format can't say so."""

    status: int = 503
    title: str = "Not judged"


@dataclass
class StoreUnavailable(ServerError):
    """Raised when Redis does not answer."""

    status: int = 503
    title: str = "Store unavailable"
