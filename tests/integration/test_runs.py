"""Raw runs and files over a real API, queue, worker and sandbox."""

import asyncio
import socket
from collections.abc import Iterator

import pytest
import redis

from proctor import AsyncClient, Binary, Client, InvalidRequest, RunResult, Verdict
from proctor.content import to_bytes
from tests.integration.stack import Stack, running, until


@pytest.fixture(scope="module")
def stack(redis_url: str, bubblewrap: str) -> Iterator[Stack]:
    """A stack that is ready to run programs."""
    with running(redis_url, queue="raw-runs") as stack:
        yield stack


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    with Client(stack.url) as client:
        yield client


@pytest.mark.parametrize(
    ("request_", "verdict", "stdout", "exit_code", "signal"),
    [
        ({"source": "print(input())", "stdin": "é"}, "AC", "é\n", 0, None),
        ({"source": "import sys; print(sys.argv[1:])", "args": ["a b"]},
         "AC", "['a b']\n", 0, None),
        ({"source": "print(1); raise SystemExit(3)"}, "RE", "1\n", 3, None),
        ({"source": "import os; os.kill(os.getpid(), 11)"}, "RE", "", None, 11),
        ({"source": "def"}, "CE", None, 1, None),
        ({"source": "print(1, flush=True)\nwhile 1: pass", "limits": {"cpu_time_s": 0.3}},
         "TLE", "1\n", None, 9),
        ({"source": "x = 'x' * (600 << 20)", "limits": {"memory_mb": 128}}, "MLE", "", None, 9),
        ({"source": "int main(void) { return 4; }", "language": "c"}, "RE", "", 4, None),
        ({"source": ""}, "AC", "", 0, None),
    ],
)  # fmt: skip
def test_a_run_tells_how_the_program_ended(
    client: Client,
    request_: dict[str, object],
    verdict: str,
    stdout: str | None,
    exit_code: int | None,
    signal: int | None,
) -> None:
    result = client.run(request_)
    assert (result.verdict, result.reason) == (verdict, None)
    if stdout is None:
        assert result.run is None
        assert result.compile is not None
        assert "SyntaxError" in str(result.compile.stderr)
        return
    assert result.run is not None
    assert result.run.stdout == stdout
    assert (result.run.exit_code, result.run.signal) == (exit_code, signal)
    assert (result.compile is not None) == (request_.get("language") == "c")


@pytest.mark.parametrize("size", [180_000, 5_000_000])
def test_large_and_binary_output_comes_back_whole(client: Client, size: int) -> None:
    result = client.run(
        {"source": f"import sys; sys.stdout.buffer.write(b'\\xff\\0' * {size // 2})"}
    )
    assert result.run is not None
    assert isinstance(result.run.stdout, Binary)
    assert to_bytes(result.run.stdout) == b"\xff\0" * (size // 2)


def test_output_beyond_the_limit_is_cut_and_says_so(client: Client) -> None:
    result = client.run({"source": "print('x' * 10_000_000)", "limits": {"output_kb": 100}})
    assert result.verdict is Verdict.OLE
    assert result.run is not None
    assert result.run.truncated
    assert result.run.stdout == "x" * 100 * 1024


def test_input_that_is_not_read_is_no_fault(client: Client) -> None:
    result = client.run({"source": "print(1)", "stdin": "x" * 5_000_000})
    assert result.verdict is Verdict.AC


def test_files_go_in_and_come_back(client: Client) -> None:
    result = client.run(
        {
            "source": "open('out', 'wb').write(open('in/b', 'rb').read() * 2)",
            "files": {"in/b": {"base64": "AP8="}},
            "fetch": ["out", "in/b", "none"],
        }
    )
    assert result.files == {"out": Binary(base64="AP8A/w=="), "in/b": Binary(base64="AP8=")}
    assert result.missing == {"none": "the program left no such file"}


def test_a_program_sees_none_of_the_workers_environment(client: Client) -> None:
    result = client.run({"source": "import os; print(sorted(os.environ))"})
    assert result.run is not None
    assert "PROCTOR" not in str(result.run.stdout)


def test_a_language_may_be_named_by_an_alias(client: Client) -> None:
    result = client.run({"source": "print(1)", "language": "Python3"})
    assert (result.verdict, result.reason) == ("AC", None)


def test_equal_runs_are_each_run(client: Client) -> None:
    source = "import os; print(os.urandom(8).hex())"
    outputs = {client.run({"source": source}).run.stdout for _ in range(3)}  # type: ignore[union-attr]
    assert len(outputs) == 3


def test_runs_asked_for_together_share_chunks_and_each_gets_its_own(stack: Stack) -> None:
    async def all_of_them() -> list[RunResult]:
        async with AsyncClient(stack.url) as client:
            runs = (client.run({"source": f"print({number})"}) for number in range(64))
            return await asyncio.gather(*runs)

    results = asyncio.run(all_of_them())
    assert [one.run and one.run.stdout for one in results] == [f"{n}\n" for n in range(64)]


def test_what_a_run_printed_is_not_kept(client: Client, redis_client: "redis.Redis") -> None:
    assert client.run({"source": "print('canary-' + 'of-output')"}).verdict is Verdict.AC
    for key in redis_client.scan_iter("*"):
        assert b"canary-of-output" not in (redis_client.dump(key) or b""), key


def test_a_caller_that_hangs_up_cancels_its_run(
    client: Client, stack: Stack, redis_client: "redis.Redis"
) -> None:
    body = b'{"source": "import time; time.sleep(9)"}'
    host, port = stack.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            b"POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body) + body
        )
        until(lambda: client.stats().pending == 1, "the run is queued")
    until(lambda: client.stats().pending == 0, "the run is cancelled", within_s=20)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"source": "x", "language": "klingon"}, "language"),
        ({"source": "x", "limits": {"cpu_time_s": 1e6}}, "limits.cpu_time_s"),
        ({"source": "x", "compile_wall_time_s": 1e6}, "compile_wall_time_s"),
        ({"source": "x" * 2_000_000}, "source"),
        ({"source": "x", "files": {"../up": ""}}, "files"),
        ({"source": "x", "files": {"/etc/x": ""}}, "files"),
        ({"source": "x", "stdin": {"base64": "?"}}, "stdin"),
        ({"source": "x", "args": ["a\0b"]}, "args"),
        ({"source": "x", "nonsense": 1}, "nonsense"),
    ],
)
def test_what_is_wrong_with_a_run_is_named(
    client: Client, request_: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        client.run(request_)
    assert field in str(refused.value)


# -- files of submissions, problems and tests ---------------------------------------------------


def problem(**fields: object) -> dict[str, object]:
    test = {"kind": "stdin", "input": "", "output": "42", **fields.pop("test", {})}  # type: ignore[dict-item]
    return {"id": "files", "tests": [test], **fields}


@pytest.mark.parametrize(
    ("problem", "item"),
    [
        (problem(), {"source": "import part; print(part.x)", "files": {"part.py": "x = 42"}}),
        (problem(files={"given.py": "x = 42"}), {"source": "import given; print(given.x)"}),
        (problem(files={"given.py": "x = 42"}),
         {"source": "import given; print(given.x)", "files": {"given.py": "x = 41"}}),
        (problem(test={"files": {"in.txt": "42"}}), {"source": "print(open('in.txt').read())"}),
        (problem(test={"args": ["40", "2"]}),
         {"source": "import sys; print(int(sys.argv[1]) + int(sys.argv[2]))"}),
        (problem(files={"add.h": "int add(int, int);"}),
         {"language": "c", "files": {"add.c": "int add(int a, int b) { return a + b; }"},
          "source": '#include <stdio.h>\n#include "add.h"\n'
                    'int main(void) { printf("%d", add(40, 2)); }'}),
    ],
    ids=["submission's", "problem's", "problem's first", "test's", "arguments", "two sources"],
)  # fmt: skip
def test_files_and_arguments_reach_programs(
    client: Client, problem: dict[str, object], item: dict[str, object]
) -> None:
    result = client.submission({"problem": problem, **item})
    assert (result.verdict, result.compile_output) == (Verdict.AC, None)


def test_programs_that_differ_in_a_file_are_not_the_same(client: Client) -> None:
    items = [
        {"problem": problem(), "source": "import part; print(part.x)", "files": {"part.py": text}}
        for text in ("x = 42", "x = 41", "x = 42")
    ]
    results = sorted(client.submit(items).results(), key=lambda one: one.index)
    assert [one.verdict for one in results] == ["AC", "WA", "AC"]
