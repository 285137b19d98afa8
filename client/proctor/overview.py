"""The overview: how the service does, as a page of a terminal."""

import time
from collections.abc import Iterable, Sequence
from itertools import groupby

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from proctor.summary import STYLES
from proctor.types import MemoryStats, Spread, Stats, StatsBucket, Verdict, WorkerStats

_BARS = " ▁▂▃▄▅▆▇█"
_STATES = {"busy": "green", "idle": "", "starting": "yellow", "no sandbox": "bold red"}
# Workers that can run programs.
_ABLE = ("idle", "busy")
_LABEL_CHARS = 11
# Of the workers' table: between columns, and what a host's name has in any case.
_GAP = 2
_HOST_CHARS = 16
_NUMBERS = ("pid", "/s", "programs", "up")


def reasons(stats: Stats) -> list[str]:
    """Why programs that are posted now would not be run; empty where they would."""
    found = []
    if not any(worker.state in _ABLE for worker in stats.workers):
        found.append("no worker has a sandbox" if stats.workers else "no worker is there")
    if stats.memory.nearly_full:
        found.append("Redis's memory is nearly full")
    return found


class Overview:
    """One page: what waits, how fast it goes, what came of the last hour, who works.

    Args:
        stats: what the server told.
        url: where it is.
        stale: why there is nothing newer, if there should be.
    """

    def __init__(self, stats: Stats, url: str, stale: str = "") -> None:
        self._stats = stats
        self._url = url
        self._stale = stale

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Fits the width there is: the narrower, the less is told of each worker."""
        stats, width = self._stats, options.max_width
        yield Text.assemble(
            ("Proctor ", "bold"), f"{stats.version} at {self._url}  ", self._state()
        )
        if self._stale:
            yield Text(self._stale, style="bold red")
        yield Text()
        facts = Table(show_header=False, box=None, padding=(0, 1, 0, 0))
        facts.add_column(style="bold", width=_LABEL_CHARS, no_wrap=True)
        facts.add_column(overflow="fold")
        for label, words in self._facts(width - _LABEL_CHARS - 2):
            facts.add_row(label, words)
        yield facts
        if stats.workers:
            yield Text()
            yield _workers(stats.workers, stats.at, width)

    def _state(self) -> Text:
        why = reasons(self._stats)
        state = Text("; ".join(why), "bold red") if why else Text("ready", "bold green")
        return Text.assemble(state, (f"  {_clock(self._stats.at)}", "dim"))

    def _facts(self, width: int) -> Iterable[tuple[str, Text | str]]:
        stats = self._stats
        queue = f"{stats.pending:,} programs, {stats.waiting_chunks:,} jobs waiting"
        if stats.oldest_wait_s is not None:
            queue += f", the oldest for {_duration(stats.oldest_wait_s)}"
        yield "queue", queue if stats.pending else "empty"
        yield "rate", f"{_rate(stats.programs_per_s)} programs/s over the last minute"
        yield "redis", _memory(stats.memory)
        if not stats.history:
            yield "last hour", "nothing was run"
            return
        yield "last hour", Text(_sparkline(stats.history, stats.at, width), "cyan")
        yield "", _verdicts(stats.verdicts)
        yield "wait", _latest((each.at, each.queue_wait_s) for each in stats.history)
        yield "run", _latest((each.at, each.run_s) for each in stats.history)
        yield "cached", f"{stats.cached_share:.1%} of results"
        if stats.faults:
            causes = ", ".join(f"{cause} {count:,}" for cause, count in stats.faults.items())
            yield "our faults", Text(f"{stats.ie_share:.2%} of results: {causes}", "bold red")


def _memory(memory: MemoryStats) -> Text:
    style = "bold red" if memory.nearly_full else ""
    if memory.limit_bytes is None:
        return Text(f"{_size(memory.used_bytes)} of memory, no limit", style)
    share = memory.used_bytes / memory.limit_bytes
    used, limit = _size(memory.used_bytes), _size(memory.limit_bytes)
    return Text(f"{used} of memory, {share:.0%} of {limit}", style)


def _verdicts(counts: dict[str, int]) -> Text:
    """Verdicts and their counts on one line; a newer server may have some that are unknown."""
    known = [verdict.value for verdict in Verdict if verdict.value in counts]
    parts = [
        Text(f"{verdict} {counts[verdict]:,}", STYLES[Verdict(verdict)] if verdict in known else "")
        for verdict in [*known, *sorted(counts.keys() - set(known))]
    ]
    return Text("  ").join(parts)


def _latest(spreads: Iterable[tuple[float, Spread | None]]) -> str:
    """The latest ten seconds that have figures, and when they were."""
    found = [(at, spread) for at, spread in spreads if spread is not None]
    if not found:
        return "nothing was measured: all was known already"
    at, spread = found[-1]
    median, slow = _duration(spread.p50), _duration(spread.p95)
    return f"{median} median, {slow} 95th percentile (at {_clock(at)})"


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))


def _sparkline(history: Sequence[StatsBucket], now: float, width: int) -> str:
    """Programs by minute of the last hour, the latest at the right."""
    minutes = min(60, max(width, 1))
    heights = [0] * minutes
    for ago, buckets in groupby(history, lambda bucket: int((now - bucket.at) // 60)):
        if 0 <= ago < minutes:
            heights[minutes - 1 - ago] += sum(bucket.programs for bucket in buckets)
    most = max(heights) or 1
    # What is not nothing is seen.
    return "".join(_BARS[-(-height * (len(_BARS) - 1) // most)] for height in heights)


def _workers(workers: Sequence[WorkerStats], now: float, width: int) -> Table:
    """Columns from the left that fit; what is left of the width is the host's name."""
    columns: dict[str, list[str]] = {
        "state": [one.state for one in workers],
        "runs": [one.language or "-" for one in workers],
        "/s": [_rate(one.units_per_s) for one in workers],
        "programs": [f"{one.units:,}" for one in workers],
        "pid": [str(one.pid) for one in workers],
        "for batch": [(one.batch or "-")[:8] for one in workers],
        "sandbox": [f"{one.backend} ({one.runtime})" for one in workers],
        "up": [_duration(max(0.0, now - one.started_at)) for one in workers],
    }
    hosts = ["worker", *(one.host for one in workers)]
    room = width - min(_HOST_CHARS, max(map(len, hosts))) - _GAP
    table = Table(box=None, padding=(0, _GAP, 0, 0), header_style="bold", pad_edge=False)
    table.add_column(hosts[0], no_wrap=True, max_width=width)
    shown = []
    for name, cells in columns.items():
        room -= max(map(len, [name, *cells])) + _GAP
        if room < 0:
            break
        shown.append(cells)
        table.add_column(name, no_wrap=True, justify="right" if name in _NUMBERS else "left")
    for one, *cells in zip(workers, *shown, strict=True):
        styled = [Text(cell, _STATES.get(cell, "")) for cell in cells]
        host = Text(_shortened(one.host, max(room, 0) + _HOST_CHARS))
        table.add_row(host, *styled)
    return table


def _shortened(host: str, chars: int) -> str:
    """A host's name in so many characters at most."""
    return host if len(host) <= chars else host[: chars - 1] + "…"


def _rate(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 or number == 0 else f"{number:.1f}"


def _size(number: int) -> str:
    """Bytes, with the unit that suits them: 12 MiB, 3.6 GiB."""
    mib = number / 2**20
    return f"{mib:.0f} MiB" if round(mib) < 1024 else f"{mib / 1024:.1f} GiB"


def _duration(seconds: float) -> str:
    """With the unit that suits it: 3.2 ms, 1.4 s, 12 min, 3.5 h, 2 d."""
    for unit, most, size in (
        ("ms", 1, 0.001),
        ("s", 100, 1),
        ("min", 6000, 60),
        ("h", 172_800, 3600),
    ):
        if seconds < most:
            number = seconds / size
            return f"{number:.1f} {unit}" if number < 10 else f"{number:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"
