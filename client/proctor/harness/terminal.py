"""A report for a terminal."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from proctor.harness import wording
from proctor.harness.report import Report

# A screen's worth; every written report has all of them.
_SHOWN = 20


def show(report: Report, console: Console) -> None:
    """Print the lowest problems, the slowest programs, what was not scored, and the whole."""
    _show_problems(report, console)
    if report.slowest:
        table = _table("slowest programs", "CPU s", "verdict", "")
        for slow in report.slowest:
            place = f"sample {slow.sample}"
            table.add_row(slow.problem_id, f"{slow.cpu_time_s:.3f}", slow.verdict, place)
        console.print(table)
    if report.unscored:
        table = _table("not scored: a failure of Proctor's, not of the program", "", "")
        for each in report.unscored[:_SHOWN]:
            table.add_row(each.problem_id, f"sample {each.sample}", each.reason)
        _print_cut(console, table, len(report.unscored))
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in wording.overall(report):
        table.add_row(Text(name, style="bold"), Text(value))
    for gate in report.gates:
        style, word = ("green", "passed") if gate.passed else ("bold red", "FAILED")
        table.add_row(Text(gate.name, style="bold"), Text(f"{word}: {gate.detail}", style=style))
    console.print(table)


# -- helpers ----------------------------------------------------------------------------------


def _show_problems(report: Report, console: Console) -> None:
    table = Table(*wording.PROBLEM_HEADS, box=None, pad_edge=False)
    for column in (1, 2, 3, 5):
        table.columns[column].justify = "right"
    for score in wording.lowest_first(report)[:_SHOWN]:
        style = "green" if score.accepted == score.scored else "" if score.solved else "yellow"
        table.add_row(*map(Text, wording.problem_row(score)), style=style)
    _print_cut(console, table, len(report.problems))


def _print_cut(console: Console, table: Table, rows: int) -> None:
    console.print(table)
    if rows > _SHOWN:
        console.print(
            f"the first {_SHOWN} of {rows}, lowest first; a --report has all", style="dim"
        )
    console.print()


def _table(*heads: str) -> Table:
    return Table(*heads, box=None, pad_edge=False)
