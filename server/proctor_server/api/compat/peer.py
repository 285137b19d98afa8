"""What the routers of peers' formats share: requests read, and errors in the peer's shape."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, ValidationError

from proctor_server.api.access import admit, most_bytes
from proctor_server.api.answers import HEADERS
from proctor_server.api.body import JSON, media_type, parsed, read_body
from proctor_server.api.services import Services, of
from proctor_server.callers import Caller, Scope
from proctor_server.errors import ServerError
from proctor_server.faults import Faults

M = TypeVar("M", bound=BaseModel)
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Posted(BaseModel):
    """What a peer's client sends. It may say more than is asked here, as its server's next
    version does."""

    model_config = ConfigDict(extra="ignore", frozen=True)


async def posted(
    request: Request, model: type[M], scope: Scope = Scope.SUBMIT
) -> tuple[Services, Caller, M]:
    """Who posts what. Raises BadRequest, Unauthorized, and Forbidden without the scope."""
    services, caller = of(request), admit(request, scope)
    media_type(request, JSON)
    body = await read_body(request, most_bytes(services, caller))
    return services, caller, parsed(model, body)


def checked(model: type[M], **fields: object) -> M:
    """One of our requests, made of a peer's. Raises BadRequest with all that is wrong."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        faults = Faults()
        faults.add_invalid(error)
        raise faults.error() from None


def refused(error: ServerError, content: object, status: int | None = None) -> Response:
    """The answer for an error of ours, with a peer's content."""
    status = status or error.status
    return JSONResponse(content, status_code=status, headers=HEADERS.get(status))


def detail(error: ServerError) -> Response:
    """An error as FastAPI writes it, which most peers' servers are made with."""
    words = "; ".join(f"{one.field} {one.reason}" for one in error.errors)
    return refused(error, {"detail": words or error.detail})


def refusing(refusal: Callable[[ServerError], Response]) -> type[APIRoute]:
    """A class of routes that answer our errors as the peer's client expects them."""

    class PeerRoute(APIRoute):
        def get_route_handler(self) -> Handler:
            handler = super().get_route_handler()

            async def shaped(request: Request) -> Response:
                try:
                    return await handler(request)
                except ServerError as error:
                    return refusal(error)

            return shaped

    return PeerRoute
