"""The clients of trainers' own, pointed at the wire formats of a real server."""

import asyncio
import json
import random
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

if sys.version_info >= (3, 12):
    pytest.skip("OpenRLHF and verl have no release for this Python", allow_module_level=True)

with warnings.catch_warnings(action="ignore"):  # of its own text, when it is compiled
    from openrlhf.utils.agent import SingleTurnAgentExecutor
from tinker_cookbook.recipes.code_rl import code_grading
from tinker_cookbook.sandbox import SandboxFusionClient
from verl.utils.reward_score import sandbox_fusion as verl

from proctor import Client
from proctor.types import Problem, StdinTest

DOUBLE = "```python\nprint(int(input()) * 2)\n```"
INPUTS = [str(number) for number in range(64)]
TESTS = {"inputs": INPUTS, "outputs": [str(int(one) * 2) for one in INPUTS]}


def score(url: str, completion: str, tests: dict[str, Any], timeout: float = 10) -> Any:
    """verl's score of a completion, 64 tests of it at a time."""
    semaphore = threading.Semaphore(64)
    return verl.compute_score(
        f"{url}/run_code", semaphore, 1024, completion, tests, continuous=False, timeout=timeout
    )


def test_verl_scores_with_64_tests_at_once(tiny_url: str) -> None:
    found, metadata = score(tiny_url, DOUBLE, TESTS)
    assert found == 1.0
    assert {one["status"] for one in metadata} == {"success"}
    half = "```python\nn = int(input())\nprint(n * 2 if n % 2 else 'odd')\n```"
    assert score(tiny_url, half, TESTS)[0] == 0.5


@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("print(1", "runtime_error"),
        ("exit(3)", "runtime_error"),
        ("while True: pass", "timeout"),
        ("print(3)", "wrong_answer"),
        ("print(*range(100_000))", "wrong_answer"),
    ],
)
def test_verl_tells_failures_apart(tiny_url: str, program: str, status: str) -> None:
    tests = {"inputs": ["1"], "outputs": ["2"]}
    # verl waits for ten seconds more: on a busy machine a loop needs some for a second of CPU time.
    found, [metadata] = score(tiny_url, f"```python\n{program}\n```", tests, timeout=0.25)
    assert (found, metadata["status"]) == (0.0, status)


def test_verl_calls_functions_and_asserts(tiny_url: str) -> None:
    program = "```python\nclass Solution:\n    def add(self, a, b): return a + b\n```"
    calls = {"inputs": ["1\n2", '"a"\n"b"'], "outputs": ["3", "ab"], "fn_name": "add"}
    assert score(tiny_url, program, calls)[0] == 1.0
    asserts = {"assert_case": ["assert Solution().add(1, 2) == 3", "assert 1 == 2"]}
    assert score(tiny_url, program, asserts)[0] == 0.5


def test_64_callers_of_verls_at_once_have_their_scores(tiny_url: str) -> None:
    tests = {"inputs": ["1", "2"], "outputs": ["2", "4"]}
    wanted = [random.Random(number).choice((0.5, 1.0)) for number in range(64)]
    programs = [
        f"```python\n# {number}\nprint({2 if score < 1 else 'int(input()) * 2'})\n```"
        for number, score in enumerate(wanted)
    ]
    with ThreadPoolExecutor(64) as threads:
        found = list(threads.map(lambda one: score(tiny_url, one, tests)[0], programs))
    assert found == wanted


def test_tinker_cookbook_grades_in_a_sandbox(
    tiny_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = "print(int(input()) * 2)"
    method = "class Solution:\n    def f(self, x):\n        return x[0] + 1\n"
    stdin = [{"input": "2", "output": "4", "testtype": "stdin_stdout", "metadata": {}}]
    call = [
        {
            "input": "[2]",
            "output": "3",
            "testtype": "functional",
            "metadata": {"func_name": "f"},
        }
    ]

    async def graded() -> Any:
        client = SandboxFusionClient(f"{tiny_url}/run_code", max_concurrency=8)
        monkeypatch.setattr(code_grading, "_sandboxfusion_client", client)
        asked = [(stdin, program), (stdin, "print(5)"), (call, method), (stdin, "while 1: 1")]
        try:
            return await asyncio.gather(
                *(
                    code_grading.sandbox_check_correctness(tests, code, timeout=1)
                    for tests, code in asked
                )
            )
        finally:
            await client.close()

    found = asyncio.run(graded())
    assert [passed for passed, _ in found] == [True, False, True, False], found
    assert all("error" not in response for _, response in found), found


def test_openrlhf_has_its_remote_reward(tiny_url: str) -> None:
    with Client(tiny_url) as client:
        tests = [StdinTest(input="1", output="2"), StdinTest(input="2", output="4")]
        client.put_problem(Problem(id="wire/double", tests=tests))
    executor = SingleTurnAgentExecutor(f"{tiny_url}/get_reward")
    queries = [f"Double it. {DOUBLE}<|im_end|>", "Double it. ```python\nprint(2)\n```</s>"]
    labels = ["wire/double", json.dumps({"inputs": ["1", "2"], "outputs": ["2", "5"]})]
    [found] = asyncio.run(executor._fetch_rewards_via_http(queries, ["Double it. "] * 2, labels))
    assert found["rewards"] == found["scores"] == [1.0, 0.5]
    assert found["extra_logs"] == {"pass_rate": [1.0, 0.5], "unscored": [0.0, 0.0]}


def test_a_label_that_names_nothing_stops_openrlhf(tiny_url: str) -> None:
    body = {"query": ["x"], "prompts": ["x"], "labels": ["wire/none"]}
    answer = httpx.post(f"{tiny_url}/get_reward", json=body)
    assert answer.status_code == 422
    assert "names no problem that is stored" in answer.text
