"""Formats of others at the API: switched on and off, behind keys, held while it is busy."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from proctor_server.settings import ALL_FORMATS, Settings, WireFormat
from tests.server.conftest import TWO_TESTS, Workers, post, serving, wait_until

RUN = {"code": "print(1)", "language": "python"}
# One request of each format.
REQUESTS: dict[WireFormat, tuple[str, Any]] = {
    "e2b": ("/execute_batch", {"scripts": [], "languages": [], "timeout": 1}),
    "nemo_gym": ("/verify", {}),
    "open_instruct": ("/test_program", {"program": "", "tests": []}),
    "openrlhf": ("/get_reward", {"query": []}),
    "piston": ("/api/v2/execute", {}),
    "sandbox_fusion": ("/list_ids", {"dataset": "none"}),
    "slime": ("/remote_rm", {}),
}
PATHS = {
    *("/run_code", "/run_jupyter", "/submit", "/get_prompts", "/get_prompt_by_id", "/list_ids"),
    *("/test_program", "/test_program_stdio", "/get_reward", "/remote_rm", "/verify"),
    *("/execute_batch", "/api/v2/execute"),
}


def served(api: httpx.Client) -> set[str]:
    return {
        name
        for name, (path, body) in REQUESTS.items()
        if api.post(path, json=body).status_code != 404
    }


def test_all_formats_are_served_unless_others_are_said(settings: Settings) -> None:
    with serving(settings) as api:
        assert served(api) == ALL_FORMATS
    chosen = settings.model_copy(update={"wire_formats": frozenset({"piston", "slime"})})
    with serving(chosen) as api:
        assert served(api) == {"piston", "slime"}


@pytest.fixture
def guarded(settings: Settings, tmp_path: Path) -> Iterator[httpx.Client]:
    """An API with one key, which may have one program queued."""
    digest = hashlib.sha256(b"secret").hexdigest()
    file = tmp_path / "keys.toml"
    file.write_text(
        f'[keys.trainer]\nsha256 = "{digest}"\nscopes = ["admin"]\nmax_queued = 1\n'
        f'[keys.reader]\nsha256 = "{hashlib.sha256(b"read").hexdigest()}"\nscopes = ["read"]\n'
    )
    with serving(settings.model_copy(update={"keys_file": file})) as api:
        yield api


def test_every_route_that_does_anything_asks_for_a_key(guarded: httpx.Client) -> None:
    answers = {path: guarded.post(path, json={}) for path in PATHS}
    assert {answer.status_code for answer in answers.values()} == {401}
    assert {answer.headers["www-authenticate"] for answer in answers.values()} == {"Bearer"}
    for path in ("/list_datasets", "/api/v2/runtimes"):
        assert guarded.get(path).status_code == 401
    for path in ("/v1/ping", "/health"):
        assert guarded.get(path).status_code == 200
    reading = {"Authorization": "Bearer read"}
    assert guarded.post("/run_code", json=RUN, headers=reading).status_code == 403


def test_a_key_may_be_in_the_address(guarded: httpx.Client) -> None:
    # Where requests and aiohttp, which peers' clients are made with, take it from as well.
    assert guarded.get("/list_datasets", auth=("anybody", "secret")).json() == []
    assert guarded.get("/list_datasets", auth=("secret", "wrong")).status_code == 401


ERRORS = [
    ("/run_code", {"language": "python"}, 422, "detail"),
    ("/run_code", RUN | {"language": "cobol"}, 422, "detail"),
    ("/run_jupyter", {"cells": "1"}, 422, "detail"),
    ("/submit", {}, 422, "detail"),
    ("/get_prompt_by_id", {"dataset": "x", "id": 1}, 404, "detail"),
    ("/api/v2/execute", {"language": "cobol", "version": "*", "files": []}, 400, "message"),
    ("/api/v2/execute", {"language": 5}, 400, "message"),
    ("/test_program", {"program": "x", "tests": 5}, 422, "detail"),
    ("/verify", {"response": {}}, 422, "detail"),
    ("/execute_batch", {"scripts": ["x"], "languages": []}, 422, "detail"),
    ("/get_reward", {"query": ["x"], "labels": []}, 422, "detail"),
    ("/remote_rm", {"response": "x", "label": None}, 422, "detail"),
]


def test_errors_have_the_shape_that_a_client_expects(api: httpx.Client) -> None:
    found = []
    for path, body, _, shape in ERRORS:
        answer = api.post(path, json=body)
        found.append((path, body, answer.status_code, shape if shape in answer.json() else ""))
    assert found == ERRORS


def test_no_web_page_can_post_there(api: httpx.Client) -> None:
    plain = {"Content-Type": "text/plain"}
    statuses = {path: api.post(path, content=b"{}", headers=plain).status_code for path in PATHS}
    assert statuses == dict.fromkeys(PATHS, 415)


JUNK: list[Any] = [None, -1, 1e300, "\0", [[None]], {}, {"x": [1]}]
CONFIG = {"language": "python", "run_timeout": 1, "provided_data": {"test": ["assert f()"]}}
FILES = [{"name": "main.py", "content": "x"}]
# Requests that are right, or nearly: each of their fields is replaced by each kind of junk.
WHOLE: dict[str, dict[str, Any]] = {
    "/run_code": RUN | {"stdin": "", "files": {"a": ""}, "fetch_files": [], "run_timeout": 1},
    "/run_jupyter": {"cells": ["1"], "cell_timeout": 1, "total_timeout": 1, "files": {}},
    "/submit": {"dataset": "x", "id": 1, "completion": "```\nac\n```", "config": CONFIG},
    "/list_ids": {"dataset": "x", "offset": 0, "limit": 1},
    "/get_prompt_by_id": {"dataset": "x", "id": 1},
    "/test_program": {"program": "ac", "tests": ["assert f()"], "max_execution_time": 1},
    "/test_program_stdio": {"program": "ac", "tests": [{"input": "", "output": ""}]},
    "/get_reward": {"query": ["x"], "prompts": ["x"], "labels": ["two"]},
    "/remote_rm": {"response": "x", "label": {"inputs": [""], "outputs": [""]}},
    "/verify": {
        "response": {"output": []},
        "verifier_metadata": {"unit_tests": {"inputs": [""], "outputs": [""]}},
    },
    "/execute_batch": {"scripts": ["x"], "languages": ["python"], "timeout": 1},
    "/api/v2/execute": {"language": "py", "version": "*", "files": FILES, "run_timeout": 1},
}


@pytest.mark.usefixtures("worker", "two")
def test_no_body_is_a_fault_of_ours(api: httpx.Client) -> None:
    faults = []
    for path, whole in WHOLE.items():
        for body in [*JUNK, *({**whole, name: junk} for name in whole for junk in JUNK)]:
            answer = api.post(path, json=body)
            if answer.status_code == 500:
                faults.append((path, body))
    assert not faults


def test_a_request_without_room_is_held_until_there_is(
    guarded: httpx.Client, worker: Workers, redis_client: "redis.Redis", tmp_path: Path
) -> None:
    guarded.headers["Authorization"] = "Bearer secret"
    guarded.put("/v1/problems/two", json=TWO_TESTS).raise_for_status()
    gate = tmp_path / "gate"
    post(guarded, f"gate {gate}")
    wait_until(lambda: worker.ran() == [f"gate {gate}"], "the gate is reached")
    asked = {"prompt": "", "response": "```\nhalf\n```", "label": "two"}
    with ThreadPoolExecutor(1) as threads:
        held = threads.submit(guarded.post, "/remote_rm", json=asked)
        # It is refused what it is held for.
        refused = guarded.post(
            "/v1/submissions", json={"problem_id": "two", "source": "ac"}
        ).status_code
        assert refused == 429
        assert not held.done()
        gate.touch()
        assert held.result().json() == 0.5


def test_a_caller_that_hangs_up_leaves_no_work(
    api: httpx.Client, two: str, worker: Workers, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    post(api, f"gate {gate}")
    asked = {"prompt": "", "response": "```\nac never\n```", "label": two}
    with pytest.raises(httpx.ReadTimeout):
        api.post("/remote_rm", json=asked, timeout=0.2)

    def states() -> list[str]:
        return [batch["state"] for batch in api.get("/v1/batches").json()["batches"]]

    wait_until(lambda: states() == ["cancelled", "running"], "it is cancelled")
    gate.touch()
    wait_until(lambda: states() == ["cancelled", "done"], "the other one ends")
    assert worker.ran() == [f"gate {gate}"]


@pytest.mark.usefixtures("worker")
def test_a_fault_of_ours_is_no_reward_unless_one_is_said(api: httpx.Client, two: str) -> None:
    words = "```\nraise\n```"
    message = {"type": "message", "content": [{"type": "output_text", "text": words}]}
    verify = {"response": {"output": [message]}, "verifier_metadata": {"problem_id": two}}
    slime = {"response": words, "label": two}
    rewards = api.post("/get_reward", json={"query": [words], "labels": [two]}).json()
    assert (rewards["rewards"], rewards["extra_logs"]["unscored"]) == ([0.0], [1.0])
    assert api.post("/remote_rm", json=slime).status_code == 503
    assert api.post("/remote_rm?unscored=-1", json=slime).json() == -1.0
    assert api.post("/verify", json=verify).status_code == 503
    assert api.post("/verify?unscored=0.25", json=verify).json()["reward"] == 0.25
