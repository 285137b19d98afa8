"""What can go wrong between a client and Proctor.

ProctorError
├── ConnectionFailed        no answer came, whatever was tried
├── WaitTimeout             the answer was not there in the time given
├── BadAnswer               something answered that does not speak Proctor's wire format
├── Unscored                a sample has no reward, and the caller wanted an error for that
└── Refused                 Proctor answered, and the answer is an error
    ├── InvalidRequest      400, 413, 415, 422, or found invalid before it was sent
    ├── NotPermitted        401, 403
    ├── NotFound            404
    ├── Conflict            409
    └── ServerFailed        429 and 5xx, after all the retries

A program's failure is no error here: it is a `Result` with a verdict and a reward.
"""

from collections.abc import Sequence

from proctor.types import FieldProblem, ProblemDetails

# Enough to see the pattern in a terminal; `errors` has them all.
_SHOWN = 10


class ProctorError(Exception):
    """Base of everything that this client raises on purpose."""


class ConnectionFailed(ProctorError):
    """Raised when no answer could be had: refused, reset, timed out, or a name not found."""


class WaitTimeout(ProctorError):
    """Raised when results are not complete within the `timeout_s` that the caller gave."""


class BadAnswer(ProctorError):
    """Raised when an answer is not in Proctor's wire format: a proxy's page, another service."""


class Unscored(ProctorError):
    """Raised when a fault of ours left samples without reward, under `on_failure="raise"`."""


class Refused(ProctorError):
    """Raised when Proctor answers with an error that no more specific class names.

    `status` is the HTTP status (None where the client found the fault before sending);
    `errors` says field by field what is wrong and how to mend it.
    """

    def __init__(self, details: ProblemDetails, *, status: int | None) -> None:
        super().__init__(_text(details.title, details.detail, details.errors))
        self.details = details
        self.status = status

    @property
    def errors(self) -> list[FieldProblem]:
        """What is wrong, field by field."""
        return self.details.errors

    def __reduce__(self) -> tuple[object, ...]:
        # The default would call the class with the message alone; reward workers pickle errors.
        return _rebuilt, (type(self), self.details, self.status)


class InvalidRequest(Refused):
    """Raised when a request is at fault: nothing of it was stored or enqueued."""


class NotPermitted(Refused):
    """Raised when the API key is missing, wrong, or not meant for this."""


class NotFound(Refused):
    """Raised when a batch or a problem does not exist, or no longer does."""


class Conflict(Refused):
    """Raised when an idempotency key comes again with a different request."""


class ServerFailed(Refused):
    """Raised when Proctor is overloaded or broken and stayed so through every retry."""


def refusal(details: ProblemDetails, status: int) -> Refused:
    """The error for an HTTP status of 300 or more."""
    kind = _BY_STATUS.get(status)
    if kind is None:
        kind = ServerFailed if status >= 500 else Refused
    return kind(details, status=status)


_BY_STATUS: dict[int, type[Refused]] = {
    400: InvalidRequest,
    401: NotPermitted,
    403: NotPermitted,
    404: NotFound,
    409: Conflict,
    413: InvalidRequest,
    415: InvalidRequest,
    422: InvalidRequest,
    429: ServerFailed,
}


def _rebuilt(kind: type[Refused], details: ProblemDetails, status: int | None) -> Refused:
    return kind(details, status=status)


def _text(title: str, detail: str, errors: Sequence[FieldProblem]) -> str:
    lines = [f"{title}: {detail}" if detail and detail != title else title]
    lines += [f"  {e.field}: {e.reason} ({e.remedy})" for e in errors[:_SHOWN]]
    if len(errors) > _SHOWN:
        lines.append(f"  and {len(errors) - _SHOWN} more")
    return "\n".join(lines)
