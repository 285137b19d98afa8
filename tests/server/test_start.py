"""What starts before Redis is there: it waits, says for what, and goes on once it may."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from proctor_server.settings import Settings
from tests.server.conftest import (
    TWO_TESTS,
    Workers,
    exit_code,
    post,
    results,
    serving,
    start_redis,
    wait_until,
)


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not tmp_path: its paths can be longer than a socket's address may be (107 bytes).
    with tempfile.TemporaryDirectory(prefix="proctor-") as folder:
        yield Path(folder)


@contextmanager
def redis_at(socket: Path) -> "Iterator[subprocess.Popen[bytes]]":
    server = start_redis(socket, socket.parent)
    try:
        yield server
    finally:
        server.kill()
        server.wait()


def test_api_and_worker_wait_for_redis_and_say_so(
    folder: Path, workers: Workers, caplog: pytest.LogCaptureFixture
) -> None:
    socket = folder / "r.sock"
    settings = Settings(redis_url=f"unix://{socket}")
    with serving(settings) as api:
        assert api.get("/healthz").is_success
        answer = api.post("/v1/batches", json={"items": [{"problem_id": "two", "source": "ac"}]})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "Redis" in api.get("/readyz").json()["reasons"][0]
        wait_until(lambda: "503 until Redis answers" in caplog.text, "the API says so")
        del workers.environment["PROCTOR_REDIS_PASSWORD_FILE"]  # this Redis asks for none
        worker = workers.start(PROCTOR_REDIS_URL=settings.redis_url)
        said = f"waiting for Redis at {socket}: "
        wait_until(lambda: said in workers.errors(), "the worker says so")
        assert worker.is_alive()
        with redis_at(socket):
            wait_until(lambda: _stored(api), "the API goes on")
            *lines, _ = results(api, post(api, "ac"))
            assert [line["verdict"] for line in lines] == ["AC"]
            assert "Redis answers" in workers.errors()
            worker.terminate()
            assert exit_code(worker) == 0


def test_a_stream_is_taken_up_at_its_cursor_after_a_restart_of_the_api(
    settings: Settings, workers: Workers, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    with serving(settings) as api:
        api.put("/v1/problems/two", json=TWO_TESTS).raise_for_status()
        workers.start()
        batch = post(api, *(f"ac {n}" for n in range(5)), f"gate {gate}", "wa")
        wait_until(lambda: len(results(api, batch, wait=0)) > 3, "the first results")
        before = results(api, batch, wait=0)
    with serving(settings) as api:
        gate.touch()
        cursor = before[-1]["cursor"]
        assert cursor == len(before) - 1
        after = results(api, batch, cursor=cursor)
        whole = results(api, batch)
    assert before[:-1] + after[:-1] == whole[:-1]
    assert sorted(line["index"] for line in whole[:-1]) == list(range(7))
    assert after[-1] == {"cursor": 7, "state": "done"}


def _stored(api: httpx.Client) -> bool:
    return api.put("/v1/problems/two", json=TWO_TESTS).is_success
