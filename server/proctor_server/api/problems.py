"""Routes of problems: stored, listed and described, never given back with their tests."""

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ValidationError

from proctor.types import ImportReport, Problem, ProblemInfo
from proctor_server.api import schema
from proctor_server.api.access import admit, most_bytes
from proctor_server.api.body import JSON, NDJSON, lines, media_type, read_body
from proctor_server.api.services import of
from proctor_server.callers import Scope
from proctor_server.errors import NotFound
from proctor_server.faults import Faults, invalid_json, refuse

router = APIRouter(tags=["problems"])


class ProblemPage(BaseModel):
    """One page of problem ids; `next` is where the following page begins, if there is one."""

    ids: list[str]
    next: str | None = None


@router.put(
    "/v1/problems/{problem_id:path}",
    summary="Store a problem",
    # 404: a path with a line break in it leads nowhere.
    responses={200: {"model": ProblemInfo}, **schema.faults(400, 404, 413, 415, 422, 503)},
    openapi_extra=schema.body(Problem, schema.PROBLEM),
)
async def put_problem(problem_id: str, request: Request) -> Response:
    """Store a problem under its id, in place of what was there. The same again changes nothing.

    Programs that are queued already are judged by the version they were posted for.
    """
    services, caller = of(request), admit(request, Scope.ADMIN)
    media_type(request, JSON)
    body = await read_body(request, most_bytes(services, caller))
    faults = Faults()
    problem = _parsed(body, faults)
    if problem is None:
        raise faults.error("the problem")
    if problem.id != problem_id:
        refuse("id", "is not the id in the path", "give the same id in both")
    services.door.check_problem(problem, faults)
    faults.check("the problem")
    await services.problems.put([problem])
    return await get_problem(problem_id, request)


@router.get(
    "/v1/problems/{problem_id:path}",
    summary="Describe a problem",
    responses={200: {"model": ProblemInfo}, **schema.faults(404, 503)},
)
async def get_problem(problem_id: str, request: Request) -> Response:
    """What anyone may know of a problem: never its hidden tests, never its reference."""
    admit(request, Scope.READ)
    found = await of(request).problems.info(problem_id)
    if found is None:
        raise NotFound("there is no problem with this id")
    return Response(found, media_type=JSON)


@router.post(
    "/v1/problems",
    summary="Import problems",
    responses={200: {"model": ImportReport}, **schema.faults(400, 413, 415, 422, 503)},
    openapi_extra=schema.body(Problem, schema.PROBLEM, "One Problem a line."),
)
async def import_problems(request: Request) -> ImportReport:
    """Store all problems of an NDJSON body, one a line, or none where any has a fault."""
    services, caller = of(request), admit(request, Scope.ADMIN)
    media_type(request, NDJSON, JSON)
    body = await read_body(request, most_bytes(services, caller))
    faults = Faults()
    problems: list[Problem] = []
    seen: dict[str, int] = {}
    for number, line in lines(body):
        where = f"line {number}"
        problem = _parsed(line, faults, where)
        if problem is None:
            continue
        services.door.check_problem(problem, faults, where)
        if seen.setdefault(problem.id, number) != number:
            reason = f"is the id of line {seen[problem.id]} too"
            faults.add(f"{where}.id", reason, "give each problem an id of its own")
        problems.append(problem)
    if not problems and not faults.count:
        refuse("body", "holds no problem", "send one problem as JSON a line")
    faults.check("the import")
    changed = await services.problems.put(problems)
    return ImportReport(stored=changed, unchanged=len(problems) - changed)


@router.get("/v1/problems", summary="List problem ids", responses=schema.faults(422, 503))
async def list_problems(
    request: Request,
    after: str | None = Query(None, max_length=200, description="The last id of the page before."),
    limit: int = Query(1000, ge=1, le=10_000),
) -> ProblemPage:
    """Ids in order of their bytes, a page at a time."""
    admit(request, Scope.READ)
    ids = await of(request).problems.ids(after, limit + 1)
    more = len(ids) > limit
    return ProblemPage(ids=ids[:limit], next=ids[limit - 1] if more else None)


def _parsed(text: bytes, faults: Faults, where: str = "") -> Problem | None:
    try:
        with invalid_json(where or "body"):
            return Problem.model_validate_json(text)
    except ValidationError as error:
        faults.add_invalid(error, where)
        return None
