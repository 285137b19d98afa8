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
        programs: how many there were.
        problems: how many distinct problems they were for; None if that was not counted.
        verdicts: how many of each.
        cancelled: how many were cancelled.
        unscored: how many have no reward: IE, cancelled, and those for which no result came.
        mean_reward: over those that have one; None if none has.
        mean_pass_rate: likewise.
        accepted: share of AC among those with a verdict of their own; None if none has.
        pass_at_1: per problem the share of its programs that is AC, averaged over problems;
            None if problems were not counted.
        mean_queue_time_s: of those with a verdict, how long they waited for a worker.
        mean_run_time_s: of those that were run for this, how long that took.
    """

    programs: int
    problems: int | None
    verdicts: dict[Verdict, int]
    cancelled: int
    unscored: int
    mean_reward: float | None
    mean_pass_rate: float | None
    accepted: float | None
    pass_at_1: float | None
    mean_queue_time_s: float | None
    mean_run_time_s: float | None

    @classmethod
    def of(cls, results: Iterable[Result | None]) -> "Summary":
        """Sum up results; None stands for one that did not come."""
        tally = Tally()
        for result in results:
            tally.add(result)
        return tally.summary()

    def as_metrics(self, prefix: str = "proctor/") -> dict[str, float]:
        """Flat numbers for a trainer's log: counts as shares, times in seconds.

        There is a share for every verdict, of all the programs. A mean of nothing is left out.
        """
        shares = {
            f"verdict/{verdict}": self.verdicts.get(verdict, 0) / self.programs
            for verdict in Verdict
            if self.programs
        }
        means = {
            "null_share": self.unscored / self.programs if self.programs else None,
            "reward": self.mean_reward,
            "pass_rate": self.mean_pass_rate,
            "accepted": self.accepted,
            "queue_time_s": self.mean_queue_time_s,
            "run_time_s": self.mean_run_time_s,
        }
        found = shares | {name: mean for name, mean in means.items() if mean is not None}
        return {f"{prefix}{name}": value for name, value in found.items()}

    def as_json(self) -> dict[str, object]:
        """The same as plain values."""
        return asdict(self)


class Tally:
    """Sums up results one by one. Keeps counts, never results.

    Args:
        by_problem: count problems too, for pass@1; takes memory for each distinct one.
    """

    def __init__(self, *, by_problem: bool = True) -> None:
        self._programs = 0
        self._verdicts: Counter[Verdict] = Counter()
        self._cancelled = 0
        self._rewards = _Mean()
        self._rates = _Mean()
        self._accepted = _Mean()
        self._queued = _Mean()
        self._ran = _Mean()
        self._of: defaultdict[str, _Mean] | None = defaultdict(_Mean) if by_problem else None

    def add(self, result: Result | None) -> None:
        """Count a result; None is one that did not come."""
        self._programs += 1
        if result is None:
            return
        self._cancelled += result.state == "cancelled"
        self._rewards.add(result.reward)
        self._rates.add(result.pass_rate)
        problem = self._of[result.problem_id] if self._of is not None else None
        if result.verdict is None:
            return
        self._verdicts[result.verdict] += 1
        self._queued.add(result.queue_time_s)
        if not result.cached:
            self._ran.add(result.run_time_s)
        if result.verdict is not Verdict.IE:
            accepted = float(result.verdict is Verdict.AC)
            self._accepted.add(accepted)
            if problem is not None:
                problem.add(accepted)

    def summary(self) -> Summary:
        """What was added so far, as a whole."""
        pass_at_1 = _Mean()
        for of in (self._of or {}).values():
            pass_at_1.add(of.value)
        return Summary(
            programs=self._programs,
            problems=None if self._of is None else len(self._of),
            verdicts={v: self._verdicts[v] for v in Verdict if self._verdicts[v]},
            cancelled=self._cancelled,
            unscored=self._programs - self._rewards.count,
            mean_reward=self._rewards.value,
            mean_pass_rate=self._rates.value,
            accepted=self._accepted.value,
            pass_at_1=pass_at_1.value,
            mean_queue_time_s=self._queued.value,
            mean_run_time_s=self._ran.value,
        )


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
    problems = "" if summary.problems is None else f" for {summary.problems} problem(s)"
    table.add_row("programs", f"{summary.programs}{problems}")
    table.add_row("verdicts", verdict_text(summary.verdicts) or "none")
    if summary.cancelled:
        table.add_row("cancelled", str(summary.cancelled))
    table.add_row("mean reward", _shown(summary.mean_reward))
    table.add_row("mean pass rate", _shown(summary.mean_pass_rate))
    table.add_row("pass@1", _shown(summary.pass_at_1))
    if summary.unscored:
        table.add_row("without reward", Text(str(summary.unscored), style="bold red"))
    if summary.mean_queue_time_s is not None:
        ran = "" if (run := summary.mean_run_time_s) is None else f", ran {run:.3f} s"
        table.add_row("on average", f"waited {summary.mean_queue_time_s:.3f} s{ran}")
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


class _Mean:
    """The mean of the numbers added; None is no number."""

    def __init__(self) -> None:
        self.count = 0
        self._sum = 0.0

    def add(self, number: float | None) -> None:
        if number is not None:
            self.count += 1
            self._sum += number

    @property
    def value(self) -> float | None:
        return self._sum / self.count if self.count else None


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
