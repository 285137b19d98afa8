"""Statistics over problems: pass@k, intervals, and whether a difference is more than noise.

Problems are what a set is a sample of, so they are what is resampled; the samples of one problem
are no independent evidence. Chance comes from a fixed seed: the same results give the same figures.
"""

import itertools
import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import fmean

# Enough for the third digit of a bound not to depend on the seed; a second for 1,000 problems.
RESAMPLES = 4000
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a mean lies with a confidence of 95 %, both ends included."""

    low: float
    high: float


def pass_at_k(samples: int, accepted: int, k: int) -> float:
    """The chance that of k samples of a problem at least one is accepted.

    The unbiased estimator of Chen et al., "Evaluating Large Language Models Trained on Code"
    (2021), section 2.1: 1 - C(n - c, k) / C(n, k), computed exactly.

    Args:
        samples: n, at least k.
        accepted: c of them.
        k: at least 1.
    """
    if not 1 <= k <= samples:
        raise ValueError(f"pass@{k} is not defined for {samples} sample(s)")
    return float(1 - Fraction(math.comb(samples - accepted, k), math.comb(samples, k)))


def interval(values: Sequence[float]) -> Interval:
    """The interval of the mean of values from 0 to 1, one for each problem; at least one.

    The percentile bootstrap over problems (Efron 1979). Where all values are 0, or all are 1,
    there is nothing to resample: then it is Clopper and Pearson's exact interval (1934).
    """
    tail = (1 - CONFIDENCE) / 2
    bound = tail ** (1 / len(values))
    if set(values) == {1.0}:
        return Interval(bound, 1.0)
    if set(values) == {0.0}:
        return Interval(0.0, 1 - bound)
    chance = random.Random(0)  # noqa: S311  the same figures each time are what is wanted
    means = sorted(fmean(chance.choices(values, k=len(values))) for _ in range(RESAMPLES))
    place = round(tail * RESAMPLES)
    return Interval(means[place], means[-1 - place])


def drop_p_value(before: Sequence[float], after: Sequence[float]) -> float:
    """How likely a drop of the mean at least this large is, if nothing but chance moved it.

    The one-sided paired permutation test over problems (Fisher 1935): were both runs the same,
    each problem's difference might as well have the other sign. Exact where there are at most
    `RESAMPLES` ways to choose signs, else by drawing them, with Phipson and Smyth's correction
    (2010), so that it is never 0.

    Args:
        before: a value for each problem.
        after: the same problems' values, in the same order.
    """
    # Of equal values the sign makes no difference. Rounded, so that sums are compared exactly.
    changes = [round((old - new) * 1e9) for old, new in zip(before, after, strict=True)]
    drops = [change for change in changes if change]
    observed = sum(drops)
    if 2 ** len(drops) <= RESAMPLES:
        every = itertools.product((1, -1), repeat=len(drops))
        return fmean(_signed(drops, signs) >= observed for signs in every)
    chance = random.Random(0)  # noqa: S311  as above
    drawn = (chance.choices((1, -1), k=len(drops)) for _ in range(RESAMPLES))
    extreme = sum(_signed(drops, signs) >= observed for signs in drawn)
    return (extreme + 1) / (RESAMPLES + 1)


def _signed(values: Sequence[int], signs: Iterable[int]) -> int:
    return sum(value * sign for value, sign in zip(values, signs, strict=True))
