"""One request, one answer: single submissions and rewards."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import redis

from proctor.types import BatchStatus, Result, RewardsResponse
from tests.server.conftest import Workers, results, wait_until


def test_a_submission_is_answered_with_its_result(
    api: httpx.Client, two: str, worker: Workers
) -> None:
    body = {"id": "mine", "problem_id": "two", "source": "half"}
    answer = api.post("/v1/submissions", json=body)
    assert answer.status_code == 200
    result = Result.model_validate_json(answer.content)
    assert (result.id, result.index, result.verdict, result.reward) == ("mine", 0, "WA", 0.5)
    assert result.run_time_s >= 0
    assert 0 <= result.queue_time_s < 10


@pytest.mark.parametrize(
    ("program", "reward"),
    [
        ({"source": "ac"}, 1.0),
        ({"completion": "<think>\n```\nwa\n```</think>\n```python\nac\n```"}, 1.0),
        ({"completion": "ac", "extraction": {"missing_fence": "whole"}}, 1.0),
        ({"continuation": " and on"}, 1.0),
        ({"source": "half", "reward": {"name": "all_or_nothing"}}, 0.0),
        ({"source": "ce", "reward": {"compile_error": -0.5}}, -0.5),
    ],
)
def test_programs_come_in_three_forms(
    api: httpx.Client, worker: Workers, program: dict[str, object], reward: float
) -> None:
    tests = [{"kind": "stdin", "input": "", "output": ""}] * 2
    api.put("/v1/problems/p", json={"id": "p", "prefix": "ac", "tests": tests})
    answer = api.post("/v1/submissions", json={"problem_id": "p"} | program)
    assert answer.json()["reward"] == reward, answer.text


def test_a_submission_that_takes_longer_is_a_batch_to_ask_for(
    api: httpx.Client, two: str, worker: Workers, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    body = {"problem_id": "two", "source": f"gate {gate}"}
    answer = api.post("/v1/submissions", params={"wait": 0.2}, json=body)
    assert answer.status_code == 202
    status = BatchStatus.model_validate_json(answer.content)
    assert (status.state, status.total) == ("running", 1)
    assert answer.headers["location"] == f"/v1/batches/{status.id}"
    gate.touch()
    assert [line["verdict"] for line in results(api, status.id)[:-1]] == ["AC"]


def test_a_repeated_submission_is_the_same(api: httpx.Client, two: str, worker: Workers) -> None:
    body = {"problem_id": "two", "source": "ac", "fresh": True}
    headers = {"Idempotency-Key": "one"}
    first = api.post("/v1/submissions", json=body, headers=headers).json()
    assert api.post("/v1/submissions", json=body, headers=headers).json() == first
    other = api.post("/v1/submissions", json=body | {"source": "wa"}, headers=headers)
    assert other.status_code == 409
    assert worker.ran() == ["ac"]


def test_the_same_key_at_the_same_time_is_one_submission(
    api: httpx.Client, two: str, worker: Workers
) -> None:
    body = {"problem_id": "two", "source": "sleep 0.2", "fresh": True}

    def submit(_: int) -> str:
        headers = {"Idempotency-Key": "one"}
        return str(api.post("/v1/submissions", json=body, headers=headers).json()["submission_id"])

    with ThreadPoolExecutor(16) as threads:
        ids = set(threads.map(submit, range(16)))
    assert len(ids) == 1
    assert worker.ran() == ["sleep 0.2"]


def test_many_callers_each_get_their_own_result(
    api: httpx.Client, two: str, workers: Workers, redis_client: "redis.Redis"
) -> None:
    for _ in range(2):
        workers.start()
    wait_until(lambda: redis_client.zcard("proctor:workers") == 2, "two workers are there")

    def submit(number: int) -> bool:
        source = ("ac" if number % 3 else "wa") + f" {number}"
        body = {"id": str(number), "problem_id": "two", "source": source}
        result = api.post("/v1/submissions", json=body).json()
        return bool(result["id"] == str(number) and result["reward"] == float(number % 3 > 0))

    with ThreadPoolExecutor(32) as threads:
        assert all(threads.map(submit, range(300)))
    assert len(workers.ran()) == 300


def test_rewards_are_in_the_order_of_the_completions(
    api: httpx.Client, two: str, worker: Workers
) -> None:
    programs = ["ac 1", "half", "wa", "raise", "ac 2", "half"]
    body = {
        "problem_ids": ["two"] * len(programs),
        "completions": [f"Well:\n```python\n{program}\n```" for program in programs],
    }
    answer = RewardsResponse.model_validate_json(api.post("/v1/rewards", json=body).content)
    assert answer.rewards == [1.0, 0.5, 0.0, None, 1.0, 0.5]
    assert answer.verdicts == ["AC", "WA", "WA", "IE", "AC", "WA"]


def test_rewards_are_held_until_they_are_all_there(
    api: httpx.Client, two: str, worker: Workers, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    body = {"problem_ids": ["two"] * 2, "completions": [f"```\ngate {gate}\n```", "```\nac\n```"]}
    opener = threading.Timer(1.5, gate.touch)
    opener.start()
    began = time.monotonic()
    answer = api.post("/v1/rewards", json=body)
    opener.join()
    assert answer.json()["rewards"] == [1.0, 1.0]
    assert time.monotonic() - began > 1.0


def test_rewards_sent_again_are_not_run_again(api: httpx.Client, two: str, worker: Workers) -> None:
    body = {"problem_ids": ["two"], "completions": ["```\nac\n```"]}
    headers = {"Idempotency-Key": "one"}
    first = api.post("/v1/rewards", json=body, headers=headers).json()
    assert api.post("/v1/rewards", json=body, headers=headers).json() == first
    assert worker.ran() == ["ac"]
