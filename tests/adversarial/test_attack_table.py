"""The table that `make test-adversarial` ends with."""

import subprocess
import sys
from pathlib import Path

from tests.attack_table import Outcome, Scoreboard

ROOT = Path(__file__).parents[2]
_TESTS = """
import pytest
pytestmark = pytest.mark.attack("a bomb")

@pytest.mark.parametrize("backend", ["one", "two", "three"])
def test_bomb(backend):
    if backend == "three": pytest.skip("not here")
    assert backend == "one"

@pytest.mark.attack("a flood")
def test_flood(): pass

@pytest.mark.attack("a leak", backend="one")
def test_leak(): pass
"""


def test_of_several_tests_the_worst_counts() -> None:
    board = Scoreboard()
    for outcome in (Outcome.CONTAINED, Outcome.FAILED, Outcome.SKIPPED):
        board.note("bomb", "one", outcome)
    board.note("bomb", "two", Outcome.SKIPPED)
    board.note("flood", "one", Outcome.CONTAINED)
    *_, last = board.lines()
    assert last == "2 attacks, 2 backends, 1 contained, 1 failed"


def test_a_run_ends_with_one_line_that_sums_it_up(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(_TESTS)
    command = [sys.executable, "-m", "pytest", "-p", "tests.attack_table", "-p", "no:cacheprovider"]
    options = ["--rootdir", str(tmp_path), "-c", str(ROOT / "pyproject.toml"), str(tmp_path)]
    run = subprocess.run(
        [*command, *options], cwd=ROOT, capture_output=True, text=True, check=False
    )
    *table, last = run.stdout.splitlines()
    assert last == "3 attacks, 4 backends, 3 contained, 1 failed", run.stdout
    (bomb,) = (line for line in table if "a bomb" in line)
    assert bomb.replace("│", " ").split() == ["a", "bomb", "contained", "FAILED", "-"]
    assert run.returncode == 1
