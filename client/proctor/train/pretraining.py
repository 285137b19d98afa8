"""Pretraining of a policy on demonstrations: pairs of a prompt and a completion."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from proctor.train.model import Transformer
from proctor.train.muon import Muon
from proctor.train.tokens import Tokenizer

# Batches drawn at once and sorted by length, so that little of a batch is padding.
_SORTED_TOGETHER = 8


@dataclass(frozen=True, slots=True)
class Pretraining:
    """How to pretrain.

    Attributes:
        steps: updates.
        batch: demonstrations in each.
        rate: Muon's learning rate, for the matrices between hidden layers; it rises for `warm_up`
            steps and then falls to a tenth.
        small_rate: AdamW's, for embeddings and norms; it rises and falls likewise.
        warm_up: see `rate`.
        seed: of the demonstrations.
    """

    steps: int = 700
    batch: int = 64
    rate: float = 0.02
    small_rate: float = 2e-3
    warm_up: int = 50
    seed: int = 0


def pretrain(
    policy: Transformer,
    tokenizer: Tokenizer,
    demonstration: Callable[[random.Random], tuple[str, str]],
    settings: Pretraining,
) -> Iterator[float]:
    """Train a policy to write what demonstrations do; the loss of each step, in nats a token.

    Args:
        policy: is trained in place.
        tokenizer: its tokens.
        demonstration: draws a prompt and its completion.
        settings: see there.
    """
    rng = random.Random(settings.seed)  # noqa: S311  a seed is what is wanted
    parameters = list(policy.parameters())
    device = parameters[0].device
    matrices = policy.matrices()
    hidden = {id(matrix) for matrix in matrices}
    others = [each for each in parameters if id(each) not in hidden]
    optimizers: list[tuple[torch.optim.Optimizer, float]] = [
        (Muon(matrices), settings.rate),
        (torch.optim.AdamW(others, betas=(0.9, 0.95), weight_decay=0.0), settings.small_rate),
    ]
    batches: list[list[tuple[list[int], list[int]]]] = []
    for step in range(settings.steps):
        if not batches:
            batches = _drawn(tokenizer, demonstration, settings.batch, rng)
        ids, mask, learned = _padded(batches.pop(), tokenizer.end, device)
        logits = policy(ids[:, :-1], mask[:, :-1])
        losses = functional.cross_entropy(
            logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none"
        )
        weights = learned[:, 1:].flatten()
        loss = (losses * weights).sum() / weights.sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        rising = min(1.0, (step + 1) / max(1, settings.warm_up))
        falling = 1 - 0.9 * step / settings.steps
        for optimizer, rate in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * rising * falling
            optimizer.step()
            optimizer.zero_grad()
        yield float(loss.detach())


# -- helpers ----------------------------------------------------------------------------------


def _drawn(
    tokenizer: Tokenizer,
    demonstration: Callable[[random.Random], tuple[str, str]],
    batch: int,
    rng: random.Random,
) -> list[list[tuple[list[int], list[int]]]]:
    pairs = []
    for _ in range(batch * _SORTED_TOGETHER):
        prompt, completion = demonstration(rng)
        pairs.append((tokenizer.encode(prompt), [*tokenizer.encode(completion), tokenizer.end]))
    pairs.sort(key=lambda pair: len(pair[0]) + len(pair[1]))
    batches = [pairs[at : at + batch] for at in range(0, len(pairs), batch)]
    rng.shuffle(batches)
    return batches


def _padded(
    pairs: list[tuple[list[int], list[int]]], end: int, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens, where they count, and where they are learned (completions only), (rows, longest)."""
    longest = max(len(prompt) + len(completion) for prompt, completion in pairs)
    ids = torch.full((len(pairs), longest), end)
    mask = torch.zeros(ids.shape, dtype=torch.bool)
    learned = torch.zeros(ids.shape)
    for row, (prompt, completion) in enumerate(pairs):
        length = len(prompt) + len(completion)
        ids[row, :length] = torch.tensor(prompt + completion)
        mask[row, :length] = True
        learned[row, len(prompt) : length] = 1.0
    return ids.to(device), mask.to(device), learned.to(device)
