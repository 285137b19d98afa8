"""Result lines: the stored outcome passed through, with what only the batch knows around it."""

import json

import pytest

from proctor.types import Item, PublicRun, Result, RewardPolicy, TestResult, Verdict
from proctor_server.outcome import Cause, Outcome
from proctor_server.results import ResultLines, end_line, pack_items
from tests.server.stand_in import outcome

SHOWN = TestResult(
    verdict=Verdict.WA,
    passed=0,
    total=1,
    weight=2.5,
    cpu_time_s=0.1,
    wall_time_s=0.2,
    memory_mb=10.5,
    exit_code=0,
    public=PublicRun(input="1", expected="2", stdout=',"total_weight":7,', stderr="é\n"),
)

OUTCOMES = [
    outcome(Verdict.AC, 3, 3),
    outcome(Verdict.WA, 1, 3),
    Outcome(verdict=Verdict.CE, passed=0, total=3, total_weight=3.0, compile_output='"x" \\ é'),
    Outcome(verdict=Verdict.WA, passed=0, total=1, total_weight=2.5, tests=[SHOWN], run_time_s=1.5),
    Outcome.internal_error("the engine is away", Cause.NO_SANDBOX),
]


def lines(policy: RewardPolicy | None = None, own: RewardPolicy | None = None) -> ResultLines:
    items = [Item(id='a "b"', problem_id="p/1", language="python", source="x", reward=own)]
    return ResultLines("b", pack_items(items, policy or RewardPolicy()), created=100.0)


@pytest.mark.parametrize("stored", OUTCOMES, ids=lambda one: one.verdict.value)
def test_a_line_is_the_outcome_with_its_reward(stored: Outcome) -> None:
    line = lines().line(b"0 0 101.5 " + stored.to_json())
    result = Result.model_validate_json(line)
    assert "total_weight" not in json.loads(line)
    for name in ("verdict", "passed", "total", "tests", "compile_output", "reason", "run_time_s"):
        assert getattr(result, name) == getattr(stored, name), name
    assert result.pass_rate == stored.pass_rate
    assert result.reward == (None if stored.verdict is Verdict.IE else stored.pass_rate)
    assert (result.index, result.id, result.submission_id) == (0, 'a "b"', "b-0")
    assert (result.problem_id, result.language, result.state) == ("p/1", "python", "done")
    assert (result.queue_time_s, result.cached) == (1.5, False)


def test_a_shared_outcome_was_started_before_and_waited_for_nothing() -> None:
    line = lines().line(b"0 1 99.0 " + OUTCOMES[0].to_json())
    result = Result.model_validate_json(line)
    assert (result.cached, result.queue_time_s) == (True, 0.0)


def test_a_cancelled_item_has_neither_verdict_nor_reward() -> None:
    result = Result.model_validate_json(lines().line(b"0 c 0 "))
    assert result.state == "cancelled"
    assert (result.verdict, result.pass_rate, result.reward) == (None, None, None)
    assert lines().reward(b"0 c 0 ") == (0, None, None)


@pytest.mark.parametrize(
    ("policy", "own", "reward"),
    [
        (None, None, 1 / 3),
        (RewardPolicy(name="all_or_nothing"), None, 0.0),
        (RewardPolicy(name="all_or_nothing"), RewardPolicy(), 1 / 3),
        (None, RewardPolicy(name="threshold", threshold=0.3), 1.0),
    ],
)
def test_an_items_own_policy_goes_first(
    policy: RewardPolicy | None, own: RewardPolicy | None, reward: float
) -> None:
    entry = b"0 0 101.5 " + OUTCOMES[1].to_json()
    assert Result.model_validate_json(lines(policy, own).line(entry)).reward == reward
    assert lines(policy, own).reward(entry) == (0, reward, Verdict.WA)


def test_the_last_line_begins_with_its_cursor() -> None:
    # A client tells it from results by that.
    assert end_line(7, "running") == b'{"cursor":7,"state":"running"}'
