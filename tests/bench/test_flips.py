"""`make flips`: what is judged, how flips are counted, and a small run of it all."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from bench.flips import counting
from bench.flips.calibration import Calibration
from bench.flips.judging import Judged
from bench.flips.programs import FULL, LEVELS, Submission, submissions

from proctor.types import Problem, StdinTest

ROOT = Path(__file__).parents[2]
CALIBRATION = Calibration(
    cpu_extra_s=0.002, steps_per_s=1e7, memory_limit_bytes=128, memory_bytes=140
)
PROBLEM = Problem(id="p", tests=[StdinTest(input="", output="")])
# One far from every limit, one near one.
PLAIN = Submission("plain", None, PROBLEM, "")
NEAR = Submission("CPU", 95, PROBLEM, "")

AC, TLE = Judged("AC", "AC"), Judged("TLE", "TLE")
RESCUED = Judged("AC", "TLE")


def test_the_full_set_has_every_level_and_no_two_programs_alike() -> None:
    made = submissions(FULL, CALIBRATION)
    assert len(made) == len({(one.problem.id, one.source) for one in made}) == 2000
    for kind in ("CPU by the clock", "CPU by the work", "memory"):
        assert {one.level for one in made if one.kind == kind} == set(LEVELS)
    assert {one.level for one in made if one.near} == {80, 90, 95, 100, 105, 110, 120}
    assert sum(one.level is None for one in made) > 1500


def test_the_order_is_the_same_each_time() -> None:
    assert submissions(FULL, CALIBRATION) == submissions(FULL, CALIBRATION)


@pytest.mark.parametrize(
    ("busy", "away", "near", "without_reruns"),
    [
        ([[AC, AC]], 0, 0, 0),
        ([[TLE, AC]], 1, 0, 0),
        ([[AC, TLE]], 0, 1, 1),
        ([[AC, RESCUED], [AC, RESCUED]], 0, 0, 2),
        ([[TLE, TLE], [TLE, AC]], 2, 1, 1),
    ],
)
def test_flips_are_counted_against_the_quiet_run(
    busy: list[list[Judged]], away: int, near: int, without_reruns: int
) -> None:
    counted = counting.rows([PLAIN, NEAR], [AC, AC], [AC, AC], busy)
    recorded = counting.record(counted, len(busy), {}, {})
    assert recorded["flips_away"] == away
    assert recorded["flips_near"] == near
    assert recorded["flips_near_without_reruns"] == without_reruns
    line = f"2 programs x {len(busy)} runs, {away} flips away from limits, {near} flips near limits"
    assert counting.last_line(recorded) == line


def test_a_second_quiet_run_is_the_measure_of_chance() -> None:
    (near, plain) = counting.rows([PLAIN, NEAR], [AC, AC], [AC, TLE], [[AC, AC]])
    assert (near.kind, near.quiet_again, near.busy) == ("CPU", 1, 0)
    assert (plain.quiet_again, plain.verdicts) == (0, {"AC": 1})


@pytest.mark.usefixtures("bubblewrap")
def test_a_small_run_judges_everything(tmp_path: Path) -> None:
    out = tmp_path / "flips.json"
    options = ["--quick", "--runs", "1", "--busy-loops", "1", "--workers-per-core", "2"]
    argv = [sys.executable, "-m", "bench.flips", *options, "--sandbox", "bubblewrap"]
    done = subprocess.run(
        [*argv, "--out", str(out)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("30 programs x 1 runs, 0 flips away from limits")
    recorded = json.loads(out.read_text())
    assert sum(row["programs"] for row in recorded["rows"]) == recorded["programs"] == 30
    verdicts = {verdict for row in recorded["rows"] for verdict in row["verdicts"]}
    assert {"AC", "WA", "RE", "CE", "MLE"} <= verdicts
    assert set(recorded["seconds"]) == {"quiet", "quiet again", "busy 1"}
