"""Client and AsyncClient, each test with both, against the fake server."""

import gzip
import json
from typing import Any

import httpx
import pytest

from proctor import (
    BadAnswer,
    Conflict,
    ConnectionFailed,
    InvalidRequest,
    Item,
    NotFound,
    NotPermitted,
    ProctorError,
    Refused,
    RewardPolicy,
    ServerFailed,
    Verdict,
)
from proctor.testing import FakeServer

PROBLEM = {
    "id": "sum/1",
    "statement": "Add.",
    "tests": [
        {"kind": "stdin", "input": "1 2", "output": "3", "public": True},
        {"kind": "call", "function": "add", "args": [1, 2], "expected": None},
    ],
}


def bodies(server: FakeServer) -> list[Any]:
    return [json.loads(gzipped_or_not(request)) for request in server.requests if request.content]


def gzipped_or_not(request: httpx.Request) -> bytes:
    zipped = request.headers.get("content-encoding") == "gzip"
    return gzip.decompress(request.content) if zipped else request.content


def test_a_problem_is_stored_and_read_back_without_its_hidden_tests(client: Any) -> None:
    stored = client.put_problem(PROBLEM)
    assert client.problem("sum/1") == stored
    assert stored.tests == 2
    assert [test.kind for test in stored.public_tests] == ["stdin"]


def test_a_tests_kind_is_sent_though_it_is_a_default(client: Any, server: FakeServer) -> None:
    client.put_problem(PROBLEM)
    client.submit([{"problem": PROBLEM, "source": "x"}])
    put, posted = bodies(server)
    assert [test["kind"] for test in put["tests"]] == ["stdin", "call"]
    assert put["tests"][1]["expected"] is None
    assert posted["items"][0]["problem"]["tests"] == put["tests"]


def test_many_problems_go_in_several_requests(
    client: Any, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proctor._requests.IMPORT_BYTES", 1000)
    report = client.import_problems({**PROBLEM, "id": f"p{n}"} for n in range(20))
    assert (report.stored, report.unchanged) == (20, 0)
    assert len(server.requests) > 2
    assert client.import_problems([{**PROBLEM, "id": "p3"}]).unchanged == 1


def test_problems_are_listed_over_all_pages(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proctor._flows.PAGE", 3)
    client.import_problems({**PROBLEM, "id": f"p{n}"} for n in range(8))
    assert list(client.problems()) == [f"p{n}" for n in range(8)]


@pytest.mark.parametrize("problem_ids", ["a", ["a", "b/1", "a"]])
def test_score_gives_rewards_in_the_order_of_the_completions(
    client: Any, problem_ids: str | list[str]
) -> None:
    assert client.score(problem_ids, ["x" * 9, "x", "x" * 30]) == [0.9, 0.1, 1.0]


def test_score_of_nothing_asks_nothing(client: Any, server: FakeServer) -> None:
    assert client.score([], []) == []
    assert server.requests == []


def test_score_gives_none_where_the_fault_is_ours(connect: Any) -> None:
    server = FakeServer(lambda program: None if program.text == "lost" else 1.0)
    assert connect(transport=server).score("a", ["ok", "lost"]) == [1.0, None]


def test_score_says_each_result_as_it_comes(client: Any) -> None:
    seen: list[Any] = []
    client.score("a", ["x", "xx"], on_result=seen.append)
    assert [(result.index, result.verdict) for result in seen] == [(0, "WA"), (1, "WA")]


def test_options_reach_the_server(client: Any, server: FakeServer) -> None:
    client.score("a", ["x"], form="continuation", reward="all_or_nothing", stop="first_failure")
    client.submission(
        Item(problem_id="a", source="x"), reward=RewardPolicy(name="threshold", threshold=0.5)
    )
    batch, one = bodies(server)
    assert batch == {
        "items": [{"problem_id": "a", "continuation": "x"}],
        "reward": {"name": "all_or_nothing"},
        "stop": "first_failure",
    }
    assert one["reward"] == {"name": "threshold", "threshold": 0.5}


def test_a_submission_has_one_result(client: Any) -> None:
    result = client.submission({"problem_id": "a", "source": "x" * 10, "id": "mine"})
    assert (result.id, result.verdict, result.reward) == ("mine", Verdict.AC, 1.0)


def test_a_submission_that_takes_long_is_followed_through_its_batch(connect: Any) -> None:
    class Slow(FakeServer):
        def _routed(self, request: httpx.Request) -> httpx.Response:
            if not request.url.path.endswith("/submissions"):
                return super()._routed(request)
            item = json.loads(request.content)
            posted = httpx.Request("POST", "http://fake/v1/batches", json={"items": [item]})
            return httpx.Response(202, content=super()._routed(posted).content)

    result = connect(transport=Slow()).submission({"problem_id": "a", "source": "x"})
    assert result.verdict is Verdict.AC


def test_a_batch_is_followed_from_its_handle(client: Any) -> None:
    batch = client.submit({"problem_id": "a", "source": "x" * n} for n in (1, 10, 5))
    assert batch.total == 3
    assert [result.reward for result in batch.results()] == [0.1, 1.0, 0.5]
    assert [result.index for result in batch.results(cursor=2)] == [2]
    assert batch.rewards() == [0.1, 1.0, 0.5]
    assert batch.wait(timeout_s=5).verdicts == {Verdict.AC: 1, Verdict.WA: 2}
    assert client.batch(batch.id).total == 3
    assert batch.cancel().completed == 3


def test_the_same_idempotency_key_gives_the_same_batch(client: Any) -> None:
    items = [{"problem_id": "a", "source": "x"}]
    first = client.submit(items, idempotency_key="step-7")
    assert client.submit(items, idempotency_key="step-7").id == first.id
    with pytest.raises(Conflict):
        client.submit([{"problem_id": "b", "source": "x"}], idempotency_key="step-7")


def test_info_keeps_what_this_client_does_not_know(client: Any) -> None:
    assert client.info().model_extra["sandbox"] == "none"


@pytest.mark.parametrize(("size", "zipped"), [(100, False), (5000, True)], ids=["small", "large"])
def test_only_large_bodies_are_compressed(
    client: Any, server: FakeServer, size: int, zipped: bool
) -> None:
    client.score("a", ["x" * size])
    assert (server.requests[0].headers.get("content-encoding") == "gzip") is zipped


def test_an_api_key_goes_in_the_authorization_header(connect: Any, server: FakeServer) -> None:
    connect(transport=server, api_key="k1").info()
    connect(transport=server).info()
    assert [r.headers.get("authorization") for r in server.requests] == ["Bearer k1", None]


@pytest.mark.parametrize(
    "options",
    [
        {"url": "127.0.0.1:8077"},
        {"url": "ftp://host"},
        {"url": "http://"},
        {"url": "http://[::1"},
        {"api_key": ""},
        {"api_key": "a\nb"},
        {"api_key": "ключ"},
    ],
)
def test_an_address_or_key_that_cannot_be_right_is_refused(
    connect: Any, options: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match=r"url|api_key"):
        connect(**options)


# -- what goes wrong --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, InvalidRequest),
        (401, NotPermitted),
        (403, NotPermitted),
        (404, NotFound),
        (409, Conflict),
        (413, InvalidRequest),
        (415, InvalidRequest),
        (422, InvalidRequest),
        (418, Refused),
        (302, Refused),
        (500, ServerFailed),
        (501, ServerFailed),
    ],
)
def test_a_refusal_is_raised_at_once_as_what_it_is(
    client: Any, server: FakeServer, status: int, error: type[Refused]
) -> None:
    server.fail(status)
    with pytest.raises(error) as caught:
        client.score("a", ["x"])
    assert caught.value.status == status
    assert type(caught.value) is error
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "failure",
    [429, 502, 503, 504, httpx.ConnectError, httpx.ReadTimeout, httpx.RemoteProtocolError],
)
def test_what_may_pass_is_tried_again_under_the_same_key(
    client: Any, server: FakeServer, failure: Any
) -> None:
    server.fail(failure, times=8)
    assert client.score("a", ["x"]) == [0.1]
    keys = {request.headers["idempotency-key"] for request in server.requests[:9]}
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("failure", "error"), [(503, ServerFailed), (httpx.ConnectError, ConnectionFailed)]
)
def test_what_does_not_pass_is_raised_in_the_end(
    client: Any, server: FakeServer, failure: Any, error: type[ProctorError]
) -> None:
    server.fail(failure, times=100)
    with pytest.raises(error):
        client.info()
    assert len(server.requests) == 9


@pytest.mark.parametrize("times", [1, 8, 20])
def test_a_stream_that_breaks_is_resumed_and_gives_every_result_once(
    client: Any, server: FakeServer, times: int
) -> None:
    # Progress in between forgives earlier breaks, so any number of them is survived.
    server.cut_streams(after=2, times=times)
    batch = client.submit({"problem_id": "a", "source": "x" * (n + 1)} for n in range(50))
    assert [result.index for result in batch.results()] == list(range(50))


def test_a_stream_that_never_gets_on_is_given_up(client: Any, server: FakeServer) -> None:
    batch = client.submit([{"problem_id": "a", "source": "x"}])
    server.cut_streams(after=0, times=100)
    with pytest.raises(ConnectionFailed, match="cut"):
        list(batch.results())


@pytest.mark.parametrize("status", [404, 500])
def test_a_refused_stream_says_why(client: Any, server: FakeServer, status: int) -> None:
    batch = client.submit([{"problem_id": "a", "source": "x"}])
    server.fail(status)
    with pytest.raises(Refused, match="a failure that the test asked for"):
        list(batch.results())


def test_an_answer_that_is_not_proctors_is_told_apart(connect: Any) -> None:
    page = httpx.MockTransport(lambda _: httpx.Response(200, html="<h1>Welcome to nginx</h1>"))
    with pytest.raises(BadAnswer, match="nginx"):
        connect(transport=page).info()
    error = httpx.MockTransport(lambda _: httpx.Response(500, html="<h1>Oops</h1>"))
    with pytest.raises(ServerFailed, match="Oops"):
        connect(transport=error).info()


def test_missing_results_are_no_rewards(connect: Any) -> None:
    class Forgetful(FakeServer):
        def _batch(self, method: Any, rest: Any, batch: Any, request: Any) -> Any:
            del batch.results[0]
            return super()._batch(method, rest, batch, request)

    with pytest.raises(BadAnswer, match="2 programs were posted, 1 results"):
        connect(transport=Forgetful()).score("a", ["x", "y"])


def test_an_unread_problem_raises_not_found(client: Any) -> None:
    with pytest.raises(NotFound):
        client.problem("nowhere")
    with pytest.raises(NotFound):
        client.batch("nowhere")


# -- found before anything is sent ------------------------------------------------------------


@pytest.mark.parametrize(
    ("posted", "field"),
    [
        (lambda c: c.score(["a"], ["x", "y"]), "problem_ids"),
        (lambda c: c.score("a", "x"), "completions"),
        (lambda c: c.score(["a", "b c"], ["x", "y"]), r"items\[1\].problem_id"),
        (lambda c: c.score("a", ["x"], reward="best"), "reward"),
        (lambda c: c.score("a", ["x"], rewards="pass_rate"), "rewards"),
        (lambda c: c.score("a", [None]), r"items\[0\]"),
        (lambda c: c.score("a", ["\ud800"]), "UTF-8"),
        (lambda c: c.submit([]), "items"),
        (lambda c: c.submit([{"problem_id": "a"}]), r"items\[0\]"),
        (lambda c: c.submission({"source": "x"}), "exactly one of problem_id and problem"),
        (lambda c: c.put_problem({"id": "a"}), "tests"),
        (lambda c: c.put_problem({**PROBLEM, "tests": [{"kind": "no"}]}), r"tests\[0\]"),
        (lambda c: c.import_problems([PROBLEM, {}]), r"problems\[1\].id"),
    ],
)
def test_an_invalid_request_names_the_field_and_is_not_sent(
    client: Any, server: FakeServer, posted: Any, field: str
) -> None:
    with pytest.raises(InvalidRequest, match=field) as caught:
        posted(client)
    assert caught.value.status is None
    assert caught.value.errors
    assert server.requests == []
