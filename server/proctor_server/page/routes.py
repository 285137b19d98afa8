"""Routes of the page: HTML for browsers, its live parts as server-sent events, and two forms."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Annotated, Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from fastapi.sse import EventSourceResponse, ServerSentEvent
from fastapi.staticfiles import StaticFiles

from proctor_server.api.access import check_owner
from proctor_server.api.body import media_type, read_body
from proctor_server.api.services import of
from proctor_server.api.waiting import no_batch
from proctor_server.callers import Caller, Scope
from proctor_server.errors import ServerError, Unauthorized
from proctor_server.page import views
from proctor_server.page.board import TICK_S, Board
from proctor_server.page.visitors import check_same_origin, log_in, log_out, visitor
from proctor_server.version import VERSION

# Then the browser comes again by itself, and is asked who it is as a new visitor is.
_STREAM_S = 600.0
_AGAIN_MS = 1000
_FORM = "application/x-www-form-urlencoded"
_MOST_FORM_BYTES = 4096

# What a browser may do with our pages, whatever text of a stranger's might be in them.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # no-referrer would make the Origin of our own forms null.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class _PageRoute(APIRoute):
    """A route whose answers, errors too, are for a browser."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                answer = await handle(request)
            except Unauthorized:
                # An EventSource that is redirected complains; one that gets 204 just ends.
                streams = request.headers.get("accept") == EventSourceResponse.media_type
                answer = Response(status_code=204) if streams else _to_login()
            except ServerError as error:
                answer = _page(request, "error.html", error=error, status_code=error.status)
            answer.headers.update(_HEADERS)
            return answer

        return handled


async def _seat(request: Request) -> AsyncIterator[None]:
    """A place among those who watch. Raises Unauthorized, Overloaded."""
    await visitor(request)
    with _board(request).seat():
        yield


router = APIRouter(route_class=_PageRoute, include_in_schema=False)

After = Annotated[str | None, Query(max_length=200)]


def install(app: FastAPI) -> None:
    """Serve the page from an application."""
    app.include_router(router)
    app.mount("/static", StaticFiles(directory=views.FOLDER / "static"))


@router.get("/")
async def get_overview(request: Request) -> Response:
    caller = await visitor(request)
    parts = await views.overview(of(request), _board(request), caller)
    return _page(request, "overview.html", caller, parts=parts)


@router.get("/events", response_class=EventSourceResponse, dependencies=[Depends(_seat)])
async def stream_overview(request: Request) -> AsyncIterator[ServerSentEvent]:
    async def parts(caller: Caller) -> views.Parts:
        return await views.overview(of(request), _board(request), caller)

    async for event in _events(request, parts):
        yield event


@router.get("/batches")
async def get_batches(request: Request, after: After = None) -> Response:
    caller = await visitor(request)
    facts = await views.batches(of(request), caller, after)
    return _page(request, "batches.html", caller, **facts)


@router.get("/batches/{batch_id}")
async def get_batch(batch_id: str, request: Request, verdict: str = "") -> Response:
    caller = await visitor(request)
    await check_owner(of(request), caller, batch_id)
    parts = await views.batch(of(request), _board(request), caller, batch_id, verdict)
    return _page(request, "batch.html", caller, batch_id=batch_id, verdict=verdict, parts=parts)


@router.get(
    "/batches/{batch_id}/events", response_class=EventSourceResponse, dependencies=[Depends(_seat)]
)
async def stream_batch(
    batch_id: str, request: Request, verdict: str = ""
) -> AsyncIterator[ServerSentEvent]:
    async def parts(caller: Caller) -> views.Parts:
        await check_owner(of(request), caller, batch_id)
        return await views.batch(of(request), _board(request), caller, batch_id, verdict)

    async for event in _events(request, parts):
        yield event


@router.post("/batches/{batch_id}/cancel")
async def cancel_batch(batch_id: str, request: Request) -> Response:
    check_same_origin(request)
    caller = await visitor(request, Scope.SUBMIT)
    await check_owner(of(request), caller, batch_id)
    if not await of(request).batches.cancel(batch_id):
        raise no_batch()
    return RedirectResponse(f"/batches/{batch_id}", status_code=303)


@router.get("/batches/{batch_id}/{index}")
async def get_submission(batch_id: str, index: int, request: Request) -> Response:
    caller = await visitor(request)
    await check_owner(of(request), caller, batch_id)
    facts = await views.one_submission(of(request), batch_id, index)
    return _page(request, "submission.html", caller, **facts)


@router.get("/problems")
async def get_problems(request: Request, after: After = None, suspicious: bool = False) -> Response:
    caller = await visitor(request)
    facts = await views.problems(of(request), after, suspicious)
    return _page(request, "problems.html", caller, **facts)


@router.get("/login")
async def get_login(request: Request) -> Response:
    if not of(request).callers.has_keys:
        return RedirectResponse("/", status_code=303)
    return _page(request, "login.html", failed="")


@router.post("/login")
async def post_login(request: Request) -> Response:
    check_same_origin(request)
    media_type(request, _FORM)
    form = parse_qs((await read_body(request, _MOST_FORM_BYTES)).decode(errors="replace"))
    answer = RedirectResponse("/", status_code=303)
    try:
        await log_in(request, "".join(form.get("key", [])), answer)
    except ServerError as error:
        return _page(request, "login.html", failed=error.detail, status_code=error.status)
    return answer


@router.post("/logout")
async def post_logout(request: Request) -> Response:
    check_same_origin(request)
    answer = _to_login()
    await log_out(request, answer)
    return answer


async def _events(
    request: Request, parts: Callable[[Caller], Awaitable[views.Parts]]
) -> AsyncIterator[ServerSentEvent]:
    """The parts of a page as they change, until it is time for the browser to come again.

    Ends without a word where the visitor may not look any more, or Redis does not answer: what
    the browser is told when it comes again says why.
    """
    sent: views.Parts = {}
    until = time.monotonic() + _STREAM_S
    while time.monotonic() < until:
        try:
            now = await parts(await visitor(request))
        except ServerError:
            return
        for name, html in now.items():
            if sent.get(name) != html:
                yield ServerSentEvent(event=name, raw_data=html, retry=_AGAIN_MS)
        sent = now
        await asyncio.sleep(TICK_S)


def _to_login() -> Response:
    return RedirectResponse("/login", status_code=303)


def _board(request: Request) -> Board:
    board: Board = request.app.state.board
    return board


def _page(
    request: Request,
    name: str,
    caller: Caller | None = None,
    *,
    status_code: int = 200,
    **facts: Any,
) -> Response:
    html = views.render(
        name,
        who=caller.name if caller else "",
        path=request.url.path,
        version=VERSION,
        **facts,
    )
    return HTMLResponse(html, status_code=status_code)
