"""Statistics of the harness: against closed forms, and against counting every case."""

import itertools
import random
from statistics import fmean

import pytest

from proctor.harness.statistics import RESAMPLES, drop_p_value, interval, pass_at_k


@pytest.mark.parametrize(("samples", "accepted"), [(1, 0), (1, 1), (5, 2), (7, 7), (6, 0)])
def test_pass_at_k_is_the_share_of_all_choices_that_hold_an_accepted_one(
    samples: int, accepted: int
) -> None:
    right = [place < accepted for place in range(samples)]
    for k in range(1, samples + 1):
        choices = list(itertools.combinations(right, k))
        assert pass_at_k(samples, accepted, k) == pytest.approx(fmean(map(any, choices)))


def test_pass_at_k_is_exact_where_factorials_are_huge() -> None:
    assert pass_at_k(1000, 10, 1) == 0.01
    assert pass_at_k(1000, 1, 100) == 0.1


@pytest.mark.parametrize("k", [0, 4])
def test_pass_at_k_needs_k_samples(k: int) -> None:
    with pytest.raises(ValueError, match="not defined for 3 sample"):
        pass_at_k(3, 1, k)


def test_an_interval_holds_the_mean_and_is_the_same_each_time() -> None:
    values = [random.Random(1).random() for _ in range(5)] + [0.0, 1.0, 0.5]
    span = interval(values)
    assert 0 < span.low < fmean(values) < span.high < 1
    assert interval(values) == span


def test_of_100_problems_half_solved_the_interval_is_that_of_a_proportion() -> None:
    span = interval([0.0, 1.0] * 50)
    # 0.5 plus and minus 1.96 standard errors of 0.05.
    assert [span.low, span.high] == pytest.approx([0.402, 0.598], abs=0.02)


@pytest.mark.parametrize(("value", "low", "high"), [(1.0, 0.6915, 1.0), (0.0, 0.0, 0.3085)])
def test_where_all_are_equal_there_is_still_doubt(value: float, low: float, high: float) -> None:
    span = interval([value] * 10)
    assert [span.low, span.high] == pytest.approx([low, high], abs=1e-4)


@pytest.mark.parametrize(
    ("before", "after", "p"),
    [
        ([1.0] * 5, [0.0] * 5, 1 / 32),  # one of 32 ways to choose the signs
        ([1.0, 1.0, 0.0], [0.0, 1.0, 1.0], 0.75),  # the drop is 0: three of four are at least it
        ([0.0] * 3, [1.0] * 3, 1.0),
        ([0.3, 0.7], [0.3, 0.7], 1.0),
    ],
)
def test_the_p_value_of_few_problems_is_counted_out(
    before: list[float], after: list[float], p: float
) -> None:
    assert drop_p_value(before, after) == p


def test_problems_that_did_not_change_say_nothing() -> None:
    assert drop_p_value([1.0] * 5 + [0.5] * 90, [0.0] * 5 + [0.5] * 90) == 1 / 32


def test_the_p_value_of_many_problems_is_drawn_and_never_0() -> None:
    before, after = [1.0] * 60, [0.0] * 40 + [1.0] * 20
    assert drop_p_value(before, after) == 1 / (RESAMPLES + 1)
    # 16 worse and 14 better: the sign test says 0.43.
    mixed = [1.0] * 16 + [0.0] * 14
    assert drop_p_value(mixed, [1 - value for value in mixed]) == pytest.approx(0.43, abs=0.03)
