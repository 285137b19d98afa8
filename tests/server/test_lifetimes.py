"""How long things live in Redis: everything ends by itself, but what keys.py says is for ever."""

import re
from collections.abc import Iterator

import httpx
import pytest
import redis

from proctor_server.settings import Settings
from proctor_server.store import keys
from tests.server.conftest import TWO_TESTS, Workers, exit_code, post, results, wait_until

_FOR_EVER = ("for ever", "while it is needed", "pruned")


def documented() -> Iterator[re.Pattern[str]]:
    """The names of keys that keys.py gives no time."""
    rows = re.findall(r"^\| (\S+) \| .* \| (.+) \|$", str(keys.__doc__), re.MULTILINE)
    assert len(rows) > 20
    for name, lives in rows:
        if lives.startswith(_FOR_EVER):
            full = name if name.startswith("rq:") else keys.PREFIX + name
            yield re.compile(re.sub(r"<\w+>", ".*", full))


def timeless(redis_client: "redis.Redis") -> set[str]:
    """The keys that do not end by themselves."""
    return {key.decode() for key in redis_client.scan_iter() if redis_client.ttl(key) == -1}


@pytest.mark.usefixtures("worker", "two")
def test_what_is_left_of_ended_work_has_a_time_to_live(
    api: httpx.Client, redis_client: "redis.Redis"
) -> None:
    inline = {"problem": TWO_TESTS | {"id": "inline"}, "source": "half"}
    named = {"problem_id": "two", "source": "ac"}
    body = {"items": [named, named, inline]}
    posted = api.post("/v1/batches", json=body, headers={"Idempotency-Key": "once"})
    ended = [posted.json()["id"], post(api, *(f"ac {number}" for number in range(100)))]
    single = api.post("/v1/submissions?wait=20", json=named | {"source": "wa"})
    assert single.status_code == 200
    for batch in ended:
        assert results(api, batch)[-1]["state"] == "done"
    cancelled = post(api, "sleep 0.3", "ac, too late")
    api.delete(f"/v1/batches/{cancelled}").raise_for_status()
    left = "rq:job:*", keys.CHUNK + "*", keys.WAITERS + "*"
    wait_until(lambda: not any(map(redis_client.keys, left)), "all work's end")

    allowed = list(documented())
    stray = [key for key in timeless(redis_client) if not any(p.fullmatch(key) for p in allowed)]
    assert stray == []
    assert redis_client.get(keys.PENDING) == b"0"


@pytest.mark.usefixtures("two")
def test_the_test_above_would_find_what_stays(
    api: httpx.Client, redis_client: "redis.Redis"
) -> None:
    post(api, "ac, which nobody runs")
    allowed = list(documented())
    stray = {key for key in timeless(redis_client) if not any(p.fullmatch(key) for p in allowed)}
    assert {keys.CHUNKS} < stray


def test_a_workers_own_keys_go_with_it(
    workers: Workers, redis_client: "redis.Redis", settings: Settings
) -> None:
    process = workers.start()
    wait_until(lambda: redis_client.zcard(keys.WORKERS) == 1, "a worker is there")
    process.terminate()
    assert exit_code(process) == 0
    assert redis_client.keys(f"{keys.WORKER}*") == []
    assert [key for key in timeless(redis_client) if key.startswith("rq:worker")] == []
