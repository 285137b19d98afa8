"""The HTML report of `proctor eval` in a real browser, opened as the file that it is."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from proctor.harness import html
from tests.client.reports import a_report
from tests.server.page.conftest import Open, hindrances

LONG = "set/" + "very/" * 30 + "long"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with one of everything, and names as long as any."""
    report = a_report()
    first, *others = report.problems
    told = report.model_copy(
        update={"problem_set": LONG, "problems": [first.model_copy(update={"id": LONG}), *others]}
    )
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(html.render(told), encoding="utf-8")
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_everybody_can_read_it_offline(file: Path, window: Open, width: int, scheme: str) -> None:
    page = window(file, width=width, scheme=scheme)
    expect(page.get_by_role("list", name="Gates").get_by_role("listitem")).to_have_count(2)
    expect(page.locator("figure svg")).to_have_count(3)
    assert hindrances(page) == []
