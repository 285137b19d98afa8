"""SandboxFusion's /run_code and /run_jupyter: requests and answers, made one of the other."""

import base64
from typing import Any

import pytest

from proctor.content import Binary
from proctor.runs import RunResult
from proctor.types import FieldProblem, LimitsSpec, Verdict
from proctor_server.api.compat import jupyter
from proctor_server.api.compat.notebook import outputs
from proctor_server.api.compat.sandbox_fusion import RunCode, answer, refusal, to_run
from proctor_server.errors import BadRequest, Overloaded, ServerError, StoreUnavailable
from proctor_server.limit_rules import LimitRules
from tests.server.compat.results import (
    CAUGHT_IT,
    CRASHED,
    FAILED,
    FINE,
    FLOOD,
    LATE,
    LATE_BY_ITSELF,
    NO_PROGRAM,
    SLOW_COMPILER,
    TOO_LARGE,
    phase,
    ran,
)

RULES = LimitRules()


def asked(**said: Any) -> RunCode:
    return RunCode.model_validate({"code": "x", "language": "python", **said})


@pytest.mark.parametrize(
    ("result", "language", "status", "compiler", "program"),
    [
        (ran(FINE), "python", "Success", None, ("Finished", 0)),
        (ran(FAILED), "python", "Failed", None, ("Finished", 3)),
        (ran(CRASHED), "python", "Failed", None, ("Finished", -11)),
        (ran(LATE), "python", "Failed", None, ("TimeLimitExceeded", None)),
        (ran(LATE_BY_ITSELF), "python", "Failed", None, ("TimeLimitExceeded", None)),
        (ran(TOO_LARGE), "python", "Failed", None, ("Finished", -9)),
        (ran(CAUGHT_IT), "python", "Failed", None, ("Finished", -9)),
        (ran(FLOOD), "python", "Failed", None, ("Finished", -9)),
        (ran(None, NO_PROGRAM), "python", "Failed", None, ("Finished", 1)),
        (ran(FINE, phase()), "cpp", "Success", ("Finished", 0), ("Finished", 0)),
        (ran(None, NO_PROGRAM), "cpp", "Failed", ("Finished", 1), None),
        (ran(None, SLOW_COMPILER), "cpp", "Failed", ("TimeLimitExceeded", None), None),
        (ran(None), "cpp", "SandboxError", None, None),
    ],
)
def test_an_answer_says_what_ended_how(
    result: RunResult, language: str, status: str, compiler: Any, program: Any
) -> None:
    told = answer(result, language, {})
    assert told["status"] == status
    for name, wanted in (("compile_result", compiler), ("run_result", program)):
        found = told[name]
        assert (found and (found["status"], found["return_code"])) == wanted


def test_an_answer_has_output_times_and_files() -> None:
    result = ran(FINE, files={"a.txt": "é", "b.bin": Binary(base64="AP8=")})
    told = answer(result, "python", {"./a.txt": "a.txt", "b.bin": "b.bin", "none": "none"})
    assert told["run_result"] == {
        "status": "Finished",
        "execution_time": 0.5,
        "cpu_time": 0.25,
        "return_code": 0,
        "stdout": "out",
        "stderr": "err",
    }
    assert told["files"] == {"./a.txt": base64.b64encode("é".encode()).decode(), "b.bin": "AP8="}


def test_output_that_was_cut_has_a_mark_and_bytes_that_are_no_text_too() -> None:
    assert "[cut:" in answer(ran(FLOOD), "python", {})["run_result"]["stderr"]
    odd = phase(stdout=Binary(base64=base64.b64encode(b"a\xff\xfe").decode()))
    assert answer(ran(odd), "python", {})["run_result"]["stdout"] == "a\ufffd\ufffd"


def test_a_fault_of_ours_says_why() -> None:
    told = answer(ran(None, reason="three sandboxes were lost"), "python", {})
    assert (told["status"], told["message"]) == ("SandboxError", "three sandboxes were lost")


@pytest.mark.parametrize(
    ("said", "limits"),
    [
        ({}, LimitsSpec(cpu_time_s=10, wall_time_s=10)),
        (
            {"run_timeout": 2.5, "memory_limit_MB": 100},
            LimitsSpec(cpu_time_s=2.5, wall_time_s=2.5, memory_mb=100),
        ),
        ({"run_timeout": 100}, LimitsSpec(cpu_time_s=60, wall_time_s=100)),
        (
            {"run_timeout": 9999, "memory_limit_MB": 10**9},
            LimitsSpec(cpu_time_s=60, wall_time_s=244, memory_mb=4096),
        ),
    ],
)
def test_time_outs_are_of_wall_clock_time_and_kept_below_the_servers(
    said: dict[str, Any], limits: LimitsSpec
) -> None:
    assert to_run(asked(**said), RULES).limits == limits


def test_a_request_becomes_a_raw_run() -> None:
    wanted = to_run(
        asked(
            language="cpp",
            stdin=None,
            compile_timeout=3,
            args=["-v"],
            files={"./d/../in.txt": "aGk=", "gone": None},
            fetch_files=["out", "./out", "d//b"],
            unknown="ignored",
        ),
        RULES,
    )
    assert (wanted.language, wanted.source, wanted.stdin, wanted.args) == ("cpp", "x", "", ["-v"])
    assert wanted.files == {"in.txt": Binary(base64="aGk=")}
    assert wanted.fetch == ["d/b", "out"]
    assert wanted.compile_wall_time_s == 3


def test_a_mode_becomes_a_raw_run_of_code_where_its_runner_looks_for_it() -> None:
    tests = to_run(asked(language="pytest", code="def test(): pass", args=["-q"]), RULES)
    assert (tests.language, tests.args) == ("python", ["-q"])
    assert "pytest.main" in tests.source
    assert tests.files == {"proctor_test.py": "def test(): pass"}
    named = "import x;\npublic final class FooTest {}"
    tests = to_run(asked(language="junit", code=named), RULES)
    assert (tests.language, tests.source, tests.files) == ("junit", "", {"FooTest.java": named})
    tests = to_run(asked(language="junit", code="class FooTest {}"), RULES)
    assert (tests.source, tests.files) == ("class FooTest {}", {})
    assert to_run(asked(language="D_ut"), RULES).language == "d_unittest"


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"language": "jest"}, "language"),
        ({"language": "lean"}, "language"),
        ({"files": {"../x": ""}}, "files"),
        ({"files": {"/etc/x": ""}}, "files"),
        ({"files": {"x": "no base64!"}}, "files.x"),
        ({"fetch_files": ["."]}, "fetch_files"),
        ({"fetch_files": ["a\0b"]}, "fetch_files"),
        ({"args": ["\0"]}, "args[0]"),
    ],
)
def test_what_can_not_be_run_is_named(said: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRequest) as refused:
        to_run(asked(**said), RULES)
    assert [fault.field for fault in refused.value.errors] == [field]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Overloaded("full"), 504),
        (StoreUnavailable("away"), 504),
        (ServerError("ours"), 500),
        (BadRequest("wrong", [FieldProblem(field="code", reason="r", remedy="m")]), 422),
    ],
)
def test_what_may_be_tried_again_has_the_status_that_verl_tries_again_after(
    error: ServerError, status: int
) -> None:
    answered = refusal(error)
    assert answered.status_code == status
    assert b'"detail"' in answered.body


CELL = '{"stdout":"o","stderr":"","display":[],"has_value":false,"error":[]}'


@pytest.mark.parametrize(
    ("left", "cells"),
    [(f"[{CELL}]", 1), ("[]", 0), ("no json", None), ('[{"stdout":1}]', None), (None, None)],
)
def test_cells_outputs_are_read_or_there_are_none(left: str | None, cells: int | None) -> None:
    files = {} if left is None else {".proctor-outputs.json": left}
    found = outputs(ran(FINE, files=files))
    assert (None if found is None else len(found)) == cells


@pytest.mark.parametrize(
    ("result", "status"),
    [
        (ran(FINE, files={".proctor-outputs.json": f"[{CELL}]"}), "Success"),
        (ran(FAILED), "Failed"),
        (ran(LATE), "Failed"),
        (RunResult(verdict=Verdict.IE, reason="lost"), "SandboxError"),
    ],
)
def test_a_notebook_without_its_cells_outputs_failed(result: RunResult, status: str) -> None:
    assert jupyter.answer(result, {})["status"] == status
