"""Batches over HTTP: posted, streamed, resumed, repeated, cancelled."""

import gzip
import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from proctor.types import BatchStatus, Result, StreamEnd
from tests.server.conftest import Workers, post, results, wait_until


def test_every_program_gets_one_result_and_the_stream_ends(
    api: httpx.Client, two: str, worker: Workers
) -> None:
    batch = post(api, "ac", "wa", "half", "ce")
    *lines, end = results(api, batch)
    assert StreamEnd.model_validate(end) == StreamEnd(cursor=4, state="done")
    found = {line["index"]: Result.model_validate(line) for line in lines}
    assert [found[i].verdict for i in range(4)] == ["AC", "WA", "WA", "CE"]
    assert [found[i].reward for i in range(4)] == [1.0, 0.0, 0.5, 0.0]
    assert [found[i].pass_rate for i in range(4)] == [1.0, 0.0, 0.5, 0.0]
    assert [found[i].submission_id for i in range(4)] == [f"{batch}-{i}" for i in range(4)]


def test_a_batch_says_how_far_it_is(api: httpx.Client, two: str, workers: Workers) -> None:
    batch = post(api, "ac", "wa 1", "wa 2")
    before = BatchStatus.model_validate(api.get(f"/v1/batches/{batch}").json())
    assert (before.state, before.completed, before.total) == ("running", 0, 3)
    assert abs(before.created_at - time.time()) < 60
    workers.start()
    answer = api.get(f"/v1/batches/{batch}", params={"wait": 20})
    after = BatchStatus.model_validate(answer.json())
    assert (after.state, after.completed) == ("done", 3)
    assert after.verdicts == {"AC": 1, "WA": 2}


def test_a_wait_ends_when_its_time_is_over(api: httpx.Client, two: str) -> None:
    batch = post(api, "ac")
    began = time.monotonic()
    assert api.get(f"/v1/batches/{batch}", params={"wait": 0.2}).json()["state"] == "running"
    (end,) = results(api, batch, wait=0.2)
    assert end == {"cursor": 0, "state": "running"}
    assert 0.4 <= time.monotonic() - began < 5


def test_results_come_as_they_are_known(
    api: httpx.Client, two: str, worker: Workers, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    batch = post(api, "ac", f"gate {gate}")
    with api.stream("GET", f"/v1/batches/{batch}/results") as stream:
        lines = stream.iter_lines()
        assert json.loads(next(lines))["index"] == 0
        gate.touch()
        assert json.loads(next(lines))["index"] == 1
        assert json.loads(next(lines)) == {"cursor": 2, "state": "done"}


def test_a_stream_resumes_after_its_cursor(api: httpx.Client, two: str, worker: Workers) -> None:
    batch = post(api, *(f"ac {i}" for i in range(10)))
    *whole, _ = results(api, batch)
    for cursor in (0, 3, 9, 10, 11):
        *rest, end = results(api, batch, cursor)
        assert rest == whole[cursor:]
        assert end == {"cursor": max(cursor, 10), "state": "done"}


def test_equal_programs_are_run_once_within_a_batch_and_across(
    api: httpx.Client, two: str, worker: Workers
) -> None:
    first = post(api, "ac same", "ac same", "wa other")
    lines = {line["index"]: line for line in results(api, first)[:-1]}
    assert [lines[i]["cached"] for i in range(3)] == [False, True, False]
    second = post(api, "ac same", "ac new")
    lines = {line["index"]: line for line in results(api, second)[:-1]}
    assert [lines[i]["cached"] for i in range(2)] == [True, False]
    assert sorted(worker.ran()) == ["ac new", "ac same", "wa other"]


def test_work_in_flight_is_shared(
    api: httpx.Client, two: str, worker: Workers, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    first = post(api, f"gate {gate}")
    wait_until(worker.ran, "the first batch's program runs")
    second = post(api, f"gate {gate}", "ac")
    gate.touch()
    assert [line["verdict"] for line in results(api, first)[:-1]] == ["AC"]
    assert len(results(api, second)) == 3
    assert sorted(worker.ran()) == ["ac", f"gate {gate}"]


def test_a_fresh_batch_is_run_again(api: httpx.Client, two: str, worker: Workers) -> None:
    results(api, post(api, "ac"))
    *lines, _ = results(api, post(api, "ac", "ac", fresh=True))
    assert [line["cached"] for line in lines] == [False, False]
    assert worker.ran() == ["ac", "ac", "ac"]


def test_equal_programs_under_other_policies_earn_their_own_reward(
    api: httpx.Client, two: str, worker: Workers
) -> None:
    policies: list[dict[str, Any] | None] = [
        None,
        {"name": "all_or_nothing"},
        {"name": "threshold", "threshold": 0.5},
    ]
    items = [
        {"problem_id": "two", "source": "half"} | ({} if policy is None else {"reward": policy})
        for policy in policies
    ]
    answer = api.post("/v1/batches", json={"items": items, "reward": {"name": "weighted"}})
    found = {line["index"]: line["reward"] for line in results(api, answer.json()["id"])[:-1]}
    assert found == {0: 0.5, 1: 0.0, 2: 1.0}


def test_an_own_id_comes_back_however_odd_it_is(
    api: httpx.Client, two: str, worker: Workers
) -> None:
    ids = ['quote " and \\ back', "новый\n", "x" * 200]
    items = [{"id": own, "problem_id": "two", "source": f"ac {own[:3]}"} for own in ids]
    answer = api.post("/v1/batches", json={"items": items})
    found = {line["index"]: line["id"] for line in results(api, answer.json()["id"])[:-1]}
    assert found == dict(enumerate(ids))


@pytest.mark.parametrize("options", [None, {"reward": {"name": "all_or_nothing"}}])
def test_a_batch_can_be_posted_as_lines(
    api: httpx.Client, two: str, worker: Workers, options: dict[str, Any] | None
) -> None:
    lines = [{"problem_id": "two", "source": source} for source in ("ac", "half")]
    body = "\n".join(
        json.dumps(line) for line in [*([{"options": options}] if options else []), *lines]
    )
    answer = api.post("/v1/batches", content=body, headers={"Content-Type": "application/x-ndjson"})
    assert answer.status_code == 201, answer.text
    found = {line["index"]: line["reward"] for line in results(api, answer.json()["id"])[:-1]}
    assert found == {0: 1.0, 1: 0.0 if options else 0.5}


def test_a_batch_can_be_posted_compressed(api: httpx.Client, two: str, worker: Workers) -> None:
    body = gzip.compress(json.dumps({"items": [{"problem_id": "two", "source": "ac"}]}).encode())
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = api.post("/v1/batches", content=body, headers=headers)
    assert answer.status_code == 201
    assert len(results(api, answer.json()["id"])) == 2


def test_the_same_key_and_body_is_the_same_batch(
    api: httpx.Client, two: str, worker: Workers
) -> None:
    body = {"items": [{"problem_id": "two", "source": "ac"}], "fresh": True}
    headers = {"Idempotency-Key": "step-1"}
    first = api.post("/v1/batches", json=body, headers=headers)
    again = api.post("/v1/batches", json=body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    results(api, first.json()["id"])
    assert worker.ran() == ["ac"]


def test_the_same_key_with_another_body_is_refused(api: httpx.Client, two: str) -> None:
    headers = {"Idempotency-Key": "step-1"}
    for source, status in (("ac", 201), ("wa", 409)):
        body = {"items": [{"problem_id": "two", "source": source}]}
        answer = api.post("/v1/batches", json=body, headers=headers)
        assert answer.status_code == status
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"


def test_a_cancelled_batch_keeps_its_results_and_cancels_the_rest(
    api: httpx.Client, two: str, worker: Workers, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    batch = post(api, "ac", f"gate {gate}", "ac never")
    with api.stream("GET", f"/v1/batches/{batch}/results") as stream:
        next(stream.iter_lines())
    assert api.delete(f"/v1/batches/{batch}").json()["state"] == "cancelled"
    *lines, end = results(api, batch)
    assert end == {"cursor": 3, "state": "cancelled"}
    states = {line["index"]: (line["state"], line["reward"]) for line in map(_filled, lines)}
    assert states == {0: ("done", 1.0), 1: ("cancelled", None), 2: ("cancelled", None)}
    gate.touch()
    # What comes after shows that the worker went on, without the cancelled program.
    results(api, post(api, "ac later"))
    assert "ac never" not in worker.ran()
    assert len(results(api, batch)) == 4


def test_cancelling_leaves_what_another_batch_waits_for(
    api: httpx.Client, two: str, workers: Workers
) -> None:
    one, other = post(api, "ac shared"), post(api, "ac shared")
    api.delete(f"/v1/batches/{one}")
    workers.start()
    assert [line["verdict"] for line in results(api, other)[:-1]] == ["AC"]
    assert [line["state"] for line in results(api, one)[:-1]] == ["cancelled"]


def test_cancelling_twice_or_after_the_end_changes_nothing(
    api: httpx.Client, two: str, worker: Workers
) -> None:
    batch = post(api, "ac")
    before = results(api, batch)
    for _ in range(2):
        assert api.delete(f"/v1/batches/{batch}").json()["state"] == "done"
    assert results(api, batch) == before


@pytest.mark.parametrize("path", ["", "/results"])
def test_an_unknown_batch_is_not_found(api: httpx.Client, path: str) -> None:
    answer = api.get(f"/v1/batches/nothing{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert api.delete("/v1/batches/nothing").status_code == 404


def test_nothing_is_left_when_all_is_done(
    api: httpx.Client, two: str, worker: Workers, redis_client: "redis.Redis"
) -> None:
    results(api, post(api, *(f"ac {i}" for i in range(200))))

    def left() -> list[bytes]:
        kinds = ("proctor:waiters:*", "proctor:chunk:*", "rq:job:*", "rq:execution*")
        return [key for kind in kinds for key in redis_client.scan_iter(kind, count=1000)]

    wait_until(lambda: not left(), "no key of finished work is left")
    assert redis_client.zcard("proctor:chunks") == 0
    assert redis_client.get("proctor:pending") == b"0"
    # What is kept for a while has an end.
    for kind in ("batch", "items", "done", "seen", "outcome"):
        for key in redis_client.scan_iter(f"proctor:{kind}:*", count=1000):
            assert redis_client.ttl(key) > 0, key


def _filled(line: dict[str, Any]) -> dict[str, Any]:
    return Result.model_validate(line).model_dump()
