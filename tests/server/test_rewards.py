"""Rewards: a pure function of an outcome and a policy."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.types import RewardPolicy, TestResult, Verdict
from proctor_server.outcome import Cause, Outcome
from proctor_server.rewards import reward


def outcome_of(*tests: tuple[int, int, float], left_out: tuple[int, float] = (0, 0.0)) -> Outcome:
    """An outcome of tests (passed, total, weight), some of them left out (total, weight)."""
    results = [
        TestResult(
            verdict=Verdict.AC if passed == total else Verdict.WA,
            passed=passed,
            total=total,
            weight=weight,
            cpu_time_s=0.0,
            wall_time_s=0.0,
            memory_mb=0.0,
        )
        for passed, total, weight in tests
    ]
    passed = sum(result.passed for result in results)
    total = sum(result.total for result in results) + left_out[0]
    return Outcome(
        verdict=Verdict.AC if passed == total else Verdict.WA,
        passed=passed,
        total=total,
        total_weight=sum(result.weight for result in results) + left_out[1],
        tests=results,
    )


ALL = outcome_of((1, 1, 1.0), (1, 1, 3.0))
HALF = outcome_of((1, 1, 1.0), (0, 1, 3.0))
NONE = outcome_of((0, 1, 1.0), (0, 1, 3.0))
ASSERTIONS = outcome_of((3, 4, 2.0), (0, 1, 2.0))
STOPPED = outcome_of((1, 1, 1.0), (0, 1, 1.0), left_out=(2, 2.0))
WEIGHTLESS = outcome_of((1, 1, 0.0), (0, 1, 0.0))
COMPILE_ERROR = Outcome(verdict=Verdict.CE, passed=0, total=4, total_weight=4.0)

PASS_RATE = RewardPolicy()
ALL_OR_NOTHING = RewardPolicy(name="all_or_nothing")
WEIGHTED = RewardPolicy(name="weighted")
HALF_WILL_DO = RewardPolicy(name="threshold", threshold=0.5)
PENALTY = RewardPolicy(compile_error=-0.5)


@pytest.mark.parametrize(
    ("outcome", "policy", "expected"),
    [
        (ALL, PASS_RATE, 1.0),
        (HALF, PASS_RATE, 0.5),
        (NONE, PASS_RATE, 0.0),
        (ASSERTIONS, PASS_RATE, 0.6),
        (STOPPED, PASS_RATE, 0.25),
        (COMPILE_ERROR, PASS_RATE, 0.0),
        (ALL, ALL_OR_NOTHING, 1.0),
        (HALF, ALL_OR_NOTHING, 0.0),
        (COMPILE_ERROR, ALL_OR_NOTHING, 0.0),
        (ALL, WEIGHTED, 1.0),
        (HALF, WEIGHTED, 0.25),
        (NONE, WEIGHTED, 0.0),
        (ASSERTIONS, WEIGHTED, 0.375),
        (STOPPED, WEIGHTED, 0.25),
        (WEIGHTLESS, WEIGHTED, 0.5),
        (COMPILE_ERROR, WEIGHTED, 0.0),
        (ALL, HALF_WILL_DO, 1.0),
        (HALF, HALF_WILL_DO, 1.0),
        (STOPPED, HALF_WILL_DO, 0.0),
        (COMPILE_ERROR, HALF_WILL_DO, 0.0),
        (HALF, RewardPolicy(name="threshold"), 0.0),
        (COMPILE_ERROR, PENALTY, -0.5),
        (NONE, PENALTY, 0.0),
        (COMPILE_ERROR, RewardPolicy(name="threshold", compile_error=-1), -1.0),
        (COMPILE_ERROR, RewardPolicy(compile_error=-0.0), 0.0),
    ],
)
def test_each_policy_makes_its_reward(
    outcome: Outcome, policy: RewardPolicy, expected: float
) -> None:
    assert reward(outcome, policy) == expected


@pytest.mark.parametrize("policy", [PASS_RATE, ALL_OR_NOTHING, WEIGHTED, HALF_WILL_DO, PENALTY])
def test_our_failure_earns_null_whatever_the_policy(policy: RewardPolicy) -> None:
    assert (
        reward(Outcome.internal_error("the disk is full", Cause.FAILURE, total=3), policy) is None
    )


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(1, 5), st.floats(0, 1e6, allow_nan=False)).filter(
            lambda test: test[0] <= test[1]
        ),
        min_size=1,
    ),
    st.sampled_from([PASS_RATE, ALL_OR_NOTHING, WEIGHTED, HALF_WILL_DO, PENALTY]),
)
def test_a_reward_is_between_0_and_1_and_1_if_all_passed(
    tests: list[tuple[int, int, float]], policy: RewardPolicy
) -> None:
    outcome = outcome_of(*tests)
    earned = reward(outcome, policy)
    assert earned is not None
    assert 0.0 <= earned <= 1.0
    assert math.copysign(1.0, earned) == 1.0  # no -0.0
    if outcome.verdict is Verdict.AC:
        assert earned == 1.0


def test_an_outcome_comes_back_from_json_as_it_was() -> None:
    for outcome in (
        ALL,
        ASSERTIONS,
        COMPILE_ERROR,
        Outcome.internal_error("gone", Cause.PROBLEM_GONE),
    ):
        assert Outcome.from_json(outcome.to_json()) == outcome
