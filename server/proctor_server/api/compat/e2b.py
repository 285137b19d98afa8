"""open-r1's router for E2B: /execute_batch, many scripts at once."""

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from proctor.runs import RunRequest, RunResult
from proctor.types import LimitsSpec, Verdict
from proctor_server.api.compat.languages import E2B, here, known
from proctor_server.api.compat.limits import for_run
from proctor_server.api.compat.notebook import CellOutput, notebook, outputs
from proctor_server.api.compat.peer import Posted, checked, detail, posted, refusing
from proctor_server.api.compat.phases import return_code, stages
from proctor_server.api.compat.texts import stderr, text
from proctor_server.api.running import run
from proctor_server.faults import refuse

router = APIRouter(route_class=refusing(detail), include_in_schema=False)

_NAMES = known(E2B)
# Of one request's scripts: each waits by itself, and more would only wait.
_AT_ONCE = 256
# What a display has, and what E2B's Result calls it.
_KINDS = {
    "text/plain": "text",
    "text/html": "html",
    "text/markdown": "markdown",
    "text/latex": "latex",
    "image/svg+xml": "svg",
    "image/png": "png",
    "image/jpeg": "jpeg",
    "application/json": "json",
}


class ExecuteBatch(Posted):
    """What /execute_batch takes. `timeout` is each script's, in seconds."""

    scripts: list[str]
    languages: list[str]
    timeout: float = Field(300, gt=0, allow_inf_nan=False)


@router.post("/execute_batch")
async def execute_batch(request: Request) -> Response:
    """Run scripts, each by itself; the answer has their executions in order."""
    services, caller, asked = await posted(request, ExecuteBatch)
    if len(asked.scripts) != len(asked.languages):
        refuse("languages", "is not as long as scripts", "give a language for each script")
    most = services.settings.max_batch_items
    if len(asked.scripts) > most:
        refuse("scripts", f"has more than {most} entries", "post several batches")
    limits = for_run(asked.timeout, services.settings.limit_rules())
    able = {name: ours for name, ours in _NAMES.items() if ours in here(services)}
    room = asyncio.Semaphore(_AT_ONCE)

    async def executed(script: str, name: str) -> dict[str, Any]:
        if name not in able:
            return _failed(f"the language is {name[:40]!r}, which is none of {', '.join(able)}")
        wanted = to_run(script, _NAMES[name], limits)
        async with room:
            result = await run(services, caller, wanted, request.is_disconnected)
        return answer(result, _NAMES[name])

    scripts = zip(asked.scripts, asked.languages, strict=True)
    return JSONResponse(await asyncio.gather(*(executed(*script) for script in scripts)))


def to_run(script: str, language: str, limits: LimitsSpec) -> RunRequest:
    """The raw run of a script; a Python one is a notebook's cell, and has a value."""
    if language == "python":
        return notebook([script], limits)
    return checked(RunRequest, language=language, source=script, limits=limits)


def answer(result: RunResult, language: str) -> dict[str, Any]:
    """A script's entry: its execution, or why there is none."""
    compiled, ran = stages(result, language)
    phase = ran or compiled
    if phase is None:
        return _failed(result.reason or "it could not be run")
    if phase.verdict is Verdict.TLE:
        return _failed("the script ran into the time limit")
    cells = outputs(result) if language == "python" else None
    if cells:
        return {"execution": _of_cell(cells[0]), "exception_str": None}
    code, words = return_code(phase), stderr(phase)
    error = {"name": "Failed", "value": f"it ended with {code}", "traceback": words}
    logs = _logs(text(phase.stdout), words)
    return {
        "execution": _execution([], logs, error if code else None),
        "exception_str": None,
    }


def _of_cell(cell: CellOutput) -> dict[str, Any]:
    results = [
        {name: shown[kind] for kind, name in _KINDS.items() if kind in shown}
        | {"is_main_result": cell.has_value and place == len(cell.display)}
        for place, shown in enumerate(cell.display, 1)
    ]
    error = None
    for one in cell.error:
        error = {"name": one.ename, "value": one.evalue, "traceback": "".join(one.traceback)}
    return _execution(results, _logs(cell.stdout, cell.stderr), error)


def _execution(
    results: list[dict[str, Any]], logs: dict[str, list[str]], error: dict[str, str] | None
) -> dict[str, Any]:
    return {"results": results, "logs": logs, "error": error, "execution_count": 1}


def _logs(stdout: str, stderr: str) -> dict[str, list[str]]:
    return {"stdout": [stdout] if stdout else [], "stderr": [stderr] if stderr else []}


def _failed(why: str) -> dict[str, Any]:
    return {"execution": None, "exception_str": why}
