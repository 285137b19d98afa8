"""`proctor demo`: what it wants, what it says when it does not get it, and the whole of it."""

import itertools
import os
import subprocess
import sys

import pytest
from rich.console import Console

from proctor.importers import humaneval, packaged_humaneval
from proctor.types import Problem, Result, Verdict
from proctor_server.demo_programs import Expectation, expectations
from proctor_server.demo_report import Timing, deviations, paired, show


@pytest.fixture(scope="module")
def problems() -> list[Problem]:
    return humaneval(packaged_humaneval())


@pytest.fixture(scope="module")
def expected(problems: list[Problem]) -> list[Expectation]:
    return expectations(problems, ["python", "cpp"])


def result(index: int, expectation: Expectation, **changes: object) -> Result:
    fields: dict[str, object] = {
        "index": index,
        "submission_id": f"s{index}",
        "problem_id": "p",
        "language": expectation.item.language,
        "verdict": min(expectation.verdicts),
        "pass_rate": expectation.reward,
        "reward": expectation.reward,
        "passed": 0,
        "total": 1,
    }
    return Result.model_validate(fields | changes)


def test_every_group_is_there_and_every_name_is_its_own(expected: list[Expectation]) -> None:
    groups = [one.group for one in expected]
    assert groups.count("canonical solutions") == groups.count("empty bodies") == 164
    assert groups.count("broken and hostile") == 12
    assert groups.count("part of the tests") == 3
    assert len({one.item.id for one in expected}) == len(expected)


def test_every_hostile_program_is_followed_by_an_honest_one(expected: list[Expectation]) -> None:
    for before, after in itertools.pairwise(expected):
        assert not (before.group == after.group == "broken and hostile")


def test_without_a_compiler_no_cpp_is_posted(problems: list[Problem]) -> None:
    assert all(one.item.language == "python" for one in expectations(problems, ["python"]))


def test_all_as_wanted_is_no_deviation(expected: list[Expectation]) -> None:
    results = [result(index, one) for index, one in enumerate(expected)]
    assert deviations(paired(expected, results)) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"verdict": Verdict.WA},
        {"verdict": Verdict.IE, "reward": None, "pass_rate": None, "reason": "no sandbox"},
        {"reward": 0.999},
        {"verdict": None, "state": "cancelled", "reward": None, "pass_rate": None},
    ],
)
def test_a_deviation_is_named(expected: list[Expectation], changes: dict[str, object]) -> None:
    (index, one) = next((i, e) for i, e in enumerate(expected) if e.group.startswith("canon"))
    results = [result(i, e, **(changes if i == index else {})) for i, e in enumerate(expected)]
    outcomes = paired(expected, results)
    (told,) = deviations(outcomes)
    assert told.startswith(f"{one.group}, {one.name}: wanted AC with reward 1, got ")
    assert str(changes.get("reason", "")) in told
    console = Console(record=True, width=300, quiet=True)
    show(console, outcomes, Timing(0.1, 2.0, 2))


@pytest.mark.parametrize("results", ["missing", "twice"])
def test_not_exactly_one_result_each_is_an_error(expected: list[Expectation], results: str) -> None:
    got = [result(index, one) for index, one in enumerate(expected)]
    got = got[:-1] if results == "missing" else [*got[:-1], got[0]]
    with pytest.raises(ValueError, match="not exactly one"):
        paired(expected, got)


@pytest.mark.parametrize("sandbox", ["docker", "bubblewrap"])
def test_the_whole_demo_earns_what_it_should(request: pytest.FixtureRequest, sandbox: str) -> None:
    request.getfixturevalue("docker_engine" if sandbox == "docker" else "bubblewrap")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PROCTOR_")}
    done = subprocess.run(
        [sys.executable, "-m", "proctor", "demo", "--sandbox", sandbox],
        env=environment | {"COLUMNS": "150"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Sandbox: {sandbox}: " in done.stdout
    assert "164 / 164" in done.stdout
    assert "programs earned what they should." in done.stdout
