"""Routes about the service itself: alive, ready, what it is, how it does."""

import time
from typing import Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from proctor_sandbox.languages import LANGUAGES
from proctor_sandbox.limits import MIB
from proctor_server.api import schema
from proctor_server.api.access import admit
from proctor_server.api.services import of
from proctor_server.callers import Scope
from proctor_server.errors import StoreUnavailable
from proctor_server.fleet import Announcement
from proctor_server.metrics import read_store
from proctor_server.version import VERSION

router = APIRouter(tags=["service"])


class Ready(BaseModel):
    """Whether programs posted now will be run."""

    ready: bool
    reasons: list[str] = []
    workers: int
    sandboxes: list[str]


class MaxLimits(BaseModel):
    """What a problem may ask for at most."""

    cpu_time_s: float
    wall_time_s: float
    memory_mb: int
    output_kb: int
    source_bytes: int
    body_bytes: int
    batch_items: int
    tests: int


class DefaultLimits(BaseModel):
    """What a problem gets that asks for nothing."""

    cpu_time_s: float
    wall_time_s: float
    memory_mb: int
    output_kb: int


class Info(BaseModel):
    """What this installation is."""

    version: str
    sandbox: str | None
    runtime: str | None
    languages: list[str]
    limits: MaxLimits
    default_limits: DefaultLimits
    pending: int
    workers: list[Announcement]


@router.get("/healthz", summary="Alive")
async def healthz() -> dict[Literal["status"], Literal["ok"]]:
    """The process answers. Whether programs are run is /readyz's to say."""
    return {"status": "ok"}


@router.get(
    "/readyz", summary="Ready", responses={503: {"model": Ready, "description": "Not ready."}}
)
async def readyz(request: Request) -> Response:
    """Redis answers and a worker with a sandbox is there; says which kind of sandbox."""
    services = of(request)
    reasons: list[str] = []
    try:
        await services.look()
    except StoreUnavailable as error:
        reasons.append(str(error))
    workers = [] if reasons else services.workers
    able = [one for one in workers if one.state in ("idle", "busy")]
    if not able and not reasons:
        reasons.append(
            "no worker has a sandbox" if workers else "no worker is there: start proctor worker"
        )
    if services.memory.nearly_full:
        reasons.append("Redis's memory is nearly full")
    ready = Ready(ready=not reasons, reasons=reasons, workers=len(able), sandboxes=_kinds(able))
    return JSONResponse(ready.model_dump(), status_code=503 if reasons else 200)


@router.get("/v1/info", summary="What this installation is", responses=schema.faults(503))
async def info(request: Request) -> Info:
    """Version, sandbox, languages, limits and workers."""
    admit(request, Scope.READ)
    services = of(request)
    await services.look()
    workers = services.workers
    settings = services.settings
    rules = settings.limit_rules()
    languages = {language for one in workers for language in one.languages} & LANGUAGES.keys()
    return Info(
        version=VERSION,
        sandbox=", ".join(sorted({one.backend for one in workers})) or None,
        runtime=", ".join(sorted({one.runtime for one in workers})) or None,
        languages=sorted(languages),
        limits=MaxLimits(
            cpu_time_s=rules.max_cpu_time_s,
            wall_time_s=rules.max_wall_time_s,
            memory_mb=rules.max_memory_bytes // MIB,
            output_kb=rules.max_output_bytes // 1024,
            source_bytes=settings.max_source_bytes,
            body_bytes=settings.max_body_bytes,
            batch_items=settings.max_batch_items,
            tests=settings.max_tests,
        ),
        default_limits=DefaultLimits(
            cpu_time_s=rules.default.cpu_time_s,
            wall_time_s=rules.default.wall_time_s,
            memory_mb=rules.default.memory_bytes // MIB,
            output_kb=rules.default.output_bytes // 1024,
        ),
        pending=services.intake.pending,
        workers=workers,
    )


@router.get("/metrics", summary="Prometheus metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """For Prometheus. What Redis knows is left out while Redis does not answer."""
    admit(request, Scope.READ)
    services = of(request)
    state = await read_store(services.redis, services.statistics, time.time())
    return Response(request.app.state.metrics.page(state), media_type=_METRICS_TYPE)


_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def _kinds(workers: list[Announcement]) -> list[str]:
    return sorted({f"{one.backend} ({one.runtime})" for one in workers})
