"""Judging: every item has one result, whatever the server makes of the batch."""

import itertools
import json

import httpx
import pytest

from proctor import Client, InvalidRequest, Item, Retry, Verdict
from proctor._posting import PART_ITEMS, Forgotten
from proctor.harness.judging import judge
from proctor.testing import FakeServer


def items(*sources: str) -> list[Item]:
    return [Item(problem_id="a", source=source) for source in sources]


class Strict(httpx.BaseTransport):
    """A server that takes few items at once, and refuses empty sources as the real one does."""

    def __init__(self, inner: FakeServer, most: int = 1000) -> None:
        self._inner = inner
        self._most = most
        self.refused = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        if (request.method, request.url.path) != ("POST", "/v1/batches"):
            return self._inner.handle_request(request)
        posted = json.loads(request.content)["items"]
        faults = [
            {"field": f"items[{place}].source", "reason": "is empty", "remedy": "give it"}
            for place, item in enumerate(posted)
            if not item["source"]
        ]
        if len(posted) > self._most:
            faults = [{"field": "items", "reason": "has too many", "remedy": "post several"}]
        if not faults:
            return self._inner.handle_request(request)
        self.refused += 1
        body = {"title": "Invalid request", "status": 422, "detail": "faults", "errors": faults}
        kind = {"content-type": "application/problem+json"}
        return httpx.Response(422, json=body, headers=kind)


@pytest.fixture
def fake() -> FakeServer:
    """A server at which a program earns the number that it is."""
    return FakeServer(lambda program: float(program.text))


def test_a_text_that_is_no_program_gets_ce_and_hinders_no_other(fake: FakeServer) -> None:
    with Client(transport=Strict(fake)) as client:
        found = dict(judge(client, items("1.0", "", "0.5", "")))
    verdicts = [found[place].verdict for place in range(4)]
    assert verdicts == [Verdict.AC, Verdict.CE, Verdict.WA, Verdict.CE]
    assert found[1].reward == 0.0


def test_what_is_too_much_at_once_goes_in_parts(fake: FakeServer) -> None:
    strict = Strict(fake, most=2)
    with Client(transport=strict) as client:
        found = dict(judge(client, items("0.1", "0.2", "0.3", "0.4", "0.5")))
    assert [found[place].reward for place in range(5)] == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert strict.refused == 2  # five, then the three of their second half


def test_more_than_a_batch_holds_goes_in_several(fake: FakeServer) -> None:
    with Client(transport=fake) as client:
        found = dict(judge(client, items(*["1.0"] * (PART_ITEMS + 1))))
    assert sorted(found) == list(range(PART_ITEMS + 1))


def test_a_fault_that_is_not_the_models_is_raised(fake: FakeServer) -> None:
    with (
        Client(transport=FakeServer(check_problems=True)) as client,
        pytest.raises(InvalidRequest, match="problem 'a'"),
    ):
        list(judge(client, items("1.0")))


def test_when_the_caller_leaves_what_has_not_run_is_cancelled(fake: FakeServer) -> None:
    fake.hold(after=1)
    with Client(transport=fake) as client:
        results = judge(client, items("1.0", "0.5", "0.2"))
        assert len(list(itertools.islice(results, 1))) == 1
        results.close()
        (posted,) = [r for r in fake.requests if r.method == "DELETE"]
        assert client.batch(posted.url.path.rpartition("/")[2]).status().state == "cancelled"


def test_a_batch_that_the_server_forgot_is_our_failure(fake: FakeServer) -> None:
    class Forgetful(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/results"):
                return httpx.Response(404, json={"title": "Not Found", "status": 404, "detail": ""})
            return fake.handle_request(request)

    with (
        Client(transport=Forgetful(), retry=Retry(base_s=0)) as client,
        pytest.raises(Forgotten, match="the server forgot batch"),
    ):
        list(judge(client, items("1.0")))
