"""A real API over a real Redis, with workers that need no sandbox (see stand_in.py)."""

import contextlib
import multiprocessing
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
import uvicorn
from fastapi import FastAPI

from proctor_server.api.app import create_app
from proctor_server.settings import Settings
from tests.conftest import NO_AUTHORITIES, _redis_server, redis_address
from tests.server import stand_in

ROOT = Path(__file__).parents[2]

# Workers are forks of one process that has imported what they need: a second of CPU saved for each.
_WARM = multiprocessing.get_context("forkserver")
_WARM.set_forkserver_preload([stand_in.__name__])

TWO_TESTS: dict[str, Any] = {
    "id": "two",
    "statement": "Echo the number.",
    "tests": [
        {"kind": "stdin", "input": "hidden-in-1", "output": "hidden-out-1"},
        {"kind": "stdin", "input": "shown-in-2", "output": "shown-out-2", "public": True},
    ],
}


@pytest.fixture
def settings(redis_url: str, redis_secrets: Path, redis_client: "redis.Redis") -> Settings:
    """The API's settings over an empty Redis, in which it may do what compose lets it do."""
    return Settings(
        redis_url=redis_address(redis_url, "api"),
        redis_password_file=redis_secrets / "redis-api",
        max_source_bytes=100_000,
        max_body_bytes=2_000_000,
    )


class _Server(uvicorn.Server):
    """Stopped by its flag alone: signal handlers belong to the main thread."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.contextmanager
def serving(settings: Settings, app: FastAPI | None = None) -> Iterator[httpx.Client]:
    """A real API server, and a client of it."""
    app = app or create_app(settings)
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical")
    server = _Server(config)
    thread = threading.Thread(target=server.run, name="api")
    thread.start()
    try:
        wait_until(lambda: server.started or not thread.is_alive(), "the API is up")
        port = server.servers[0].sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=url, timeout=30, verify=NO_AUTHORITIES) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def api(settings: Settings) -> Iterator[httpx.Client]:
    """A client of a real API."""
    with serving(settings) as client:
        yield client


@pytest.fixture
def two(api: httpx.Client) -> str:
    """The id of a stored problem with one hidden and one public test."""
    api.put("/v1/problems/two", json=TWO_TESTS).raise_for_status()
    return "two"


@dataclass
class Workers:
    """Real RQ workers as processes."""

    environment: dict[str, str]
    log: Path
    processes: list[BaseProcess] = field(default_factory=list)

    def start(self, **environment: str) -> BaseProcess:
        """Start one."""
        process = _WARM.Process(
            target=stand_in.main,
            args=(self.environment | environment, self.log.parent / "workers.err"),
            daemon=True,  # ended with the tests, whatever becomes of them
        )
        process.start()
        self.processes.append(process)
        return process

    def kill(self) -> None:
        """End them all at once."""
        for process in self.processes:
            process.kill()
            process.join()

    def ran(self) -> list[str]:
        """The first lines of the programs that were started, in order."""
        return self.log.read_text().splitlines() if self.log.exists() else []

    def errors(self) -> str:
        """What the workers wrote to stderr."""
        path = self.log.parent / "workers.err"
        return path.read_text() if path.exists() else ""


@pytest.fixture
def workers(
    redis_url: str, redis_secrets: Path, redis_client: "redis.Redis", tmp_path: Path
) -> Iterator[Workers]:
    """Starts workers, which may do in Redis what compose lets them; they are ended afterwards."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("client", "server", "sandbox")),
        "PROCTOR_REDIS_URL": redis_address(redis_url, "worker"),
        "PROCTOR_REDIS_PASSWORD_FILE": str(redis_secrets / "redis-worker"),
        "STAND_IN_LOG": str(tmp_path / "ran.log"),
    }
    made = Workers(dict(environment), tmp_path / "ran.log")
    yield made
    made.kill()


@pytest.fixture
def worker(workers: Workers, redis_client: "redis.Redis") -> Workers:
    """One worker that is there."""
    workers.start()
    wait_until(lambda: redis_client.zcard("proctor:workers") == 1, "a worker is there")
    return workers


def wait_until(condition: Callable[[], object], what: str, within_s: float = 20.0) -> None:
    """Wait for a condition; fail when it does not come true in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.01)


def exit_code(process: BaseProcess, within_s: float = 20.0) -> int:
    """Wait for a process's end: its exit code, or minus the signal; fail when it runs on."""
    process.join(within_s)
    assert process.exitcode is not None, f"still running after {within_s} s"
    return process.exitcode


def results(api: httpx.Client, batch_id: str, cursor: int = 0, wait: float = 20) -> list[Any]:
    """All lines of a results stream, the end last."""
    answer = api.get(f"/v1/batches/{batch_id}/results", params={"cursor": cursor, "wait": wait})
    assert answer.status_code == 200, answer.text
    return [httpx.Response(200, text=line).json() for line in answer.text.splitlines()]


def post(api: httpx.Client, *sources: str, problem: str = "two", **options: Any) -> str:
    """Post a batch of programs; its id."""
    items = [{"problem_id": problem, "source": source} for source in sources]
    answer = api.post("/v1/batches", json={"items": items, **options})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def start_redis(socket: Path, folder: Path) -> "subprocess.Popen[bytes]":
    """A Redis of a test's own, which keeps what it has in a folder; it answers."""
    argv = [_redis_server(), "--port", "0", "--unixsocket", str(socket), "--dir", str(folder)]
    argv += ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
    server = subprocess.Popen(argv, stdout=subprocess.DEVNULL)

    def answers() -> bool:
        with redis.Redis(unix_socket_path=str(socket)) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False

    wait_until(answers, "Redis answers")
    return server
