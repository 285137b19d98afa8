"""The worker as a process: what is left of its work when things go wrong."""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import httpx
import pytest
import redis
from rq.job import Job
from rq.serializers import JSONSerializer

from proctor_server.chunk_job import RETRIES
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


def test_a_dead_workers_job_is_taken_up_by_another(
    api: httpx.Client,
    two: str,
    workers: Workers,
    redis_client: "redis.Redis",
    tmp_path: Path,
) -> None:
    batch = post(api, "ac before", f"die once {tmp_path / 'died'}", "ac after")
    assert exit_code(workers.start()) == -signal.SIGKILL
    _start_another(workers, redis_client)
    began = time.monotonic()
    *lines, end = results(api, batch, wait=30)
    assert end == {"cursor": 3, "state": "done"}
    assert {line["verdict"] for line in lines} == {"AC"}
    # Seen from the same machine, it need not wait for the heart's 9 s.
    assert time.monotonic() - began < 8


def test_a_death_on_another_machine_is_noticed_by_the_heart(
    api: httpx.Client,
    two: str,
    workers: Workers,
    redis_client: "redis.Redis",
    tmp_path: Path,
) -> None:
    batch = post(api, f"die once {tmp_path / 'died'}")
    assert exit_code(workers.start()) == -signal.SIGKILL
    died = time.monotonic()
    (execution,) = redis_client.scan_iter("rq:execution:*")
    redis_client.hset(execution, "worker_name", "elsewhere.0.1.2.abcdef")
    _start_another(workers, redis_client)
    began = time.monotonic()
    assert len(results(api, batch, wait=25)) == 2
    ended = time.monotonic()
    assert ended - died > 4
    assert ended - began < 15


def test_what_a_dead_worker_answered_is_not_run_again(
    api: httpx.Client, two: str, workers: Workers, tmp_path: Path
) -> None:
    # Enough of them for chunks of several programs, so that one is left in the middle.
    sources = [f"ac {i}" for i in range(40)]
    sources[20] = f"die once {tmp_path / 'died'}"
    batch = post(api, *sources)
    assert exit_code(workers.start()) == -signal.SIGKILL
    answered = len(results(api, batch, wait=0)) - 1
    workers.start()
    assert len(results(api, batch, wait=30)) == 41
    # What ran and was not written yet, 50 ms of work, may be run twice; what was written never.
    assert len(workers.ran()) <= 41 + (20 - answered)


def test_what_a_dead_worker_held_goes_before_what_waits(
    api: httpx.Client, two: str, workers: Workers, tmp_path: Path
) -> None:
    # Cut into several chunks, of which the first worker dies over the first.
    sources = [f"ac {i}" for i in range(60)]
    sources[0] = f"die once {tmp_path / 'died'}"
    batch = post(api, *sources)
    assert exit_code(workers.start()) == -signal.SIGKILL
    (before,) = workers.ran()
    workers.start()
    assert len(results(api, batch, wait=30)) == 61
    again = workers.ran()[1:]
    # The others of its chunk, and nothing else, were run before it was run again.
    first = again.index(before)
    assert 0 < first < 30
    assert set(again[:first]) == set(sources[1 : first + 1])


def test_a_program_that_no_worker_survives_ends_as_ie_and_takes_no_other_with_it(
    api: httpx.Client, two: str, workers: Workers
) -> None:
    batch = post(api, "ac 1", "die", "ac 2")
    # A worker of the same machine sees the death; over the network it takes 10 s each time.
    with _kept_alive(workers):
        found = {line["index"]: line for line in results(api, batch, wait=25)[:-1]}
        alone = results(api, post(api, "die"), wait=25)[0]
    assert {i: found[i]["verdict"] for i in range(3)} == {0: "AC", 1: "IE", 2: "AC"}
    assert found[1]["reward"] is None
    assert found[1]["pass_rate"] is None
    assert "died" in found[1]["reason"]
    assert alone["verdict"] == "IE"
    assert workers.ran().count("die") == 3 + 3


def test_a_failing_verifier_ends_as_ie_without_its_words(
    api: httpx.Client, two: str, worker: Workers, redis_client: "redis.Redis"
) -> None:
    *lines, _ = results(api, post(api, "raise", "ac"))
    found = {line["index"]: line for line in lines}
    assert (found[0]["verdict"], found[1]["verdict"]) == ("IE", "AC")
    assert found[0]["reward"] is None
    assert "RuntimeError" in found[0]["reason"]
    assert "hidden-" not in json.dumps(lines)
    assert "RuntimeError" in worker.errors()
    assert "hidden-" not in worker.errors()
    for key in redis_client.scan_iter("rq:*"):
        assert b"hidden-" not in (redis_client.dump(key) or b"")


def test_nor_are_its_words_logged_when_redis_fails_too(
    api: httpx.Client, two: str, worker: Workers, redis_client: "redis.Redis"
) -> None:
    redis_client.execute_command("ACL", "SETUSER", "worker", "-watch")  # type: ignore[no-untyped-call]
    try:
        post(api, "raise")
        wait_until(lambda: "NoPermissionError" in worker.errors(), "Redis refused something")
    finally:
        redis_client.execute_command("ACL", "SETUSER", "worker", "+watch")  # type: ignore[no-untyped-call]
    assert "hidden-" not in worker.errors()


def test_an_ie_is_not_remembered(api: httpx.Client, two: str, worker: Workers) -> None:
    for _ in range(2):
        (line, _) = results(api, post(api, "raise"))
        assert (line["verdict"], line["cached"]) == ("IE", False)


def test_a_worker_without_a_sandbox_waits_and_says_so(
    api: httpx.Client, two: str, worker: Workers, tmp_path: Path
) -> None:
    away = tmp_path / "away"
    away.touch()
    batch = post(api, f"no sandbox {away}")
    wait_until(lambda: api.get("/readyz").status_code == 503, "the API is not ready")
    assert api.get("/readyz").json()["reasons"] == ["no worker has a sandbox"]
    tried_again = time.monotonic() + 3  # longer than a worker waits between two tries
    while time.monotonic() < tried_again:
        assert api.get("/readyz").status_code == 503
        time.sleep(0.1)
    away.unlink()
    assert [line["verdict"] for line in results(api, batch)[:-1]] == ["AC"]
    wait_until(lambda: api.get("/readyz").status_code == 200, "the API is ready")


def test_a_sandbox_that_stays_away_ends_as_ie(
    api: httpx.Client, two: str, workers: Workers, tmp_path: Path
) -> None:
    away = tmp_path / "away"
    away.touch()
    workers.start(PROCTOR_SANDBOX_PATIENCE_S="1")
    (line, _) = results(api, post(api, f"no sandbox {away}"))
    assert (line["verdict"], line["reward"]) == ("IE", None)
    assert "SandboxUnavailable" in line["reason"]


def test_a_stopped_worker_ends_its_program_and_hands_back_the_rest(
    api: httpx.Client,
    two: str,
    workers: Workers,
    redis_client: "redis.Redis",
    tmp_path: Path,
) -> None:
    gate = tmp_path / "gate"
    process = workers.start()
    batch = post(api, *(f"gate {gate} {i}" for i in range(20)))
    wait_until(workers.ran, "a program runs")
    process.terminate()
    process.join(0.3)
    assert process.is_alive()
    gate.touch()
    assert exit_code(process) == 0
    assert len(workers.ran()) < 20
    assert api.get(f"/v1/batches/{batch}").json()["completed"] == len(workers.ran())
    # At once, and without a retry being used up: nobody died.
    assert not list(redis_client.scan_iter("rq:execution:*"))
    assert {job.retries_left for job in _waiting(redis_client)} == {RETRIES}
    workers.start()
    assert len(results(api, batch)) == 21
    assert len(workers.ran()) == 20


def test_a_second_signal_ends_a_worker_at_once(
    api: httpx.Client, two: str, workers: Workers, tmp_path: Path
) -> None:
    process = workers.start()
    post(api, f"gate {tmp_path / 'never'}")
    wait_until(workers.ran, "a program runs")
    process.terminate()
    # RQ takes a second signal within a second for an echo of the first.
    deadline = time.monotonic() + 20
    while process.is_alive() and time.monotonic() < deadline:
        process.terminate()
        time.sleep(0.2)
    assert exit_code(process) == 0


def test_an_idle_worker_stops_soon(worker: Workers) -> None:
    (process,) = worker.processes
    process.terminate()
    assert exit_code(process, 5) == 0


def test_a_job_lost_between_reading_and_starting_is_found(
    api: httpx.Client, two: str, workers: Workers, redis_client: "redis.Redis"
) -> None:
    batch = post(api, "ac")
    # What a worker that dies right after BLMOVE leaves.
    assert redis_client.lmove("rq:queue:proctor", "rq:queue:proctor:intermediate")
    workers.start()
    assert len(results(api, batch, wait=20)) == 2


def test_a_chunk_whose_job_vanished_is_queued_again(
    api: httpx.Client,
    two: str,
    workers: Workers,
    redis_client: "redis.Redis",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batch = post(api, "ac")
    redis_client.delete("rq:queue:proctor", *redis_client.scan_iter("rq:job:*"))
    # As if it had been made a minute ago.
    chunk = redis_client.zrange("proctor:chunks", 0, -1)[0].decode()  # type: ignore[union-attr]
    redis_client.zadd("proctor:chunks", {chunk: time.time() - 60})
    workers.start()
    assert len(results(api, batch, wait=20)) == 2


def test_a_long_job_is_kept_alive_by_the_heart(
    api: httpx.Client, two: str, workers: Workers, tmp_path: Path
) -> None:
    # On a busy machine, where tools take long to tell their versions.
    for _ in range(2):
        workers.start(STAND_IN_TOOLS=str(tmp_path / "tools"))
    # Longer than an execution lives without a heartbeat, with a second worker that cleans up.
    *lines, _ = results(api, post(api, "sleep 12"), wait=30)
    assert [line["verdict"] for line in lines] == ["AC"]
    assert workers.ran() == ["sleep 12"]


def test_a_restart_of_redis_in_the_middle_of_a_job_is_survived(tmp_path: Path) -> None:
    folder = tmp_path if len(str(tmp_path)) < 90 else Path("/tmp")
    socket = folder / "r.sock"
    server = start_redis(socket, tmp_path)
    settings = Settings(redis_url=f"unix://{socket}")
    gate = tmp_path / "gate"
    with serving(settings) as api:
        api.put("/v1/problems/two", json=TWO_TESTS).raise_for_status()
        log = tmp_path / "ran.log"
        environment = os.environ | {"PROCTOR_REDIS_URL": settings.redis_url}
        workers = Workers(environment | {"STAND_IN_LOG": str(log)}, log)
        try:
            workers.start()
            batch = post(api, f"gate {gate}", "ac")
            wait_until(workers.ran, "the program runs")
            server.kill()
            server.wait()
            gate.touch()
            answer = api.get(f"/v1/batches/{batch}")
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            server = start_redis(socket, tmp_path)
            wait_until(lambda: api.get("/healthz").status_code == 200, "the API lives")
            assert len(results(api, batch, wait=30)) == 3
            assert workers.processes[0].is_alive()
        finally:
            workers.kill()
            server.kill()
            server.wait()


def test_what_was_accepted_survives_a_kill_of_redis(tmp_path: Path) -> None:
    socket = tmp_path / "r.sock"
    server = start_redis(socket, tmp_path)
    try:
        with serving(Settings(redis_url=f"unix://{socket}")) as api:
            api.put("/v1/problems/two", json=TWO_TESTS).raise_for_status()
            batch = post(api, "ac", "wa")
            server.kill()
            server.wait()
            server = start_redis(socket, tmp_path)
            with redis.Redis(unix_socket_path=str(socket)) as client:
                assert _waiting(client)
            assert api.get(f"/v1/batches/{batch}").json()["total"] == 2
    finally:
        server.kill()
        server.wait()


def _start_another(workers: Workers, client: "redis.Redis") -> None:
    """Start a worker and wait until it says that it is there: a slow start is no late rescue."""
    known = set(client.zrange("proctor:workers", 0, -1))
    workers.start()
    wait_until(
        lambda: set(client.zrange("proctor:workers", 0, -1)) - known, "another worker is there"
    )


def _waiting(client: "redis.Redis") -> list[Job]:
    """The jobs in the queue."""
    return [
        Job.fetch(job_id.decode(), client, serializer=JSONSerializer)
        for job_id in cast("list[bytes]", client.lrange("rq:queue:proctor", 0, -1))
    ]


@contextmanager
def _kept_alive(workers: Workers) -> Iterator[None]:
    """One worker, started again whenever it dies, as `proctor up` does."""
    import threading

    ending = threading.Event()

    def keep() -> None:
        while not ending.is_set():
            process = workers.start()
            while process.is_alive() and not ending.wait(0.05):
                pass

    thread = threading.Thread(target=keep)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()
