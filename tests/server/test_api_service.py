"""The service about itself: health, readiness, info, metrics, OpenAPI."""

import asyncio
import socket

import httpx
import pytest

from proctor_server.api.app import create_app
from proctor_server.api.services import services
from proctor_server.callers import Callers
from proctor_server.settings import Settings
from tests.server.conftest import Workers, exit_code, post, results, serving, wait_until


def test_ready_only_with_a_worker_and_says_which_sandbox(
    api: httpx.Client, workers: Workers
) -> None:
    assert api.get("/healthz").json() == {"status": "ok"}
    before = api.get("/readyz")
    assert before.status_code == 503
    assert "no worker is there" in before.json()["reasons"][0]
    process = workers.start()
    wait_until(lambda: api.get("/readyz").status_code == 200, "ready")
    assert api.get("/readyz").json() == {
        "ready": True,
        "reasons": [],
        "workers": 1,
        "sandboxes": ["stand-in (none)"],
    }
    process.terminate()
    assert exit_code(process, 10) == 0
    # It signs off; one that is killed is off the list after 15 s.
    assert api.get("/readyz").status_code == 503


def test_info_says_what_is_installed_and_who_works(api: httpx.Client, worker: Workers) -> None:
    info = api.get("/v1/info").json()
    assert info["sandbox"] == "stand-in"
    assert info["languages"] == ["c", "cpp", "python"]
    assert info["limits"]["source_bytes"] == 100_000
    assert info["default_limits"] == {
        "cpu_time_s": 2.0,
        "wall_time_s": 12.0,
        "memory_mb": 512,
        "output_kb": 16 * 1024,
    }
    assert [one["pid"] for one in info["workers"]] == [worker.processes[0].pid]


def test_metrics_count_requests_results_and_work(
    api: httpx.Client, two: str, worker: Workers
) -> None:
    results(api, post(api, "ac", "wa 1", "wa 2"))
    api.get("/v1/batches/none")
    text = api.get("/metrics").text
    for line in (
        'proctor_results_total{language="python",verdict="WA"} 2.0',
        "proctor_pending_units 0.0",
        "proctor_waiting_chunks 0.0",
        'proctor_requests_total{method="POST",route="/v1/batches",status="201"} 1.0',
        'proctor_requests_total{method="GET",route="/v1/batches/{batch_id}",status="404"} 1.0',
        "proctor_redis_up 1.0",
    ):
        assert line in text, line


def test_pending_counts_what_waits(api: httpx.Client, two: str) -> None:
    batch = post(api, "ac 1", "ac 2", "ac 1")
    assert "proctor_pending_units 2.0" in api.get("/metrics").text
    api.delete(f"/v1/batches/{batch}")
    assert "proctor_pending_units 0.0" in api.get("/metrics").text


def test_too_much_work_is_refused_for_now(settings: Settings) -> None:
    with serving(settings.model_copy(update={"max_pending": 3})) as api:
        api.put(
            "/v1/problems/two",
            json={"id": "two", "tests": [{"kind": "stdin", "input": "", "output": ""}]},
        )
        post(api, "ac 1", "ac 2")
        items = [{"problem_id": "two", "source": f"ac {i}"} for i in (3, 4)]
        answer = api.post("/v1/batches", json={"items": items})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        # What is known or queued already needs no room.
        post(api, "ac 1", "ac 2", "ac 3")


def test_without_redis_the_api_says_so() -> None:
    with serving(Settings(redis_url="unix:///nowhere/redis.sock")) as api:
        assert api.get("/healthz").status_code == 200
        assert "Redis" in api.get("/readyz").json()["reasons"][0]
        assert "proctor_redis_up 0.0" in api.get("/metrics").text
        answer = api.get("/v1/batches/x")
        assert answer.status_code == 503
        assert answer.json()["title"] == "Store unavailable"


def test_openapi_is_complete(api: httpx.Client) -> None:
    document = api.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    operations = [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    assert len(operations) == 21
    for method, path, operation in operations:
        assert operation["summary"], path
        if method in ("post", "put"):
            content = operation["requestBody"]["content"]["application/json"]
            assert content["example"], path
            assert content["schema"]["$ref"].rpartition("/")[2] in schemas
    for name in ("Result", "BatchStatus", "ProblemInfo", "ProblemDetails", "StreamEnd"):
        assert name in schemas
    assert not _dangling(document, schemas)


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_docs_are_served(api: httpx.Client, path: str) -> None:
    assert api.get(path).status_code == 200


def _dangling(node: object, schemas: dict[str, object]) -> list[str]:
    if isinstance(node, dict):
        own = node.get("$ref")
        here = [own] if isinstance(own, str) and own.rpartition("/")[2] not in schemas else []
        return here + [bad for value in node.values() for bad in _dangling(value, schemas)]
    if isinstance(node, list):
        return [bad for value in node for bad in _dangling(value, schemas)]
    return []


def test_an_error_of_ours_is_answered_and_logged_without_its_words(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(settings)

    @app.get("/broken")
    async def broken() -> None:
        raise ValueError("-".join(("hidden", "text")))

    with serving(settings, app) as api:
        answer = api.get("/broken")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "ValueError in /broken" in caplog.text
    assert "hidden-" not in caplog.text + answer.text


def test_a_caller_that_goes_away_is_no_error(
    api: httpx.Client, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_connection((api.base_url.host, api.base_url.port)) as caller:
        caller.sendall(
            b"POST /v1/batches HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n{"
        )
    assert api.get("/healthz").status_code == 200
    assert not caplog.records


def test_an_api_ends_however_soon_it_is_told_to(settings: Settings) -> None:
    async def briefly() -> None:
        for step in range(40):
            async with asyncio.timeout(10):
                async with services(settings, Callers(None)):
                    await asyncio.sleep(step * 0.0002)

    asyncio.run(briefly())
