"""The demo's report: what was wanted and earned, how fast, and where the time went."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from rich.console import Console
from rich.table import Table

from proctor.summary import STYLES, verdict_text
from proctor.types import Result
from proctor_server.demo_programs import CANONICAL, EMPTY, HOSTILE, PARTIAL, Expectation

# More than this many deviations have one cause; the first ones show it.
_SHOWN_DEVIATIONS = 40


@dataclass(frozen=True, slots=True)
class Outcome:
    """One program's expectation with the result that came for it."""

    expectation: Expectation
    result: Result

    @property
    def deviation(self) -> str | None:
        return self.expectation.deviation(self.result)


@dataclass(frozen=True, slots=True)
class Timing:
    """Where the demo's time went, in seconds of wall time, and over how many workers."""

    accept_s: float
    total_s: float
    workers: int


def paired(expected: Sequence[Expectation], results: Sequence[Result]) -> list[Outcome]:
    """Each expectation with its result. Raises ValueError unless there is exactly one for each."""
    times = Counter(result.index for result in results)
    wrong = sorted(index for index in range(len(expected)) if times[index] != 1)
    if wrong or len(results) != len(expected):
        raise ValueError(
            f"{len(results)} results came for {len(expected)} programs; "
            f"not exactly one for those at {wrong[:10]}"
        )
    return [Outcome(expected[result.index], result) for result in results]


def deviations(outcomes: Sequence[Outcome]) -> list[str]:
    """Every result that is not as wanted, one line each."""
    return [told for outcome in outcomes if (told := outcome.deviation) is not None]


def show(console: Console, outcomes: Sequence[Outcome], timing: Timing) -> None:
    """Print everything."""
    console.print(_groups(outcomes))
    console.print()
    console.print(_singles(outcomes))
    console.print()
    console.print(_time(outcomes, timing))
    found = deviations(outcomes)
    console.print()
    if not found:
        console.print(f"All {len(outcomes)} programs earned what they should.", style="green")
        return
    console.print(f"{len(found)} of {len(outcomes)} programs did not:", style="bold red")
    for told in found[:_SHOWN_DEVIATIONS]:
        console.print(f"  {told}", markup=False)
    if len(found) > _SHOWN_DEVIATIONS:
        console.print(f"  and {len(found) - _SHOWN_DEVIATIONS} more")


def _groups(outcomes: Sequence[Outcome]) -> Table:
    table = Table(title="Verdicts and rewards", title_justify="left")
    table.add_column("programs")
    for name in ("as wanted", "mean pass rate", "mean reward"):
        table.add_column(name, justify="right")
    table.add_column("verdicts")
    for group in (CANONICAL, EMPTY, PARTIAL, HOSTILE):
        of = [outcome for outcome in outcomes if outcome.expectation.group == group]
        results = [outcome.result for outcome in of]
        right = sum(outcome.deviation is None for outcome in of)
        table.add_row(
            group,
            f"{right} / {len(of)}",
            _mean([one.pass_rate for one in results]),
            _mean([one.reward for one in results]),
            verdict_text(Counter(one.verdict for one in results if one.verdict is not None)),
            style=None if right == len(of) else "red",
        )
    return table


def _singles(outcomes: Sequence[Outcome]) -> Table:
    table = Table(title="One by one", title_justify="left")
    for name in ("program", "wanted", "verdict"):
        table.add_column(name)
    for name in ("pass rate", "reward", "CPU", "time"):
        table.add_column(name, justify="right")
    for outcome in sorted(outcomes, key=lambda one: one.result.index):
        expectation, result = outcome.expectation, outcome.result
        if expectation.group not in (HOSTILE, PARTIAL):
            continue
        verdict = result.verdict
        table.add_row(
            expectation.name,
            " or ".join(sorted(expectation.verdicts)),
            f"[{STYLES[verdict]}]{verdict}[/]" if verdict is not None else result.state,
            _mean([result.pass_rate]),
            _mean([result.reward]),
            f"{sum(test.cpu_time_s for test in result.tests):.2f} s",
            f"{result.run_time_s:.2f} s",
            style=None if outcome.deviation is None else "red",
        )
    return table


def _time(outcomes: Sequence[Outcome], timing: Timing) -> Table:
    results = [outcome.result for outcome in outcomes]
    run_s = [result.run_time_s for result in results]
    queue_s = [result.queue_time_s for result in results]
    tests = sum(result.total for result in results)
    busy = sum(run_s) / (timing.workers * timing.total_s)
    slow = sum(one.result.run_time_s for one in outcomes if one.expectation.group == HOSTILE)
    table = Table(title="Time", title_justify="left", show_header=False)
    table.add_row("batch, post to last result", f"{timing.total_s:.2f} s")
    table.add_row(
        "throughput",
        f"{len(results) / timing.total_s:.0f} programs/s, {tests / timing.total_s:.0f} tests/s",
    )
    table.add_row("accept: check, store, enqueue", f"{timing.accept_s * 1000:.0f} ms for all")
    table.add_row(
        "queue: until a worker begins",
        f"{median(queue_s):.2f} s median, {max(queue_s):.2f} s at most",
    )
    table.add_row(
        "run: in the sandboxes",
        f"{sum(run_s):.2f} s on {timing.workers} workers, {busy:.0%} of their time; "
        f"{median(run_s) * 1000:.1f} ms median",
    )
    table.add_row("of which broken and hostile", f"{slow:.2f} s")
    return table


def _mean(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{fmean(known):.3f}" if known else "-"
