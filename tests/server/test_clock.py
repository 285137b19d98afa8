"""A worker whose host's clock is not Redis's."""

import subprocess
import sys

import pytest
import redis

from proctor_server.clock import MOST_APART_S, ClockApart, check
from tests.server.conftest import ROOT, Workers, wait_until

# A worker as a process, on a host whose clock is so many seconds ahead.
_AHEAD = """
import runpy, time
real = time.time
time.time = lambda: real() + {seconds}
runpy.run_module("tests.server.stand_in", run_name="__main__")
"""


def started(workers: Workers, seconds: float) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-c", _AHEAD.format(seconds=seconds)],
        cwd=ROOT,
        env=workers.environment,
        stderr=subprocess.PIPE,
    )
    workers.processes.append(process)
    return process


@pytest.mark.parametrize("seconds", [MOST_APART_S + 57, -MOST_APART_S - 57])
def test_a_worker_with_another_time_of_day_does_not_start(
    workers: Workers, redis_client: "redis.Redis", seconds: float
) -> None:
    process = started(workers, seconds)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "clock is 60 s off that of Redis's host: set both" in said.decode()
    assert redis_client.keys("proctor:worker*") == []


def test_a_small_difference_is_no_matter(workers: Workers, redis_client: "redis.Redis") -> None:
    process = started(workers, 1.0)
    wait_until(lambda: redis_client.zcard("proctor:workers") == 1, "a worker is there")
    process.terminate()
    process.communicate(timeout=30)


def test_the_clock_of_the_same_machine_is_the_same(redis_client: "redis.Redis") -> None:
    check(redis_client)
    assert issubclass(ClockApart, Exception)
