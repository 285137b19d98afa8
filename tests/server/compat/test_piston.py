"""Piston's execute and runtimes: requests and answers, made one of the other."""

import json
from typing import Any

import pytest

from proctor.content import Binary
from proctor.runs import RunResult
from proctor.types import LimitsSpec
from proctor_server.api.compat.piston import answer, refusal, to_run
from proctor_server.api.compat.piston_request import Execute
from proctor_server.api.compat.piston_runtimes import Runtime, newest, runtimes
from proctor_server.errors import BadRequest, Overloaded
from proctor_server.limit_rules import LimitRules
from tests.server.compat.results import (
    CRASHED,
    FAILED,
    FINE,
    FLOOD,
    LATE,
    NO_PROGRAM,
    OLE,
    RE,
    TOO_LARGE,
    phase,
    ran,
)

PYTHON = Runtime("python", ("py",), "3.11.2", "python")
CPP = Runtime("c++", ("cpp",), "12.2.0", "cpp")
RULES = LimitRules()


def asked(**said: Any) -> Execute:
    files = [{"content": "x"}]
    return Execute.model_validate({"language": "py", "version": "*", "files": files, **said})


@pytest.mark.parametrize(
    ("result", "status", "code", "signal"),
    [
        (ran(FINE), None, 0, None),
        (ran(FAILED), "RE", 3, None),
        (ran(CRASHED), "SG", None, "SIGSEGV"),
        (ran(phase(RE, exit_code=None, signal=40)), "SG", None, "SIG40"),
        (ran(LATE), "TO", None, "SIGKILL"),
        (ran(TOO_LARGE), "SG", None, "SIGKILL"),
        (ran(FLOOD), "OL", None, "SIGKILL"),
        (ran(phase(OLE, stderr="x" * 9, truncated=True)), "EL", None, "SIGKILL"),
        (ran(None, NO_PROGRAM), "RE", 1, None),
        (ran(None, reason="lost"), "XX", None, None),
    ],
)
def test_statuses_are_those_of_isolate(
    result: RunResult, status: str | None, code: int | None, signal: str | None
) -> None:
    run = answer(result, PYTHON)["run"]
    assert (run["status"], run["code"], run["signal"]) == (status, code, signal)
    assert (run["message"] is None) is (status is None)


def test_an_answer_has_milliseconds_and_bytes() -> None:
    assert answer(ran(FINE), PYTHON) == {
        "language": "python",
        "version": "3.11.2",
        "run": {
            "stdout": "out",
            "stderr": "err",
            "output": "outerr",
            "code": 0,
            "signal": None,
            "message": None,
            "status": None,
            "memory": 8 * 2**20,
            "cpu_time": 250,
            "wall_time": 500,
        },
    }


def test_a_compiler_has_a_stage_and_stands_in_for_a_run_that_was_not_started() -> None:
    told = answer(ran(FINE, phase()), CPP)
    assert (told["compile"]["code"], told["run"]["stdout"]) == (0, "out")
    told = answer(ran(None, NO_PROGRAM), CPP)
    assert told["run"] == told["compile"]
    assert told["compile"]["code"] == 1


def test_a_request_becomes_a_raw_run() -> None:
    files = [
        {"name": "a.bin", "content": "AP8=", "encoding": "base64"},
        {"name": "main.py", "content": "main"},
        {"name": "d/h", "content": "00fF", "encoding": "hex"},
        {"content": "t", "encoding": "utf8"},
    ]
    wanted = to_run(asked(files=files, stdin="1", args=["-v"]), PYTHON, RULES)
    assert (wanted.source, wanted.stdin, wanted.args) == ("main", "1\n", ["-v"])
    assert wanted.files == {
        "a.bin": Binary(base64="AP8="),
        "d/h": Binary(base64="AP8="),
        "file3.code": "t",
    }


@pytest.mark.parametrize(
    ("said", "limits", "compile_s"),
    [
        ({}, LimitsSpec(cpu_time_s=3, wall_time_s=3), 10),
        (
            {"run_timeout": 500, "run_memory_limit": 64 * 2**20, "compile_timeout": 60_000},
            LimitsSpec(cpu_time_s=0.5, wall_time_s=0.5, memory_mb=64),
            60,
        ),
        (
            {"run_timeout": 5000, "run_cpu_time": 1000, "run_memory_limit": -1},
            LimitsSpec(cpu_time_s=1, wall_time_s=5),
            10,
        ),
        ({"run_timeout": 0, "run_memory_limit": 0}, LimitsSpec(cpu_time_s=3, wall_time_s=3), 10),
    ],
)
def test_limits_are_milliseconds_and_bytes(
    said: dict[str, Any], limits: LimitsSpec, compile_s: float
) -> None:
    wanted = to_run(asked(**said), PYTHON, RULES)
    assert (wanted.limits, wanted.compile_wall_time_s) == (limits, compile_s)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"files": []}, "files must include at least one utf8 encoded file"),
        (
            {"files": [{"content": "AA==", "encoding": "base64"}]},
            "files must include at least one utf8 encoded file",
        ),
        ({"run_timeout": 10**9}, "run_timeout cannot exceed the configured limit of 244000"),
        (
            {"compile_cpu_time": 10**9},
            "compile_cpu_time cannot exceed the configured limit of 60000",
        ),
        ({"run_cpu_time": -1}, "run_cpu_time must be non-negative"),
        (
            {"files": [{"content": "x"}, {"name": "../y", "content": ""}]},
            r"files[1].name is no path",
        ),
        (
            {"files": [{"content": "x"}, {"content": "0g", "encoding": "hex"}]},
            "files[1].content is no hex",
        ),
        (
            {"files": [{"content": "x"}, {"content": "?", "encoding": "base64"}]},
            "files[1].content is no base64",
        ),
    ],
)
def test_a_wrong_request_is_400_with_a_message(said: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRequest) as refused:
        to_run(asked(**said), PYTHON, RULES)
    answered = refusal(refused.value)
    assert answered.status_code == 400
    assert message in json.loads(bytes(answered.body))["message"]


def test_other_errors_keep_their_status() -> None:
    assert refusal(Overloaded("full")).status_code == 503
    assert refusal(BadRequest("long", status=413)).status_code == 413


@pytest.mark.parametrize(
    ("name", "wanted", "found"),
    [
        ("python", "*", "3.11.2"),
        ("py", "3.x", "3.11.2"),
        ("python3", ">=3.10 <4", "3.11.2"),
        ("python", "^3.11.0", "3.11.2"),
        ("python", "3.11.2", "3.11.2"),
        ("python", "3.10.0", None),
        ("python", "newest", None),
        ("g++", "12 || 13", "12.2.0"),
        ("cobol", "*", None),
    ],
)
def test_a_range_of_versions_is_npms(name: str, wanted: str, found: str | None) -> None:
    versions = {"python": "Python 3.11.2", "cpp": "g++ (Debian 12.2.0-14+deb12u1) 12.2.0"}
    runtime = newest(name, wanted, runtimes({"python", "cpp"}, versions))
    assert (runtime and runtime.version) == found


def test_runtimes_are_listed_by_pistons_names() -> None:
    python, cpp = runtimes({"python", "cpp"}, {"python": "3.11"})
    assert python.described() == {
        "language": "python",
        "version": "3.11.0",
        "aliases": ["py", "py3", "python3"],
    }
    assert (cpp.name, cpp.version, "cpp" in cpp.aliases) == ("c++", "0.0.0", True)
