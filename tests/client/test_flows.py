"""Flows, driven by hand: what they ask for, with no clock and no network."""

from collections.abc import Mapping
from typing import Any

import pytest

from proctor import ConnectionFailed, Result, Retry, ServerFailed, WaitTimeout
from proctor._effects import Answer, Open, Read, Send, Sleep
from proctor._flows import NEVER, Deadline, call, results, score, wait
from proctor._requests import batch_status, score_request

RUNNING = b'{"id":"b","state":"running","total":3,"completed":1,"created_at":0}'
DONE = b'{"id":"b","state":"done","total":3,"completed":3,"created_at":0}'


def answer(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, headers or {}, body)


def returned(flow: Any, sent: object) -> Any:
    with pytest.raises(StopIteration) as end:
        flow.send(sent)
    return end.value.value


def line(index: int) -> bytes:
    return (
        f'{{"index":{index},"submission_id":"s","problem_id":"p","language":"python",'
        f'"verdict":"AC","pass_rate":1.0,"reward":1.0,"passed":1,"total":1}}\n'
    ).encode()


def test_a_call_waits_between_tries_as_the_server_asks() -> None:
    flow = call(batch_status("b"), Retry(base_s=0))
    assert isinstance(next(flow), Send)
    assert flow.send(answer(429, headers={"retry-after": "3"})) == Sleep(3)
    assert isinstance(flow.send(None), Send)
    assert isinstance(flow.throw(ConnectionFailed("reset")), Sleep)
    assert isinstance(flow.send(None), Send)
    assert returned(flow, answer(200)) == answer(200)


def test_a_call_does_not_sleep_past_its_deadline() -> None:
    flow = call(batch_status("b"), Retry(), Deadline.after(1.0))
    next(flow)
    with pytest.raises(ServerFailed):
        flow.send(answer(503, headers={"retry-after": "5"}))


def test_waiting_asks_again_while_a_batch_runs() -> None:
    flow = wait("b", Retry(), NEVER)
    asked = next(flow)
    assert isinstance(asked, Send)
    assert (asked.call.params, asked.call.held_s) == ({"wait": "30.000"}, 30)
    # Answered at once, though asked to hold: no tight loop.
    assert flow.send(answer(200, RUNNING)) == Sleep(0.1)
    assert flow.send(None) == asked
    assert returned(flow, answer(200, DONE)).completed == 3


def test_waiting_ends_at_the_deadline() -> None:
    flow = wait("b", Retry(), Deadline.after(0))
    asked = next(flow)
    assert isinstance(asked, Send)
    assert asked.call.held_s == 0
    with pytest.raises(WaitTimeout, match="only 1 of 3 result"):
        flow.send(answer(200, RUNNING))


def test_a_stream_is_read_over_chunks_and_asked_for_again_at_its_cursor() -> None:
    flow = results("b", Retry(), NEVER)
    assert isinstance(opened := next(flow), Open)
    assert opened.call.params == {"cursor": "0", "wait": "30.000"}
    assert flow.send(answer(200)) == Read()
    both = line(4) + line(0)
    assert flow.send(both[:20]) == Read()
    assert isinstance(first := flow.send(both[20:-1]), Result)
    assert flow.send(None) == Read()
    assert isinstance(second := flow.send(b"\n\n"), Result)
    assert (first.index, second.index) == (4, 0)
    assert flow.send(None) == Read()
    assert isinstance(again := flow.send(b'{"cursor":2,"state":"running"}\n'), Open)
    assert again.call.params["cursor"] == "2"
    flow.send(answer(200))
    assert returned(flow, b'{"cursor":2,"state":"done"}\n').state == "done"


def test_an_overloaded_stream_is_read_to_its_reason_and_tried_again() -> None:
    flow = results("b", Retry(attempts=1, base_s=0), NEVER, cursor=5)
    next(flow)
    assert flow.send(answer(503)) == Read()
    assert flow.send(b"{}") == Read()
    assert isinstance(flow.send(b""), Sleep)
    assert isinstance(opened := flow.send(None), Open)
    assert opened.call.params["cursor"] == "5"
    flow.send(answer(503))
    flow.send(b'{"title":"Overloaded","status":503,"detail":"full"}')
    with pytest.raises(ServerFailed, match="Overloaded: full"):
        flow.send(b"")


def test_a_score_that_times_out_cancels_its_batch() -> None:
    request = score_request("a", ["x"], "completion", "python", {})
    flow = score(request, Retry(), 0.0)
    assert isinstance(next(flow), Send)
    assert isinstance(flow.send(answer(202, RUNNING)), Open)
    flow.send(answer(200))
    cancelled = flow.send(b'{"cursor":0,"state":"running"}\n')
    assert isinstance(cancelled, Send)
    assert (cancelled.call.method, cancelled.call.path) == ("DELETE", "/v1/batches/b")
    # The clean-up may fail; the time-out is what is told.
    with pytest.raises(WaitTimeout):
        flow.throw(ConnectionFailed("gone"))
