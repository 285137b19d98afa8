"""GET /v1/languages, and what the door makes of a language's name."""

from typing import Any

import httpx

from tests.server.conftest import Workers, results, wait_until


def told(api: httpx.Client) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in api.get("/v1/languages").json()["languages"]}


def test_the_languages_of_the_workers_are_told_and_no_others_are_taken(
    api: httpx.Client, worker: Workers, two: str
) -> None:
    wait_until(lambda: told(api).get("python", {}).get("version"), "a worker has asked its tools")
    assert told(api).keys() == {"python", "cpp", "c"}
    assert told(api)["python"] == {
        "name": "python",
        "aliases": ["python3", "py"],
        "version": "3.11.2",
        "family": "python",
        "file": "main.py",
    }
    assert told(api)["c"]["version"] is None

    item = {"problem_id": two, "source": "ac"}
    answer = api.post("/v1/batches", json={"items": [{**item, "language": "C++"}]})
    assert answer.status_code == 201
    first, _ = results(api, answer.json()["id"])
    assert (first["language"], first["verdict"]) == ("cpp", "AC")

    for language, reason in (("java", "no worker here"), ("klingon", "no language")):
        refused = api.post("/v1/batches", json={"items": [{**item, "language": language}]})
        assert refused.status_code == 422
        (fault,) = refused.json()["errors"]
        assert fault["field"] == "items[0].language"
        assert reason in fault["reason"]
        assert fault["remedy"] == "give one of c, cpp, python"
