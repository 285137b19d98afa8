"""Several callers at one API: what each may do, and that none is in another's way."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis

from proctor_server.settings import Settings
from tests.conftest import NO_AUTHORITIES
from tests.server.conftest import TWO_TESTS, Workers, post, results, serving, wait_until

_FILE = """
[keys.{name}]
sha256 = "{digest}"
scopes = [{scopes}]
{more}
"""


def entry(name: str, *scopes: str, more: str = "") -> str:
    digest = hashlib.sha256(f"key-{name}".encode()).hexdigest()
    quoted = ", ".join(f'"{scope}"' for scope in scopes)
    return _FILE.format(name=name, digest=digest, scopes=quoted, more=more)


class As:
    """The API as its callers have it."""

    def __init__(self, api: httpx.Client) -> None:
        self._api = api

    def __call__(self, name: str | None) -> httpx.Client:
        headers = {} if name is None else {"Authorization": f"Bearer key-{name}"}
        return httpx.Client(
            base_url=self._api.base_url, headers=headers, timeout=30, verify=NO_AUTHORITIES
        )


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    path = tmp_path / "keys.toml"
    path.write_text(
        entry("root", "admin")
        + entry("bulk", "submit", "read")
        + entry("small", "submit", "read", more="max_queued = 3\nmax_body_mb = 1")
        + entry("heavy", "submit", "read", more="share = 3.0")
        + entry("reader", "read")
        + entry("writer", "submit")
    )
    return path


@pytest.fixture
def acting(settings: Settings, keys_file: Path) -> Iterator[As]:
    with serving(settings.model_copy(update={"keys_file": keys_file})) as api:
        acting = As(api)
        with acting("root") as root:
            root.put("/v1/problems/two", json=TWO_TESTS).raise_for_status()
        yield acting


_ITEM = {"problem_id": "two", "source": "ac"}
_BATCH = {"items": [_ITEM]}
_ROUTES: dict[str, list[tuple[str, str, object]]] = {
    "submit": [
        ("POST", "/v1/batches", _BATCH),
        ("POST", "/v1/submissions?wait=0", _ITEM),
        ("POST", "/v1/rewards", {}),
        ("DELETE", "/v1/batches/none", None),
    ],
    "read": [
        ("GET", "/v1/batches/none", None),
        ("GET", "/v1/batches/none/results", None),
        ("GET", "/v1/problems/two", None),
        ("GET", "/v1/problems", None),
        ("GET", "/v1/info", None),
        ("GET", "/v1/stats", None),
        ("GET", "/v1/problems/two/stats", None),
        ("GET", "/v1/problems/stats", None),
        ("GET", "/metrics", None),
    ],
    "admin": [
        ("PUT", "/v1/problems/two", TWO_TESTS),
        ("POST", "/v1/problems", TWO_TESTS),
    ],
}


@pytest.mark.parametrize("scope", _ROUTES)
def test_each_route_wants_its_scope(acting: As, scope: str) -> None:
    having = {"submit": "writer", "read": "reader", "admin": "root"}
    for method, path, body in _ROUTES[scope]:
        for name in (*having.values(), None):
            with acting(name) as api:
                answer = api.request(method, path, json=body)
            if name is None:
                assert answer.status_code == 401, path
                assert answer.headers["www-authenticate"] == "Bearer"
            elif name in (having[scope], "root"):
                assert answer.status_code not in (401, 403), (path, name, answer.text)
            else:
                assert answer.status_code == 403, (path, name)
                assert scope in answer.json()["detail"]


def test_probes_and_documentation_want_no_key(acting: As) -> None:
    with acting(None) as api:
        for path in ("/healthz", "/openapi.json", "/docs"):
            assert api.get(path).status_code == 200
        assert api.get("/readyz").status_code == 503  # no worker is there


def test_a_batch_is_its_callers_own(acting: As, worker: Workers) -> None:
    with acting("bulk") as bulk, acting("small") as small, acting("root") as root:
        batch_id = post(bulk, "ac")
        for path in (f"/v1/batches/{batch_id}", f"/v1/batches/{batch_id}/results?wait=0"):
            assert small.get(path).status_code == 404
            assert bulk.get(path).status_code == 200
            assert root.get(path).status_code == 200
        assert small.delete(f"/v1/batches/{batch_id}").status_code == 404
        assert results(bulk, batch_id)[0]["verdict"] == "AC"


def test_an_idempotency_key_is_its_callers_own(acting: As) -> None:
    headers = {"Idempotency-Key": "step-1"}
    with acting("bulk") as bulk, acting("small") as small:
        first = bulk.post("/v1/batches", json=_BATCH, headers=headers)
        other = small.post("/v1/batches", json=_BATCH, headers=headers)
        again = bulk.post("/v1/batches", json=_BATCH, headers=headers)
    assert (first.status_code, other.status_code, again.status_code) == (201, 201, 200)
    assert first.json()["id"] == again.json()["id"] != other.json()["id"]


def test_a_caller_has_no_more_queued_than_it_may(acting: As, workers: Workers) -> None:
    with acting("small") as small, acting("bulk") as bulk:
        held = post(small, "ac 1", "ac 2")
        answer = small.post(
            "/v1/batches",
            json={"items": [{"problem_id": "two", "source": f"ac {n}"} for n in (3, 4)]},
        )
        assert answer.status_code == 429
        assert float(answer.headers["retry-after"]) > 0
        assert "2 programs" in answer.json()["detail"]
        post(bulk, *(f"ac {n}" for n in range(10)))  # others are not held back
        last = post(small, "ac 5")
        # What is cancelled or answered makes room again.
        assert small.delete(f"/v1/batches/{held}").status_code == 200
        post(small, "ac 6", "ac 7")
        workers.start()
        assert results(small, last)[0]["verdict"] == "AC"
        wait_until(
            lambda: small.post("/v1/batches", json=_three(8)).status_code == 201, "room again"
        )


def _three(first: int) -> object:
    sources = [f"ac {n}" for n in range(first, first + 3)]
    return {"items": [{"problem_id": "two", "source": source} for source in sources]}


def test_a_batch_that_never_fits_is_refused_for_good(acting: As) -> None:
    items = [{"problem_id": "two", "source": f"ac {n}"} for n in range(4)]
    with acting("small") as small:
        answer = small.post("/v1/batches", json={"items": items})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "items"
    assert "smaller batches" in answer.json()["errors"][0]["remedy"]


def test_the_counts_of_queued_programs_end_at_nothing(
    acting: As, worker: Workers, redis_client: "redis.Redis"
) -> None:
    with acting("bulk") as bulk:
        # Equal programs, within a batch and across: each item counts, each is answered.
        ids = [post(bulk, "ac", "ac", "wa", "ac 2") for _ in range(3)]
        for batch_id in ids:
            assert len(results(bulk, batch_id)) == 5
    assert redis_client.hgetall("proctor:queued") == {}
    assert redis_client.get("proctor:pending") == b"0"


def test_a_body_is_no_longer_than_its_caller_may_send(acting: As) -> None:
    item = {"problem_id": "two", "source": "ac\n" + "#" * 50_000}
    body = {"items": [item] * 30}
    with acting("small") as small, acting("bulk") as bulk:
        assert small.post("/v1/batches", json=body).status_code == 413
        assert bulk.post("/v1/batches", json=body).status_code == 201


def test_a_key_that_is_withdrawn_is_good_for_nothing(acting: As, keys_file: Path) -> None:
    with acting("bulk") as bulk:
        assert bulk.get("/v1/problems").status_code == 200
        keys_file.write_text(entry("root", "admin"))
        wait_until(lambda: bulk.get("/v1/problems").status_code == 401, "the key is withdrawn")


# -- turns --------------------------------------------------------------------------------------


def names(ran: list[str]) -> list[str]:
    """Whose programs were run, in order, of those that say so in their second word."""
    return [line.split()[1] for line in ran if line.startswith("ac ")]


def test_a_bulk_run_does_not_starve_another_caller(
    acting: As, workers: Workers, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    with acting("bulk") as bulk, acting("small") as small:
        post(bulk, f"gate {gate}")  # holds the one worker until all is queued
        workers.start()
        wait_until(lambda: workers.ran(), "the worker is held")
        bulk_id = post(bulk, *(f"ac bulk {n}" for n in range(2000)))
        small_id = post(small, "ac small")
        gate.touch()
        assert results(small, small_id)[0]["verdict"] == "AC"
        assert len(results(bulk, bulk_id)) == 2001
    order = names(workers.ran())
    # At most what was in RQ's queue already, three chunks of 64, goes before it.
    assert order.index("small") <= 3 * 64
    assert order.count("bulk") == 2000


def test_turns_are_weighed_by_the_shares(acting: As, workers: Workers, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with acting("bulk") as bulk, acting("heavy") as heavy:
        post(bulk, f"gate {gate}")
        workers.start()
        wait_until(lambda: workers.ran(), "the worker is held")
        first = post(bulk, *(f"ac bulk {n}" for n in range(1500)))
        second = post(heavy, *(f"ac heavy {n}" for n in range(1500)))
        gate.touch()
        assert len(results(bulk, first)) == 1501
        assert len(results(heavy, second)) == 1501
    order = names(workers.ran())
    # While both have work the heavy one has three of four turns, whole chunks at a time.
    until_heavy_is_done = order[: len(order) - order[::-1].index("heavy")]
    share = until_heavy_is_done.count("heavy") / len(until_heavy_is_done)
    assert 0.65 < share < 0.85


def test_who_was_idle_has_saved_nothing_up(
    acting: As, workers: Workers, redis_client: "redis.Redis"
) -> None:
    workers.start()
    with acting("bulk") as bulk, acting("heavy") as heavy:
        results(bulk, post(bulk, *(f"ac bulk {n}" for n in range(640))))
        clock = float(redis_client.get("proctor:clock") or 0)
        results(heavy, post(heavy, "ac heavy"))
        finish = float(redis_client.hget("proctor:finishes", "heavy") or 0)
    assert finish > clock > 0


def test_held_chunks_are_released_without_their_worker(
    acting: As, workers: Workers, redis_client: "redis.Redis"
) -> None:
    with acting("bulk") as bulk:
        batch_id = post(bulk, *(f"ac bulk {n}" for n in range(640)))
        assert redis_client.llen("rq:queue:proctor") == 2
        held = redis_client.llen("proctor:held:bulk")
        assert held > 2
        metrics = bulk.get("/metrics").text
        assert f'proctor_held_chunks{{key="bulk"}} {held}.0' in metrics
        assert 'proctor_queued_items{key="bulk"} 640.0' in metrics
        # Its worker dies between reading a job and starting it: nobody releases the next.
        redis_client.ltrim("rq:queue:proctor", 2, -1)
        workers.start()
        wait_until(
            lambda: bulk.get(f"/v1/batches/{batch_id}").json()["completed"] >= 640 - 2 * 64,
            "all is run but what was lost, which the sweep finds later",
        )
    assert redis_client.keys("proctor:held:*") == []
    assert redis_client.exists("proctor:turns") == 0


# -- deadlines ----------------------------------------------------------------------------------


def test_what_is_not_done_by_the_deadline_is_cancelled(
    acting: As, workers: Workers, tmp_path: Path, redis_client: "redis.Redis"
) -> None:
    gate = tmp_path / "gate"
    workers.start()
    with acting("bulk") as bulk:
        batch_id = post(bulk, "ac", f"gate {gate}", "ac 2", deadline_s=2.5)
        found = results(bulk, batch_id)
        gate.touch()
    by_index = {one["index"]: one for one in found[:-1]}
    assert found[-1]["state"] == "cancelled"
    assert (by_index[0]["verdict"], by_index[0]["reward"]) == ("AC", 1.0)
    assert (by_index[1]["state"], by_index[1]["reward"]) == ("cancelled", None)
    assert len(by_index) == 3
    assert redis_client.exists("proctor:deadlines") == 0
    assert redis_client.hgetall("proctor:queued") == {}


def test_a_batch_that_is_done_in_time_hears_nothing_of_its_deadline(
    acting: As, worker: Workers, redis_client: "redis.Redis"
) -> None:
    with acting("bulk") as bulk:
        batch_id = post(bulk, "ac", "wa", deadline_s=60)
        assert results(bulk, batch_id)[-1] == {"cursor": 2, "state": "done"}
    assert redis_client.exists("proctor:deadlines") == 0


def test_rewards_that_are_not_there_in_time_are_null(
    acting: As, workers: Workers, tmp_path: Path
) -> None:
    workers.start()
    body = {
        "problem_ids": ["two", "two"],
        "completions": ["```\nac\n```", f"```\ngate {tmp_path / 'gate'}\n```"],
        "deadline_s": 2.5,
    }
    with acting("bulk") as bulk:
        answer = bulk.post("/v1/rewards", json=body)
        (tmp_path / "gate").touch()
    assert answer.json()["rewards"] == [1.0, None]


@pytest.mark.parametrize("value", [0, -1, 604_801, "soon", float("inf")])
def test_a_deadline_that_makes_no_sense_is_refused(acting: As, value: object) -> None:
    content = str({"items": [], "deadline_s": value}).replace("'", '"').replace("inf", "1e999")
    with acting("bulk") as bulk:
        answer = bulk.post(
            "/v1/batches", content=content, headers={"Content-Type": "application/json"}
        )
    assert answer.status_code == 422
    assert "deadline_s" in {fault["field"] for fault in answer.json()["errors"]}
