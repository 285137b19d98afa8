"""The CPU meter over processes whose use of it is known."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from bench.cpu import Meter, Parts

# Burns so many seconds of CPU time once told to, says so, and waits for its end.
BURN = """
import sys, time
sys.stdin.readline()
end = time.process_time() + {seconds}
while time.process_time() < end:
    pass
print("burnt", flush=True)
sys.stdin.read()
"""
# Has a child burn it, as a worker has its sandboxes.
BURN_BELOW = """
import subprocess, sys
subprocess.run([sys.executable, "-c", sys.argv[1]])
"""


@contextmanager
def process(*argv: str) -> "Iterator[subprocess.Popen[str]]":
    with subprocess.Popen(
        [sys.executable, "-c", *argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as started:
        yield started


def told(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    assert process.stdout.readline() == "burnt\n"


def test_cpu_time_is_told_by_part() -> None:
    with (
        process(BURN.format(seconds=0.2)) as api,
        process(BURN.format(seconds=0.1)) as redis,
        process(BURN_BELOW, BURN.format(seconds=0.3)) as worker,
    ):
        with Meter(Parts(api.pid, redis.pid, (worker.pid,))) as meter:
            for one in (api, redis, worker):
                told(one)
            end = time.process_time() + 0.15
            while time.process_time() < end:
                pass
        used = meter.seconds
    for part, least in {"api": 0.2, "redis": 0.1, "sandbox": 0.3, "client": 0.15}.items():
        # Clock ticks are 0.01 s; starting Python and reading /proc is in here too.
        assert used[part] == pytest.approx(least, abs=0.15), part
    assert used["worker"] < 0.1


def test_what_was_used_before_does_not_count() -> None:
    with process(BURN.format(seconds=0.3)) as api:
        told(api)
        with Meter(Parts(api.pid, 0, ())) as meter:
            pass
    assert meter.seconds["api"] == pytest.approx(0, abs=0.02)
