"""A worker whose host's clock is not Redis's."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

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


@contextmanager
def started(workers: Workers, seconds: float) -> "Iterator[subprocess.Popen[bytes]]":
    with subprocess.Popen(
        [sys.executable, "-c", _AHEAD.format(seconds=seconds)],
        cwd=ROOT,
        env=workers.environment,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("seconds", [MOST_APART_S + 57, -MOST_APART_S - 57])
def test_a_worker_with_another_time_of_day_does_not_start(
    workers: Workers, redis_client: "redis.Redis", seconds: float
) -> None:
    with started(workers, seconds) as process:
        _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "clock is 60 s off that of Redis's host: set both" in said.decode()
    assert redis_client.keys("proctor:worker*") == []


def test_a_small_difference_is_no_matter(workers: Workers, redis_client: "redis.Redis") -> None:
    with started(workers, 1.0):
        wait_until(lambda: redis_client.zcard("proctor:workers") == 1, "a worker is there")


def test_the_clock_of_the_same_machine_is_the_same(redis_client: "redis.Redis") -> None:
    check(redis_client)
    assert issubclass(ClockApart, Exception)
