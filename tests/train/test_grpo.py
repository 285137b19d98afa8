"""Advantages and the objective: by hand, by their definitions, and for whatever comes."""

import math
from typing import Literal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from proctor.train.grpo import Objective, advantages, loss, shares

NAN = math.nan
CLOSE = {"rtol": 1e-4, "atol": 1e-5}
AVERAGES: list[Literal["tokens", "completions", "constant"]] = ["tokens", "completions", "constant"]


def values(rewards: list[float], scale: Literal["std", "none"] = "std") -> list[float]:
    found: list[float] = advantages(torch.tensor([rewards]), scale).values[0].tolist()
    return found


# -- advantages -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rewards", "centred", "scaled"),
    [
        # Deviations by hand, with n - 1: sqrt(1/2), sqrt(1/3), 1, sqrt(1/2) of two that count.
        ([1, 0], [0.5, -0.5], [0.5 / 0.5**0.5, -0.5 / 0.5**0.5]),
        (
            [1, 0, 0, 1],
            [0.5, -0.5, -0.5, 0.5],
            [0.5 * 3**0.5, -0.5 * 3**0.5, -0.5 * 3**0.5, 0.5 * 3**0.5],
        ),
        ([3, 1, 2], [1, -1, 0], [1, -1, 0]),
        ([1, NAN, 0], [0.5, 0, -0.5], [0.5 / 0.5**0.5, 0, -0.5 / 0.5**0.5]),
        ([NAN, NAN, 2, 4, 3], [0, 0, -1, 1, 0], [0, 0, -1, 1, 0]),
    ],
)
def test_a_reward_is_worth_what_it_is_above_its_groups_mean(
    rewards: list[float], centred: list[float], scaled: list[float]
) -> None:
    assert values(rewards, "none") == pytest.approx(centred)
    assert values(rewards) == pytest.approx(scaled)


@pytest.mark.parametrize("scale", ["std", "none"])
@pytest.mark.parametrize(
    ("rewards", "scored", "unscored_groups", "equal_groups"),
    [
        ([0.0, 0.0, 0.0], [True] * 3, 0, 1),
        # A mean of these is not one of them, after rounding.
        ([0.1, 0.1, 0.1], [True] * 3, 0, 1),
        ([1 / 3] * 7, [True] * 7, 0, 1),
        ([1.0, NAN, 1.0], [True, False, True], 0, 1),
        ([1.0, NAN, NAN], [False] * 3, 1, 0),
        ([NAN, NAN], [False] * 2, 1, 0),
    ],
)
def test_groups_that_teach_nothing_have_no_advantages(
    rewards: list[float],
    scored: list[bool],
    unscored_groups: int,
    equal_groups: int,
    scale: Literal["std", "none"],
) -> None:
    found = advantages(torch.tensor([rewards]), scale)
    assert found.values.tolist() == [[0.0] * len(rewards)]
    assert found.scored.tolist() == [scored]
    assert (found.unscored_groups, found.equal_groups) == (unscored_groups, equal_groups)


def test_groups_are_apart() -> None:
    found = advantages(torch.tensor([[1.0, 0.0], [5.0, 5.0], [NAN, 1.0], [0.0, 10.0]]), "none")
    assert found.values.tolist() == [[0.5, -0.5], [0, 0], [0, 0], [-5, 5]]
    assert found.scored.tolist() == [[True, True], [True, True], [False, False], [True, True]]
    assert (found.unscored_groups, found.equal_groups) == (1, 1)


# Of a judge: shares of tests passed, a penalty, nothing.
REWARDS = st.lists(
    st.one_of(st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 1.0, -1.0]), st.just(NAN)),
    min_size=2,
    max_size=8,
)


@given(REWARDS, st.sampled_from(["std", "none"]))
def test_whatever_the_rewards_advantages_are_finite_and_balanced(
    rewards: list[float], scale: Literal["std", "none"]
) -> None:
    found = values(rewards, scale)
    assert all(math.isfinite(each) for each in found)
    assert sum(found) == pytest.approx(0, abs=1e-5)
    known = [each for each in zip(rewards, found, strict=True) if not math.isnan(each[0])]
    assert all(value == 0 for reward, value in zip(rewards, found, strict=True) if reward != reward)
    for reward, value in known:
        for other, less in known:
            assert reward <= other or value > less


@given(REWARDS, st.sampled_from(["std", "none"]))
def test_a_completion_without_a_reward_is_as_if_it_had_not_been_sampled(
    rewards: list[float], scale: Literal["std", "none"]
) -> None:
    known = [reward for reward in rewards if not math.isnan(reward)]
    if len(known) >= 2:
        found = values(rewards, scale)
        kept = [v for v, reward in zip(found, rewards, strict=True) if not math.isnan(reward)]
        assert kept == pytest.approx(values(known, scale), rel=1e-5, abs=1e-6)


@given(REWARDS)
def test_with_std_neither_scale_nor_origin_of_rewards_matters(rewards: list[float]) -> None:
    other = [3 * reward + 2 for reward in rewards]
    assert values(other) == pytest.approx(values(rewards), rel=1e-3, abs=1e-4)


# -- the objective ----------------------------------------------------------------------------


class Step:
    """Rows of tokens of a tiny policy: logits to be trained, and what was drawn from them."""

    def __init__(self, seed: int = 0, rows: int = 4, new: int = 5) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.logits = torch.randn(rows, new, 6, generator=generator, requires_grad=True)
        self.tokens = torch.randint(0, 6, (rows, new, 1), generator=generator)
        lengths = torch.randint(1, new + 1, (rows,), generator=generator)
        self.mask = torch.arange(new) < lengths[:, None]
        self.values = torch.randn(rows, generator=generator)
        self.scored = torch.ones(rows, dtype=torch.bool)

    @property
    def logprobs(self) -> Tensor:
        return torch.log_softmax(self.logits, -1).gather(-1, self.tokens).squeeze(-1)

    def share(self, objective: Objective) -> Tensor:
        return shares(self.mask, self.scored, objective, longest=self.mask.shape[1])

    def gradient(self, total: Tensor) -> Tensor:
        (found,) = torch.autograd.grad(total, self.logits)
        return found


@pytest.mark.parametrize("average", AVERAGES)
def test_on_policy_its_gradient_is_that_of_reinforce(
    average: Literal["tokens", "completions", "constant"],
) -> None:
    step, objective = Step(), Objective(average=average)
    share = step.share(objective)
    found = loss(
        step.logprobs, step.logprobs.detach(), step.values, step.mask, objective, share=share
    )
    reinforce = -(step.logprobs * step.values[:, None] * step.mask * share[:, None]).sum()
    torch.testing.assert_close(step.gradient(found.total), step.gradient(reinforce), **CLOSE)
    # Ratios are 1, so the loss itself is minus the mean advantage.
    expected = -(step.values[:, None] * step.mask * share[:, None]).sum()
    torch.testing.assert_close(found.total.detach(), expected, **CLOSE)
    assert (found.clipped, found.kl, found.tokens) == (0, 0, int(step.mask.sum()))


def one_token(ratio: float, value: float, objective: Objective) -> tuple[float, float, float]:
    """Loss, gradient and clipped tokens of one token whose probability became `ratio` times."""
    logprob = torch.tensor([[math.log(ratio)]], requires_grad=True)
    found = loss(
        logprob,
        torch.zeros(1, 1),
        torch.tensor([value]),
        torch.ones(1, 1, dtype=torch.bool),
        objective,
        share=torch.ones(1),
    )
    found.total.backward()
    assert logprob.grad is not None
    return float(found.total.detach()), float(logprob.grad), found.clipped


@pytest.mark.parametrize(
    ("ratio", "value", "total", "gradient", "clipped"),
    [
        # Good, and already much likelier: enough. Bad, and already much rarer: enough.
        (1.5, 2.0, -1.3 * 2.0, 0.0, 1),
        (0.5, -2.0, 0.9 * 2.0, 0.0, 1),
        # Good but rarer, bad but likelier: followed however far.
        (0.5, 2.0, -0.5 * 2.0, -0.5 * 2.0, 0),
        (1.5, -2.0, 1.5 * 2.0, 1.5 * 2.0, 0),
        # Within bounds.
        (1.2, 2.0, -1.2 * 2.0, -1.2 * 2.0, 0),
        (0.95, -2.0, 0.95 * 2.0, 0.95 * 2.0, 0),
        (1.0, 2.0, -2.0, -2.0, 0),
        # Nothing to follow.
        (1.5, 0.0, 0.0, 0.0, 0),
    ],
)
def test_ratios_are_followed_up_to_the_clip(
    ratio: float, value: float, total: float, gradient: float, clipped: int
) -> None:
    found = one_token(ratio, value, Objective(clip_low=0.1, clip_high=0.3))
    assert found == pytest.approx((total, gradient, clipped), abs=1e-5)


@given(st.floats(0.2, 5), st.floats(-3, 3), st.floats(0, 0.9), st.floats(0, 0.9))
def test_a_clip_never_makes_a_step_look_better(
    ratio: float, value: float, low: float, high: float
) -> None:
    total, gradient, clipped = one_token(ratio, value, Objective(clip_low=low, clip_high=high))
    assert total >= -ratio * value - 1e-4
    if clipped:
        assert gradient == 0
        assert total > -ratio * value
    elif abs(ratio - 1 + low) > 1e-4 and abs(ratio - 1 - high) > 1e-4:
        assert gradient == pytest.approx(-ratio * value, abs=1e-4)


@pytest.mark.parametrize("average", AVERAGES)
@given(seed=st.integers(0, 1000), rows=st.integers(1, 7), unscored=st.integers(0, 127))
def test_parts_of_a_step_add_up_to_it(
    average: Literal["tokens", "completions", "constant"], seed: int, rows: int, unscored: int
) -> None:
    step, objective = Step(seed, rows=7), Objective(average=average, kl=0.1)
    step.scored = torch.tensor([not unscored >> row & 1 for row in range(7)])
    generator = torch.Generator().manual_seed(seed)
    drawn = step.logprobs.detach() + 0.3 * torch.randn(7, 5, generator=generator)
    share = step.share(objective)

    def part(place: slice) -> Tensor:
        return loss(
            step.logprobs[place],
            drawn[place],
            step.values[place],
            step.mask[place],
            objective,
            share=share[place],
            reference_logprobs=drawn[place],
        ).total

    whole = part(slice(None))
    parts = [part(slice(at, at + rows)) for at in range(0, 7, rows)]
    torch.testing.assert_close(sum(parts), whole, **CLOSE)
    gradients = [step.gradient(each) for each in parts]
    torch.testing.assert_close(sum(gradients), step.gradient(whole), **CLOSE)


@pytest.mark.parametrize("average", AVERAGES)
def test_what_is_masked_or_unscored_has_no_gradient(
    average: Literal["tokens", "completions", "constant"],
) -> None:
    step, objective = Step(rows=3), Objective(average=average, kl=0.5)
    step.scored[1] = False
    total = loss(
        step.logprobs,
        step.logprobs.detach() - 0.1,
        step.values,
        step.mask,
        objective,
        share=step.share(objective),
        reference_logprobs=step.logprobs.detach() + 0.2,
    ).total
    gradient = step.gradient(total).abs().sum(-1)
    counted = step.mask & step.scored[:, None]
    assert (gradient[~counted] == 0).all()
    assert (gradient[counted] > 0).all()


# -- shares -----------------------------------------------------------------------------------

MASK = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0]]).bool()


@pytest.mark.parametrize(
    ("average", "scored", "expected"),
    [
        ("tokens", [True, True, True], [1 / 7, 1 / 7, 1 / 7]),
        ("tokens", [True, False, True], [1 / 3, 0, 1 / 3]),
        ("completions", [True, True, True], [1 / 6, 1 / 12, 1 / 3]),
        ("completions", [True, False, True], [1 / 4, 0, 1 / 2]),
        ("constant", [True, True, True], [1 / 30, 1 / 30, 1 / 30]),
        ("constant", [True, False, True], [1 / 20, 0, 1 / 20]),
        ("tokens", [False] * 3, [0.0] * 3),
        ("completions", [False] * 3, [0.0] * 3),
        ("constant", [False] * 3, [0.0] * 3),
    ],
)
def test_a_rows_share_by_hand(
    average: Literal["tokens", "completions", "constant"],
    scored: list[bool],
    expected: list[float],
) -> None:
    found = shares(MASK, torch.tensor(scored), Objective(average=average), longest=10)
    assert found.tolist() == pytest.approx(expected)


@given(
    lengths=st.lists(st.integers(1, 8), min_size=1, max_size=9),
    unscored=st.integers(0, 511),
)
def test_all_shares_together(lengths: list[int], unscored: int) -> None:
    mask = torch.arange(8) < torch.tensor(lengths)[:, None]
    scored = torch.tensor([not unscored >> row & 1 for row in range(len(lengths))])
    count = float(scored.sum())

    def summed(average: Literal["tokens", "completions", "constant"]) -> list[float]:
        share = shares(mask, scored, Objective(average=average), longest=8)
        rows: list[float] = (mask * share[:, None]).sum(1).tolist()
        return rows

    if count:
        # All tokens together weigh 1, and each of them, or each completion, the same.
        assert sum(summed("tokens")) == pytest.approx(1)
        each = [1 / count if here else 0 for here in scored.tolist()]
        assert summed("completions") == pytest.approx(each)
    # Of a constant length: shorter completions weigh less, and all less than 1.
    weights = [n / 8 / max(1, count) * h for n, h in zip(lengths, scored.tolist(), strict=True)]
    assert summed("constant") == pytest.approx(weights)


# -- divergence -------------------------------------------------------------------------------


def divergence(away: Tensor, kl: float = 1.0) -> tuple[float, float]:
    """Loss and logged divergence where the reference's log probabilities are `away` from ours."""
    logprobs = torch.full_like(away, -2.0)
    mask = torch.ones_like(away, dtype=torch.bool)
    found = loss(
        logprobs,
        logprobs,
        torch.zeros(len(away)),
        mask,
        Objective(kl=kl),
        share=torch.ones(len(away)),
        reference_logprobs=logprobs + away,
    )
    return float(found.total), found.kl


def test_at_the_reference_there_is_no_divergence() -> None:
    assert divergence(torch.zeros(2, 3)) == (0, 0)


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=5))
def test_away_from_it_the_divergence_is_never_negative(away: list[float]) -> None:
    expected = sum(math.exp(each) - each - 1 for each in away)
    total, logged = divergence(torch.tensor([away]), kl=0.5)
    assert logged == pytest.approx(expected, abs=1e-4)
    assert total == pytest.approx(0.5 * expected, abs=1e-4)
    assert logged >= 0


def test_on_average_over_draws_it_is_the_divergence() -> None:
    generator = torch.Generator().manual_seed(0)
    ours, theirs = torch.tensor([0.7, 0.2, 0.1]), torch.tensor([0.5, 0.2, 0.3])
    drawn = ours.multinomial(50_000, replacement=True, generator=generator)
    away = (theirs / ours).log()[drawn][None]
    _, logged = divergence(away)
    exact = float((ours * (ours / theirs).log()).sum())
    assert logged / 50_000 == pytest.approx(exact, rel=0.05)


def test_the_divergence_pulls_towards_the_reference() -> None:
    for away in (0.5, -0.5):
        logprob = torch.tensor([[-1.0]], requires_grad=True)
        loss(
            logprob,
            logprob.detach(),
            torch.zeros(1),
            torch.ones(1, 1, dtype=torch.bool),
            Objective(kl=1.0),
            share=torch.ones(1),
            reference_logprobs=torch.tensor([[-1.0 + away]]),
        ).total.backward()
        assert logprob.grad is not None
        assert -float(logprob.grad) * away > 0
