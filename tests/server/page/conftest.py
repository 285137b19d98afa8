"""A headless Chromium, and pages of it that must not complain nor talk to anybody else."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from tests.conftest import missing


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium. Ended with this package: Playwright keeps the thread's event loop."""
    path = shutil.which("chromium")
    if path is None:
        missing("chromium is not installed; apt-get install chromium")
    with sync_playwright() as playwright:
        # As root Chromium can't make its own sandbox; it shows our own pages only.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Window:
    """A browser window, and what was wrong in it."""

    def __init__(self, page: Page, own: str) -> None:
        """`own` is what every address begins with that it may ask."""
        self.page = page
        self.complaints: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._look(request.url, own))

    def _look(self, url: str, own: str) -> None:
        if not url.startswith(own):
            self.complaints.append(f"asked {url}")


Open = Callable[..., Page]


def hindrances(page: Page) -> list[Any]:
    """What axe finds that keeps somebody from using a page, and whether it is too wide."""
    found = [
        (one["id"], [node["target"] for node in one["nodes"]])
        for one in Axe().run(page).response["violations"]
        if one["impact"] in ("serious", "critical", "moderate")
    ]
    sideways = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return found + ([("wider than the window by", sideways)] if sideways > 0 else [])


@pytest.fixture
def window(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens windows: window(api, path, width=..., scheme=...) is a page of Playwright's.

    In the place of an API and a path it takes a file. At the end none may have complained on its
    console, nor asked for anything that is not the API's, or the file.
    """
    opened: list[Window] = []

    def made(
        shown: httpx.Client | Path, path: str = "/", *, width: int = 1280, scheme: str = "light"
    ) -> Page:
        if isinstance(shown, Path):
            own = url = shown.as_uri()
        else:
            own = f"{str(shown.base_url).rstrip('/')}/"
            url = own.rstrip("/") + path
        context = chromium.new_context(
            base_url=own,
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        context.set_default_timeout(15_000)
        opened.append(Window(context.new_page(), own))
        opened[-1].page.goto(url)
        return opened[-1].page

    yield made
    for one in opened:
        one.page.context.close()
    assert [one.complaints for one in opened if one.complaints] == []
