"""The page in a real browser: what it shows, that it moves, and that everybody can use it."""

from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from proctor_server.api.app import create_app
from proctor_server.page.tally import NAMED
from proctor_server.settings import Settings
from tests.server.conftest import TWO_TESTS, Workers, post, results, serving, wait_until
from tests.server.page.conftest import Open, hindrances

pytestmark = pytest.mark.usefixtures("two")

HOSTILE = "ac <script>document.title = 'owned'</script><img src=x onerror=alert(1)> \u202e"


def tile(page: Page, name: str) -> str:
    """What the tile of a name shows."""
    return page.locator(".tiles > div", has_text=name).locator("dd").inner_text()


@pytest.mark.usefixtures("worker")
def test_a_batch_is_shown_from_the_overview_down_to_its_programs(
    api: httpx.Client, window: Open
) -> None:
    batch = post(api, "ac", "half", "wa")
    assert results(api, batch)[-1]["state"] == "done"
    page = window(api)
    row = page.locator("[data-part=batches] tr", has_text=batch[:12])
    expect(row).to_contain_text("3 / 3")
    expect(row).to_contain_text("AC 1")
    expect(row).to_contain_text("WA 2")
    expect(row.get_by_role("img", name="0: 1, below 0.6: 1, 1: 1", exact=True)).to_be_visible()
    row.get_by_role("link").click()
    assert tile(page, "Mean reward").startswith("0.500")
    histogram = page.locator(".histogram tr").all_inner_texts()
    assert [line.split() for line in histogram if line.split()[-1] == "1"] == [
        ["0", "1"],
        ["0.4", "to", "0.6", "1"],
        ["1", "1"],
    ]
    page.get_by_role("link", name="AC", exact=True).click()
    page.locator(".indices").get_by_role("link", name="0").click()
    expect(page.get_by_label("The program")).to_have_text("ac")
    expect(page.get_by_role("region", name="Tests").locator("tbody tr")).to_have_count(2)
    page.get_by_role("link", name="next").click()
    expect(page.get_by_label("The program")).to_have_text("half")
    assert "hidden-" not in page.content()


def test_numbers_move_while_a_batch_runs(
    api: httpx.Client, worker: Workers, window: Open, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    page = window(api)
    assert tile(page, "Queued or running").startswith("0")
    batch = post(api, f"gate {gate} 1", f"gate {gate} 2")
    row = page.locator("[data-part=batches] tr", has_text=batch[:12])
    expect(row).to_contain_text("running")
    expect(page.locator(".tiles")).to_contain_text("2programs")
    detail = window(api, f"/batches/{batch}")
    gate.touch()
    expect(row).to_contain_text("2 / 2")
    expect(page.locator(".tiles")).to_contain_text("0programs")
    expect(detail.locator(".tiles")).to_contain_text("done")
    assert tile(detail, "Mean reward").startswith("1.000")


def test_a_batch_is_cancelled_after_a_question(api: httpx.Client, window: Open) -> None:
    batch = post(api, "ac", "wa")
    page = window(api)
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Cancel batch").click()
    assert api.get(f"/v1/batches/{batch}").json()["state"] == "running"
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Cancel batch").click()
    page.wait_for_url(f"**/batches/{batch}")
    expect(page.locator(".tiles")).to_contain_text("cancelled")
    assert api.get(f"/v1/batches/{batch}").json()["state"] == "cancelled"


@pytest.mark.usefixtures("worker")
def test_what_a_program_says_is_text(api: httpx.Client, window: Open) -> None:
    batch = post(api, HOSTILE)
    results(api, batch)
    page = window(api, f"/batches/{batch}/0")
    expect(page.get_by_label("The program")).to_have_text(HOSTILE)
    assert page.locator("pre *").count() == 0
    assert page.title() != "owned"


def test_the_keyboards_place_is_kept_when_a_part_changes(api: httpx.Client, window: Open) -> None:
    batch = post(api, "ac")
    page = window(api)
    link = page.locator(f'[data-part=batches] a[href="/batches/{batch}"]')
    link.focus()
    # The table is another one from here on.
    page.evaluate("document.querySelector('[data-part=batches] table').dataset.old = 1")
    post(api, "wa")
    expect(page.locator("[data-part=batches] tbody tr")).to_have_count(2)
    assert page.locator("table[data-old]").count() == 0
    expect(link).to_be_focused()


def test_a_page_that_nobody_sees_costs_nothing(settings: Settings, window: Open, two: str) -> None:
    app = create_app(settings)
    with serving(settings, app) as api:
        page = window(api)
        board = app.state.board

        def shown(*, hidden: bool) -> None:
            page.evaluate(
                "(hidden) => {Object.defineProperty(document, 'hidden',"
                " {value: hidden, configurable: true});"
                " document.dispatchEvent(new Event('visibilitychange'))}",
                hidden,
            )

        wait_until(lambda: board.watchers == 1, "it is connected")
        shown(hidden=True)
        wait_until(lambda: board.watchers == 0, "it is not")
        shown(hidden=False)
        wait_until(lambda: board.watchers == 1, "it is again")
        page.context.close()


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_everybody_can_use_it(api: httpx.Client, window: Open, width: int, scheme: str) -> None:
    api.put("/v1/problems/long", json=TWO_TESTS | {"id": "a/" + "very/" * 30 + "long"})
    batch = post(api, "ac", "wa", "ce", *(f"wa {number}" for number in range(NAMED)))
    assert results(api, batch)[-1]["state"] == "done"
    page = window(api, width=width, scheme=scheme)
    faults = {}
    for path in (
        "/",
        "/batches",
        f"/batches/{batch}?verdict=WA",
        f"/batches/{batch}/1",
        f"/batches/{batch}/2",
        "/problems",
        "/problems?suspicious=1",
    ):
        page.goto(path)
        faults[path] = hindrances(page)
    assert {path: found for path, found in faults.items() if found} == {}
