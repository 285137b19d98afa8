"""A report as one HTML file that opens offline: its style and its charts are inside.

jinja2 and matplotlib, of the extra `report`, are imported when a page is made.
"""

from importlib import resources
from importlib.util import find_spec

from proctor.harness import wording
from proctor.harness.charts import charts
from proctor.harness.report import Report


class NoReportExtra(Exception):
    """Raised when what the page is made with is not installed; says how to have it."""


def check_installed() -> None:
    """Raise NoReportExtra, before a run rather than after it, where no page could be made."""
    missing = [name for name in ("jinja2", "matplotlib") if find_spec(name) is None]
    if missing:
        raise NoReportExtra(
            f"an HTML report needs {' and '.join(missing)}: pip install 'proctor[report]'"
        )


def render(report: Report) -> str:
    """The page. Raises NoReportExtra."""
    check_installed()
    import jinja2

    template = resources.files(__package__).joinpath("report.html.j2").read_text("utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(template).render(
        report=report,
        overall=wording.overall(report),
        heads=wording.PROBLEM_HEADS,
        problems=[(score, wording.problem_row(score)) for score in wording.lowest_first(report)],
        charts=charts(report),
        method=wording.METHOD,
    )
