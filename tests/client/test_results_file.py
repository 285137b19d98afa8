"""Results that are kept: what makes two samples the same, and what a file may hold."""

from pathlib import Path
from typing import Any

import pytest

from proctor import Comparer, Item, LimitsSpec, ProblemInfo, Result, Verdict
from proctor.harness.results_file import BadResults, ResultsFile, sample_key


def info(prefix: str = "def f():\n", version: str = "1", name: str = "a") -> ProblemInfo:
    return ProblemInfo(
        id=name,
        version=version,
        statement="",
        prefix=prefix,
        entry_point=None,
        limits=LimitsSpec(),
        comparer=Comparer(),
        tests=1,
        public_tests=[],
        metadata={},
    )


def item(**said: Any) -> Item:
    return Item(problem_id="a", **(said or {"continuation": "    pass\n"}))


def result(verdict: Verdict, reward: float | None) -> Result:
    return Result(
        index=0,
        submission_id="s",
        problem_id="a",
        language="python",
        verdict=verdict,
        pass_rate=reward,
        reward=reward,
        passed=0,
        total=1,
    )


KEY = sample_key(item(), info())


def test_a_continuation_is_the_same_as_the_program_that_it_makes() -> None:
    assert sample_key(item(source="def f():\n    pass\n"), info()) == KEY


@pytest.mark.parametrize(
    ("sample", "problem"),
    [
        (item(), info(prefix="def g():\n")),  # which is none of what makes a version
        (item(), info(version="2")),
        (item(), info(name="b")),
        (item(continuation="    pass\n", language="c"), info()),
        (item(continuation="    return 1\n"), info()),
        (item(completion="def f():\n    pass\n"), info()),
    ],
)
def test_what_decides_a_result_tells_samples_apart(sample: Item, problem: ProblemInfo) -> None:
    assert sample_key(sample, problem) != KEY


def test_results_are_there_again_and_our_failures_are_not(tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.jsonl"
    right, lost = result(Verdict.AC, 1.0), result(Verdict.IE, None)
    with ResultsFile(path) as kept:
        kept.add("right", right)
        kept.add("lost", lost)
    with ResultsFile(path) as again:
        assert (again.get("right"), again.get("lost")) == (right, None)


@pytest.mark.parametrize("text", ["{}\n", "not JSON\n", "no line"])
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(text)
    with pytest.raises(BadResults, match=r"notes\.txt"):
        ResultsFile(path)
    assert path.read_text() == text
