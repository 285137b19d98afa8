"""A Redis that answers and takes no writes: what the door says, and what workers do."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from proctor_server.settings import Settings
from tests.server.conftest import TWO_TESTS, Workers, post, results, serving, wait_until

ITEMS = {"items": [{"problem_id": "two", "source": f"ac {n}"} for n in range(3)]}


@contextmanager
def out_of_memory(client: "redis.Redis") -> Iterator[None]:
    client.config_set("maxmemory", "1mb")
    try:
        yield
    finally:
        client.config_set("maxmemory", "0")


@contextmanager
def read_only(client: "redis.Redis") -> Iterator[None]:
    """A replica of nobody, as after a failover that the clients were not told of."""
    client.replicaof("127.0.0.1", "1")
    try:
        yield
    finally:
        client.replicaof("NO", "ONE")


@contextmanager
def without_replicas(client: "redis.Redis") -> Iterator[None]:
    """Refuses as it does when its disk is full, by the same check."""
    client.config_set("min-replicas-to-write", "1")
    try:
        yield
    finally:
        client.config_set("min-replicas-to-write", "0")


REFUSALS = pytest.mark.parametrize("refusing", [out_of_memory, read_only, without_replicas])
Refusal = Callable[["redis.Redis"], Any]


@REFUSALS
def test_the_door_says_503_and_nothing_of_the_batch_is_there(
    api: httpx.Client, two: str, redis_client: "redis.Redis", refusing: Refusal
) -> None:
    before = set(redis_client.keys())
    key = {"Idempotency-Key": "once more"}
    with refusing(redis_client):
        answer = api.post("/v1/batches", json=ITEMS, headers=key)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        single = api.post("/v1/submissions", json=ITEMS["items"][0])
        assert (single.status_code, single.headers["retry-after"]) == (503, "1")
        assert set(redis_client.keys()) == before
    wait_until(lambda: api.post("/v1/batches", json=ITEMS, headers=key).is_success, "it is taken")
    assert redis_client.get("proctor:pending") == b"3"


@REFUSALS
def test_a_worker_keeps_its_results_and_writes_them_later(
    api: httpx.Client,
    two: str,
    worker: Workers,
    redis_client: "redis.Redis",
    tmp_path: Path,
    refusing: Refusal,
) -> None:
    gate = tmp_path / "gate"
    batch = post(api, f"gate {gate}", "ac")
    wait_until(worker.ran, "the program runs")
    with refusing(redis_client):
        gate.touch()
        before = _errors(redis_client)
        wait_until(lambda: _errors(redis_client) > before + 3, "the worker tries to write")
    *lines, end = results(api, batch)
    assert [line["verdict"] for line in lines] == ["AC", "AC"]
    assert end["state"] == "done"
    wait_until(lambda: api.get("/readyz").is_success, "all is well again")
    # The same worker goes on; it was not started again, and nothing ran twice.
    assert len(results(api, post(api, "ac after"))) == 2
    assert [process.exitcode for process in worker.processes] == [None]
    assert sorted(worker.ran()) == ["ac", "ac after", f"gate {gate}"]


def test_results_are_written_while_the_memory_is_full(
    api: httpx.Client, two: str, worker: Workers, redis_client: "redis.Redis", tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    batch = post(api, f"gate {gate}")
    wait_until(worker.ran, "the program runs")
    with out_of_memory(redis_client):
        gate.touch()
        done = {"state": "done"}.items()
        wait_until(lambda: done <= api.get(f"/v1/batches/{batch}").json().items(), "the results")


def test_the_last_tenth_of_the_memory_is_the_workers(
    settings: Settings, redis_client: "redis.Redis", workers: Workers
) -> None:
    with serving(settings) as api:
        api.put("/v1/problems/two", json=TWO_TESTS).raise_for_status()
        batch = post(api, "ac", "wa")
        try:
            # Room for what workers write, far above what the connections' buffers come to.
            used = int(redis_client.info("memory")["used_memory"])
            redis_client.config_set("maxmemory", str(int(used / 0.93)))
            wait_until(lambda: _refused(api), "new work is refused")
            memory = api.get("/v1/stats").json()["memory"]
            assert memory["nearly_full"]
            assert memory["limit_bytes"] == int(used / 0.93)
            assert "posts get 503" in api.get("/").text
            workers.start()
            assert len(results(api, batch)) == 3
        finally:
            redis_client.config_set("maxmemory", "0")
        wait_until(lambda: api.post("/v1/batches", json=ITEMS).is_success, "new work is taken")


def _errors(client: "redis.Redis") -> int:
    """How many commands Redis has refused so far."""
    return sum(kind["count"] for kind in client.info("errorstats").values())


def _refused(api: httpx.Client) -> bool:
    answer = api.post("/v1/batches", json=ITEMS)
    return answer.status_code == 503 and "nearly full" in answer.json()["detail"]
