"""open-r1's Codeforces requests: a program and one test in, a score out."""

from typing import Any

import pytest

from proctor.types import LimitsSpec, StdinTest, Verdict
from proctor_server.api.compat.piston_codeforces import (
    answer,
    checkers_verdict,
    is_graded,
    to_checker,
    to_item,
    to_run,
)
from proctor_server.api.compat.piston_request import Execute
from proctor_server.errors import BadRequest, NotJudged
from proctor_server.limit_rules import LimitRules
from tests.server.compat.results import FAILED, LATE, phase, ran

RULES = LimitRules()
FILES = {
    "main.cpp": "int main() {}",
    "input.txt": "1 2",
    "correct_output.txt": "3",
    "grader_config": "TIME_LIMIT=2.0\nMEMORY_LIMIT=256.0\nINPUT_MODE=stdio",
}


def asked(files: dict[str, str]) -> Execute:
    listed = [{"name": name, "content": content} for name, content in files.items()]
    return Execute.model_validate({"language": "c++17", "version": "*", "files": listed})


def test_a_request_is_known_by_its_files() -> None:
    assert is_graded(asked(FILES))
    assert not is_graded(asked({"main.cpp": "int main() {}", "input.txt": ""}))


def test_without_a_checker_it_is_a_submission_with_one_test() -> None:
    item = to_item(FILES, RULES)
    assert item.problem is not None
    assert (item.language, item.continuation) == ("cpp", "int main() {}")
    assert item.problem.tests == [StdinTest(input="1 2", output="3")]
    assert item.problem.limits == LimitsSpec(cpu_time_s=2, memory_mb=256)


def test_a_checker_runs_apart_from_the_program() -> None:
    files = FILES | {"checker.py": "print(1)"}
    program, checker = to_run(files, RULES), to_checker(files, phase(stdout="4"), RULES)
    assert (program.stdin, program.files) == ("1 2", {})
    assert checker.args == ["input.txt", "correct_output.txt", "solution_output.txt"]
    assert checker.files["solution_output.txt"] == "4"


@pytest.mark.parametrize(
    ("told", "verdict"),
    [
        (ran(phase(stdout="1\n")), Verdict.AC),
        (ran(phase(stdout="well: 1")), Verdict.AC),
        (ran(phase(stdout="0\n")), Verdict.WA),
        (ran(phase(stdout="11\n")), Verdict.WA),
        (ran(phase()), Verdict.WA),
        (ran(FAILED.model_copy(update={"stdout": "1"})), Verdict.WA),
        (ran(LATE), Verdict.WA),
    ],
)
def test_a_checker_accepts_by_printing_1(told: Any, verdict: Verdict) -> None:
    assert checkers_verdict(told) is verdict


def test_a_checker_that_was_lost_says_nothing() -> None:
    with pytest.raises(NotJudged, match="lost"):
        checkers_verdict(ran(None, reason="lost"))


@pytest.mark.parametrize(
    ("verdict", "compiler", "stdout"),
    [(Verdict.AC, 0, "1"), (Verdict.WA, 0, "0"), (Verdict.TLE, 0, "0"), (Verdict.CE, 1, "")],
)
def test_open_r1_reads_a_score(verdict: Verdict, compiler: int, stdout: str) -> None:
    told = answer(asked(FILES), verdict)
    assert (told["compile"]["code"], told["run"]["stdout"]) == (compiler, stdout)
    assert told["run"]["code"] == compiler


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"grader_config": "TIME_LIMIT=2"}, "MEMORY_LIMIT"),
        ({"grader_config": "TIME_LIMIT=x\nMEMORY_LIMIT=1"}, "TIME_LIMIT"),
        ({"grader_config": "TIME_LIMIT=2\nMEMORY_LIMIT=1\nINPUT_MODE=file"}, "INPUT_MODE"),
    ],
)
def test_what_is_not_served_is_told(change: dict[str, str], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        to_item(FILES | change, RULES)
    with pytest.raises(BadRequest, match="main"):
        to_item({name: text for name, text in FILES.items() if name != "main.cpp"}, RULES)
