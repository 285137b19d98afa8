"""Problems over HTTP: stored, versioned, listed, and their tests never given back."""

import json
import zlib
from typing import Any

import httpx
import pytest
import redis

from proctor.types import ImportReport, Problem, ProblemInfo
from proctor_server.settings import Settings
from tests.server.conftest import TWO_TESTS, Workers, post, results, serving

NDJSON = {"Content-Type": "application/x-ndjson"}


def stored(api: httpx.Client, **fields: Any) -> ProblemInfo:
    problem = TWO_TESTS | fields
    answer = api.put(f"/v1/problems/{problem['id']}", json=problem)
    assert answer.status_code == 200, answer.text
    return ProblemInfo.model_validate_json(answer.content)


def test_what_is_told_of_a_problem(api: httpx.Client) -> None:
    put = stored(api, prefix="import re\n", entry_point="f", metadata={"rating": 800})
    got = ProblemInfo.model_validate_json(api.get("/v1/problems/two").content)
    assert put == got
    assert (got.tests, got.prefix, got.entry_point) == (2, "import re\n", "f")
    assert got.metadata == {"rating": 800}
    assert [test.public for test in got.public_tests] == [True]


def test_no_route_gives_hidden_data_back(api: httpx.Client, worker: Workers) -> None:
    stored(api, reference={"language": "python", "source": "hidden-reference"})
    batch = post(api, "wa", "raise")
    answers = [
        api.get("/v1/problems/two"),
        api.get("/v1/problems"),
        api.get(f"/v1/batches/{batch}", params={"wait": 20}),
        api.get(f"/v1/batches/{batch}/results"),
        api.post("/v1/submissions", json={"problem": TWO_TESTS, "source": "wa"}),
        api.get("/v1/info"),
        api.get("/metrics"),
        api.get("/openapi.json"),
    ]
    for answer in answers:
        assert answer.status_code in (200, 201), answer.text
        assert "hidden-" not in answer.text
    assert "hidden-" not in worker.errors()


@pytest.mark.parametrize("problem_id", ["a", "HumanEval/0", "x:y@z+1.2_3-4", "a/b/c", "x" * 200])
def test_ids_as_data_sets_have_them(api: httpx.Client, problem_id: str) -> None:
    assert stored(api, id=problem_id).id == problem_id
    assert api.get(f"/v1/problems/{problem_id}").json()["id"] == problem_id


def test_an_unknown_problem_is_not_found(api: httpx.Client) -> None:
    assert api.get("/v1/problems/none").status_code == 404


def test_the_version_is_that_of_what_decides(api: httpx.Client) -> None:
    first = stored(api).version
    assert stored(api, statement="Other words.", metadata={"x": 1}).version == first
    assert stored(api, id="other").version == first
    assert stored(api, limits={"cpu_time_s": 1}).version != first


def test_a_new_version_is_judged_anew(api: httpx.Client, worker: Workers) -> None:
    stored(api)
    results(api, post(api, "ac"))
    stored(api, limits={"cpu_time_s": 1})
    (line, _) = results(api, post(api, "ac"))
    assert not line["cached"]
    assert worker.ran() == ["ac", "ac"]


def test_queued_work_keeps_the_version_it_was_posted_for(
    api: httpx.Client, workers: Workers
) -> None:
    stored(api)
    batch = post(api, "half")
    stored(api, tests=TWO_TESTS["tests"] * 2)
    workers.start()
    assert results(api, batch)[0]["total"] == 2
    assert results(api, post(api, "half"))[0]["total"] == 4


def test_a_version_that_no_id_stands_for_is_forgotten_in_time(
    api: httpx.Client, redis_client: "redis.Redis"
) -> None:
    old = stored(api).version
    assert redis_client.ttl(f"proctor:tests:{old}") == -1
    new = stored(api, limits={"cpu_time_s": 1}).version
    assert redis_client.ttl(f"proctor:tests:{old}") > 0
    assert redis_client.ttl(f"proctor:tests:{new}") == -1
    # Back again before its time is over: kept.
    stored(api)
    assert redis_client.ttl(f"proctor:tests:{old}") == -1


def test_a_version_with_another_id_is_kept(api: httpx.Client, redis_client: "redis.Redis") -> None:
    version = stored(api).version
    stored(api, id="twin")
    stored(api, limits={"cpu_time_s": 1})
    assert redis_client.ttl(f"proctor:tests:{version}") == -1


def test_an_inline_problem_is_stored_for_a_while(
    api: httpx.Client, worker: Workers, redis_client: "redis.Redis"
) -> None:
    items = [{"problem": TWO_TESTS, "source": source} for source in ("ac", "half", "ac")]
    answer = api.post("/v1/batches", json={"items": items})
    lines = {line["index"]: line for line in results(api, answer.json()["id"])[:-1]}
    assert [lines[i]["reward"] for i in range(3)] == [1.0, 0.5, 1.0]
    assert lines[0]["problem_id"] == "two"
    (key,) = redis_client.scan_iter("proctor:tests:*")
    assert redis_client.ttl(key) > 0
    assert api.get("/v1/problems/two").status_code == 404
    # Put under its id, it is there to stay, and inline again that does not change.
    stored(api)
    api.post("/v1/batches", json={"items": items})
    assert redis_client.ttl(key) == -1


def test_tests_are_compressed_and_the_statement_is_not_among_them(
    api: httpx.Client, redis_client: "redis.Redis"
) -> None:
    stored(api, statement="many words", tests=TWO_TESTS["tests"] * 100)
    (key,) = redis_client.scan_iter("proctor:tests:*")
    raw: Any = redis_client.get(key)
    assert len(raw) < 1000
    needed = Problem.model_validate_json(zlib.decompress(raw))
    assert (len(needed.tests), needed.statement) == (200, "")


def test_an_import_stores_and_counts(api: httpx.Client) -> None:
    def imported(*problems: dict[str, Any]) -> ImportReport:
        body = "\n".join(json.dumps(problem) for problem in problems) + "\n\n"
        answer = api.post("/v1/problems", content=body, headers=NDJSON)
        assert answer.status_code == 200, answer.text
        return ImportReport.model_validate_json(answer.content)

    many = [TWO_TESTS | {"id": f"p/{i}"} for i in range(1200)]
    assert imported(*many) == ImportReport(stored=1200, unchanged=0)
    assert imported(*many) == ImportReport(stored=0, unchanged=1200)
    changed = TWO_TESTS | {"id": "p/7", "statement": "New words."}
    assert imported(changed, many[8]) == ImportReport(stored=1, unchanged=1)


def test_an_import_with_a_fault_stores_nothing_and_names_every_line(api: httpx.Client) -> None:
    lines = [
        json.dumps(TWO_TESTS),
        json.dumps(TWO_TESTS | {"id": "bad id"}),
        json.dumps(TWO_TESTS | {"id": "b", "limits": {"cpu_time_s": 1000}}),
        json.dumps(TWO_TESTS),
    ]
    answer = api.post("/v1/problems", content="\n".join(lines), headers=NDJSON)
    assert answer.status_code == 422
    assert [fault["field"] for fault in answer.json()["errors"]] == [
        "line 2.id",
        "line 3.limits.cpu_time_s",
        "line 4.id",
    ]
    assert api.get("/v1/problems").json()["ids"] == []


def test_ids_are_listed_page_by_page(api: httpx.Client) -> None:
    ids = sorted(f"p{i}" for i in range(25))
    body = "\n".join(json.dumps(TWO_TESTS | {"id": one}) for one in ids)
    api.post("/v1/problems", content=body, headers=NDJSON)
    found: list[str] = []
    after: dict[str, Any] = {}
    for _ in range(10):
        page = api.get("/v1/problems", params={"limit": 10} | after).json()
        found += page["ids"]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert found == ids


def test_a_problem_survives_another_api_process(settings: Settings) -> None:
    with serving(settings) as one, serving(settings) as other:
        version = stored(one).version
        assert other.get("/v1/problems/two").json()["version"] == version
