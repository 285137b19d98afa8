"""SandboxFusion's /run_jupyter."""

from collections.abc import Mapping
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from proctor.runs import RunRequest, RunResult
from proctor.types import Verdict
from proctor_server.api.compat.limits import for_run
from proctor_server.api.compat.notebook import notebook, outputs
from proctor_server.api.compat.peer import posted, refusing
from proctor_server.api.compat.phases import stages
from proctor_server.api.compat.sandbox_fusion import Files, command_result, refusal
from proctor_server.api.compat.texts import encoded
from proctor_server.api.running import run
from proctor_server.limit_rules import LimitRules

router = APIRouter(route_class=refusing(refusal), include_in_schema=False)


class RunJupyter(Files):
    """What /run_jupyter takes: seconds, MiB, files in base64."""

    cells: list[str]
    cell_timeout: float = Field(0, ge=0, allow_inf_nan=False)
    total_timeout: float = Field(45, gt=0, allow_inf_nan=False)
    memory_limit_mb: int = Field(-1, alias="memory_limit_MB")
    kernel: Literal["python3"] = "python3"


@router.post("/run_jupyter")
async def run_jupyter(request: Request) -> Response:
    """Run cells one after the other in one process."""
    services, caller, asked = await posted(request, RunJupyter)
    wanted = to_run(asked, services.settings.limit_rules())
    result = await run(services, caller, wanted, request.is_disconnected)
    return JSONResponse(answer(result, asked.fetched()))


def to_run(asked: RunJupyter, rules: LimitRules) -> RunRequest:
    """The raw run of a notebook. Raises BadRequest."""
    return notebook(
        asked.cells,
        for_run(asked.total_timeout, rules, memory_mb=asked.memory_limit_mb),
        cell_timeout_s=asked.cell_timeout,
        files=asked.put(),
        fetch=sorted(set(asked.fetched().values())),
    )


def answer(result: RunResult, fetched: Mapping[str, str]) -> dict[str, Any]:
    """A RunJupyterResponse. Without the cells' outputs, as after a time limit, it is Failed."""
    _, ran = stages(result, "python")
    cells = outputs(result)
    failed = "SandboxError" if result.verdict is Verdict.IE else "Failed"
    return {
        "status": failed if cells is None else "Success",
        "message": result.reason or "",
        "driver": None if ran is None else command_result(ran),
        "cells": [cell.model_dump(exclude={"has_value"}) for cell in cells or ()],
        "executor_pod_name": None,
        "files": {
            asked: encoded(result.files[path])
            for asked, path in fetched.items()
            if path in result.files
        },
    }
