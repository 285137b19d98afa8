"""A worker that stood still while another took its work up: its late answers count for nothing."""

import os
import signal
from multiprocessing.process import BaseProcess
from pathlib import Path

import httpx
import redis

from tests.server.conftest import Workers, exit_code, post, results, wait_until


def send(process: BaseProcess, number: signal.Signals) -> None:
    assert process.pid is not None
    os.kill(process.pid, number)


def run_and_freeze(api: httpx.Client, workers: Workers, mark: Path) -> tuple[str, BaseProcess]:
    """A batch, and the worker that was stopped while it ran the first program of it."""
    first = workers.start()
    batch = post(api, f"late {mark}", "ac")
    wait_until(mark.exists, "the program runs")
    send(first, signal.SIGSTOP)
    return batch, first


def test_a_late_twin_changes_nothing(
    api: httpx.Client, two: str, workers: Workers, redis_client: "redis.Redis", tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    batch, first = run_and_freeze(api, workers, mark)
    try:
        second = workers.start()
        # The other one's heart is silent for 9 s, and then its job is anybody's.
        *answered, _ = results(api, batch, wait=25)
        assert [line["verdict"] for line in answered] == ["AC", "AC"]
        second.terminate()
        assert exit_code(second) == 0
        Path(f"{mark}.go").touch()
    finally:
        send(first, signal.SIGCONT)
    # The first worker ends its run, with another verdict, and only then takes this.
    assert len(results(api, post(api, "ac, later"))) == 2
    *again, end = results(api, batch, wait=0)
    assert again == answered
    assert end == {"cursor": 2, "state": "done"}
    status = api.get(f"/v1/batches/{batch}").json()
    assert (status["completed"], status["verdicts"]) == (2, {"AC": 2})
    assert redis_client.get("proctor:pending") == b"0"
    wait_until(lambda: not redis_client.keys("rq:job:*"), "its job is gone")
    # Equal work is answered from what is stored: the first answer.
    (cached, _) = results(api, post(api, f"late {mark}"))
    assert (cached["verdict"], cached["cached"]) == ("AC", True)


def test_a_twin_that_is_told_to_stop_puts_nothing_back(
    api: httpx.Client, two: str, workers: Workers, redis_client: "redis.Redis", tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    batch, first = run_and_freeze(api, workers, mark)
    try:
        workers.start()
        assert len(results(api, batch, wait=25)) == 3
        Path(f"{mark}.go").touch()
        first.terminate()
    finally:
        send(first, signal.SIGCONT)
    assert exit_code(first) == 0
    wait_until(lambda: not redis_client.keys("rq:job:*"), "no job is left")
    assert len(results(api, batch, wait=0)) == 3
    assert workers.ran().count("ac") == 1
