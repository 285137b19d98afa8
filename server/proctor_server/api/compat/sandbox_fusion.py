"""SandboxFusion's way to run a program: /run_code, as its SDK, verl and tinker-cookbook call it."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from proctor.content import Content
from proctor.runs import Phase, RunRequest, RunResult
from proctor.types import Verdict
from proctor_server.api.compat.languages import SANDBOX_FUSION, SANDBOX_FUSION_MODES, known
from proctor_server.api.compat.limits import for_run
from proctor_server.api.compat.peer import Posted, checked, posted, refused, refusing
from proctor_server.api.compat.phases import return_code, stages
from proctor_server.api.compat.sandbox_fusion_modes import laid_out
from proctor_server.api.compat.texts import binary, encoded, inside, stderr, text
from proctor_server.api.running import run
from proctor_server.errors import Overloaded, ServerError, StoreUnavailable, TooManyQueued
from proctor_server.faults import refuse
from proctor_server.limit_rules import LimitRules


def refusal(error: ServerError) -> Response:
    """An error as FastAPI writes it, which SandboxFusion is made with.

    verl tries again after 504 and after nothing else.
    """
    detail = [
        {"loc": ["body", fault.field], "msg": f"{fault.reason}: {fault.remedy}", "type": "refused"}
        for fault in error.errors
    ]
    passing = isinstance(error, Overloaded | StoreUnavailable | TooManyQueued)
    return refused(error, {"detail": detail or error.detail}, 504 if passing else error.status)


router = APIRouter(route_class=refusing(refusal), include_in_schema=False)

_NAMES = known(SANDBOX_FUSION)
_RUNNABLE = _NAMES | known(SANDBOX_FUSION_MODES)


class Files(Posted):
    """The part of a request that has to do with files."""

    files: dict[str, str | None] = Field({})
    fetch_files: list[str] = Field([])

    def put(self) -> dict[str, Content]:
        """Files to put beside the program. Raises BadRequest."""
        return {
            inside(path, "files"): binary(data, f"files.{path}")
            for path, data in self.files.items()
            # So does SandboxFusion, for the sake of clients with fixed keys.
            if data is not None
        }

    def fetched(self) -> dict[str, str]:
        """Paths as they were asked for, each with ours. Raises BadRequest."""
        return {path: inside(path, "fetch_files") for path in self.fetch_files}


class RunCode(Files):
    """What /run_code takes: seconds, MiB, files in base64."""

    code: str
    language: str
    compile_timeout: float = Field(10, gt=0, allow_inf_nan=False)
    run_timeout: float = Field(10, gt=0, allow_inf_nan=False)
    memory_limit_mb: int = Field(-1, alias="memory_limit_MB")
    stdin: str | None = None
    args: list[str] = Field([])


@router.get("/v1/ping")
async def ping() -> str:
    """Whether the server is there; asks for no key, as /healthz does not."""
    return "pong"


@router.post("/run_code")
async def run_code(request: Request) -> Response:
    """Run a program. A fault of the sandbox is an answer with 200, a time limit a Failed one."""
    services, caller, asked = await posted(request, RunCode)
    wanted = to_run(asked, services.settings.limit_rules())
    result = await run(services, caller, wanted, request.is_disconnected)
    return JSONResponse(answer(result, wanted.language, asked.fetched()))


def to_run(asked: RunCode, rules: LimitRules) -> RunRequest:
    """The raw run of a request. Raises BadRequest."""
    source, files = laid_out(asked.language, asked.code)
    return checked(
        RunRequest,
        language=language(asked.language, names=_RUNNABLE),
        source=source,
        stdin=asked.stdin or "",
        args=asked.args,
        files=asked.put() | files,
        fetch=sorted(set(asked.fetched().values())),
        limits=for_run(asked.run_timeout, rules, memory_mb=asked.memory_limit_mb),
        compile_wall_time_s=min(asked.compile_timeout, rules.max_wall_time_s),
    )


def language(name: str, where: str = "language", names: Mapping[str, str] = _NAMES) -> str:
    """Our name of SandboxFusion's language. Raises BadRequest."""
    if name not in names:
        here = ", ".join(sorted(names))
        refuse(where, f"is {name[:40]!r}, which can't be run here", f"give one of {here}")
    return names[name]


def answer(result: RunResult, language: str, fetched: Mapping[str, str]) -> dict[str, Any]:
    """A RunCodeResponse."""
    compiled, ran = stages(result, language)
    return {
        "status": status(result.verdict),
        "message": result.reason or "",
        "compile_result": None if compiled is None else command_result(compiled),
        "run_result": None if ran is None else command_result(ran),
        "executor_pod_name": None,
        "files": {
            asked: encoded(result.files[path])
            for asked, path in fetched.items()
            if path in result.files
        },
    }


def status(verdict: Verdict | None) -> str:
    """A RunStatus: whose fault it is, if anybody's."""
    if verdict is None or verdict is Verdict.IE:
        return "SandboxError"
    return "Success" if verdict is Verdict.AC else "Failed"


def command_result(phase: Phase) -> dict[str, Any]:
    """A CommandRunResult. After a time limit it has no return code."""
    late = phase.verdict is Verdict.TLE
    return {
        "status": "TimeLimitExceeded" if late else "Finished",
        "execution_time": phase.wall_time_s,
        "cpu_time": phase.cpu_time_s,
        "return_code": None if late else return_code(phase),
        "stdout": text(phase.stdout),
        "stderr": stderr(phase),
    }
