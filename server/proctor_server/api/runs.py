"""The route of raw runs."""

from fastapi import APIRouter, Request

from proctor.runs import RunRequest, RunResult
from proctor_server.api import schema
from proctor_server.api.access import admit, most_bytes
from proctor_server.api.body import JSON, media_type, parsed, read_body
from proctor_server.api.running import run
from proctor_server.api.services import of
from proctor_server.callers import Scope

router = APIRouter(tags=["runs"])


@router.post(
    "/v1/runs",
    summary="Run one program and give its output back",
    responses=schema.faults(400, 413, 415, 422, 429, 503),
    openapi_extra=schema.body(RunRequest, schema.RUN),
)
async def post_run(request: Request) -> RunResult:
    """Run a program on an input, without tests; held until it has ended.

    Equal runs are run each. The output is forgotten once it is answered: a request that broke
    off is to be sent again. A caller that hangs up cancels its run.
    """
    services, caller = of(request), admit(request, Scope.SUBMIT)
    media_type(request, JSON)
    body = await read_body(request, most_bytes(services, caller))
    return await run(services, caller, parsed(RunRequest, body), request.is_disconnected)
