"""What the bench makes of its rounds."""

import io

import pytest
from bench.report import record, show
from bench.rounds import Figures
from rich.console import Console

FIGURES = Figures(
    values={
        "bare_python_ms_per_test": [12.0, 14.0, 90.0],
        "sandbox_ms_per_test": [2.0, 2.5, 2.2],
        "bare_pool_programs_per_s": [150.0, 100.0, 160.0],
        "stack_trivial_programs_per_s": [700.0, 720.0, 710.0],
        "single_p50_ms": [20.0, 21.0, 22.0],
    },
    cpu_s={"single": [{"api": 1.0, "redis": 0.3}, {"api": 2.0, "redis": 0.1}]},
    programs={"single": 200},
)


def test_a_key_is_the_median_of_its_rounds() -> None:
    recorded = record(FIGURES, {"date": "today"})
    assert recorded["date"] == "today"
    assert recorded["bare_python_ms_per_test"] == 14.0
    assert recorded["rounds"]["bare_python_ms_per_test"] == [12.0, 14.0, 90.0]
    assert recorded["cpu_seconds"] == {"single": {"api": 1.5, "redis": 0.2}}
    assert recorded["cpu_programs"] == {"single": 200}


@pytest.mark.parametrize(
    ("key", "bound", "met"),
    [
        ("sandbox_ms_per_test", 2.333, True),
        ("stack_trivial_programs_per_s", 750.0, False),
        ("single_p50_ms", 21.0, True),
    ],
)
def test_a_target_is_judged_against_bare_processes_of_the_same_run(
    key: str, bound: float, met: bool
) -> None:
    judged = record(FIGURES, {})["targets"][key]
    assert (judged["bound"], judged["met"]) == (bound, met)


def test_what_was_not_measured_is_left_out() -> None:
    recorded = record(Figures(values={"single_p50_ms": [20.0]}), {})
    assert recorded["targets"] == {}
    assert "bare_python_ms_per_test" not in recorded


def test_the_tables_show_medians_ratios_and_targets() -> None:
    screen = io.StringIO()
    show(Console(file=screen, width=100), record(FIGURES, {}))
    lines = screen.getvalue().splitlines()
    (row,) = [line for line in lines if "batch, trivial" in line]
    for words in ("710", "700 .. 720", "4.73", ">= 5 not met"):
        assert words in row
    (row,) = [line for line in lines if line.startswith("│ single")]
    assert "7.50" in row  # 1.5 s of CPU time over 200 programs
