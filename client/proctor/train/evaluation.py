"""Evaluation: what a policy's completions of prompts are worth, without learning from them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from proctor.train.model import Policy
from proctor.train.rollouts import Judge, Prompt
from proctor.train.sampling import sample
from proctor.train.tokens import Tokenizer
from proctor.types import Verdict


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Means over completions. Those that could not be judged are left out and counted.

    Attributes:
        pass_rate: mean share of tests passed, from 0 to 1.
        solved: share of completions that passed all.
        completions: how many were judged.
        unscored: how many could not be.
    """

    pass_rate: float
    solved: float
    completions: int
    unscored: int


def evaluate(
    policy: Policy,
    tokenizer: Tokenizer,
    prompts: Sequence[Prompt],
    judge: Judge,
    *,
    longest: int,
    each: int = 1,
    temperature: float = 1.0,
    rows: int = 256,
    seed: int = 0,
    autocast: torch.dtype | None = None,
) -> Evaluation:
    """Sample completions of each prompt and have all judged.

    Args:
        policy: draws.
        tokenizer: its tokens.
        prompts: what it is asked.
        judge: says what completions are worth.
        longest: tokens after which one is cut off.
        each: completions of a prompt.
        temperature: 0 takes the likeliest token each time.
        rows: completions sampled at once.
        seed: of sampling.
        autocast: a dtype of lower precision to compute in.

    Raises:
        ValueError: not one completion could be judged.
    """
    device = next(iter(policy.parameters())).device
    generator = torch.Generator(device).manual_seed(seed)
    texts: list[str] = []
    at_once = max(1, rows // each)
    for at in range(0, len(prompts), at_once):
        drawn = sample(
            policy,
            tokenizer,
            [prompt.text for prompt in prompts[at : at + at_once]],
            most=longest,
            each=each,
            temperature=temperature,
            generator=generator,
            device=device,
            autocast=autocast,
        )
        texts += drawn.texts
    judged = judge.judge([prompt.problem_id for prompt in prompts for _ in range(each)], texts)
    rates = [one.pass_rate for one in judged if one.pass_rate is not None]
    if not rates:
        raise ValueError("not one completion could be judged: there is nothing to average")
    solved = sum(one.verdict is Verdict.AC for one in judged)
    return Evaluation(
        pass_rate=sum(rates) / len(rates),
        solved=solved / len(rates),
        completions=len(rates),
        unscored=len(judged) - len(rates),
    )
