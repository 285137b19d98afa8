"""Host names: by which names a server without keys lets itself be called.

Such a server does what anyone asks who reaches it. A web page can reach it from a browser on this
machine by DNS rebinding: its own name, resolved to our address, makes us its own server. So a name
must be one that nobody can have in the public DNS.
"""

import ipaddress
import re

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from proctor.types import ProblemDetails

# Never delegated (RFC 2606, 6761, 6762, 8375; ICANN for .internal), and Kubernetes's own.
_LOCAL = ("local", "localhost", "internal", "test", "svc")


class LocalNames:
    """An ASGI layer that answers 421 to requests under another name."""

    def __init__(self, app: ASGIApp, more: str = "") -> None:
        """`more` names that are ours too, separated by commas or spaces."""
        self._app = app
        self._more = frozenset(re.split(r"[,\s]+", more.lower()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._is_ours(_name(scope)):
            await _REFUSED(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_ours(self, name: str) -> bool:
        return is_local(name) or name in self._more


def is_local(name: str) -> bool:
    """Whether a host name is an address, a name without a dot, or under a local domain."""
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        _, dot, last = name.rpartition(".")
        return not dot or last in _LOCAL
    return True


def _name(scope: Scope) -> str:
    sent = next((value for key, value in scope["headers"] if key == b"host"), b"")
    host = sent.decode("latin-1").lower()
    return re.sub(r":\d*$", "", host).removesuffix(".")


_REFUSED = Response(
    ProblemDetails(
        title="Misdirected request",
        status=421,
        detail="a server without keys is called by its address or a local name only; "
        "put this name into PROCTOR_HOSTS, or use keys",
    ).model_dump_json(),
    status_code=421,
    media_type="application/problem+json",
)
