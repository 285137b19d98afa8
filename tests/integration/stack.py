"""An API and a worker as processes of their own, for tests from outside."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from proctor.types import Item
from tests.conftest import NO_AUTHORITIES


def until(holds: Callable[[], bool], what: str, within_s: float = 90) -> None:
    """Wait for a condition; fail when it does not come true in time."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


def alternating(problem_id: str, count: int, mark: object, right: str) -> list[Item]:
    """Distinct programs that take a moment each; every second one prints one more than `right`,
    an expression that gives the right answer."""
    return [
        Item(
            problem_id=problem_id,
            source=f"# {mark} {number}\nimport time; time.sleep(0.05)\n"
            f"print({right} + {number % 2})\n",
        )
        for number in range(count)
    ]


@dataclass
class Stack:
    """An API and a worker, as processes of their own."""

    environment: dict[str, str]
    url: str
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    # What its processes print, all of them to one file; None: to where the tests do.
    log: Path | None = None

    def start(self, command: str) -> None:
        code = f"from proctor_server.commands import {command}; {command}()"
        argv = [sys.executable, "-c", code]
        if self.log is None:
            self.processes[command] = subprocess.Popen(argv, env=self.environment)
            return
        with self.log.open("ab") as log:
            self.processes[command] = subprocess.Popen(
                argv, env=self.environment, stdout=log, stderr=log
            )

    def kill(self, command: str) -> None:
        self.processes[command].kill()
        self.processes[command].wait()

    def ready(self) -> bool:
        for name, process in self.processes.items():
            assert process.poll() is None, f"the {name} ended"
        try:
            return httpx.get(
                f"{self.url}/readyz", trust_env=False, verify=NO_AUTHORITIES
            ).is_success
        except httpx.TransportError:
            return False


@contextmanager
def running(redis_url: str, queue: str, log: Path | None = None) -> Iterator[Stack]:
    """A stack over a Redis that is there already, ready to run programs under bubblewrap."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {"REDIS_URL": redis_url, "PORT": str(port), "SANDBOX": "bubblewrap", "QUEUE": queue}
    environment = {**os.environ, **{f"PROCTOR_{name}": said for name, said in settings.items()}}
    stack = Stack(environment, f"http://127.0.0.1:{port}", log=log)
    try:
        stack.start("api")
        stack.start("worker")
        until(stack.ready, "the stack to be ready")
        yield stack
    finally:
        for process in stack.processes.values():
            process.terminate()
        for process in stack.processes.values():
            process.wait(timeout=60)
