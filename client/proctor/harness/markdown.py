"""A report in Markdown, as forges show it in a job's summary or a comment."""

from collections.abc import Iterable, Sequence

from proctor.harness import wording
from proctor.harness.report import Report


def render(report: Report) -> str:
    """The report as GitHub's and GitLab's Markdown."""
    parts = [f"## proctor eval: {report.problem_set}", ""]
    if report.gates:
        parts += [
            *(
                f"- {'✅' if gate.passed else '❌'} {gate.name}: {gate.detail}"
                for gate in report.gates
            ),
            "",
        ]
    parts += _table(("", ""), wording.overall(report))
    if report.slowest:
        rows = [
            (slow.problem_id, f"{slow.cpu_time_s:.3f}", slow.verdict, str(slow.sample))
            for slow in report.slowest
        ]
        parts += _folded("Slowest programs", ("problem", "CPU s", "verdict", "sample"), rows)
    if report.unscored:
        lost = [(each.problem_id, str(each.sample), each.reason) for each in report.unscored]
        parts += _folded("Not scored", ("problem", "sample", "reason"), lost)
    rows_by_problem = map(wording.problem_row, wording.lowest_first(report))
    parts += _folded("By problem, lowest first", wording.PROBLEM_HEADS, rows_by_problem)
    return "\n".join([*parts, wording.METHOD, ""])


# -- helpers ----------------------------------------------------------------------------------


def _folded(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    table = _table(heads, rows)
    return ["<details>", f"<summary>{title}</summary>", "", *table, "</details>", ""]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [_row(heads), _row(["---"] * len(heads)), *map(_row, rows)]
    return [*lines, ""]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(_cell, cells)) + " |"


def _cell(text: str) -> str:
    # A reason is a sentence of the server's: what would end the cell or begin a tag is escaped.
    for sign, stand_in in (("&", "&amp;"), ("<", "&lt;"), ("|", "\\|")):
        text = text.replace(sign, stand_in)
    return " ".join(text.split())
