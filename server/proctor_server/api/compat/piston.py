"""Piston: /api/v2/execute and /api/v2/runtimes."""

import binascii
import signal
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import JsonValue

from proctor.content import Binary, Content
from proctor.runs import Phase, RunRequest, RunResult
from proctor.types import Verdict
from proctor_sandbox.limits import MIB
from proctor_server.api.access import admit
from proctor_server.api.compat import piston_codeforces
from proctor_server.api.compat.languages import here
from proctor_server.api.compat.limits import for_run
from proctor_server.api.compat.peer import checked, posted, refused, refusing
from proctor_server.api.compat.phases import signal_number, stages
from proctor_server.api.compat.piston_request import Execute, File
from proctor_server.api.compat.piston_runtimes import Runtime, newest, runtimes
from proctor_server.api.compat.texts import inside, stderr, text
from proctor_server.api.running import run
from proctor_server.api.services import Services, of
from proctor_server.callers import Scope
from proctor_server.errors import BadRequest, ServerError
from proctor_server.faults import refuse
from proctor_server.limit_rules import LimitRules


def refusal(error: ServerError) -> Response:
    """An error as Piston's clients expect it: 400 for what is wrong with a request."""
    wrong = isinstance(error, BadRequest) and error.status == 422
    message = "; ".join(f"{one.field} {one.reason}" for one in error.errors) or error.detail
    return refused(error, {"message": message}, 400 if wrong else error.status)


router = APIRouter(prefix="/api/v2", route_class=refusing(refusal), include_in_schema=False)

# Milliseconds; Piston's own defaults.
_RUN_MS, _COMPILE_MS = 3000.0, 10_000.0


@router.get("/runtimes")
async def list_runtimes(request: Request) -> list[dict[str, Any]]:
    """Languages with their versions and other names."""
    admit(request, Scope.READ)
    return [one.described() for one in _here(of(request))]


@router.post("/execute")
async def execute(request: Request) -> Response:
    """Run a program; what it did is an answer with 200."""
    services, caller, asked = await posted(request, Execute)
    if piston_codeforces.is_graded(asked):
        return JSONResponse(
            await piston_codeforces.graded(services, caller, asked, request.is_disconnected)
        )
    runtime = newest(asked.language, asked.version, _here(services))
    if runtime is None:
        raise BadRequest(f"{asked.language}-{asked.version} runtime is unknown"[:200])
    wanted = to_run(asked, runtime, services.settings.limit_rules())
    result = await run(services, caller, wanted, request.is_disconnected)
    return JSONResponse(answer(result, runtime))


def to_run(asked: Execute, runtime: Runtime, rules: LimitRules) -> RunRequest:
    """The raw run of a request. The first file of text is the program. Raises BadRequest."""
    main = next((file for file in asked.files if _is_text(file)), None)
    if main is None:
        raise BadRequest("files must include at least one utf8 encoded file")
    _check_limits(asked, rules)
    stdin = asked.stdin or ""
    memory = asked.run_memory_limit or -1
    run_ms = asked.run_timeout or _RUN_MS
    cpu_ms = asked.run_cpu_time or run_ms
    return checked(
        RunRequest,
        language=runtime.language,
        source=main.content,
        # So does Piston.
        stdin=stdin if stdin.endswith("\n") else stdin + "\n",
        args=asked.args or [],
        files={
            inside(file.name or f"file{place}.code", f"files[{place}].name"): _content(file, place)
            for place, file in enumerate(asked.files)
            if file is not main
        },
        limits=for_run(run_ms / 1000, rules, cpu_time_s=cpu_ms / 1000, memory_mb=memory / MIB),
        compile_wall_time_s=(asked.compile_timeout or _COMPILE_MS) / 1000,
    )


def answer(result: RunResult, runtime: Runtime) -> dict[str, Any]:
    """An answer of /execute. Where nothing was run, `run` tells of the compiler, as Piston has it
    for the sake of older clients."""
    compiled, ran = stages(result, runtime.language)
    told: dict[str, Any] = {"language": runtime.name, "version": runtime.version}
    if compiled is not None:
        told["compile"] = _stage(compiled)
    phase = ran or compiled
    told["run"] = _failure(result.reason) if phase is None else _stage(phase)
    return told


def _here(services: Services) -> list[Runtime]:
    versions = {name: said for one in services.workers for name, said in one.versions.items()}
    return runtimes(here(services), versions)


def _is_text(file: File) -> bool:
    return file.encoding not in ("base64", "hex")


def _content(file: File, place: int) -> Content:
    if _is_text(file):
        return file.content
    where = f"files[{place}].content"
    try:
        if file.encoding == "hex":
            return Binary(base64=binascii.b2a_base64(bytes.fromhex(file.content)).decode().strip())
        return Binary(base64=file.content)
    except ValueError:
        refuse(where, f"is no {file.encoding}", "send the file's bytes as its encoding says")


def _check_limits(asked: Execute, rules: LimitRules) -> None:
    """Raise BadRequest, in Piston's words, for more than the server allows."""
    wall, cpu = rules.max_wall_time_s * 1000, rules.max_cpu_time_s * 1000
    memory = float(rules.max_memory_bytes)
    for name, most in (
        ("compile_timeout", wall),
        ("run_timeout", wall),
        ("compile_cpu_time", cpu),
        ("run_cpu_time", cpu),
        ("compile_memory_limit", memory),
        ("run_memory_limit", memory),
    ):
        value = getattr(asked, name)
        if value is None or value == 0 or (value == -1 and "memory" in name):
            continue
        if value > most:
            raise BadRequest(f"{name} cannot exceed the configured limit of {most:g}")
        if not value > 0:
            raise BadRequest(f"{name} must be non-negative")


Status = Literal["RE", "SG", "TO", "XX", "OL", "EL"]


def _stage(phase: Phase) -> dict[str, Any]:
    status, message = _status(phase)
    number = signal_number(phase)
    stdout, errors = text(phase.stdout), stderr(phase)
    return {
        "stdout": stdout,
        "stderr": errors,
        "output": stdout + errors,
        "code": None if number is not None else phase.exit_code,
        "signal": None if number is None else _signal_name(number),
        "message": message,
        "status": status,
        "memory": int(phase.memory_mb * MIB),
        "cpu_time": round(phase.cpu_time_s * 1000),
        "wall_time": round(phase.wall_time_s * 1000),
    }


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # one of the real-time signals between the first and the last
        return f"SIG{number}"


def _status(phase: Phase) -> tuple[Status | None, str | None]:
    """Piston's status, in the words of isolate, which it runs programs by."""
    number = signal_number(phase)
    match phase.verdict:
        case Verdict.TLE:
            return "TO", "Time limit exceeded"
        case Verdict.OLE:
            return _longer(phase)
        case Verdict.MLE:
            return "SG", "Memory limit exceeded"
    if number is not None:
        return "SG", f"Caught fatal signal {number}"
    if phase.exit_code:
        return "RE", f"Exited with error status {phase.exit_code}"
    return None, None


def _longer(phase: Phase) -> tuple[Status, str]:
    if len(text(phase.stderr)) > len(text(phase.stdout)):
        return "EL", "stderr length exceeded"
    return "OL", "stdout length exceeded"


def _failure(reason: str | None) -> dict[str, JsonValue]:
    nothing = dict.fromkeys(("code", "signal", "memory", "cpu_time", "wall_time"))
    message = reason or "the sandbox failed"
    return {"stdout": "", "stderr": "", "output": "", "message": message, "status": "XX"} | nothing
