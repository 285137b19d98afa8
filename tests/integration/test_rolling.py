"""A rolling restart under load: API and workers are replaced while a client goes on."""

import signal
import subprocess
import threading
from collections.abc import Iterator

import pytest

from proctor import Client, ProctorError
from proctor.types import Item, Problem, Result, StdinTest
from tests.integration.stack import Stack, alternating, running, until

DOUBLE = Problem(id="rolling/double", tests=[StdinTest(input="7\n", output="14\n")])
BATCHES, ITEMS = 12, 25


@pytest.fixture
def stack(redis_url: str, bubblewrap: str) -> Iterator[Stack]:
    with running(redis_url, queue="rolling-tests") as stack:
        yield stack


def programs(batch: int) -> list[Item]:
    return alternating(DOUBLE.id, ITEMS, batch, "int(input()) * 2")


class Load:
    """Posts batches one after the other and reads their results."""

    def __init__(self, url: str) -> None:
        self.results: list[list[Result]] = []
        self.failures: list[ProctorError] = []
        self._url = url
        self._thread = threading.Thread(target=self._run, name="load")
        self._thread.start()

    def _run(self) -> None:
        with Client(self._url) as client:
            for number in range(BATCHES):
                try:
                    self.results.append(list(client.submit(programs(number)).results()))
                except ProctorError as error:
                    self.failures.append(error)

    def join(self) -> None:
        self._thread.join()


def replace(stack: Stack, command: str) -> None:
    """Ask a process to end, and start another in its place once it has."""
    process: subprocess.Popen[bytes] = stack.processes[command]
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) in (0, -signal.SIGTERM)
    stack.start(command)


def test_a_retrying_client_sees_no_failure(stack: Stack) -> None:
    with Client(stack.url) as client:
        client.put_problem(DOUBLE)
    load = Load(stack.url)
    for done in (2, 5, 8):
        until(lambda done=done: len(load.results) >= done, f"{done} batches")  # type: ignore[misc]
        replace(stack, "worker")
        replace(stack, "api")
    load.join()
    assert load.failures == []
    rewards = [
        [(result.index, result.reward) for result in sorted(batch, key=lambda one: one.index)]
        for batch in load.results
    ]
    assert rewards == [[(index, 1.0 - index % 2) for index in range(ITEMS)]] * BATCHES
