"""Flips: verdicts that differ from those of the quiet run, counted."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.flips.judging import Judged
from bench.flips.programs import Submission

Runs = Sequence[Sequence[Judged]]


@dataclass(frozen=True, slots=True)
class Row:
    """Flips of one kind of program at one level; rates are flips by judgements.

    `quiet_again` is a second quiet run, `busy` all busy ones, `busy_once` these as they would
    have been with no program run again.
    """

    kind: str
    level: int | None
    near: bool
    programs: int
    verdicts: dict[str, int]  # of the quiet run
    judgements: int  # of the busy runs
    quiet_again: int
    busy: int
    busy_once: int


def rows(
    submissions: Sequence[Submission],
    quiet: Sequence[Judged],
    quiet_again: Sequence[Judged],
    busy: Runs,
) -> list[Row]:
    """Count flips, by kind and level in the order of their names."""
    places: dict[tuple[str, int], list[int]] = {}
    for place, one in enumerate(submissions):
        places.setdefault((one.kind, one.level or 0), []).append(place)
    return [
        Row(
            kind=submissions[there[0]].kind,
            level=submissions[there[0]].level,
            near=submissions[there[0]].near,
            programs=len(there),
            verdicts=_counted(quiet[place].verdict for place in there),
            judgements=len(there) * len(busy),
            quiet_again=_flips(there, quiet, [quiet_again], lambda one: one.verdict),
            busy=_flips(there, quiet, busy, lambda one: one.verdict),
            busy_once=_flips(there, quiet, busy, lambda one: one.first),
        )
        for _, there in sorted(places.items())
    ]


def record(
    counted: Sequence[Row], runs: int, facts: Mapping[str, Any], seconds: Mapping[str, float]
) -> dict[str, Any]:
    """Everything, ready for JSON."""
    return {
        **facts,
        "programs": sum(row.programs for row in counted),
        "runs": runs,
        "seconds": dict(seconds),
        "flips_away": sum(row.busy for row in counted if not row.near),
        "flips_near": sum(row.busy for row in counted if row.near),
        "flips_near_without_reruns": sum(row.busy_once for row in counted if row.near),
        "judgements_near": sum(row.judgements for row in counted if row.near),
        "rows": [asdict(row) for row in counted],
    }


def last_line(recorded: Mapping[str, Any]) -> str:
    """The result in one line."""
    return (
        f"{recorded['programs']} programs x {recorded['runs']} runs, "
        f"{recorded['flips_away']} flips away from limits, "
        f"{recorded['flips_near']} flips near limits"
    )


def show(console: Console, counted: Iterable[Row]) -> None:
    """Print a table."""
    table = Table(title="Verdicts that differ from the quiet run's")
    table.add_column("programs")
    table.add_column("% of limit", justify="right")
    table.add_column("number", justify="right")
    table.add_column("quiet verdicts")
    table.add_column("quiet again", justify="right")
    table.add_column("busy", justify="right", style="bold")
    table.add_column("busy, no re-runs", justify="right")
    for row in counted:
        table.add_row(
            row.kind,
            "" if row.level is None else str(row.level),
            str(row.programs),
            " ".join(f"{verdict} {count}" for verdict, count in row.verdicts.items()),
            _of(row.quiet_again, row.programs),
            _of(row.busy, row.judgements),
            _of(row.busy_once, row.judgements),
        )
    console.print(table)


def _flips(
    places: Sequence[int], quiet: Sequence[Judged], runs: Runs, said: Callable[[Judged], str]
) -> int:
    return sum(said(run[place]) != said(quiet[place]) for run in runs for place in places)


def _counted(verdicts: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for verdict in verdicts:
        counts[verdict] = counts.get(verdict, 0) + 1
    return dict(sorted(counts.items()))


def _of(flips: int, judgements: int) -> str:
    return f"{flips} of {judgements}" if flips else "0"
