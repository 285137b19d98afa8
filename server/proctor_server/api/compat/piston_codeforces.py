"""open-r1's package for Piston that scores Codeforces: a program and one test, "1" or "0" out.

It is known by its files: `main.cpp` or `main.python`, `input.txt`, `correct_output.txt`,
`grader_config`, and maybe `checker.py`, which prints 1 for an output that is right.
"""

from typing import Any

from proctor.runs import Phase, RunRequest, RunResult
from proctor.types import Comparer, Item, LimitsSpec, Problem, StdinTest, Verdict
from proctor_server.api.compat.judged import judged, not_judged
from proctor_server.api.compat.limits import for_run
from proctor_server.api.compat.peer import checked
from proctor_server.api.compat.piston_request import Execute
from proctor_server.api.compat.texts import text
from proctor_server.api.holding import Gone
from proctor_server.api.running import run
from proctor_server.api.services import Services
from proctor_server.callers import Caller
from proctor_server.door import alone
from proctor_server.errors import BadRequest, NotJudged
from proctor_server.limit_rules import LimitRules

_INPUT, _EXPECTED, _CONFIG = "input.txt", "correct_output.txt", "grader_config"
_CHECKER, _OUTPUT = "checker.py", "solution_output.txt"
_PROGRAMS = {"main.cpp": "cpp", "main.python": "python", "main.py": "python"}
# Seconds; none of that data set's checkers takes a tenth of it.
_CHECKER_S = 10.0


def is_graded(asked: Execute) -> bool:
    """Whether a request wants a score, and no output."""
    return {_INPUT, _EXPECTED, _CONFIG} <= {file.name for file in asked.files}


async def graded(services: Services, caller: Caller, asked: Execute, gone: Gone) -> dict[str, Any]:
    """The score of a program, as /execute answers.

    Raises BadRequest, NotJudged for a fault of ours, and what judged does.
    """
    rules = services.settings.limit_rules()
    files = {file.name or "": file.content for file in asked.files}
    if _CHECKER not in files:
        [result] = await judged(services, caller, [to_item(files, rules)], gone, where=alone)
        if result.verdict is None or result.verdict is Verdict.IE:
            raise not_judged(result)
        return answer(asked, result.verdict)
    wanted = to_run(files, rules)
    ran = await run(services, caller, wanted, gone)
    if ran.verdict is Verdict.AC and ran.run is not None:
        told = await run(services, caller, to_checker(files, ran.run, rules), gone)
        return answer(asked, checkers_verdict(told))
    return answer(asked, _known(ran))


def to_item(files: dict[str, str], rules: LimitRules) -> Item:
    """A program without a checker, to be judged by its one test. Raises BadRequest."""
    language, source = _program(files)
    problem = checked(
        Problem,
        id="codeforces",
        limits=_limits(files, rules),
        # What most of Codeforces is judged by.
        comparer=Comparer(name="tokens"),
        tests=[StdinTest(input=files[_INPUT], output=files[_EXPECTED])],
    )
    return Item(problem=problem, continuation=source, language=language)


def to_run(files: dict[str, str], rules: LimitRules) -> RunRequest:
    """A program whose output a checker is to see. Raises BadRequest."""
    language, source = _program(files)
    limits = _limits(files, rules)
    return checked(RunRequest, language=language, source=source, stdin=files[_INPUT], limits=limits)


def to_checker(files: dict[str, str], phase: Phase, rules: LimitRules) -> RunRequest:
    """The checker over a program's output: a run of its own, so that no program meets it."""
    return checked(
        RunRequest,
        source=files[_CHECKER],
        args=[_INPUT, _EXPECTED, _OUTPUT],
        files={
            _INPUT: files[_INPUT],
            _EXPECTED: files[_EXPECTED],
            _OUTPUT: phase.stdout,
        },
        limits=for_run(_CHECKER_S, rules),
    )


def checkers_verdict(told: RunResult) -> Verdict:
    """What a checker says. One that breaks down says nothing good. Raises NotJudged."""
    words = text(told.run.stdout).split() if told.run is not None else []
    right = _known(told) is Verdict.AC and words[-1:] == ["1"]
    return Verdict.AC if right else Verdict.WA


def answer(asked: Execute, verdict: Verdict) -> dict[str, Any]:
    """An answer of /execute: the compiler's status, and the score as what was printed."""
    compiled = _stage(int(verdict is Verdict.CE), "", verdict)
    told = {"language": asked.language, "version": asked.version, "compile": compiled}
    scored = _stage(0, str(int(verdict is Verdict.AC)), verdict)
    return told | {"run": compiled if verdict is Verdict.CE else scored}


def _stage(code: int, stdout: str, verdict: Verdict) -> dict[str, Any]:
    nothing = dict.fromkeys(("signal", "message", "status", "memory", "cpu_time", "wall_time"))
    words = "" if verdict is Verdict.AC else f"{verdict}\n"
    return {"stdout": stdout, "stderr": words, "output": stdout + words, "code": code} | nothing


def _known(told: RunResult) -> Verdict:
    if told.verdict is Verdict.IE:
        raise NotJudged(told.reason or "the run was cancelled")
    return told.verdict


def _program(files: dict[str, str]) -> tuple[str, str]:
    for name, language in _PROGRAMS.items():
        if name in files:
            return language, files[name]
    raise BadRequest(f"files must include one of {', '.join(_PROGRAMS)}")


def _limits(files: dict[str, str], rules: LimitRules) -> LimitsSpec:
    lines = (line.partition("=") for line in files[_CONFIG].splitlines())
    config = {key.strip(): value.strip() for key, _, value in lines}
    if config.get("INPUT_MODE", "stdio") != "stdio":
        raise BadRequest("INPUT_MODE must be stdio: programs that read files are not served")
    try:
        seconds, memory = float(config["TIME_LIMIT"]), float(config["MEMORY_LIMIT"])
    except (KeyError, ValueError):
        raise BadRequest(f"{_CONFIG} must have numbers TIME_LIMIT and MEMORY_LIMIT") from None
    asked = for_run(max(seconds, 0.001), rules, memory_mb=memory)
    # The clock is the backstop of the server's own rule.
    return asked.model_copy(update={"wall_time_s": None})
