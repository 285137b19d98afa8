"""Reward against a real API, queue and worker: what only they can show."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from proctor import Client, InvalidRequest, Reward, RewardPolicy, Verdict
from tests.integration.stack import Stack, running

ADD = {
    "id": "rewards/add",
    "tests": [
        {"kind": "stdin", "input": "1 2\n", "output": "3\n"},
        {"kind": "stdin", "input": "40 2\n", "output": "42\n"},
    ],
}
RIGHT = "```python\nprint(sum(map(int, input().split())))\n```"
HALF = "```python\nprint(3)  # {}\n```"
SLEEPS = "```python\nimport time; time.sleep(1)\nprint(3)  # {}\n```"
METHOD = "```python\nclass Solution:\n    def add(self, a, b):\n        return a + b\n```"
FUNCTION = "```python\ndef add(a, b):\n    return [a + b]\n```"


@pytest.fixture(scope="module")
def stack(redis_url: str, bubblewrap: str) -> Iterator[Stack]:
    """A stack that knows the problem, and is ready to run programs."""
    with running(redis_url, queue="rewards-tests") as stack:
        with Client(stack.url) as client:
            client.put_problem(ADD)
        yield stack


@pytest.fixture
def reward(stack: Stack) -> Iterator[Reward]:
    with Reward(stack.url) as reward:
        yield reward


def test_stored_and_inline_problems_are_judged_side_by_side(reward: Reward) -> None:
    io = {"inputs": ["1 2\n", "40 2\n"], "outputs": ["3\n", "42\n"]}
    info = {"test_cases": [{"input": "1 2", "output": "3"}], "language": "python"}
    called = {"type": "function_call", "fn_name": "add", "input": [1, 2], "output": [[3]]}
    problems: list[Any] = [
        "rewards/add",
        io,
        info,
        {"fn_name": "Solution.add", "inputs": ["1\n2"], "outputs": ["3"]},
        {"test_cases": [called]},
        {"assert_case": ["assert add(1, 2) == [3]", "assert add(1, 2) == 3"]},
    ]
    completions = [RIGHT, HALF, RIGHT, METHOD, FUNCTION, FUNCTION]
    assert reward.score(problems, completions) == [1.0, 0.5, 1.0, 1.0, 1.0, 0.5]
    times = reward.summary()
    assert times.mean_run_time_s is not None
    assert times.mean_run_time_s > 0


def test_a_thousand_single_calls_go_through(reward: Reward) -> None:
    async def ask() -> list[list[float | None]]:
        calls = (reward.score_async("rewards/add", [HALF.format(n % 50)]) for n in range(1000))
        return await asyncio.gather(*calls)

    assert asyncio.run(ask()) == [[0.5]] * 1000


def test_a_wrong_id_is_named_and_hurts_no_neighbour(reward: Reward) -> None:
    async def ask() -> list[Any]:
        calls = [
            reward.score_async("rewards/add" if n % 150 else f"rewards/no-{n}", [HALF.format(n)])
            for n in range(300)
        ]
        return await asyncio.gather(*calls, return_exceptions=True)

    found = asyncio.run(ask())
    for wrong in (0, 150):
        assert isinstance(found[wrong], InvalidRequest)
        assert f"'rewards/no-{wrong}'" in str(found[wrong])
    assert [each for n, each in enumerate(found) if n % 150] == [[0.5]] * 298


def test_a_text_without_end_earns_what_a_compile_error_does(stack: Stack) -> None:
    policy = RewardPolicy(compile_error=-1.0)
    with Reward(stack.url, policy=policy) as reward:
        right, long = reward.judge("rewards/add", [RIGHT, "x" * (1024 * 1024 + 1)])
    assert (right.reward, long.reward, long.verdict) == (1.0, -1.0, Verdict.CE)


def test_what_the_deadline_cuts_off_has_no_reward_and_the_rest_has(stack: Stack) -> None:
    with Reward(stack.url, deadline_s=2.0, fresh=True) as reward:
        judged = reward.judge("rewards/add", [RIGHT, *(SLEEPS.format(n) for n in range(20))])
    assert judged[0].reward == 1.0
    assert judged[-1].reward is None
    assert judged[-1].reason == "it was cancelled: no result came within deadline_s"


def test_a_restart_of_the_api_is_not_noticed(stack: Stack) -> None:
    with Reward(stack.url, fresh=True) as reward:
        found: list[float | None] = []
        texts = [SLEEPS.format(n) for n in range(4)]
        asking = threading.Thread(
            target=lambda: found.extend(reward.score("rewards/add", [*texts, RIGHT]))
        )
        stack.kill("api")
        asking.start()
        stack.start("api")
        asking.join()
        assert found == [0.5] * 4 + [1.0]
        stack.kill("api")
        stack.start("api")
        assert reward.score("rewards/add", [RIGHT]) == [1.0]
