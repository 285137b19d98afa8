"""Routes of statistics: how the service does, and what comes of each problem's submissions."""

import time

from fastapi import APIRouter, Query, Request

from proctor.types import ProblemStats, ProblemStatsPage, Stats
from proctor_server.api import schema
from proctor_server.api.access import admit
from proctor_server.api.services import Services, of
from proctor_server.callers import Scope
from proctor_server.errors import NotFound
from proctor_server.statistics import problem_stats, stats

router = APIRouter(tags=["statistics"])


@router.get("/v1/stats", summary="How the service does", responses=schema.faults(503))
async def get_stats(request: Request) -> Stats:
    """What waits, who works, and what came of the last hour's programs, of all keys together."""
    admit(request, Scope.READ)
    return await current(of(request))


@router.get(
    "/v1/problems/stats",
    summary="What came of problems' submissions",
    responses=schema.faults(422, 503),
)
async def list_problem_stats(
    request: Request,
    after: str | None = Query(None, max_length=200, description="The last id of the page before."),
    limit: int = Query(1000, ge=1, le=1000),
) -> ProblemStatsPage:
    """Stored problems in order of their ids' bytes, a page at a time."""
    admit(request, Scope.READ)
    return await problem_page(of(request), after, limit)


@router.get(
    "/v1/problems/{problem_id:path}/stats",
    summary="What came of a problem's submissions",
    responses=schema.faults(404, 503),
)
async def get_problem_stats(problem_id: str, request: Request) -> ProblemStats:
    """Counted since the problem's tests were last changed; problems with equal tests share it."""
    admit(request, Scope.READ)
    found = await _problem_stats(of(request), [problem_id])
    if not found:
        raise NotFound("there is no problem with this id")
    return found[0]


async def current(services: Services) -> Stats:
    """How the service does now. Raises StoreUnavailable."""
    await services.look()
    now = time.time()
    history = await services.statistics.history(now)
    backlog = await services.statistics.backlog()
    return stats(now, backlog, services.memory, services.workers, history)


async def problem_page(services: Services, after: str | None, limit: int) -> ProblemStatsPage:
    """A page of stored problems. Raises StoreUnavailable."""
    ids = await services.problems.ids(after, limit + 1)
    problems = await _problem_stats(services, ids[:limit])
    return ProblemStatsPage(problems=problems, next=ids[limit - 1] if ids[limit:] else None)


async def _problem_stats(services: Services, ids: list[str]) -> list[ProblemStats]:
    heads = await services.problems.heads(ids)
    counts = await services.statistics.problems([head.version for head in heads.values()])
    return [
        problem_stats(problem_id, head, of_it)
        for (problem_id, head), of_it in zip(heads.items(), counts, strict=True)
    ]
