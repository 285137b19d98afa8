"""The application: routes, their errors as problem+json, and what is counted."""

import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from proctor.types import FieldProblem, ProblemDetails
from proctor_server import logs, request_id
from proctor_server.api import (
    batches,
    details,
    languages,
    problems,
    runs,
    schema,
    service,
    statistics,
    submissions,
)
from proctor_server.api.answers import HEADERS
from proctor_server.api.compat import formats
from proctor_server.api.host_names import LocalNames
from proctor_server.api.services import services
from proctor_server.callers import Callers
from proctor_server.errors import ServerError
from proctor_server.faults import path
from proctor_server.metrics import Metrics
from proctor_server.page import routes as page
from proctor_server.page.board import Board
from proctor_server.settings import Settings
from proctor_server.version import VERSION

_log = logging.getLogger(__name__)

_ABOUT = """Administers hidden tests to untrusted programs, and answers with rewards.

Store problems with their tests, post programs in batches, stream results back.
Errors are application/problem+json: each names the field, the reason and the remedy.
"""


def create_app(settings: Settings) -> FastAPI:
    """The API over a Redis, which it connects to when it starts. Raises BadKeys."""
    callers = Callers(settings.keys_file)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with services(settings, callers) as made:
            app.state.services = made
            app.state.board = Board(made)
            yield

    app = FastAPI(title="Proctor", version=VERSION, description=_ABOUT, lifespan=lifespan)
    app.state.metrics = Metrics()
    # Statistics first: a problem's id may have slashes, so its route takes whatever follows.
    for part in (statistics, problems, batches, details, submissions, runs, languages, service):
        app.include_router(part.router)
    formats.install(app, settings.wire_formats)
    page.install(app)
    app.exception_handler(ServerError)(_server_error)
    app.exception_handler(RequestValidationError)(_bad_parameters)
    app.exception_handler(HTTPException)(_http_error)
    if not callers.has_keys:
        app.add_middleware(LocalNames, more=settings.hosts)
    app.add_middleware(_Outermost, metrics=app.state.metrics)
    app.openapi = lambda: schema.describe(app)  # type: ignore[method-assign]
    return app


class _Outermost:
    """Counts requests by route, and answers for what the routes did not foresee.

    A plain ASGI layer, which costs microseconds.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        started = False
        request = request_id.chosen(_given_id(scope))
        request_id.current.set(request)

        async def counted(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [
                    *message["headers"],
                    (request_id.HEADER.lower().encode(), request.encode()),
                ]
                route = getattr(scope.get("route"), "path", "none")
                seconds = time.perf_counter() - began
                self._metrics.answered(scope["method"], route, message["status"], seconds)
            await send(message)

        try:
            await self._app(scope, receive, counted)
        except ClientDisconnect:
            return
        except Exception as error:  # the last place where it can become an answer
            # Without its words: they may quote hidden test data.
            _log.error(
                "%s in %s",
                type(error).__name__,
                scope["path"],
                extra=logs.fields(trace=logs.frames(error.__traceback__)),
            )
            if not started:
                await _our_fault()(scope, receive, counted)


def _given_id(scope: Scope) -> str:
    name = request_id.HEADER.lower().encode()
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


async def _server_error(_: Request, error: ServerError) -> Response:
    return _answer(error.status, error.title, error.detail, list(error.errors))


async def _bad_parameters(_: Request, error: RequestValidationError) -> Response:
    faults = [
        # The first part says where it was: query, path.
        FieldProblem(
            field=path("", fault["loc"][1:]) or "query",
            reason=fault["msg"],
            remedy="see /docs for what this parameter takes",
        )
        for fault in error.errors()
    ]
    return _answer(422, "Invalid request", "a parameter is wrong; nothing was done", faults)


async def _http_error(_: Request, error: HTTPException) -> Response:
    answer = _answer(error.status_code, error.detail, "see /docs for what is served here")
    answer.headers.update(error.headers or {})
    return answer


def _our_fault() -> Response:
    return _answer(500, "Internal error", "the fault is the server's; its log says more")


def _answer(
    status: int, title: str, detail: str, errors: list[FieldProblem] | None = None
) -> Response:
    details = ProblemDetails(title=title, status=status, detail=detail, errors=errors or [])
    return Response(
        details.model_dump_json(),
        status_code=status,
        media_type="application/problem+json",
        headers=HEADERS.get(status),
    )
