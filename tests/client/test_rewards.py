"""Reward: samples in, floats or None out, and whose fault it is when there is none."""

import asyncio
import gzip
import json
import logging
import multiprocessing
import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from proctor import (
    BadAnswer,
    Extraction,
    InvalidRequest,
    NotPermitted,
    Problem,
    Retry,
    Reward,
    RewardPolicy,
    StdinTest,
    Unscored,
    Verdict,
)
from proctor.testing import FakeServer, Program
from tests.client.served import served

IMPATIENT = Retry(attempts=3, base_s=0.0)
ECHO = Problem(id="p/echo", tests=[StdinTest(input="7", output="7")])


def judge(program: Program) -> float | Verdict | None:
    """Rewards a program with its length in tenths; a few texts are verdicts or faults of ours."""
    faults: dict[str, Verdict | None] = {"IE": None, "TLE": Verdict.TLE}
    return faults[program.text] if program.text in faults else min(1.0, len(program.text) / 10)


@pytest.fixture
def server() -> FakeServer:
    return FakeServer(judge)


@pytest.fixture
def make(server: FakeServer) -> Iterator[Callable[..., Reward]]:
    """Makes rewards over the fake server, and closes them."""
    made: list[Reward] = []

    def reward(**options: Any) -> Reward:
        options.setdefault("transport", server)
        options.setdefault("retry", IMPATIENT)
        made.append(Reward(**options))
        return made[-1]

    yield reward
    for each in made:
        each.close()


def posted(server: FakeServer) -> list[dict[str, Any]]:
    """The bodies of all the batches that were posted."""
    bodies = []
    for request in server.requests:
        if (request.method, request.url.path) == ("POST", "/v1/batches"):
            body = request.content
            if request.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            bodies.append(json.loads(body))
    return bodies


def cancelled(server: FakeServer) -> int:
    return sum(request.method == "DELETE" for request in server.requests)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


class Answering(httpx.AsyncBaseTransport):
    """A fake server in front of which some requests are answered otherwise."""

    def __init__(
        self, server: FakeServer, answer: Callable[[httpx.Request], httpx.Response | None]
    ) -> None:
        self._server = server
        self._answer = answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self._answer(request) or await self._server.handle_async_request(request)


def refusal(status: int, *faults: tuple[str, str]) -> httpx.Response:
    errors = [{"field": f, "reason": r, "remedy": "mend it"} for f, r in faults]
    details = {"title": "Invalid request", "status": status, "detail": "no", "errors": errors}
    return httpx.Response(status, json=details)


# -- samples ----------------------------------------------------------------------------------


def test_rewards_come_in_the_order_of_the_samples(make: Callable[..., Reward]) -> None:
    reward = make()
    assert reward.score(["a", "b", "a"], ["xxx", "x", ""]) == [0.3, 0.1, 0.0]
    assert [each.result.index for each in reward.judge("a", ["x", "y"]) if each.result] == [0, 1]
    assert reward.score("a", []) == []


def test_what_became_of_a_sample_is_told(make: Callable[..., Reward]) -> None:
    right, late = make().judge("a", ["x" * 10, "TLE"])
    assert (right.reward, right.verdict, right.pass_rate, right.reason) == (
        1.0,
        Verdict.AC,
        1.0,
        None,
    )
    assert (late.reward, late.verdict, late.pass_rate, late.unscored) == (
        0.0,
        Verdict.TLE,
        0.0,
        False,
    )


def test_equal_samples_are_sent_once(make: Callable[..., Reward], server: FakeServer) -> None:
    reward = make()
    given = reward.score(["a", "b", "a", "a"], ["xx", "xx", "xx", "x"])
    assert given == [0.2, 0.2, 0.2, 0.1]
    assert [(i["problem_id"], i["completion"]) for i in posted(server)[0]["items"]] == [
        ("a", "xx"),
        ("b", "xx"),
        ("a", "x"),
    ]
    assert reward.summary().programs == 4


def test_the_options_are_those_of_the_batch(
    make: Callable[..., Reward], server: FakeServer
) -> None:
    reward = make(
        policy=RewardPolicy(name="threshold", threshold=0.5),
        form="source",
        language="cpp",
        extraction=Extraction(missing_fence="whole"),
        stop="first_failure",
        fresh=True,
        deadline_s=90,
    )
    reward.score("a", ["x", "y"], languages=["c", None])
    (body,) = posted(server)
    assert body["reward"] == {"name": "threshold", "threshold": 0.5}
    assert [(i["language"], i["source"]) for i in body["items"][:1]] == [("c", "x")]
    assert body["items"][1]["language"] == "cpp"
    assert (body["stop"], body["fresh"], body["deadline_s"]) == ("first_failure", True, 90)
    assert body["extraction"] == {"missing_fence": "whole"}


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"on_failure": "ignore"}, ValueError),
        ({"form": "text"}, ValueError),
        ({"url": "nowhere"}, ValueError),
        ({"policy": "best"}, InvalidRequest),
        ({"deadline_s": -1}, InvalidRequest),
        ({"stop": "soon"}, InvalidRequest),
    ],
)
def test_an_option_that_cannot_be_is_refused_when_it_is_given(
    options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        Reward(**options)


CONVERSATION = [
    {"role": "assistant", "content": "no"},
    {"role": "tool", "content": "tool's"},
    {"role": "assistant", "content": "xxxx"},
    {"role": "user", "content": "thanks"},
]
PARTS = [{"role": "assistant", "content": [{"type": "text", "text": "xx"}, {"text": "x"}]}]
CALL_ONLY: list[dict[str, Any]] = [{"role": "assistant", "content": None, "tool_calls": []}]


def test_of_a_conversation_the_assistants_last_words_count(make: Callable[..., Reward]) -> None:
    assert make().score("a", ["x", CONVERSATION, PARTS, CALL_ONLY]) == [0.1, 0.4, 0.3, 0.0]


@pytest.mark.parametrize(
    ("completion", "where"),
    [
        (None, "completions[1]: is a NoneType"),
        (b"x", "completions[1]: is a bytes"),
        (["x"], "completions[1][0]: is no message"),
        ([{"role": "user", "content": "x"}], "completions[1]: has no message of the assistant"),
        ([{"role": "assistant", "content": 3}], "completions[1][0].content: is a int"),
        ([{"role": "assistant", "content": [3]}], "completions[1][0].content[0]: is a int"),
    ],
)
def test_what_is_no_completion_is_named_by_its_place(
    make: Callable[..., Reward], completion: Any, where: str
) -> None:
    with pytest.raises(TypeError, match=re.escape(where)):
        make().score("a", ["x", completion])


def test_half_a_surrogate_pair_of_a_model_is_no_fault(make: Callable[..., Reward]) -> None:
    assert make().score("a", ["x\ud83d", "xé\ud83d\ude00"]) == [0.2, 0.3]


@pytest.mark.parametrize(
    ("problems", "message"),
    [
        (["a"], "problems: has 1 entries for 2 completions"),
        (["a", "b b"], r"problems\[1\].problem_id"),
        (["a", 3], r"problems\[1\]: is a int"),
        (["a", '{"x": 1}'], r"problems\[1\]: has none of tests, test_cases and inputs"),
    ],
)
def test_what_is_no_problem_is_named_by_its_place(
    make: Callable[..., Reward], server: FakeServer, problems: Any, message: str
) -> None:
    with pytest.raises(InvalidRequest, match=message):
        make().score(problems, ["x", "y"])
    assert not server.requests


# -- gathering --------------------------------------------------------------------------------


def test_calls_made_together_are_one_batch(make: Callable[..., Reward], server: FakeServer) -> None:
    reward = make()

    async def ask() -> list[list[float | None]]:
        return await asyncio.gather(*(reward.score_async(f"p{n}", ["x" * n]) for n in range(10)))

    assert asyncio.run(ask()) == [[n / 10] for n in range(10)]
    assert [len(body["items"]) for body in posted(server)] == [10]


def test_blocking_calls_of_many_threads_are_gathered_too(
    make: Callable[..., Reward], server: FakeServer
) -> None:
    reward = make()
    barrier = threading.Barrier(8)

    def ask(n: int) -> list[float | None]:
        barrier.wait()
        return reward.score(f"p{n}", ["x" * n])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == [[n / 10] for n in range(8)]
    assert len(posted(server)) < 8


def test_a_caller_has_its_answer_before_the_batch_is_complete(
    make: Callable[..., Reward], server: FakeServer
) -> None:
    reward = make()
    server.hold(after=1)

    async def ask() -> tuple[list[float | None], bool, list[float | None]]:
        first = asyncio.create_task(reward.score_async("p", ["x"]))
        second = asyncio.create_task(reward.score_async("p", ["xx"]))
        found = await first
        waits = not second.done()
        server.release()
        return found, waits, await second

    assert asyncio.run(ask()) == ([0.1], True, [0.2])
    assert len(posted(server)) == 1


def test_a_cancelled_caller_hurts_no_other(make: Callable[..., Reward], server: FakeServer) -> None:
    reward = make()
    server.hold()

    async def ask() -> list[float | None]:
        gone = asyncio.create_task(reward.score_async("p", ["x"]))
        stays = asyncio.create_task(reward.score_async("p", ["x", "xx"]))
        while not posted(server):
            await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        server.release()
        return await stays

    assert asyncio.run(ask()) == [0.1, 0.2]
    assert not cancelled(server)


def test_what_nobody_waits_for_any_more_is_cancelled_at_the_server(
    make: Callable[..., Reward], server: FakeServer
) -> None:
    reward = make()
    server.hold()

    async def ask() -> None:
        gone = asyncio.create_task(reward.score_async("p", ["x"]))
        while not any("results" in str(request.url) for request in server.requests):
            await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        while not cancelled(server):
            await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(ask(), 30))


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C as Python has it: what a shell starts in the background ignores the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_after_an_interrupt_nothing_more_is_run(
    interruptible: None, make: Callable[..., Reward], server: FakeServer
) -> None:
    reward = make()
    server.hold()

    def interrupt() -> None:
        until(lambda: any("results" in str(request.url) for request in server.requests))
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        reward.score("p", ["x"])
    thread.join()
    until(lambda: cancelled(server) == 1)


def test_a_reward_that_nobody_closed_ends_with_the_process(server: FakeServer) -> None:
    code = """
import asyncio, logging, sys, proctor

# A busy machine is no fault.
logging.getLogger("asyncio").addFilter(lambda record: not record.msg.startswith("Executing"))
reward = proctor.Reward(sys.argv[1])

async def later():
    return await reward.score_async("p", ["xx"])

print(reward.score("p", ["x"]) + asyncio.run(later()))
"""
    with served(server) as url:
        argv = [sys.executable, "-X", "dev", "-W", "error", "-c", code, url]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[0.1, 0.2]\n", "")


def test_nothing_is_posted_for_a_caller_that_is_gone(
    make: Callable[..., Reward], server: FakeServer
) -> None:
    reward = make()

    async def ask() -> list[float | None]:
        gone = asyncio.create_task(reward.score_async("p", ["gone"]))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait([gone])
        while reward._home().gatherer()._open is not None:
            await asyncio.sleep(0)
        return await reward.score_async("p", ["x"])

    assert asyncio.run(ask()) == [0.1]
    assert [item["completion"] for body in posted(server) for item in body["items"]] == ["x"]


def test_each_event_loop_has_connections_of_its_own_and_closes_them(
    make: Callable[..., Reward], server: FakeServer
) -> None:
    with served(server) as url:
        reward = make(url=url, transport=None)
        for _ in range(3):
            # A socket left open would be a ResourceWarning, which is an error here.
            assert asyncio.run(reward.score_async("p", ["x"])) == [0.1]
        assert len(reward._home()._gatherers) == 1
        with reward:
            assert reward.score("p", ["xx"]) == [0.2]

        async def closed() -> None:
            async with reward:
                assert await reward.score_async("p", ["xxx"]) == [0.3]

        asyncio.run(closed())
        assert reward.score("p", ["x"]) == [0.1]


def test_who_waits_when_the_reward_is_closed_is_told(
    make: Callable[..., Reward], server: FakeServer
) -> None:
    reward = make()
    server.hold()

    async def ask() -> Any:
        asked = asyncio.create_task(reward.judge_async("p", ["x"]))
        while not posted(server):
            await asyncio.sleep(0)
        await reward.aclose()
        return await asked

    (judged,) = asyncio.run(ask())
    assert judged.reason == "the reward was closed before the result came"


def test_large_batches_go_in_parts(
    make: Callable[..., Reward], server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proctor._posting.PART_BYTES", 10)
    monkeypatch.setattr("proctor._posting.PART_ITEMS", 2)
    texts = ["x", "xx", "xxx", "xxxxxxxxx", "xxxxx"]
    assert make().score("p", texts) == [len(text) / 10 for text in texts]
    assert sorted(len(body["items"]) for body in posted(server)) == [1, 1, 1, 2]


def test_a_batch_that_is_too_much_for_a_key_is_halved(server: FakeServer) -> None:
    def answer(request: httpx.Request) -> httpx.Response | None:
        body = json.loads(request.content) if request.method == "POST" else {"items": []}
        if len(body["items"]) > 4:
            return refusal(413, ("body", "is longer than 4 items"))
        if len(body["items"]) > 2:
            return refusal(422, ("items", "has more entries than the 2 that this key may queue"))
        return None

    with Reward(transport=Answering(server, answer), retry=IMPATIENT) as reward:
        assert reward.score("p", ["x" * n for n in range(7)]) == [n / 10 for n in range(7)]


# -- faults of the caller's -------------------------------------------------------------------


@pytest.mark.parametrize("on_failure", ["none", "zero", "raise"])
def test_an_unknown_problem_stops_whoever_named_it_and_nobody_else(on_failure: str) -> None:
    server = FakeServer(judge, check_problems=True)

    async def ask(reward: Reward) -> list[Any]:
        calls = [
            reward.score_async("p/echo", ["x"]),
            reward.score_async(["p/echo", "p/ecko"], ["xx", "x"]),
            reward.score_async("p/echo", ["xxx"]),
        ]
        return await asyncio.gather(*calls, return_exceptions=True)

    with Reward(transport=server, retry=IMPATIENT, on_failure=on_failure) as reward:  # type: ignore[arg-type]
        server.handle_request(
            httpx.Request("PUT", "http://x/v1/problems/p/echo", content=ECHO.model_dump_json())
        )
        first, faulty, last = asyncio.run(ask(reward))
    assert (first, last) == ([0.1], [0.3])
    assert isinstance(faulty, InvalidRequest)
    assert "'p/ecko'" in str(faulty)
    assert "names no problem that is stored" in str(faulty)
    assert [len(body["items"]) for body in posted(server)] == [4, 3]


def test_every_wrong_id_is_found_though_a_refusal_lists_a_hundred(server: FakeServer) -> None:
    def answer(request: httpx.Request) -> httpx.Response | None:
        body = json.loads(request.content) if request.method == "POST" else {"items": []}
        wrong = [n for n, item in enumerate(body["items"]) if item["problem_id"] == "wrong"]
        faults = [(f"items[{n}].problem_id", "names no problem") for n in wrong[:2]]
        return refusal(422, *faults) if faults else None

    async def ask(reward: Reward) -> list[Any]:
        calls = [reward.score_async("wrong" if n % 2 else "right", ["x" * n]) for n in range(10)]
        return await asyncio.gather(*calls, return_exceptions=True)

    found = asyncio.run(ask(Reward(transport=Answering(server, answer), retry=IMPATIENT)))
    assert found[::2] == [[0.0], [0.2], [0.4], [0.6], [0.8]]
    assert all(isinstance(error, InvalidRequest) for error in found[1::2])


@pytest.mark.parametrize(
    ("status", "error"), [(401, NotPermitted), (403, NotPermitted), (422, InvalidRequest)]
)
def test_what_the_caller_must_mend_is_raised_at_once(
    make: Callable[..., Reward], server: FakeServer, status: int, error: type[Exception]
) -> None:
    server.fail(status)
    with pytest.raises(error):
        make(on_failure="zero").score("p", ["x"])


def test_a_wrong_address_is_the_callers_fault(server: FakeServer) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text="<html>")

    with (
        Reward(transport=Answering(server, answer)) as reward,
        pytest.raises(BadAnswer, match="is this a Proctor server"),
    ):
        reward.score("p", ["x"])


def test_a_text_that_the_server_takes_for_no_program_is_the_programs_fault(
    server: FakeServer,
) -> None:
    def answer(request: httpx.Request) -> httpx.Response | None:
        body = json.loads(request.content) if request.method == "POST" else {"items": []}
        faults = [
            (f"items[{n}].completion", "is longer than 5 bytes")
            for n, item in enumerate(body["items"])
            if len(item["completion"]) > 5
        ]
        return refusal(422, *faults) if faults else None

    policy = RewardPolicy(compile_error=-0.5)
    with Reward(transport=Answering(server, answer), policy=policy) as reward:
        short, long = reward.judge("p", ["x", "x" * 6])
        assert (short.reward, long.reward) == (0.1, -0.5)
        assert (long.verdict, long.pass_rate, long.unscored) == (Verdict.CE, 0.0, False)
        assert reward.summary().verdicts == {Verdict.WA: 1, Verdict.CE: 1}


# -- faults of ours ---------------------------------------------------------------------------


def test_an_ie_is_none_zero_or_an_error_as_was_said(
    make: Callable[..., Reward], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "proctor"):
        assert make().score("p", ["x", "IE"]) == [0.1, None]
    assert "1 of 2 sample(s) could not be judged" in caplog.text
    assert "completions[1]: the judge gave None" in caplog.text
    assert make(on_failure="zero").score("p", ["x", "IE"]) == [0.1, 0.0]
    with pytest.raises(Unscored, match=r"completions\[1\]: the judge gave None"):
        make(on_failure="raise").score("p", ["x", "IE"])


def test_an_ie_does_not_become_zero_by_the_means(make: Callable[..., Reward]) -> None:
    reward = make(on_failure="zero")
    judged = reward.judge("p", ["IE", "x" * 10])
    assert [each.unscored for each in judged] == [True, False]
    assert (reward.summary().mean_reward, reward.summary().unscored) == (1.0, 1)


def test_a_server_that_refuses_through_every_retry_is_our_fault(
    make: Callable[..., Reward], server: FakeServer
) -> None:
    server.fail(503, times=4)
    (judged,) = make().judge("p", ["x"])
    assert (judged.reward, judged.verdict) == (None, None)
    assert "Service Unavailable" in (judged.reason or "")
    server.fail(httpx.ConnectError, times=4)
    with pytest.raises(Unscored, match="no answer from"):
        make(on_failure="raise").score("p", ["x"])


@pytest.mark.parametrize("failure", [429, 502, 503, 504, httpx.ConnectError, httpx.ReadTimeout])
def test_a_restart_is_waited_out(
    make: Callable[..., Reward], server: FakeServer, failure: Any
) -> None:
    server.fail(failure, times=3)
    assert make().score("p", ["x"]) == [0.1]


def test_cut_streams_are_taken_up(make: Callable[..., Reward], server: FakeServer) -> None:
    server.cut_streams(after=1)
    server.cut_streams(after=0)
    assert make().score("p", ["x", "xx", "xxx"]) == [0.1, 0.2, 0.3]


def test_a_batch_that_the_server_forgot_is_posted_again(server: FakeServer) -> None:
    forgetful = iter([True, False])

    def answer(request: httpx.Request) -> httpx.Response | None:
        if "results" in str(request.url) and next(forgetful, False):
            return refusal(404)
        return None

    with Reward(transport=Answering(server, answer), retry=IMPATIENT) as reward:
        assert reward.score("p", ["x", "xx"]) == [0.1, 0.2]
    assert len(posted(server)) == 2


def test_a_server_that_always_forgets_is_our_fault(server: FakeServer) -> None:
    def answer(request: httpx.Request) -> httpx.Response | None:
        return refusal(404) if "results" in str(request.url) else None

    with Reward(transport=Answering(server, answer), retry=IMPATIENT) as reward:
        (judged,) = reward.judge("p", ["x"])
        assert "forgot batch" in (judged.reason or "")


def test_what_the_server_cancels_at_the_deadline_has_no_reward(
    make: Callable[..., Reward], server: FakeServer
) -> None:
    server.hold(after=1)
    there, late = make(deadline_s=0.2).judge("p", ["x", "xx"])
    assert there.reward == 0.1
    assert (late.reward, late.verdict) == (None, None)
    assert "no result came within deadline_s" in (late.reason or "")


def test_a_server_that_keeps_no_deadline_is_not_waited_for(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(request: httpx.Request) -> httpx.Response | None:
        if "results" not in str(request.url):
            return None
        line = server.handle_request(request).read().splitlines()[0]
        cursor = int(request.url.params["cursor"])
        lines = line + b"\n" if cursor == 0 else b""
        end = b'{"cursor":1,"state":"running"}\n'
        return httpx.Response(200, content=lines + end)

    monkeypatch.setattr("proctor._gatherer.GRACE_S", 0.1)
    with Reward(transport=Answering(server, answer), deadline_s=0.1) as reward:
        there, late = reward.judge("p", ["x", "xx"])
        assert there.reward == 0.1
        assert "within the time given" in (late.reason or "")
    assert cancelled(server) == 1


# -- the running summary ----------------------------------------------------------------------


def test_the_summary_runs_until_it_is_reset(make: Callable[..., Reward]) -> None:
    reward = make()
    reward.score("p", ["x" * 10, "TLE", "IE"])
    asyncio.run(reward.score_async("q", ["x" * 10]))
    summary = reward.summary()
    assert (summary.programs, summary.problems, summary.unscored) == (4, None, 1)
    assert summary.verdicts == {Verdict.AC: 2, Verdict.TLE: 1, Verdict.IE: 1}
    metrics = summary.as_metrics()
    assert metrics["proctor/verdict/AC"] == 0.5
    assert metrics["proctor/null_share"] == 0.25
    assert metrics["proctor/accepted"] == metrics["proctor/reward"] == pytest.approx(2 / 3)
    assert reward.summary(reset=True) == summary
    assert reward.summary().as_metrics() == {}


# -- processes --------------------------------------------------------------------------------


def test_a_reward_pickles_without_what_it_has_open(
    make: Callable[..., Reward], server: FakeServer
) -> None:
    with served(server) as url:
        reward = make(url=url, transport=None, on_failure="zero")
        reward.score("p", ["x"])
        with pickle.loads(pickle.dumps(reward)) as copy:  # noqa: S301  our own bytes
            assert copy.summary().programs == 0
            assert copy.score("p", ["xx", "IE"]) == [0.2, 0.0]


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_a_reward_works_in_a_child_process(
    make: Callable[..., Reward], server: FakeServer, method: str
) -> None:
    with served(server) as url:
        reward = make(url=url, transport=None)
        # The parent's thread and connections are open; the child must not use them.
        assert reward.score("p", ["x"]) == [0.1]
        context = multiprocessing.get_context(method)
        with context.Pool(1) as pool:
            process_id, found = pool.apply(scored, (reward,))
            pool.close()
            pool.join()
        assert (process_id != os.getpid(), found) == (True, [0.2, 0.3])
        assert reward.score("p", ["x"]) == [0.1]


def scored(reward: Reward) -> tuple[int, list[float | None]]:
    found = reward.score("p", ["xx"])
    return os.getpid(), found + asyncio.run(reward.score_async("p", ["xxx"]))


def test_a_server_may_start_after_the_reward_was_asked(server: FakeServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    retry = Retry(attempts=600, base_s=0.05, cap_s=0.05)
    with (
        Reward(f"http://127.0.0.1:{port}", retry=retry) as reward,
        ThreadPoolExecutor(1) as pool,
    ):
        asked = pool.submit(reward.score, "p", ["x"])
        with served(server, port):
            assert asked.result(timeout=60) == [0.1]
