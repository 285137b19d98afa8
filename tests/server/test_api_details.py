"""The list of batches, and one submission with its program."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from proctor_server.settings import Settings
from proctor_server.store import keys
from tests.server.conftest import TWO_TESTS, Workers, post, results, serving, wait_until
from tests.server.test_api_keys import As, entry


def listed(api: httpx.Client, **parameters: Any) -> tuple[list[str], str | None]:
    answer = api.get("/v1/batches", params=parameters)
    assert answer.status_code == 200, answer.text
    page = answer.json()
    return [one["id"] for one in page["batches"]], page["next"]


@pytest.mark.usefixtures("worker", "two")
def test_batches_are_listed_newest_first(api: httpx.Client) -> None:
    first, second = post(api, "ac", "wa"), post(api, "ce")
    for batch in (first, second):
        assert results(api, batch)[-1]["state"] == "done"
    assert listed(api) == ([second, first], None)
    newest = api.get("/v1/batches?limit=1").json()["batches"][0]
    assert newest == api.get(f"/v1/batches/{second}").json() | {"caller": ""}


@pytest.mark.usefixtures("two")
def test_every_batch_is_on_one_page(api: httpx.Client, redis_client: "redis.Redis") -> None:
    posted = [post(api, f"ac {number}") for number in range(7)]
    # Three of one moment: their order is by their ids.
    redis_client.zadd(keys.BATCHES, dict.fromkeys(posted[2:5], 1_000.5))
    seen: list[str] = []
    after: dict[str, Any] = {}
    for _ in range(7):
        page, following = listed(api, limit=2, **after)
        seen += page
        if following is None:
            break
        after = {"after": following}
    assert seen == [posted[6], posted[5], posted[1], posted[0], *sorted(posted[2:5], reverse=True)]


@pytest.mark.parametrize("after", ["nonsense", "x-y", "-", "1.5"])
def test_a_place_that_is_none_is_refused(api: httpx.Client, after: str) -> None:
    answer = api.get("/v1/batches", params={"after": after})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "after"


@pytest.fixture
def acting(settings: Settings, tmp_path: Path) -> Iterator[As]:
    path = tmp_path / "keys.toml"
    path.write_text(
        entry("root", "admin") + entry("one", "submit", "read") + entry("other", "submit", "read")
    )
    with serving(settings.model_copy(update={"keys_file": path})) as api:
        acting = As(api)
        with acting("root") as root:
            root.put("/v1/problems/two", json=TWO_TESTS).raise_for_status()
        yield acting


def test_a_key_sees_its_own_and_an_admin_all(acting: As) -> None:
    with acting("root") as root, acting("one") as one, acting("other") as other:
        mine = post(one, "ac")
        theirs = [post(other, "ac"), post(other, "wa")]
        assert listed(one) == ([mine], None)
        assert listed(root, limit=2)[0] == theirs[::-1]
        assert listed(root) == ([*theirs[::-1], mine], None)
        assert one.get(f"/v1/batches/{mine}/results/0").status_code == 200
        assert other.get(f"/v1/batches/{mine}/results/0").status_code == 404


def test_batches_leave_the_list_when_their_results_go(
    settings: Settings, workers: Workers, redis_client: "redis.Redis"
) -> None:
    workers.start(PROCTOR_RESULTS_TTL_S="1")
    with serving(settings.model_copy(update={"results_ttl_s": 1})) as api:
        api.put("/v1/problems/two", json=TWO_TESTS).raise_for_status()
        ended, cancelled = post(api, "ac"), post(api, "sleep 0.2", "sleep 60")
        api.delete(f"/v1/batches/{cancelled}").raise_for_status()
        running = post(api, "sleep 60 again")
        wait_until(lambda: listed(api)[0] == [running], "only what runs is listed")
        wait_until(lambda: redis_client.zcard(keys.ENDED) == 0, "nothing is kept of the others")
        assert redis_client.zrange(keys.BATCHES, 0, -1) == [running.encode()]
        assert not redis_client.exists(keys.SOURCES + ended)
        api.delete(f"/v1/batches/{running}").raise_for_status()
        wait_until(lambda: redis_client.zcard(keys.POSTERS) == 0, "nobody has any batch")


@pytest.mark.usefixtures("worker", "two")
def test_a_submission_is_told_with_its_program(
    api: httpx.Client, redis_client: "redis.Redis"
) -> None:
    sources = [f"ac {number} \N{SNOWMAN}" for number in range(150)]
    batch = post(api, *sources)
    *lines, _ = results(api, batch)
    assert len(lines) == 150
    for index in (0, 63, 64, 149):
        answer = api.get(f"/v1/batches/{batch}/results/{index}")
        assert answer.json() == {
            "index": index,
            "problem_id": "two",
            "language": "python",
            "source": sources[index],
            "result": next(line for line in lines if line["index"] == index) | told(answer),
        }
        assert "hidden-" not in answer.text
    assert redis_client.ttl(keys.SOURCES + batch) == pytest.approx(
        redis_client.ttl(keys.DONE + batch), abs=1
    )


def told(answer: httpx.Response) -> dict[str, Any]:
    """What a result line leaves out, as it is by default."""
    return dict(answer.json()["result"])


@pytest.mark.usefixtures("two")
def test_a_completions_program_is_told_and_a_result_only_once_it_is_there(
    api: httpx.Client, workers: Workers
) -> None:
    item = {"problem_id": "two", "completion": "So:\n```python\nwa\n```"}
    batch = api.post("/v1/batches", json={"items": [item]}).json()["id"]
    path = f"/v1/batches/{batch}/results/0"
    waiting = api.get(path).json()
    assert (waiting["source"], waiting["result"]) == ("wa\n", None)
    workers.start()
    assert results(api, batch)[-1]["state"] == "done"
    assert api.get(path).json()["result"]["verdict"] == "WA"


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("index", ["1", "-1", "99999999999999"])
def test_a_submission_that_is_not_there(api: httpx.Client, index: str) -> None:
    batch = post(api, "ac")
    assert api.get(f"/v1/batches/{batch}/results/{index}").status_code == 404
    assert api.get(f"/v1/batches/none/results/{index}").status_code == 404


def test_programs_are_kept_only_where_the_operator_wants_it(
    settings: Settings, redis_client: "redis.Redis"
) -> None:
    with serving(settings.model_copy(update={"keep_sources": False})) as api:
        api.put("/v1/problems/two", json=TWO_TESTS).raise_for_status()
        batch = post(api, "ac")
        assert api.get(f"/v1/batches/{batch}/results/0").json()["source"] is None
        assert redis_client.keys(f"{keys.SOURCES}*") == []
