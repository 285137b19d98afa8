"""A headless Chromium, and pages of it that must not complain nor talk to anybody else."""

import shutil
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import httpx
import pytest
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

    def __init__(self, page: Page, url: httpx.URL) -> None:
        self.page = page
        self.complaints: list[str] = []
        own = f"{url.host}:{url.port}"
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._look(request.url, own))

    def _look(self, url: str, own: str) -> None:
        if urlsplit(url).netloc != own:
            self.complaints.append(f"asked {url}")


Open = Callable[..., Page]


@pytest.fixture
def window(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens windows: window(api, path, width=..., scheme=...) is a page of Playwright's.

    At the end none may have complained on its console, nor asked another host for anything.
    """
    opened: list[Window] = []

    def made(
        api: httpx.Client, path: str = "/", *, width: int = 1280, scheme: str = "light"
    ) -> Page:
        context = chromium.new_context(
            base_url=str(api.base_url),
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        context.set_default_timeout(15_000)
        opened.append(Window(context.new_page(), api.base_url))
        opened[-1].page.goto(path)
        return opened[-1].page

    yield made
    for one in opened:
        one.page.context.close()
    assert [one.complaints for one in opened if one.complaints] == []
