"""Attacks on the API: bodies, headers and paths that must be refused, politely and cheaply."""

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

JSON = {"Content-Type": "application/json"}
NDJSON = {"Content-Type": "application/x-ndjson"}
GZIP = JSON | {"Content-Encoding": "gzip"}

# What the stack under attack lets a body have.
MOST_BODY_BYTES = 8_000_000

_BATCHES, _SUBMISSIONS, _REWARDS = "/v1/batches", "/v1/submissions", "/v1/rewards"
_PROBLEM = "/v1/problems/p"


@dataclass(frozen=True, slots=True)
class Request:
    """A hostile request; what it may be answered with."""

    name: str
    path: str
    # Made anew for every use; an iterator is sent in chunks, without a length.
    body: Callable[[], bytes | Iterator[bytes]] = lambda: b""
    method: str = "POST"
    statuses: frozenset[int] = frozenset({400, 422})
    headers: dict[str, str] = field(default_factory=lambda: dict(JSON))


def _bytes(body: bytes) -> Callable[[], bytes]:
    return lambda: body


def _only(*statuses: int) -> frozenset[int]:
    return frozenset(statuses)


def _endless() -> Iterator[bytes]:
    for _ in range(1024):
        yield b" " * 1_000_000


def _item(**fields: object) -> bytes:
    return json.dumps({"items": [{"problem_id": "honest", "source": "x"} | fields]}).encode()


def _problem(**fields: object) -> bytes:
    test = {"kind": "stdin", "input": "1", "output": "1"}
    return json.dumps({"id": "p", "tests": [test]} | fields).encode()


_DEEP_LISTS = b"[" * 1_000_000 + b"]" * 1_000_000
_DEEP_OBJECTS = b'{"a":' * 500_000 + b"1" + b"}" * 500_000

REQUESTS = [
    *(
        Request(f"deep JSON to {path}", path, _bytes(b'{"items": ' + _DEEP_LISTS + b"}"))
        for path in (_BATCHES, _SUBMISSIONS, _REWARDS)
    ),
    Request("deep objects", _BATCHES, _bytes(_DEEP_OBJECTS)),
    Request(
        "deep JSON in a problem",
        _PROBLEM,
        _bytes(_problem()[:-1] + b', "metadata": ' + _DEEP_LISTS + b"}"),
        "PUT",
    ),
    Request("giant integer", _BATCHES, _bytes(b'{"items": ' + b"9" * 5_000_000 + b"}")),
    Request("giant exponent", _PROBLEM, _bytes(b'{"limits": {"cpu_time_s": 1e999999}}'), "PUT"),
    Request("giant limits", _PROBLEM, lambda: _problem(limits={"memory_mb": 10**400}), "PUT"),
    Request("NaN", _PROBLEM, lambda: _problem(limits={"cpu_time_s": float("nan")}), "PUT"),
    Request("infinity", _PROBLEM, lambda: _problem(limits={"cpu_time_s": float("inf")}), "PUT"),
    Request("minus infinity", _PROBLEM, lambda: _problem(metadata={"x": float("-inf")}), "PUT"),
    Request(
        "duplicate keys", _BATCHES, _bytes(_item()[:-3] + b', "problem_id": "none"' + b"}]}")
    ),
    Request("duplicate keys without end", _BATCHES, _bytes(b"{" + b'"items":[],' * 500_000 + b"}")),
    Request("very many keys", _BATCHES, lambda: json.dumps(dict.fromkeys(range(50_000))).encode()),
    Request("a body over the limit", _BATCHES, lambda: b" " * (MOST_BODY_BYTES + 1),
            statuses=_only(413)),
    Request("a body of 1 GB in chunks", _BATCHES, _endless, statuses=_only(413)),
    Request(
        "a gzip bomb", _BATCHES, lambda: gzip.compress(b" " * 200_000_000), headers=GZIP,
        statuses=_only(413),
    ),
    Request(
        "a gzip bomb in a gzip bomb", _BATCHES,
        lambda: gzip.compress(gzip.compress(b" " * 200_000_000)), headers=GZIP,
    ),
    Request("gzip cut off", _BATCHES, lambda: gzip.compress(_item())[:-6], headers=GZIP),
    Request("an encoding that is not served", _BATCHES, headers=JSON | {"Content-Encoding": "br"},
            statuses=_only(415)),
    Request(
        "very many faults", _BATCHES,
        lambda: json.dumps({"items": [{"problem_id": "none", "source": ""}] * 40_000}).encode(),
    ),
    Request(
        "very many items", _BATCHES,
        lambda: json.dumps({"items": [{}] * 1_000_000}).encode(),
    ),
    Request("very many ids that are none", _REWARDS, lambda: json.dumps(
        {"problem_ids": [0] * 2_000_000, "completions": []}).encode()),
    Request("very many lines", _BATCHES, _bytes(b"{}\n" * 1_000_000), headers=NDJSON),
    Request("one endless line", _BATCHES, _bytes(b'{"items":"' + b"x" * 7_000_000), headers=NDJSON),
    Request("a list", _BATCHES, _bytes(b"[]")),
    Request("null", _SUBMISSIONS, _bytes(b"null")),
    Request("wrong types all over", _BATCHES, lambda: _item(
        source=[1], language={"a": 1}, id=1.5, reward=[], completion=True)),
    Request("a long source", _SUBMISSIONS, lambda: json.dumps(
        {"problem_id": "honest", "source": "x" * 3_000_000}).encode()),
    Request("invalid UTF-8", _BATCHES, _bytes(b'{"items": "\xff\xfe"}')),
    Request("UTF-16", _BATCHES, lambda: _item().decode().encode("utf-16")),
    Request("lone surrogates", _BATCHES, _bytes(_item()[:-4] + b'\\udfff"}]}')),
    Request("NUL in a source", _BATCHES, lambda: _item(source="a\0b")),
    Request("a program in two forms", _BATCHES, lambda: _item(completion="x")),
    Request("an id that is a path", _BATCHES, lambda: _item(problem_id="../../etc/passwd")),
    Request("an id that is a key", _BATCHES, lambda: _item(problem_id="x\r\nFLUSHALL\r\n")),
    Request("an id that is a pattern", _BATCHES, lambda: _item(problem_id="*")),
    *(
        Request(f"the path {path}", path, method="GET", statuses=_only(400, 404, 405, 422))
        for path in (
            "/v1/problems/..%2f..%2fetc%2fpasswd",
            "/v1/problems/%00",
            "/v1/problems/%ff%fe",
            "/v1/problems/" + "a" * 5_000,
            "/v1/batches/..%2fproblems%2fhonest/results",
            "/v1/batches/*/results",
            "/%2e%2e/%2e%2e/etc/passwd",
            "//etc/passwd",
            "/v1/batches/x/results?wait=1e400",
            "/v1/batches/x/results?cursor=" + "9" * 4_000,
            "/v1/batches/x/results?cursor=-1&cursor=nan",
        )
    ),
    Request("a method that is not served", "/v1/batches", method="PATCH", statuses=_only(405)),
    Request("no type", _BATCHES, lambda: _item(), headers={"Content-Type": "x" * 5_000},
            statuses=_only(415)),
    Request("a key that is too long", _BATCHES, lambda: _item(),
            headers=JSON | {"Idempotency-Key": "x" * 10_000}),
    Request("test code that is too deep", _PROBLEM, lambda: _problem(
        tests=[{"kind": "assertion", "code": "assert " + "(" * 50_000 + ")" * 50_000}]), "PUT"),
    Request("very many tests", _PROBLEM, lambda: _problem(
        tests=[{"kind": "stdin", "input": "", "output": ""}] * 50_000), "PUT"),
]  # fmt: skip
