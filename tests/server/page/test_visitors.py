"""Who may look at the page and use its forms: logins, foreign pages, other keys' batches."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from playwright.sync_api import expect

from proctor_server.settings import Settings
from proctor_server.store import keys
from tests.server.conftest import TWO_TESTS, post, serving
from tests.server.page.conftest import Open
from tests.server.test_api_keys import entry


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    path = tmp_path / "keys.toml"
    path.write_text(
        entry("root", "admin")
        + entry("mine", "submit", "read")
        + entry("other", "submit", "read")
        + entry("reader", "read")
        + entry("writer", "submit")
    )
    return path


class People:
    """Those who use an API that wants keys; each is a client, closed at the end."""

    def __init__(self, api: httpx.Client, closing: ExitStack) -> None:
        self.api = api
        self._closing = closing

    def anyone(self, **options: Any) -> httpx.Client:
        client = httpx.Client(base_url=self.api.base_url, timeout=30, **options)
        return self._closing.enter_context(client)

    def with_key(self, name: str) -> httpx.Client:
        return self.anyone(headers={"Authorization": f"Bearer key-{name}"})

    def logged_in(self, name: str) -> httpx.Client:
        """A browser, as far as cookies go, with a session."""
        browser = self.anyone()
        answer = browser.post("/login", data={"key": f"key-{name}"}, headers=origin(self.api))
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        return browser


@contextmanager
def people_of(settings: Settings, keys_file: Path) -> Iterator[People]:
    with (
        serving(settings.model_copy(update={"keys_file": keys_file})) as api,
        ExitStack() as closing,
    ):
        yield People(api, closing)


@pytest.fixture
def people(settings: Settings, keys_file: Path) -> Iterator[People]:
    with people_of(settings, keys_file) as people:
        root = people.with_key("root")
        root.put("/v1/problems/two", json=TWO_TESTS).raise_for_status()
        yield people


@pytest.fixture
def keyed(people: People) -> httpx.Client:
    return people.api


def origin(api: httpx.Client) -> dict[str, str]:
    return {"Origin": f"http://{api.base_url.host}:{api.base_url.port}"}


def state(api: httpx.Client, batch: str) -> str:
    return str(api.get(f"/v1/batches/{batch}").json()["state"])


PAGES = ("/", "/batches", "/batches/none", "/batches/none/0", "/problems", "/events")


def test_without_a_session_there_is_the_login_form_only(
    keyed: httpx.Client, people: People
) -> None:
    # The API's keys are no sessions, nor are sessions keys.
    for client in (keyed, people.with_key("mine")):
        for path in PAGES:
            answer = client.get(path)
            assert (answer.status_code, answer.headers["location"]) == (303, "/login"), path
    assert people.logged_in("mine").get("/v1/batches").status_code == 401


def test_the_cookie_is_for_our_pages_alone_and_says_nothing(
    keyed: httpx.Client, redis_client: "redis.Redis"
) -> None:
    answer = keyed.post("/login", data={"key": "key-mine"}, headers=origin(keyed))
    cookie = answer.headers["set-cookie"]
    token = re.fullmatch(
        r"proctor_session=([\w-]{43}); HttpOnly; Max-Age=43200; Path=/; SameSite=strict", cookie
    )
    assert token is not None
    (name,) = redis_client.keys(f"{keys.SESSION}*")
    assert token[1].encode() not in name
    assert 0 < redis_client.ttl(name) <= keys.SESSION_TTL_S
    assert b"mine" not in (redis_client.get(name) or b"")


@pytest.mark.parametrize(
    ("key", "status", "words"),
    [
        ("key-nobody", 401, "not known"),
        ("", 401, "not known"),
        ("key-writer", 403, "scope read"),
        ("x" * 5000, 413, "too long|longer than"),
    ],
)
def test_a_key_that_is_no_good_is_told_so(
    keyed: httpx.Client, key: str, status: int, words: str
) -> None:
    answer = keyed.post("/login", data={"key": key}, headers=origin(keyed))
    assert answer.status_code == status
    assert "set-cookie" not in answer.headers
    assert re.search(words, answer.text)


def test_logging_out_ends_the_session_everywhere(keyed: httpx.Client, people: People) -> None:
    browser = people.logged_in("mine")
    stolen = people.anyone(cookies=browser.cookies)
    assert stolen.get("/").status_code == 200
    browser.post("/logout", headers=origin(keyed))
    assert stolen.get("/").status_code == 303


def test_a_key_that_is_withdrawn_ends_its_sessions(settings: Settings, keys_file: Path) -> None:
    with people_of(settings, keys_file) as people:
        browser = people.logged_in("mine")
        assert browser.get("/").status_code == 200
        cookies = browser.cookies
    keys_file.write_text(entry("root", "admin"))
    with people_of(settings, keys_file) as people:
        assert people.anyone(cookies=cookies).get("/").status_code == 303


FOREIGN = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},  # the same site, for a cookie
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {},
]


def test_a_foreign_page_can_cancel_nothing(api: httpx.Client, two: str) -> None:
    batch = post(api, "ac", problem=two)
    path = f"/batches/{batch}/cancel"
    for headers in FOREIGN:
        assert api.post(path, headers=headers).status_code == 403, headers
    assert state(api, batch) == "running"
    assert api.post(path, headers=origin(api)).status_code == 303
    assert state(api, batch) == "cancelled"


def test_a_foreign_page_can_log_nobody_in_or_out(keyed: httpx.Client, people: People) -> None:
    browser = people.logged_in("mine")
    for headers in FOREIGN:
        answer = keyed.post("/login", data={"key": "key-mine"}, headers=headers)
        assert (answer.status_code, "set-cookie" in answer.headers) == (403, False), headers
        assert browser.post("/logout", headers=headers).status_code == 403, headers
    assert browser.get("/").status_code == 200


def test_what_a_key_may_do_is_what_its_sessions_may(keyed: httpx.Client, people: People) -> None:
    batch = post(people.with_key("mine"), "ac")
    cancel = f"/batches/{batch}/cancel"
    for name, seen, may in [("other", 404, 404), ("reader", 404, 403), ("mine", 200, 303)]:
        browser = people.logged_in(name)
        for path in (f"/batches/{batch}", f"/batches/{batch}/0"):
            assert browser.get(path).status_code == seen, (name, path)
        assert (batch[:12] in browser.get("/").text) == (seen == 200), name
        assert browser.post(cancel, headers=origin(keyed)).status_code == may, name
    admin = people.logged_in("root").get("/batches").text
    assert batch[:12] in admin
    assert "<td>mine</td>" in admin
    assert state(people.with_key("mine"), batch) == "cancelled"


def test_no_page_runs_or_loads_what_is_not_ours(api: httpx.Client) -> None:
    for path in (*PAGES[:5], "/login", "/batches?after=nonsense"):
        answer = api.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy, path
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        foreign = r"<script(?! src=\"/static/)|<style|\son\w+=|\sstyle=|//\w"
        assert not re.search(foreign, answer.text), path


def test_logging_in_and_out_in_a_browser(keyed: httpx.Client, window: Open) -> None:
    page = window(keyed)
    page.get_by_label("API key").fill("key-mine")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator(".tiles")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("live")
    expect(page.locator(".who")).to_contain_text("mine")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_label("API key")).to_be_visible()


def test_a_window_whose_session_ends_shows_the_login_form(
    keyed: httpx.Client, window: Open, redis_client: "redis.Redis"
) -> None:
    page = window(keyed)
    page.get_by_label("API key").fill("key-mine")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("status")).to_have_text("live")
    redis_client.delete(*redis_client.keys(f"{keys.SESSION}*"))
    expect(page.get_by_label("API key")).to_be_visible()
