"""What was measured, as JSON and as tables."""

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.rounds import Figures

BARE_MS = "bare_python_ms_per_test"
BARE_POOL = "bare_pool_programs_per_s"
BARE_CPP_MS = "bare_cpp_20_tests_ms"
RUN_CODE_ALONE = "run_code_alone_requests_per_s"


@dataclass(frozen=True, slots=True)
class Row:
    """How a key is shown, and the key that it is put beside."""

    words: str
    unit: str
    base: str | None = None


ROWS: dict[str, Row] = {
    BARE_MS: Row("bare python3", "ms/test"),
    "docker_run_ms_per_test": Row("docker run", "ms/test", BARE_MS),
    "sandbox_ms_per_test": Row("sandbox, 10 tests", "ms/test", BARE_MS),
    "sandbox_ms_per_program_of_one_test": Row("sandbox, 1 test", "ms/program", BARE_MS),
    "single_p50_ms": Row("one request, p50", "ms", BARE_MS),
    "single_p99_ms": Row("one request, p99", "ms", BARE_MS),
    BARE_POOL: Row("bare python3 on all cores", "programs/s"),
    "stack_trivial_programs_per_s": Row("batch, trivial", "programs/s", BARE_POOL),
    "callers64_programs_per_s": Row("64 callers, trivial", "programs/s", BARE_POOL),
    RUN_CODE_ALONE: Row("/run_code, 1 caller", "requests/s"),
    "run_code_callers64_requests_per_s": Row(
        "/run_code, 64 callers; x 1 caller", "requests/s", RUN_CODE_ALONE
    ),
    "stack_humaneval_programs_per_s": Row("batch, HumanEval", "programs/s"),
    BARE_CPP_MS: Row("bare g++, 20 tests", "ms/program"),
    "cpp_20_tests_ms": Row("sandbox, C++, 20 tests", "ms/program", BARE_CPP_MS),
}


@dataclass(frozen=True, slots=True)
class Target:
    """A bound on one key, `factor` times another of the same run."""

    key: str
    factor: float
    base: str
    at_least: bool
    words: str  # of x bare


TARGETS = (
    Target("sandbox_ms_per_test", 1 / 6, BARE_MS, False, "<= 1/6"),
    Target("stack_trivial_programs_per_s", 5, BARE_POOL, True, ">= 5"),
    Target("single_p50_ms", 1.5, BARE_MS, False, "<= 1.5"),
)


def record(figures: Figures, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Everything, ready for JSON: the median of each key, and the rounds behind it."""
    medians = {key: _rounded(statistics.median(figures.values[key])) for key in _measured(figures)}
    return {
        **facts,
        **medians,
        "rounds": {key: [_rounded(v) for v in figures.values[key]] for key in medians},
        "cpu_seconds": {name: _middle(rounds) for name, rounds in figures.cpu_s.items()},
        "cpu_programs": {name: figures.programs[name] for name in figures.cpu_s},
        "targets": {target.key: found for target, found in _judged(medians)},
    }


def show(console: Console, recorded: Mapping[str, Any]) -> None:
    """Print a record as tables."""
    console.print(_figures_table(recorded))
    if recorded["cpu_seconds"]:
        console.print(_cpu_table(recorded))


def _figures_table(recorded: Mapping[str, Any]) -> Table:
    table = Table(title="Medians of the rounds")
    table.add_column("what")
    table.add_column("unit")
    table.add_column("median", justify="right", style="bold")
    table.add_column("min .. max", justify="right", style="dim")
    table.add_column("x bare", justify="right")
    table.add_column("target")
    wanted = {target.key: target for target in TARGETS}
    for key, row in ROWS.items():
        if key not in recorded:
            continue
        rounds = recorded["rounds"][key]
        ratio = ""
        if row.base is not None and row.base in recorded:
            ratio = f"{recorded[key] / recorded[row.base]:.2f}"
        target = ""
        if (judged := recorded["targets"].get(key)) is not None:
            verdict = "[green]met[/]" if judged["met"] else "[red]not met[/]"
            target = f"{wanted[key].words} {verdict}"
        spread = f"{_short(min(rounds))} .. {_short(max(rounds))}"
        table.add_row(row.words, row.unit, _short(recorded[key]), spread, ratio, target)
    return table


def _cpu_table(recorded: Mapping[str, Any]) -> Table:
    table = Table(title="CPU ms per program, by part (engine, others: whoever used them)")
    table.add_column("whole stack")
    parts = list(next(iter(recorded["cpu_seconds"].values())))
    for part in parts:
        table.add_column(part, justify="right")
    for name, seconds in recorded["cpu_seconds"].items():
        programs = recorded["cpu_programs"][name]
        table.add_row(name, *(f"{seconds[part] * 1000 / programs:.2f}" for part in parts))
    return table


def _measured(figures: Figures) -> list[str]:
    return [key for key in ROWS if key in figures.values]


def _judged(medians: Mapping[str, float]) -> Iterator[tuple[Target, dict[str, Any]]]:
    """Targets whose two keys were both measured."""
    for target in TARGETS:
        if target.key in medians and target.base in medians:
            value, bound = medians[target.key], target.factor * medians[target.base]
            met = value >= bound if target.at_least else value <= bound
            rule = f"{'>=' if target.at_least else '<='} {target.factor:.4g} * {target.base}"
            yield target, {"rule": rule, "bound": _rounded(bound), "met": met}


def _middle(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {part: _rounded(statistics.median(one[part] for one in rounds)) for part in rounds[0]}


def _rounded(value: float) -> float:
    """To four digits: more than the noise leaves."""
    return float(f"{value:.4g}")


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
