"""Bad input: a 4xx that names field, reason and remedy; nothing of it is done."""

import gzip
import json
from typing import Any

import httpx
import pytest
import redis

from proctor.types import ProblemDetails
from proctor_server.settings import Settings
from tests.server.conftest import serving

JSON = {"Content-Type": "application/json"}
NDJSON = {"Content-Type": "application/x-ndjson"}
HIDDEN = "hidden-expected-output"


def batch(item: object) -> dict[str, Any]:
    return {"items": [item]}


def details(answer: httpx.Response) -> ProblemDetails:
    assert answer.headers["content-type"] == "application/problem+json"
    found = ProblemDetails.model_validate_json(answer.content)
    assert found.status == answer.status_code
    for fault in found.errors:
        assert fault.field
        assert fault.reason
        assert fault.remedy
    return found


ITEMS: list[tuple[str, object, str]] = [
    ("unknown problem", {"problem_id": "none", "source": "ac"}, "items[0].problem_id"),
    (
        "unknown language",
        {"problem_id": "two", "source": "ac", "language": "cobol"},
        "items[0].language",
    ),
    ("empty source", {"problem_id": "two", "source": ""}, "items[0].source"),
    ("blank source", {"problem_id": "two", "source": " \n\t"}, "items[0].source"),
    ("NUL in source", {"problem_id": "two", "source": "a\0c"}, "items[0].source"),
    ("long source", {"problem_id": "two", "source": "x" * 100_001}, "items[0].source"),
    ("long source in bytes", {"problem_id": "two", "source": "é" * 60_000}, "items[0].source"),
    ("long completion", {"problem_id": "two", "completion": "x" * 200_000}, "items[0].completion"),
    ("wrong type", {"problem_id": "two", "source": 3}, "items[0].source"),
    ("wrong type of item", "ac", "items[0]"),
    ("null item", None, "items[0]"),
    ("no program", {"problem_id": "two"}, "items[0]"),
    ("two programs", {"problem_id": "two", "source": "a", "completion": "b"}, "items[0]"),
    ("no problem", {"source": "ac"}, "items[0]"),
    ("misspelt field", {"problem_id": "two", "source": "ac", "lang": "c"}, "items[0].lang"),
    ("long problem id", {"problem_id": "x" * 201, "source": "ac"}, "items[0].problem_id"),
    ("bad problem id", {"problem_id": "a b", "source": "ac"}, "items[0].problem_id"),
    ("long own id", {"problem_id": "two", "source": "ac", "id": "x" * 201}, "items[0].id"),
    (
        "unknown policy",
        {"problem_id": "two", "source": "ac", "reward": {"name": "generous"}},
        "items[0].reward.name",
    ),
    (
        "NaN threshold",
        {"problem_id": "two", "source": "ac", "reward": {"threshold": float("nan")}},
        "items[0].reward.threshold",
    ),
    (
        "call tests in C",
        {
            "problem": {"id": "p", "tests": [{"kind": "call", "function": "f", "expected": 1}]},
            "source": "int f;",
            "language": "c",
        },
        "items[0].language",
    ),
    (
        "inline problem above the limits",
        {
            "problem": {
                "id": "p",
                "limits": {"memory_mb": 10**6},
                "tests": [{"kind": "stdin", "input": "", "output": ""}],
            },
            "source": "ac",
        },
        "items[0].problem.limits.memory_mb",
    ),
]


@pytest.mark.parametrize(("item", "field"), [case[1:] for case in ITEMS], ids=[c[0] for c in ITEMS])
def test_a_bad_item_is_named_and_nothing_is_queued(
    api: httpx.Client, two: str, redis_client: "redis.Redis", item: object, field: str
) -> None:
    answer = api.post("/v1/batches", content=json.dumps(batch(item)), headers=JSON)
    assert answer.status_code == 422, answer.text
    assert field in [fault.field for fault in details(answer).errors]
    assert not list(redis_client.scan_iter("rq:*"))
    assert not list(redis_client.scan_iter("proctor:batch:*"))


def test_every_bad_item_of_a_batch_is_named_at_once(api: httpx.Client, two: str) -> None:
    items = [
        {"problem_id": "two", "source": "ac"},
        {"problem_id": "two", "source": 7},
        {"problem_id": "nowhere", "source": "ac"},
        {"problem_id": "two", "source": "", "language": "cobol"},
        {"problem_id": "two", "source": "ac", "id": "same"},
        {"problem_id": "two", "source": "ac", "id": "same"},
    ]
    body = {"items": items, "stop": "sometimes"}
    found = details(api.post("/v1/batches", json=body))
    assert {fault.field for fault in found.errors} == {
        "stop",
        "items[1].source",
        "items[2].problem_id",
        "items[3].source",
        "items[3].language",
        "items[5].id",
    }
    lines = "\n".join(json.dumps(item) for item in items)
    answer = api.post("/v1/batches", content=lines, headers=NDJSON)
    assert {fault.field for fault in details(answer).errors} == {
        fault.field for fault in found.errors if fault.field != "stop"
    }


def test_a_long_list_of_faults_is_cut_and_counted(api: httpx.Client) -> None:
    items = [{"problem_id": "none", "source": "ac"}] * 500
    found = details(api.post("/v1/batches", json={"items": items}))
    assert len(found.errors) == 100
    assert "500 faults" in found.detail


BODIES: list[tuple[str, bytes, int]] = [
    ("nothing", b"", 400),
    ("no JSON", b"hello", 400),
    ("cut off", b'{"items": [', 400),
    ("invalid UTF-8", b'{"items": [{"problem_id": "two", "source": "\xff\xfe"}]}', 400),
    ("lone surrogate", b'{"items": [{"problem_id": "two", "source": "\\ud800"}]}', 400),
    ("deep nesting", b'{"items": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", 400),
    ("giant integer", b'{"items": ' + b"9" * 100_000 + b"}", 400),
    ("a list", b"[]", 422),
    ("a string", b'"items"', 422),
    ("items is no list", b'{"items": {"0": {}}}', 422),
    ("no items", b'{"items": []}', 422),
    ("too long", b" " * 2_000_001, 413),
]


@pytest.mark.parametrize(("body", "status"), [c[1:] for c in BODIES], ids=[c[0] for c in BODIES])
@pytest.mark.parametrize("route", ["/v1/batches", "/v1/submissions", "/v1/rewards"])
def test_a_body_that_is_none_is_refused(
    api: httpx.Client, route: str, body: bytes, status: int
) -> None:
    answer = api.post(route, content=body, headers=JSON)
    assert answer.status_code == status, answer.text
    assert details(answer).errors


@pytest.mark.parametrize("body", [b"", b"\n\n", b'{"options": {}}', b"{}\nhello", b"[" * 200_000])
def test_lines_that_are_no_batch_are_refused(api: httpx.Client, body: bytes) -> None:
    answer = api.post("/v1/batches", content=body, headers=NDJSON)
    assert answer.status_code in (400, 422)
    assert details(answer).errors


def test_a_body_is_refused_while_it_is_read(api: httpx.Client) -> None:
    sent = 0

    def endless() -> Any:
        nonlocal sent
        while sent < 200_000_000:
            sent += 1_000_000
            yield b" " * 1_000_000

    try:
        answer = api.post("/v1/batches", content=endless(), headers=JSON)
        assert answer.status_code == 413
    except httpx.TransportError:
        pass  # the server has closed the connection in the middle
    assert sent < 100_000_000


GZIPS: list[tuple[str, bytes, int]] = [
    ("a bomb", gzip.compress(b" " * 50_000_000), 413),
    ("not gzip", b'{"items": []}', 400),
    ("cut off", gzip.compress(b'{"items": []}')[:-4], 400),
    ("with a tail", gzip.compress(b'{"items": []}') + b"tail", 400),
    ("nothing", b"", 400),
]


@pytest.mark.parametrize(("body", "status"), [c[1:] for c in GZIPS], ids=[c[0] for c in GZIPS])
def test_bad_compression_is_refused(api: httpx.Client, body: bytes, status: int) -> None:
    headers = JSON | {"Content-Encoding": "gzip"}
    answer = api.post("/v1/batches", content=body, headers=headers)
    assert answer.status_code == status
    assert details(answer).errors


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {**JSON, "Content-Encoding": "br"},
    ],
)
def test_a_type_or_encoding_that_is_not_served_is_refused(
    api: httpx.Client, headers: dict[str, str]
) -> None:
    answer = api.post("/v1/batches", content=b"{}", headers=headers)
    assert answer.status_code == 415
    assert details(answer).errors


@pytest.mark.parametrize("key", ["", "x" * 201])
def test_an_idempotency_key_has_a_length(api: httpx.Client, key: str) -> None:
    answer = api.post("/v1/batches", content=b"{}", headers=JSON | {"Idempotency-Key": key})
    assert answer.status_code == 422
    assert details(answer).errors[0].field == "Idempotency-Key"


@pytest.mark.parametrize(
    "query",
    ["wait=-1", "wait=nan", "wait=inf", "wait=x", "cursor=-1", "cursor=9999999999999", "cursor=x"],
)
def test_bad_parameters_are_refused(api: httpx.Client, query: str) -> None:
    answer = api.get(f"/v1/batches/any/results?{query}")
    assert answer.status_code == 422
    assert details(answer).errors[0].field in ("wait", "cursor")


def test_unknown_routes_and_methods_are_problem_details(api: httpx.Client) -> None:
    assert details(api.get("/v2/everything")).status == 404
    assert details(api.patch("/v1/batches")).status == 405


def stdin_test(**fields: object) -> dict[str, object]:
    return {"kind": "stdin", "input": "1", "output": HIDDEN} | fields


PROBLEMS: list[tuple[str, dict[str, object], str]] = [
    ("no tests", {"tests": []}, "tests"),
    ("unknown kind", {"tests": [{"kind": HIDDEN}]}, "tests[0]"),
    ("no kind", {"tests": [{"input": HIDDEN, "output": HIDDEN}]}, "tests[0]"),
    ("misspelt field", {"tests": [stdin_test(stdout=HIDDEN)]}, "tests[0].stdout"),
    ("wrong type", {"tests": [stdin_test(output=[HIDDEN])]}, "tests[0].output"),
    ("CPU limit", {"limits": {"cpu_time_s": 61}}, "limits.cpu_time_s"),
    ("infinite CPU limit", {"limits": {"cpu_time_s": float("inf")}}, "limits.cpu_time_s"),
    ("negative limit", {"limits": {"cpu_time_s": -1}}, "limits.cpu_time_s"),
    ("wall limit", {"limits": {"wall_time_s": 1e6}}, "limits.wall_time_s"),
    ("output limit", {"limits": {"output_kb": 10**9}}, "limits.output_kb"),
    ("giant limit", {"limits": {"memory_mb": 10**300}}, "limits.memory_mb"),
    ("NaN weight", {"tests": [stdin_test(weight=float("nan"))]}, "tests[0].weight"),
    ("unknown comparer", {"comparer": {"name": "kind"}}, "comparer.name"),
    ("infinite tolerance", {"comparer": {"name": "floats", "abs_tol": float("inf")}}, "comparer"),
    (
        "NaN expected",
        {"tests": [{"kind": "call", "function": "f", "expected": [float("nan")]}]},
        "tests",
    ),
    ("NaN metadata", {"metadata": {"x": float("nan")}}, "metadata"),
    (
        "bad function name",
        {"tests": [{"kind": "call", "function": "f(); g", "expected": 1}]},
        "tests[0].function",
    ),
    (
        "test code that does not parse",
        {"tests": [{"kind": "assertion", "code": f"assert f() == '{HIDDEN}' !"}]},
        "tests[0].code",
    ),
    (
        "test code that is too deep",
        {"tests": [{"kind": "assertion", "code": "assert " + "(" * 1000 + ")" * 1000}]},
        "tests[0].code",
    ),
    (
        "NUL in test code",
        {"tests": [{"kind": "assertion", "code": "assert 1\0"}]},
        "tests[0].code",
    ),
    (
        "bad entry point",
        {"tests": [{"kind": "assertion", "code": "assert f()", "entry_point": "f;g"}]},
        "tests[0].entry_point",
    ),
    (
        "no pytest file",
        {"tests": [{"kind": "pytest", "files": {"helpers.py": f"'{HIDDEN}'"}}]},
        "tests[0].files",
    ),
    (
        "a pytest file that does not parse",
        {"tests": [{"kind": "pytest", "files": {"test_a.py": f"'{HIDDEN}' !"}}]},
        "tests[0].files['test_a.py']",
    ),
    (
        "no module's name",
        {"tests": [{"kind": "pytest", "files": {"test_a.py": ""}, "modules": ["a.b"]}]},
        "tests[0].modules",
    ),
    ("unknown reference language", {"reference": {"language": "x", "source": "y"}}, "reference."),
]


@pytest.mark.parametrize(
    ("fields", "field"), [c[1:] for c in PROBLEMS], ids=[c[0] for c in PROBLEMS]
)
def test_a_bad_problem_is_refused_and_none_of_its_data_is_repeated(
    api: httpx.Client, redis_client: "redis.Redis", fields: dict[str, object], field: str
) -> None:
    problem = {"id": "p", "tests": [stdin_test()]} | fields
    text = json.dumps(problem)
    answer = api.put("/v1/problems/p", content=text, headers=JSON)
    assert answer.status_code in (400, 422), answer.text
    found = details(answer)
    assert any(fault.field.startswith(field) for fault in found.errors), found
    assert HIDDEN not in answer.text
    lines = api.post("/v1/problems", content=json.dumps(problem), headers=NDJSON)
    assert lines.status_code == answer.status_code
    assert details(lines).errors[0].field.startswith("line 1")
    assert HIDDEN not in lines.text
    assert not redis_client.keys("proctor:problem*")


def test_a_path_and_a_body_with_different_ids_are_refused(api: httpx.Client) -> None:
    answer = api.put("/v1/problems/a", json={"id": "b", "tests": [stdin_test()]})
    assert answer.status_code == 422
    assert details(answer).errors[0].field == "id"


@pytest.mark.parametrize(
    ("route", "body", "field"),
    [
        ("/v1/submissions", {"problem_id": "none", "source": "ac"}, "problem_id"),
        ("/v1/submissions", {"problem_id": "two", "source": ""}, "source"),
        ("/v1/submissions", {"problem_id": "two"}, "body"),
        ("/v1/rewards", {"problem_ids": ["none"], "completions": ["x"]}, "problem_ids[0]"),
        ("/v1/rewards", {"problem_ids": ["two"], "completions": []}, "completions"),
        ("/v1/rewards", {"problem_ids": ["two"] * 2, "completions": ["x"]}, "body"),
        ("/v1/rewards", {"problem_ids": ["two"], "completions": ["x" * 100_001]}, "completions[0]"),
        (
            "/v1/rewards",
            {"problem_ids": ["two"], "completions": ["x"], "language": "y"},
            "language",
        ),
    ],
)
def test_single_requests_name_their_own_fields(
    api: httpx.Client, two: str, route: str, body: object, field: str
) -> None:
    answer = api.post(route, json=body)
    assert answer.status_code == 422, answer.text
    assert field in [fault.field for fault in details(answer).errors]


def test_too_many_items_are_refused(settings: Settings) -> None:
    items = [{"problem_id": "two", "source": "x"}] * 4
    with serving(settings.model_copy(update={"max_batch_items": 3})) as api:
        found = details(api.post("/v1/batches", json={"items": items}))
    assert [fault.field for fault in found.errors] == ["items"]


def test_too_many_tests_are_refused(settings: Settings) -> None:
    problem = {"id": "p", "tests": [stdin_test()] * 4}
    with serving(settings.model_copy(update={"max_tests": 3})) as api:
        found = details(api.put("/v1/problems/p", json=problem))
    assert [fault.field for fault in found.errors] == ["tests"]
