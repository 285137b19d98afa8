"""A progress bar over results as they come in."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
)
from rich.text import Text

from proctor.summary import verdict_text
from proctor.types import Result, Verdict


class ResultsProgress:
    """A bar with rate, time left and the verdicts so far.

        with ResultsProgress(batch.total) as bar:
            results = list(bar.track(batch.results()))

    Args:
        total: how many results are to come; None where that is not known.
        title: what stands before the bar.
        console: where to draw; standard error by default, so that output can be piped.
            Where that is no terminal, only the last state is written, as one line.
    """

    def __init__(
        self, total: int | None, title: str = "Scoring", console: Console | None = None
    ) -> None:
        self._counts: Counter[Verdict] = Counter()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _RateColumn(),
            _TimeColumn(),
            _VerdictColumn(self._counts),
            console=console or Console(stderr=True),
        )
        self._task = self._progress.add_task(title, total=total)

    def add(self, result: Result) -> None:
        """Count one result."""
        if result.verdict is not None:
            self._counts[result.verdict] += 1
        self._progress.advance(self._task)

    def track(self, results: Iterable[Result]) -> Iterator[Result]:
        """Pass results through and count them."""
        for result in results:
            self.add(result)
            yield result

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.0f}/s", style="cyan")


class _TimeColumn(ProgressColumn):
    """The time left, and at the end the time that it took."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        if task.finished_time is not None:
            return Text(f"in {_clock(task.finished_time)}", style="cyan")
        left_s = task.time_remaining
        return Text("" if left_s is None else f"{_clock(left_s)} left", style="cyan")


class _VerdictColumn(ProgressColumn):
    def __init__(self, counts: dict[Verdict, int]) -> None:
        super().__init__()
        self._counts = counts

    def render(self, task: Task) -> Text:
        return verdict_text(self._counts)


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
