"""The reports of `proctor eval`, each read as those read it for whom it is made."""

import io
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest
from junitparser import Error, Failure, JUnitXml
from rich.console import Console

from proctor.harness import charts, html, junit, markdown, terminal
from proctor.harness.report import BadReport, Report, read_report
from tests.client.reports import a_report

# What Jenkins' junit-10.xsd lets an element have: attributes (True: it must), and children.
SHAPE: dict[str, tuple[dict[str, bool], set[str]]] = {
    "testsuites": (
        dict.fromkeys(("name", "time", "tests", "failures", "errors"), False),
        {"testsuite"},
    ),
    "testsuite": (
        {"name": True, "tests": True}
        | dict.fromkeys(("failures", "errors", "skipped", "time", "timestamp", "hostname"), False),
        {"properties", "testcase", "system-out", "system-err"},
    ),
    "properties": ({}, {"property"}),
    "property": ({"name": True, "value": True}, set()),
    "testcase": (
        {"name": True, "classname": False, "time": False},
        {"skipped", "error", "failure", "system-out", "system-err"},
    ),
    "failure": ({"type": False, "message": False}, set()),
    "error": ({"type": False, "message": False}, set()),
    "system-out": ({}, set()),
}


@pytest.fixture
def report() -> Report:
    return a_report()


def test_figures_leave_out_what_was_not_scored(report: Report) -> None:
    one, two, three = (report.pass_at_k[k] for k in (1, 2, 3))
    assert one is not None
    assert two is not None
    assert (one.value, two.value, three) == (0.25, 0.5, None)
    assert report.mean_pass_rate is not None
    assert report.mean_pass_rate.value == pytest.approx((0.625 + 0.625) / 2)
    assert [each.problem_id for each in report.slowest] == ["set/a", "set/a", "set/b", "set/b"]


def test_json_comes_back_as_it_was(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(report.model_dump_json())
    assert read_report(path) == report
    path.write_text("{}")
    with pytest.raises(BadReport, match="no JSON report"):
        read_report(path)


def test_junit_is_what_ci_systems_read(report: Report) -> None:
    suites = list(JUnitXml.fromstring(junit.render(report).encode()))
    assert [(s.name, s.tests, s.failures, s.errors) for s in suites] == [
        ("set", 2, 1, 0),
        ("other", 1, 0, 1),
    ]
    cases = {case.name: case for suite in suites for case in suite}
    assert cases["set/a"].is_passed
    (failure,) = cases["set/b"].result
    assert isinstance(failure, Failure)
    assert failure.type == "TLE"
    assert failure.message == (
        "none of 2 sample(s) accepted: TLE 2; the best passed 3 of 4 test case(s)"
    )
    (error,) = cases["other/<c>"].result
    assert isinstance(error, Error)
    assert error.message.endswith("sandbox | lost \N{REPLACEMENT CHARACTER}<b>")


def test_junit_has_the_shape_of_the_common_schema(report: Report) -> None:
    root = ET.fromstring(junit.render(report))  # noqa: S314  our own
    assert root.tag == "testsuites"
    for element in root.iter():
        attributes, children = SHAPE[element.tag]
        assert element.attrib.keys() <= attributes.keys(), element.tag
        assert {name for name, must in attributes.items() if must} <= element.attrib.keys()
        assert {child.tag for child in element} <= children


def test_markdown_has_a_row_for_each_problem_and_nothing_that_breaks_one(report: Report) -> None:
    text = markdown.render(report)
    assert "- ❌ min-pass-at-1: 0.2500 < 0.5" in text
    assert "| set/b | 0/2 | 0.0000 | 0.6250 | TLE 2 | 0.50 |" in text
    assert "| other/&lt;c> | 5 | sandbox \\| lost \x07&lt;b> |" in text


def test_the_terminal_shows_figures_gates_and_what_was_not_scored(report: Report) -> None:
    out = io.StringIO()
    terminal.show(report, Console(file=out, width=120))
    for words in (
        "pass@1          0.2500  [",
        "- (a problem has too few scored samples)",
        "without a sample  set/d",
        "FAILED: 0.2500 < 0.5",
        "not scored: a failure of Proctor's",
    ):
        assert " ".join(words.split()) in " ".join(out.getvalue().split())


class _Page(HTMLParser):
    """What a page refers to, and its elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href", "action", "srcset"):
                self.references.append(value or "")


def test_the_page_needs_nothing_from_elsewhere(report: Report) -> None:
    text = html.render(report)
    page = _Page(text)
    assert page.references
    assert all(reference.startswith("#") for reference in page.references)
    assert {reference[1:] for reference in page.references} <= set(page.ids)
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert "@import" not in text
    assert "url(http" not in text
    assert page.tags.count("svg") == 3


def test_the_page_can_be_read_and_heard_light_and_dark(report: Report) -> None:
    text = html.render(report)
    page = _Page(text)
    for need in ('<html lang="en">', 'name="viewport"', "prefers-color-scheme: dark", "<main>"):
        assert need in text
    assert (page.tags.count("h1"), page.tags.count("figure")) == (1, 3)
    assert text.count('aria-hidden="true"') == 3  # the charts, each with its words beside it
    assert "pass@1: 0.2500, " in text


def test_every_colour_of_a_chart_is_the_pages(report: Report) -> None:
    for chart in charts.charts(report):
        painted = set(re.findall(r"(?:fill|stroke): ([^;\"]+)", chart.svg))
        assert painted <= {"none", *(f"var(--{name})" for name in ("ink", "mark", "ours", "faint"))}
        assert "var(--mark)" in painted


def test_what_the_page_shows_is_text(report: Report) -> None:
    text = html.render(report)
    assert "other/&lt;c&gt;" in text
    assert "<b>" not in re.sub("<b>(Failed|Passed)</b>", "", text)


def test_a_page_without_its_extra_says_what_to_install(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proctor.harness.html.find_spec", lambda name: None)
    with pytest.raises(html.NoReportExtra, match=r"pip install 'proctor\[report\]'"):
        html.render(report)
