"""GRPO: group-relative advantages and the clipped objective. Pure functions of tensors.

Sources: DeepSeekMath (arXiv 2402.03300) for GRPO, "Understanding R1-Zero-like training" (arXiv
2503.20783) for Dr. GRPO, DAPO (arXiv 2503.14476) for the sum over all tokens and the clip's two
sides, Schulman's "Approximating KL divergence" (2020) for its estimate.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Objective:
    """What is optimised.

    Attributes:
        scale: advantages of a group are divided by its standard deviation (GRPO), or not
            (Dr. GRPO), which leaves easy and hard problems their weight.
        average: a token weighs the same in all completions (`tokens`, DAPO), each completion
            weighs the same (`completions`, GRPO), or all are divided by the same constant
            length (`constant`, Dr. GRPO).
        clip_low: the ratio of probabilities is not followed below 1 - clip_low,
        clip_high: nor above 1 + clip_high.
        kl: weight of the divergence from the policy that training began with; 0 leaves it out.
    """

    scale: Literal["std", "none"] = "std"
    average: Literal["tokens", "completions", "constant"] = "tokens"
    clip_low: float = 0.2
    clip_high: float = 0.2
    kl: float = 0.0


@dataclass(frozen=True, slots=True)
class Advantages:
    """What each completion is worth against its group.

    Attributes:
        values: (groups, size); 0 for completions without a reward.
        scored: True for completions that have one, the same shape.
        unscored_groups: groups with fewer than two rewards, which say nothing.
        equal_groups: groups whose rewards are all equal, which teach nothing.
    """

    values: Tensor
    scored: Tensor
    unscored_groups: int
    equal_groups: int


def advantages(rewards: Tensor, scale: Literal["std", "none"] = "std") -> Advantages:
    """Rewards less the mean of their group.

    Args:
        rewards: (groups, size); NaN where there is none, since the fault was the judge's. Such a
            completion is left out of its group's mean, as if it had not been sampled.
        scale: see `Objective`.
    """
    scored = ~rewards.isnan()
    count = scored.sum(1, keepdim=True)
    known = torch.where(scored, rewards, 0.0)
    mean = known.sum(1, keepdim=True) / count.clamp(min=1)
    centred = torch.where(scored, rewards - mean, 0.0)
    enough = count >= 2
    deviation = (centred.square().sum(1, keepdim=True) / (count - 1).clamp(min=1)).sqrt()
    # Equal rewards have a mean that rounding can set apart from them.
    apart = enough & (deviation > 1e-6)
    if scale == "std":
        centred = centred / deviation.clamp(min=1e-6)
    return Advantages(
        values=torch.where(apart, centred, 0.0),
        scored=scored & enough,
        unscored_groups=int((~enough).sum()),
        equal_groups=int((enough & ~apart).sum()),
    )


@dataclass(frozen=True, slots=True)
class Loss:
    """The loss of a part of a step's completions, and what to log of it.

    Attributes:
        total: a scalar to call `backward` on; parts of a step add up to the step's loss.
        clipped: how many tokens' ratios were clipped.
        kl: the sum of the estimated divergence over tokens, in nats.
        tokens: how many there were.
    """

    total: Tensor
    clipped: float
    kl: float
    tokens: int


def loss(
    logprobs: Tensor,
    drawn_logprobs: Tensor,
    values: Tensor,
    mask: Tensor,
    objective: Objective,
    *,
    share: Tensor,
    reference_logprobs: Tensor | None = None,
) -> Loss:
    """The clipped objective, negated.

    Args:
        logprobs: under the policy that is trained, (rows, new).
        drawn_logprobs: under the policy that drew the tokens, the same shape.
        values: advantages, (rows,).
        mask: True for tokens of completions, (rows, new).
        objective: see there.
        share: what each row's tokens weigh, (rows,); see `shares`.
        reference_logprobs: under the policy that training began with, where `kl` is not 0.
    """
    ratio = torch.exp(torch.where(mask, logprobs - drawn_logprobs, 0.0))
    low, high = 1 - objective.clip_low, 1 + objective.clip_high
    value = values[:, None]
    gained = torch.minimum(ratio * value, ratio.clamp(low, high) * value)
    clipped = ((ratio < low) & (value < 0) | (ratio > high) & (value > 0)) & mask
    per_token = -gained
    divergence = torch.zeros_like(per_token)
    if reference_logprobs is not None:
        away = torch.where(mask, reference_logprobs - logprobs, 0.0)
        divergence = torch.exp(away) - away - 1  # never negative, and right on average
        per_token = per_token + objective.kl * divergence
    total = (per_token * mask * share[:, None]).sum()
    return Loss(
        total=total,
        clipped=float(clipped.sum()),
        kl=float((divergence * mask).detach().sum()),
        tokens=int(mask.sum()),
    )


def shares(mask: Tensor, scored: Tensor, objective: Objective, longest: int) -> Tensor:
    """What each row's tokens weigh in the loss, (rows,), so that parts of a step can be summed.

    Args:
        mask: True for tokens of completions, (rows, new), of all of the step.
        scored: True for rows with a reward, (rows,); others weigh nothing.
        objective: see there.
        longest: tokens that a completion may have; the constant length of Dr. GRPO.
    """
    lengths = mask.sum(1).clamp(min=1)
    rows = scored.sum().clamp(min=1)
    match objective.average:
        case "tokens":
            each = torch.ones_like(lengths, dtype=torch.float) / (lengths * scored).sum().clamp(
                min=1
            )
        case "completions":
            each = 1.0 / (lengths * rows)
        case "constant":
            each = torch.ones_like(lengths, dtype=torch.float) / (longest * rows)
    return each * scored
