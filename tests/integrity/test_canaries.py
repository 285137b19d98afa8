"""Hidden data shows nowhere: not in an answer, a header, a metric or a log line of the stack.

There are no API keys yet, so every caller is one without rights. The few words that are meant
to be seen, those of public tests, show that the search would find one.
"""

import contextlib
import json
import textwrap
from collections.abc import Iterator
from typing import Any

import httpx
import psutil
import pytest
import redis

from tests.integration.stack import Stack, running, until
from tests.integrity.canaries import Canaries

LIMITS = {"cpu_time_s": 0.5, "wall_time_s": 3.0, "memory_mb": 128, "output_kb": 64}
# Says in the list of processes that it runs, then takes a while.
SLOW = """
    open('/proc/self/comm', 'w').write('slowprogram')
    import time
    time.sleep(1.5)
    """
# `told` is what the program was given: it goes wherever a program can put a text.
SPREADS = {
    "prints it": "print(told, flush=True)",
    "prints it to stderr": "import sys; print(told, file=sys.stderr)",
    "prints it backwards and as hex": "print(told[::-1], told.encode().hex())",
    "raises it": "raise ValueError(told)",
    "raises what is named so": "raise type(told.strip(), (ValueError,), {})(told)",
    "raises what no name is": "raise type('E ' + told, (ValueError,), {'args': (told,)})",
    "leaves with it": "import sys; sys.exit(told)",
    "leaves with a group of it": "raise BaseExceptionGroup(told, [SystemExit(told)])",
    "fails to compile it": "compile(told + ' (', told, 'exec')",
    "names files so": "import os; os.mkdir(told.strip()); open(told.strip() + '/x'); 1 / 0",
    "warns of it": "import warnings; warnings.warn(told)",
    "is named so": "open('/proc/self/comm', 'w').write(told); import os; os.abort()",
    "exits by its letters": "import os; os._exit(ord(told.strip()[-1]))",
    "floods with it": "while True: print(told)",
    "is killed for it": "x = []\nwhile True: x.append(told * 100_000)",
    "takes its time with it": "print(told, flush=True)\nwhile True: pass",
    "answers with it": "answer = [told, told.encode(), {told: told}]",
    "answers with what is named so": "answer = type(told.strip(), (), {'__str__': repr})()",
}
PRINTS = "import sys\ntold = sys.stdin.read()\n"


def asked(text: str) -> str:
    """A program whose f does this with its argument."""
    body = textwrap.indent(textwrap.dedent(text).strip(), "    ")
    head = "def f(x, **more):\n    told = str(x) + str(more)\n    answer = 0\n"
    return f"{head}{body}\n    return answer\n"


@pytest.fixture(scope="module")
def canaries() -> Canaries:
    return Canaries()


@pytest.fixture(scope="module")
def problems(canaries: Canaries) -> list[dict[str, Any]]:
    """One of each kind, whose every hidden value is a canary."""
    word, number = canaries.word, canaries.number
    named = f"test_{word()}"

    def problem(kind: str, *tests: dict[str, Any]) -> dict[str, Any]:
        reference = {"language": "python", "source": f"print('{word()}')"}
        shared = {"entry_point": "f", "limits": LIMITS, "reference": reference}
        return {"id": f"canary/{kind}", "tests": [*tests], **shared}

    return [
        problem(
            "stdin",
            {"kind": "stdin", "input": word(), "output": word()},
            {"kind": "stdin", "input": f"{number()}\n", "output": f"{number()}\n"},
        ),
        problem(
            "call",
            {"kind": "call", "function": "f", "args": [word()], "expected": word()},
            {
                "kind": "call",
                "function": "f",
                "args": [number()],
                "kwargs": {word(): [word(), {word(): number()}]},
                "expected": {word(): [number()]},
            },
        ),
        problem(
            "assertion",
            {
                "kind": "assertion",
                "code": f"# {word()}\ndef {named}():\n    assert f('{word()}') == '{word()}'\n"
                f"{named}()\nassert f({number()}) == {number()}, '{word()}'\n",
            },
            {"kind": "assertion", "code": f"raise ValueError('{word()}', f('{word()}'))"},
        ),
        problem(
            "pytest",
            {
                "kind": "pytest",
                "files": {
                    f"{word()}.txt": word(),
                    "test_it.py": f"# {word()}\nfrom main import f\n"
                    f"def {named}(): assert f('{word()}') == {number()}, '{word()}'\n"
                    f"def test_{word()}(): raise type('{word()}', (ValueError,), {{}})('{word()}')",
                },
            },
        ),
    ]


@pytest.fixture(scope="module")
def stack(
    redis_url: str, bubblewrap: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    log = tmp_path_factory.mktemp("canaries") / "log"
    with running(redis_url, queue="canary-tests", log=log) as stack:
        yield stack


@pytest.fixture(scope="module")
def client(stack: Stack, canaries: Canaries) -> Iterator[httpx.Client]:
    """A client whose every answer is kept."""
    hooks = {"response": [canaries.answered]}
    with httpx.Client(base_url=stack.url, event_hooks=hooks, trust_env=False, timeout=60) as client:
        yield client


@pytest.fixture(scope="module", autouse=True)
def stored(client: httpx.Client, problems: list[dict[str, Any]]) -> None:
    for problem in problems:
        client.put(f"/v1/problems/{problem['id']}", json=problem).raise_for_status()
    lines = "\n".join(map(json.dumps, problems))
    headers = {"Content-Type": "application/x-ndjson"}
    client.post("/v1/problems", content=lines, headers=headers).raise_for_status()


@pytest.fixture(autouse=True)
def nothing_shows(canaries: Canaries, stack: Stack) -> Iterator[None]:
    """After every test: all that was answered and logged until then."""
    yield
    assert stack.log is not None
    canaries.seen.append(("the log", stack.log.read_bytes()))
    found = canaries.found()
    assert canaries.seen
    canaries.seen.clear()
    assert found == []


def items(problems: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    """A program that does this for each problem."""
    return [
        {
            "problem_id": problem["id"],
            "source": PRINTS + textwrap.dedent(text).strip()
            if problem["id"].endswith("stdin")
            else asked(text),
        }
        for problem in problems
    ]


def judged(client: httpx.Client, batch: dict[str, Any]) -> list[dict[str, Any]]:
    """The results of a batch, read in every way there is."""
    posted = client.post("/v1/batches", json=batch)
    posted.raise_for_status()
    return read(client, posted.json()["id"])


def read(client: httpx.Client, batch_id: str) -> list[dict[str, Any]]:
    place = f"/v1/batches/{batch_id}"
    until(lambda: client.get(place, params={"wait": 5}).json()["state"] == "done", "the batch")
    stream = client.get(f"{place}/results").text
    return [json.loads(line) for line in stream.splitlines()[:-1]]


def test_whatever_a_program_does_with_its_input(
    client: httpx.Client, problems: list[dict[str, Any]]
) -> None:
    programs = [item for text in SPREADS.values() for item in items(problems, text)]
    results = judged(client, {"items": programs, "fresh": True})
    assert len(results) == len(problems) * len(SPREADS)
    verdicts = {result["verdict"] for result in results}
    assert {"WA", "RE", "OLE", "TLE", "MLE"} <= verdicts <= {"WA", "RE", "OLE", "TLE", "MLE"}
    assert {result["reward"] for result in results} == {0.0}
    # Stopped at its first failure, posted alone, and as completions for rewards.
    judged(client, {"items": items(problems, "raise ValueError(told)"), "stop": "first_failure"})
    for item in items(problems, "print(told)\nraise KeyError(told)"):
        assert client.post("/v1/submissions", json=item).json()["verdict"] == "RE"
        rewards = {
            "problem_ids": [item["problem_id"]],
            "completions": [f"```\n{item['source']}\n```"],
        }
        assert client.post("/v1/rewards", json=rewards).json()["rewards"] == [0.0]


def test_every_page_there_is(client: httpx.Client, problems: list[dict[str, Any]]) -> None:
    posted = client.post("/v1/batches", json={"items": items(problems, "print(told)")}).json()
    read(client, posted["id"])
    # On a machine with other work a worker may be late to say that it is there.
    until(lambda: client.get("/readyz").is_success, "the stack to be ready")
    places = client.get("/openapi.json").json()["paths"]
    asked = 0
    for place, methods in places.items():
        if "get" in methods and place != "/readyz":
            for problem in problems:
                known = {"batch_id": posted["id"], "problem_id": problem["id"], "index": 1}
                path = place.format_map(known)
                assert client.get(path).status_code == 200, path
                asked += 1
    assert asked >= 3 * 7
    for path in (
        "/docs",
        "/v1/problems?limit=1&after=canary",
        f"/v1/batches/{posted['id']}/x",
    ):
        client.get(path)
    batch = f"/batches/{posted['id']}"
    for path in ("/", "/batches", batch, f"{batch}/0", f"{batch}/1", f"{batch}/2", "/problems"):
        assert client.get(path).status_code == 200, path
    client.delete(f"/v1/batches/{posted['id']}")


def test_what_is_wrong_with_a_request(
    client: httpx.Client, problems: list[dict[str, Any]], canaries: Canaries
) -> None:
    for problem in problems:
        place, test = f"/v1/problems/{problem['id']}", problem["tests"][0]
        secret = canaries.word()
        wrong: list[dict[str, Any]] = [
            {**problem, "tests": [{**test, "weight": secret}]},
            {**problem, "tests": [{**test, "kind": secret}]},
            {
                **problem,
                "tests": [{**test, "input": [secret], "args": secret, "code": {"a": secret}}],
            },
            {**problem, "tests": [test, secret]},
            {**problem, "tests": [{"kind": "assertion", "code": f"assert f('{secret}'"}]},
            {**problem, "tests": [{"kind": "assertion", "code": f"'{secret}\\d' == f(1"}]},
            {**problem, "limits": {"cpu_time_s": 10_000}},
            {**problem, "reference": secret},
            {**problem, "id": "another"},
            {**problem, "comparer": {"name": secret}},
        ]
        for one in wrong:
            bodies = [
                json.dumps(one),
                json.dumps(one)[:-9],
                json.dumps(one) + "]",
                f"[{json.dumps(one)}",
            ]
            for body in bodies:
                answer = client.put(
                    place, content=body, headers={"Content-Type": "application/json"}
                )
                assert answer.status_code in (400, 422), answer.text
            inline = {"items": [{"problem": one, "source": "pass", "language": "cobol"}]}
            assert client.post("/v1/batches", json=inline).status_code == 422
            headers = {"Content-Type": "application/x-ndjson"}
            lines = f"{json.dumps(problem)}\n{json.dumps(one)}"[: -1 - len(secret)]
            assert client.post("/v1/problems", content=lines, headers=headers).status_code in (
                400,
                422,
            )
    for item in items(problems, "pass"):
        for change in (
            {"language": "cobol"},
            {"source": ""},
            {"completion": "x"},
            {"problem_id": "x y"},
        ):
            assert client.post("/v1/submissions", json={**item, **change}).status_code == 422


def test_faults_of_redis(
    client: httpx.Client, problems: list[dict[str, Any]], redis_url: str
) -> None:
    batch = {"items": items(problems, "print(told)"), "fresh": True}
    with redis.Redis.from_url(redis_url) as store:
        store.config_set("maxmemory", 1)
        try:
            assert client.post("/v1/batches", json=batch).status_code == 503
            for problem in problems:
                changed = {**problem, "statement": "new"}
                assert client.put(f"/v1/problems/{problem['id']}", json=changed).status_code == 503
        finally:
            store.config_set("maxmemory", 0)
        # The API looks at Redis's memory from time to time.
        until(lambda: client.get("/readyz").is_success, "room to be noticed")
        posted = client.post("/v1/batches", json=batch)
        for kind in ("normal", "pubsub"):
            store.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
    until(lambda: client.get("/readyz").is_success, "the stack to be ready again")
    assert {result["reward"] for result in read(client, posted.json()["id"])} == {0.0}


def slow_program(stack: Stack) -> psutil.Process | None:
    """The program of SLOW where it runs."""
    worker = psutil.Process(stack.processes["worker"].pid)
    for process in worker.children(recursive=True):
        try:
            if process.name() == "slowprogram":
                return process
        except psutil.NoSuchProcess:
            continue
    return None


def test_a_worker_that_is_killed_in_the_middle(
    client: httpx.Client, problems: list[dict[str, Any]], stack: Stack
) -> None:
    programs = items(problems, f"print(told, flush=True)\n{textwrap.dedent(SLOW)}\n1 / 0")
    posted = client.post("/v1/batches", json={"items": programs}).json()
    until(lambda: slow_program(stack) is not None, "the program to run")
    stack.kill("worker")
    client.get("/readyz")
    client.get("/metrics")
    stack.start("worker")
    until(stack.ready, "the new worker")
    results = read(client, posted["id"])
    assert stack.log is not None
    assert b"is dead: its job is taken up" in stack.log.read_bytes()  # so there is a log to search
    assert {result["verdict"] for result in results} <= {"RE", "WA", "TLE"}
    assert {result["reward"] for result in results} == {0.0}


def test_an_internal_error(
    client: httpx.Client, problems: list[dict[str, Any]], stack: Stack
) -> None:
    spread = f"print(told, flush=True)\n{textwrap.dedent(SLOW)}\nraise ValueError(told)"
    (item, *_) = items(problems, spread)
    posted = client.post("/v1/batches", json={"items": [item], "fresh": True}).json()
    for _ in range(3):
        until(lambda: slow_program(stack) is not None, "the program to run")
        program = slow_program(stack)
        assert program is not None
        # All above it up to the worker are its sandbox: zygote, agent, bubblewrap.
        above = program.parents()
        for process in above[: [one.pid for one in above].index(stack.processes["worker"].pid)]:
            with contextlib.suppress(psutil.NoSuchProcess):  # with the one before it
                process.kill()
        psutil.wait_procs([program], timeout=10)
    (result,) = read(client, posted["id"])
    assert (result["verdict"], result["reward"]) == ("IE", None)
    assert "3 sandboxes were lost" in result["reason"]
    assert (
        client.post("/v1/submissions", json={**item, "source": "print(1)"}).json()["verdict"]
        == "WA"
    )


def test_a_search_would_find_what_is_public(client: httpx.Client, stack: Stack) -> None:
    """The same search, over a public test: every part of it is found."""
    shown = Canaries()
    given, wanted, printed = shown.word(), shown.word(), shown.word()
    tests = [{"kind": "stdin", "input": given, "output": wanted, "public": True}]
    problem = {"id": "canary/public", "tests": tests}
    source = f"import sys\nprint('{printed}', input().encode().hex(), file=sys.stderr)"
    shown.answered(client.put("/v1/problems/canary/public", json=problem))
    item = {"problem_id": "canary/public", "source": source}
    shown.answered(client.post("/v1/submissions", json=item))
    found = shown.found()
    for word in (given, wanted, printed):
        assert any(one.startswith(word) for one in found), found
    assert any(given.encode().hex() in one for one in found)
