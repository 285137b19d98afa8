"""What the routers of peers' formats share: requests read, and errors in the peer's shape."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict

from proctor_server.api.access import admit, most_bytes
from proctor_server.api.body import JSON, media_type, parsed, read_body
from proctor_server.api.services import Services, of
from proctor_server.callers import Caller, Scope
from proctor_server.errors import ServerError

M = TypeVar("M", bound=BaseModel)
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Posted(BaseModel):
    """What a peer's client sends. It may say more than is asked here, as its server's next
    version does."""

    model_config = ConfigDict(extra="ignore", frozen=True)


async def posted(request: Request, model: type[M]) -> tuple[Services, Caller, M]:
    """Who posts what. Raises BadRequest, Unauthorized and Forbidden."""
    services, caller = of(request), admit(request, Scope.SUBMIT)
    media_type(request, JSON)
    body = await read_body(request, most_bytes(services, caller))
    return services, caller, parsed(model, body)


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
