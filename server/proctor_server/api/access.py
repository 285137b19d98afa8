"""Who may do what: every route but the probes and the documentation asks here first."""

from starlette.requests import Request

from proctor_server.api.services import Services, of
from proctor_server.api.waiting import no_batch
from proctor_server.callers import Caller, Scope


def admit(request: Request, scope: Scope) -> Caller:
    """Who sent a request. Raises Unauthorized, or Forbidden without this scope."""
    caller = of(request).callers.of(request.headers.get("authorization"))
    caller.require(scope)
    return caller


def most_bytes(services: Services, caller: Caller) -> int:
    """How long a caller's request body may be, in bytes."""
    most = services.settings.max_body_bytes
    return most if caller.max_body_bytes is None else min(most, caller.max_body_bytes)


async def check_owner(services: Services, caller: Caller, batch_id: str) -> None:
    """Raise NotFound where a batch is another caller's: whether it exists is no business of ours
    to tell."""
    if not caller.is_admin and await services.batches.owner(batch_id) != caller.name:
        raise no_batch()
