"""What a batch of results says as a whole."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from proctor.types import Result, Verdict

# Green is right, yellow is the program's fault, red is ours.
STYLES: dict[Verdict, str] = dict.fromkeys(Verdict, "yellow") | {
    Verdict.AC: "green",
    Verdict.IE: "bold red",
}


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts and means. Programs without a verdict or reward of their own are not averaged in.

    Attributes:
        programs: how many results there were.
        problems: how many distinct problems they were for.
        verdicts: how many of each.
        cancelled: how many were cancelled.
        unscored: how many have no reward: IE and cancelled.
        mean_reward: over those that have one; None if none has.
        mean_pass_rate: likewise.
        pass_at_1: per problem the share of its programs that is AC, averaged over problems.
    """

    programs: int
    problems: int
    verdicts: dict[Verdict, int]
    cancelled: int
    unscored: int
    mean_reward: float | None
    mean_pass_rate: float | None
    pass_at_1: float | None

    @classmethod
    def of(cls, results: Iterable[Result]) -> "Summary":
        """Sum up results."""
        found = list(results)
        counts = Counter(result.verdict for result in found)
        accepted: defaultdict[str, list[float]] = defaultdict(list)
        for result in found:
            if result.verdict is not None and result.verdict is not Verdict.IE:
                accepted[result.problem_id].append(float(result.verdict is Verdict.AC))
        rewards = [result.reward for result in found if result.reward is not None]
        rates = [result.pass_rate for result in found if result.pass_rate is not None]
        return cls(
            programs=len(found),
            problems=len({result.problem_id for result in found}),
            verdicts={verdict: counts[verdict] for verdict in Verdict if counts[verdict]},
            cancelled=sum(result.state == "cancelled" for result in found),
            unscored=len(found) - len(rewards),
            mean_reward=_mean(rewards),
            mean_pass_rate=_mean(rates),
            pass_at_1=_mean(
                [share for of in accepted.values() if (share := _mean(of)) is not None]
            ),
        )

    def as_json(self) -> dict[str, object]:
        """The same as plain values."""
        return asdict(self)


def verdict_text(counts: dict[Verdict, int]) -> Text:
    """Verdicts and their counts on one line, in colour."""
    parts = [
        Text(f"{verdict} {counts[verdict]}", style=STYLES[verdict])
        for verdict in Verdict
        if counts.get(verdict)
    ]
    return Text("  ").join(parts)


def summary_table(summary: Summary, seconds: float | None = None) -> Table:
    """A summary to print; `seconds` is how long it took, for the throughput."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    table.add_row("programs", f"{summary.programs} for {summary.problems} problem(s)")
    table.add_row("verdicts", verdict_text(summary.verdicts) or "none")
    if summary.cancelled:
        table.add_row("cancelled", str(summary.cancelled))
    table.add_row("mean reward", _shown(summary.mean_reward))
    table.add_row("mean pass rate", _shown(summary.mean_pass_rate))
    table.add_row("pass@1", _shown(summary.pass_at_1))
    if summary.unscored:
        table.add_row("without reward", Text(str(summary.unscored), style="bold red"))
    if seconds:
        table.add_row("time", f"{seconds:.2f} s, {summary.programs / seconds:.1f} programs/s")
    return table


def show_result(result: Result, console: Console) -> None:
    """Print one result with its tests."""
    verdict = result.verdict
    head = Text(str(verdict or result.state), style=STYLES[verdict] if verdict else "bold red")
    reward = "null" if result.reward is None else f"{result.reward:g}"
    console.print(head, f"{result.passed} of {result.total} test(s), reward {reward}")
    for said in (result.compile_output, result.reason):
        if said:
            console.print(Text(said.rstrip()))
    if not result.tests:
        return
    table = Table("test", "verdict", "passed", "CPU s", "wall s", "MiB", "exit", box=None)
    for number, test in enumerate(result.tests, 1):
        end = f"signal {test.signal}" if test.signal else str(test.exit_code or 0)
        table.add_row(
            str(number),
            Text(test.verdict, style=STYLES[test.verdict]),
            f"{test.passed}/{test.total}",
            f"{test.cpu_time_s:.3f}",
            f"{test.wall_time_s:.3f}",
            f"{test.memory_mb:.0f}",
            end,
        )
    console.print(table)


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
