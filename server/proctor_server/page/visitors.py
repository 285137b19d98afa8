"""Visitors: who looks at the page, known by a session instead of a key in each request.

A session is good for the page alone; the API takes keys only, so that what a foreign page makes a
browser send there carries no right.
"""

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from proctor_server.api.services import of
from proctor_server.callers import EVERYBODY, Caller, Scope, digest
from proctor_server.errors import Forbidden, Unauthorized
from proctor_server.store.keys import SESSION_TTL_S

_COOKIE = "proctor_session"


async def visitor(request: Request, scope: Scope = Scope.READ) -> Caller:
    """Who sent a request. Raises Unauthorized, or Forbidden without this scope.

    The key is looked up each time: one that is withdrawn ends its sessions.
    """
    services = of(request)
    if not services.callers.has_keys:
        return EVERYBODY
    token = request.cookies.get(_COOKIE)
    known = None if token is None else await services.sessions.key_digest(token)
    if known is None:
        raise Unauthorized("log in with a key")
    caller = services.callers.with_digest(known)
    caller.require(scope)
    return caller


async def log_in(request: Request, key: str, response: Response) -> None:
    """Begin a session for a key. Raises Unauthorized, or Forbidden where it may not look."""
    services = of(request)
    sent = digest(key.strip())
    services.callers.with_digest(sent).require(Scope.READ)
    token = await services.sessions.begin(sent)
    response.set_cookie(
        _COOKIE,
        token,
        max_age=SESSION_TTL_S,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


async def log_out(request: Request, response: Response) -> None:
    """End the session of a request, here and in the browser."""
    token = request.cookies.get(_COOKIE)
    if token is not None:
        await of(request).sessions.end(token)
    response.delete_cookie(_COOKIE, httponly=True, samesite="strict")


def check_same_origin(request: Request) -> None:
    """Raise Forbidden where another page than ours sent a form.

    Browsers say so themselves, and no script can make them lie. A cookie's SameSite alone would
    let in whatever else is served on this host, under another port.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        ours = site == "same-origin"
    else:
        origin = urlsplit(request.headers.get("origin", ""))
        ours = origin.netloc != "" and origin.netloc == request.headers.get("host")
    if not ours:
        raise Forbidden("this was not sent by this server's own page")
