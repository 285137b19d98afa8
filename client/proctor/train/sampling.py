"""Sampling completions in batches, with a cache of keys and values."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from proctor.train.model import Policy
from proctor.train.tokens import Tokenizer

# Tokens between two looks at which completions have ended: a look is a wait for the device, and
# going on without the ended ones copies the cache.
_LOOK_EVERY = 8


@dataclass(frozen=True, slots=True)
class Samples:
    """Completions and how likely they were, row by row.

    Attributes:
        ids: prompt and completion, (rows, prompt + new); prompts are padded on the left,
            completions on the right.
        mask: True where a token counts, the same shape.
        logprobs: natural logarithms of the probability with which each token of the
            completions was drawn, (rows, new); 0 for padding.
        texts: the completions.
    """

    ids: Tensor
    mask: Tensor
    logprobs: Tensor
    texts: list[str]

    @property
    def new(self) -> int:
        """How many places completions have."""
        return int(self.logprobs.shape[1])

    @property
    def lengths(self) -> Tensor:
        """Tokens of each completion, its end included, (rows,)."""
        return self.mask[:, -self.new :].sum(1)


@torch.no_grad()
def sample(
    policy: Policy,
    tokenizer: Tokenizer,
    prompts: Sequence[str],
    *,
    most: int,
    each: int = 1,
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
    device: torch.device | None = None,
    autocast: torch.dtype | None = None,
) -> Samples:
    """Completions of each prompt, each token drawn from the whole distribution.

    Args:
        policy: draws; in whatever mode it is.
        tokenizer: its tokens.
        prompts: any number of them; all are sampled at once.
        most: tokens after which a completion is cut off, 1 or more.
        each: completions per prompt, which is read once for all of them.
        temperature: what logits are divided by; 0 takes the likeliest token each time.
        generator: for chance that can be repeated; it has to be on the device.
        device: where the policy is.
        autocast: a dtype of lower precision to compute in.

    Raises:
        ValueError: a prompt has no tokens, so there is nothing that its first could follow.
    """
    ids, mask = _padded(tokenizer, prompts, most, device)
    longest = ids.shape[1] - most
    precision = torch.autocast(ids.device.type, autocast, enabled=autocast is not None)
    cache = policy.new_cache(longest + most)
    with precision:
        read = policy(ids[:, :longest], mask[:, :longest], cache, last=1)
    # Rows that are written still, and which of these have not come to their end.
    alive = torch.arange(len(prompts) * each, device=device)
    going = torch.ones_like(alive, dtype=torch.bool)
    prompt = alive // each
    cache = policy.selected(cache, prompt)
    ids, mask, logits = ids[prompt], mask[prompt], read[prompt]
    logprobs = torch.zeros((len(alive), most), device=device)
    for place in range(most):
        end = longest + place
        if place:
            with precision:
                logits = policy(ids[alive, end - 1 : end], mask[alive, :end], cache, last=1)
        drawn, logprob = _drawn(logits[:, -1].float(), temperature, generator)
        # An end that was drawn is a token like others: the policy has to learn to stop.
        ids[alive, end] = torch.where(going, drawn, tokenizer.end)
        mask[alive, end] = going
        logprobs[alive, place] = torch.where(going, logprob, 0.0)
        going = going & (drawn != tokenizer.end)
        if place % _LOOK_EVERY == _LOOK_EVERY - 1:
            left = going.nonzero().squeeze(-1)
            if not len(left):
                break
            if len(left) <= len(alive) // 2:
                cache = policy.selected(cache, left)
                alive, going = alive[left], going[left]
    ids, mask = ids[:, : end + 1], mask[:, : end + 1]
    texts = [
        tokenizer.decode(row[keep].tolist())
        for row, keep in zip(ids[:, longest:], mask[:, longest:], strict=True)
    ]
    return Samples(ids, mask, logprobs[:, : place + 1], texts)


def token_logprobs(
    policy: Policy, samples: Samples, temperature: float, autocast: torch.dtype | None = None
) -> Tensor:
    """What a policy says of completions that were sampled: log probabilities, (rows, new)."""
    new = samples.new
    with torch.autocast(samples.ids.device.type, autocast, enabled=autocast is not None):
        logits = policy(samples.ids[:, :-1], samples.mask[:, :-1], last=new)
    scaled = logits.float() / (temperature or 1.0)
    chosen = samples.ids[:, -new:, None]
    return torch.log_softmax(scaled, -1).gather(-1, chosen).squeeze(-1)


def _padded(
    tokenizer: Tokenizer, prompts: Sequence[str], room: int, device: torch.device | None
) -> tuple[Tensor, Tensor]:
    """Prompts padded on the left, with room behind them, and where they count: (rows, all)."""
    encoded = [tokenizer.encode(prompt) for prompt in prompts]
    if not all(encoded):
        raise ValueError("a prompt has no tokens: begin it with something")
    longest = max(map(len, encoded))
    ids = torch.full((len(encoded), longest + room), tokenizer.end)
    mask = torch.zeros_like(ids, dtype=torch.bool)
    for row, tokens in enumerate(encoded):
        ids[row, longest - len(tokens) : longest] = torch.tensor(tokens)
        mask[row, longest - len(tokens) : longest] = True
    return ids.to(device), mask.to(device)


def _drawn(
    logits: Tensor, temperature: float, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """Tokens, (rows,), and their log probabilities under what they were drawn from."""
    logprobs = torch.log_softmax(logits / (temperature or 1.0), -1)
    if temperature == 0:
        drawn = logprobs.argmax(-1, keepdim=True)
    else:
        drawn = torch.multinomial(logprobs.exp(), 1, generator=generator)
    return drawn.squeeze(-1), logprobs.gather(-1, drawn).squeeze(-1)
