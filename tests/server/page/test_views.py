"""What the pages show, as text: without a browser."""

import re
from contextlib import ExitStack

import httpx
import pytest

from proctor_server.settings import Settings
from tests.server.conftest import TWO_TESTS, Workers, post, results, serving


def text(api: httpx.Client, path: str) -> str:
    """A page's text, without its tags."""
    answer = api.get(path)
    assert answer.status_code == 200, answer.text
    body = answer.text.partition("<main")[2]
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


@pytest.mark.usefixtures("worker", "two")
def test_problems_to_look_at_are_found_among_all(api: httpx.Client) -> None:
    for name in ("hopeless", "mixed", "trivial"):
        test = {"kind": "stdin", "input": name, "output": "1"}
        api.put(f"/v1/problems/{name}", json={"id": name, "tests": [test]}).raise_for_status()
    for name, verdicts in (("hopeless", "wa"), ("trivial", "ac"), ("mixed", "ac wa")):
        sources = [f"{verdict} {number}" for number in range(20) for verdict in verdicts.split()]
        results(api, post(api, *sources, problem=name))
    everything = text(api, "/problems")
    assert "hopeless always 0 0 % 0 20 1 0" in everything
    assert "mixed 50 % 20 40 1 0" in everything
    suspicious = text(api, "/problems?suspicious=1")
    assert "trivial always 1 100 % 20 20 1 0" in suspicious
    assert "mixed" not in suspicious
    assert "two" not in suspicious


@pytest.mark.usefixtures("two")
def test_all_batches_can_be_paged_through(api: httpx.Client) -> None:
    posted = [post(api, f"ac {number}") for number in range(51)]
    first = api.get("/batches").text
    link = re.search(r'href="(/batches\?after=[^"]+)"', first)
    assert link is not None
    older = api.get(link[1]).text
    shown = [[batch for batch in posted if batch[:12] in page] for page in (first, older)]
    assert shown == [posted[1:], posted[:1]]
    assert "?after=" not in older


@pytest.mark.usefixtures("worker", "two")
def test_a_submissions_page_has_no_test_data_and_no_output(api: httpx.Client) -> None:
    batch = post(api, "half")
    results(api, batch)
    page = text(api, f"/batches/{batch}/0")
    assert "1 AC 1/1 10 ms 20 ms 8 MiB" in page
    assert "2 WA 0/1" in page
    assert not re.search("hidden-|shown-", page)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/batches/none", 404, "there is no batch"),
        ("/batches/none/0", 404, "there is no batch"),
        ("/batches/none/events", 200, ""),
        ("/batches?after=nonsense", 422, "is no place in the list"),
    ],
)
def test_what_is_not_there_is_told_as_a_page(
    api: httpx.Client, path: str, status: int, words: str
) -> None:
    answer = api.get(path)
    assert (answer.status_code, words in answer.text) == (status, True)


def test_a_program_that_was_not_kept_is_told_so(settings: Settings, worker: Workers) -> None:
    with serving(settings.model_copy(update={"keep_sources": False})) as api:
        api.put("/v1/problems/two", json=TWO_TESTS).raise_for_status()
        batch = post(api, "ac")
        assert "Not kept" in text(api, f"/batches/{batch}/0")


def test_so_many_may_watch_and_no_more(api: httpx.Client) -> None:
    reading = []  # a reader that is let go closes its connection
    with ExitStack() as watching:
        for _ in range(50):
            answer = watching.enter_context(api.stream("GET", "/events"))
            assert answer.status_code == 200
            reading.append(answer.iter_raw())
            next(reading[-1])
        refused = api.get("/events", timeout=5)
        assert refused.status_code == 503
        assert "look again later" in refused.text
