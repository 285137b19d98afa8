"""Statistics: what is counted of results, how long, and what is made of it."""

import math
import random
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from proctor.types import ProblemStats, ProblemStatsPage, Stats
from proctor_server.queue import Size
from proctor_server.settings import Settings
from proctor_server.statistics import problem_stats, stats
from proctor_server.store import keys
from proctor_server.store.connection import run_script
from proctor_server.store.counters import LAST_PLACE, Counts, Durations, most_s
from proctor_server.store.memory import Memory
from proctor_server.store.problems import Head
from proctor_server.store.scripts import NOTE_CHUNK
from proctor_server.store.statistics import Backlog, ProblemCounts
from tests.server.conftest import TWO_TESTS, Workers, post, results, serving, wait_until

HEAD = Head("v", "", Size(7, 1.0), python_only=False)


def read(api: httpx.Client) -> Stats:
    return Stats.model_validate(api.get("/v1/stats").raise_for_status().json())


# -- over a real store --------------------------------------------------------------------------


def test_an_idle_service_has_nothing_to_tell(api: httpx.Client) -> None:
    told = read(api)
    assert (told.pending, told.waiting_chunks, told.oldest_wait_s) == (0, 0, None)
    assert (told.programs_per_s, told.ie_share, told.cached_share) == (0, 0, 0)
    assert (told.verdicts, told.faults, told.workers, told.history) == ({}, {}, [], [])
    assert told.memory.used_bytes > 100_000
    assert (told.memory.limit_bytes, told.memory.nearly_full) == (None, False)


def test_results_are_counted_as_they_are_written(
    api: httpx.Client, two: str, worker: Workers
) -> None:
    results(api, post(api, "ac", "half", "ac", "raise"))
    results(api, post(api, "ac"))  # known already
    told = read(api)
    assert told.verdicts == {"AC": 3, "WA": 1, "IE": 1}
    assert told.faults == {"failure": 1}
    assert told.ie_share == pytest.approx(0.2)
    assert told.cached_share == pytest.approx(0.4)
    assert sum(bucket.programs for bucket in told.history) == 5
    assert sum(bucket.cached for bucket in told.history) == 2
    assert 5 / 70 <= told.programs_per_s <= 5 / 60
    for bucket in told.history:
        assert told.at - 3600 <= bucket.at <= told.at
        assert bucket.at % 10 == 0
    waits = [bucket.queue_wait_s for bucket in told.history if bucket.queue_wait_s]
    assert waits
    assert all(0.001 <= each.p50 <= each.p95 <= 30 for each in waits)


def test_what_waits_is_told_with_its_age(
    api: httpx.Client, two: str, workers: Workers, tmp_path: Path
) -> None:
    batch = post(api, *(f"ac {number}" for number in range(300)))
    before = read(api)
    assert before.pending == 300
    # Those that wait for a turn wait as well.
    assert before.waiting_chunks > 2
    wait_until(lambda: (read(api).oldest_wait_s or 0) > 0.1, "the oldest ages")
    workers.start()
    results(api, batch, wait=30)
    wait_until(lambda: read(api).waiting_chunks == 0, "all are taken")
    assert (read(api).pending, read(api).oldest_wait_s) == (0, None)


def test_a_worker_says_what_it_runs(
    api: httpx.Client, two: str, worker: Workers, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    item = {"problem_id": two, "source": f"gate {gate}", "language": "cpp"}
    batch = api.post("/v1/batches", json={"items": [item]}).json()["id"]
    wait_until(lambda: read(api).workers[0].batch == batch, "the worker tells its batch")
    (running,) = read(api).workers
    assert (running.state, running.language, running.units) == ("busy", "cpp", 0)
    assert (running.pid, running.backend) == (worker.processes[0].pid, "stand-in")
    gate.touch()
    results(api, batch)
    wait_until(lambda: read(api).workers[0].units == 1, "the worker tells that it is done")
    wait_until(lambda: read(api).workers[0].batch is None, "the worker tells that it is idle")
    assert read(api).workers[0].language is None
    assert read(api).workers[0].units_per_s > 0


def test_buckets_are_few_small_and_gone_after_the_hour(
    api: httpx.Client, two: str, worker: Workers, redis_client: "redis.Redis"
) -> None:
    results(api, post(api, *(f"ac {number}" for number in range(200))))
    buckets = redis_client.keys(f"{keys.BUCKET}*")
    assert 1 <= len(buckets) <= 3
    for bucket in buckets:
        assert 3600 < int(str(redis_client.ttl(bucket))) <= keys.BUCKET_TTL_S
        assert redis_client.memory_usage(bucket) < 2048  # type: ignore[operator]
    # An old one, as one that was written 50 minutes ago: it is in the hour, and in no rate.
    at = int(time.time()) // 10 * 10
    redis_client.hset(f"{keys.BUCKET}{at - 3000}", mapping={"v:WA:c": 7, "odd": 1, "x:y:z:w": 1})
    redis_client.hset(f"{keys.BUCKET}{at - 4000}", mapping={"v:WA:c": 9})
    told = read(api)
    assert told.verdicts["WA"] == 7
    assert told.history[0].at == at - 3000
    assert told.programs_per_s <= 200 / 60


def test_a_bucket_that_nothing_is_added_to_is_read_once(
    api: httpx.Client, redis_client: "redis.Redis"
) -> None:
    at = int(time.time()) // 10 * 10 - 500
    redis_client.hset(f"{keys.BUCKET}{at}", "v:AC:c", 1)
    assert read(api).verdicts == {"AC": 1}
    redis_client.delete(f"{keys.BUCKET}{at}")
    assert read(api).verdicts == {"AC": 1}


def test_redis_being_away_is_said() -> None:
    with serving(Settings(redis_url="unix:///nowhere/redis.sock")) as api:
        assert api.get("/v1/stats").status_code == 503


# -- of problems --------------------------------------------------------------------------------


def test_problems_tell_what_came_of_their_submissions(
    api: httpx.Client, two: str, worker: Workers
) -> None:
    api.put("/v1/problems/a/b", json=TWO_TESTS | {"id": "a/b", "limits": {"memory_mb": 99}})
    results(api, post(api, "ac", "half", "ac", "ce", "raise"))
    inline = {"problem": TWO_TESTS | {"limits": {"memory_mb": 98}}, "source": "ac"}
    results(api, api.post("/v1/batches", json={"items": [inline]}).json()["id"])
    told = ProblemStats.model_validate(api.get("/v1/problems/two/stats").json())
    assert (told.tests, told.submissions, told.accepted, told.internal_errors) == (2, 5, 2, 1)
    assert told.pass_rate == pytest.approx((1 + 0.5 + 1 + 0) / 4)
    assert told.suspicious is None
    other = ProblemStats.model_validate(api.get("/v1/problems/a/b/stats").json())
    assert (other.submissions, other.pass_rate) == (0, None)
    page = ProblemStatsPage.model_validate(api.get("/v1/problems/stats?limit=1").json())
    assert ([each.id for each in page.problems], page.next) == (["a/b"], "a/b")
    page = ProblemStatsPage.model_validate(api.get("/v1/problems/stats?after=a/b").json())
    assert (page.problems, page.next) == ([told], None)
    assert api.get("/v1/problems/none/stats").status_code == 404


def test_a_problem_with_other_tests_is_counted_anew(
    api: httpx.Client, two: str, worker: Workers, redis_client: "redis.Redis"
) -> None:
    results(api, post(api, "ac"))
    assert redis_client.keys(f"{keys.JUDGED}*")
    api.put("/v1/problems/two", json=TWO_TESTS | {"limits": {"memory_mb": 99}}).raise_for_status()
    assert api.get("/v1/problems/two/stats").json()["submissions"] == 0
    assert redis_client.keys(f"{keys.JUDGED}*") == []


def test_a_fresh_run_that_ends_otherwise_is_flaky(
    api: httpx.Client, two: str, worker: Workers, tmp_path: Path
) -> None:
    late = tmp_path / "late"
    Path(f"{late}.go").touch()
    # WA at first, AC for ever after; what is right stays right.
    for _ in range(4):
        results(api, post(api, f"late {late}", "ac", fresh=True))
    told = api.get("/v1/problems/two/stats").json()
    assert (told["reruns"], told["flaky"]) == (6, 3)
    # Equal work that is not fresh is answered with what the first one came to.
    (line, _) = results(api, post(api, f"late {late}"))
    assert (line["verdict"], line["cached"]) == ("WA", True)


@pytest.mark.parametrize("problem_id", ["stats", "a/stats"])
def test_no_problem_may_be_called_as_its_statistics_are(api: httpx.Client, problem_id: str) -> None:
    answer = api.put(f"/v1/problems/{problem_id}", json=TWO_TESTS | {"id": problem_id})
    assert answer.status_code == 422
    assert "must not end in the word stats" in answer.text


@pytest.mark.parametrize(
    ("counts", "suspicious"),
    [
        (ProblemCounts(submissions=19), None),
        (ProblemCounts(submissions=20), "always 0"),
        (ProblemCounts(submissions=20, ie=1), None),
        (ProblemCounts(submissions=20, ppm=1), None),
        (ProblemCounts(submissions=20, accepted=20, ppm=20_000_000), "always 1"),
        (ProblemCounts(submissions=20, accepted=19, ppm=19_500_000), None),
        (ProblemCounts(submissions=20, accepted=9, ppm=9_000_000, reruns=9, flaky=2), "flaky"),
        (ProblemCounts(submissions=20, accepted=9, ppm=9_000_000, reruns=9, flaky=1), None),
        (ProblemCounts(submissions=99, accepted=9, ppm=9_000_000, reruns=41, flaky=2), None),
    ],
)
def test_a_problem_is_suspicious_once_enough_is_known(
    counts: ProblemCounts, suspicious: str | None
) -> None:
    assert problem_stats("p", HEAD, counts).suspicious == suspicious


# -- durations ----------------------------------------------------------------------------------


@pytest.mark.parametrize("spread", ["log-normal", "uniform", "two kinds"])
def test_percentiles_are_within_a_tenth(spread: str) -> None:
    chance = random.Random(7)
    drawn = {
        "log-normal": [chance.lognormvariate(-3, 1.5) for _ in range(5000)],
        "uniform": [chance.uniform(0.002, 40) for _ in range(5000)],
        "two kinds": [chance.choice([0.0021, 9.0]) for _ in range(5000)],
    }[spread]
    drawn = sorted(max(0.001, one) for one in drawn)
    durations = Durations()
    for one in drawn:
        durations.places[next(n for n in range(LAST_PLACE + 1) if one <= most_s(n))] += 1
    for share in (0.05, 0.5, 0.95, 1.0):
        true = drawn[math.ceil(share * len(drawn)) - 1]
        assert abs(durations.percentile(share) / true - 1) < 0.0906


@pytest.mark.parametrize(
    ("seconds", "place"),
    [(0, 0), (0.001, 0), (0.00101, 1), (0.0015, 3), (1.0, 40), (3600, 88), (1e9, 88)],
)
def test_the_script_counts_a_duration_in_its_place(
    redis_client: "redis.Redis", seconds: float, place: int
) -> None:
    run_script(redis_client, NOTE_CHUNK, seconds)
    found: Any = redis_client.hgetall(keys.STATS)
    counts = Counts.of(found)
    assert dict(counts.chunks.places) == {place: 1}
    assert counts.chunks.sum_s == pytest.approx(seconds, abs=1e-6)
    if 0 < place < LAST_PLACE:
        assert most_s(place - 1) < seconds <= most_s(place)


def test_nothing_has_no_percentiles() -> None:
    assert Durations().spread() is None
    with pytest.raises(ValueError, match="no durations"):
        Durations().percentile(0.5)


def test_the_rate_is_of_the_last_minute() -> None:
    counts = Counts.of({b"v:AC:c": b"60"})
    history = {940: counts, 930: counts, 1000: counts}
    assert stats(1005.0, Backlog(), Memory(), [], history).programs_per_s == pytest.approx(120 / 65)
