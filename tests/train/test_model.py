"""Policies: a cache, padding and company change nothing that they say."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from proctor.train.model import HuggingFacePolicy, Policy, Size, Transformer
from tests.train import small

EXACT = {"rtol": 0.0, "atol": 1e-5}
POLICIES = pytest.mark.parametrize("make", [small.transformer, small.llama, small.gpt2])


def ids(rows: int, length: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(1, small.Letters().size, (rows, length), generator=generator)


def whole(tokens: Tensor) -> Tensor:
    """A mask without padding."""
    return torch.ones_like(tokens, dtype=torch.bool)


@POLICIES
@torch.no_grad()
def test_token_by_token_with_a_cache_is_the_same_as_all_at_once(
    make: Callable[[], Policy],
) -> None:
    policy, tokens = make(), ids(3, 9)
    at_once = policy(tokens, whole(tokens))
    cache = policy.new_cache(9)
    parts = [(0, 4), *((at, at + 1) for at in range(4, 9))]  # a prompt, then one by one
    stepwise = [policy(tokens[:, a:b], whole(tokens[:, :b]), cache) for a, b in parts]
    assert at_once.shape == (3, 9, small.Letters().size)
    torch.testing.assert_close(torch.cat(stepwise, 1), at_once, **EXACT)


@POLICIES
@torch.no_grad()
def test_only_the_last_logits_are_made_where_no_others_are_asked_for(
    make: Callable[[], Policy],
) -> None:
    policy, tokens = make(), ids(2, 6)
    found = policy(tokens, whole(tokens), last=2)
    torch.testing.assert_close(found, policy(tokens, whole(tokens))[:, -2:], **EXACT)


@POLICIES
@pytest.mark.parametrize("filler", [0, 5])
@torch.no_grad()
def test_padding_on_the_left_changes_nothing(make: Callable[[], Policy], filler: int) -> None:
    policy, tokens = make(), ids(2, 6)
    padded = torch.cat([torch.full((2, 4), filler), tokens], 1)
    mask = whole(padded)
    mask[:, :4] = False
    expected = policy(tokens, whole(tokens))
    torch.testing.assert_close(policy(padded, mask)[:, 4:], expected, **EXACT)
    cache = policy.new_cache(10)
    stepwise = [policy(padded[:, :7], mask[:, :7], cache)[:, 4:]]
    stepwise += [policy(padded[:, at : at + 1], mask[:, : at + 1], cache) for at in range(7, 10)]
    torch.testing.assert_close(torch.cat(stepwise, 1), expected, **EXACT)


@POLICIES
@torch.no_grad()
def test_padding_on_the_right_and_other_rows_change_nothing(make: Callable[[], Policy]) -> None:
    policy, tokens = make(), ids(3, 6)
    alone = policy(tokens[:1, :4], whole(tokens[:1, :4]))
    mask = whole(tokens)
    mask[0, 4:] = False
    torch.testing.assert_close(policy(tokens, mask)[:1, :4], alone, **EXACT)


@POLICIES
def test_what_comes_later_is_not_seen(make: Callable[[], Policy]) -> None:
    policy, tokens = make(), ids(1, 6)
    other = tokens.clone()
    other[0, 4] = other[0, 4] % 7 + 1
    with torch.no_grad():
        said, instead = policy(tokens, whole(tokens)), policy(other, whole(other))
    torch.testing.assert_close(said[:, :4], instead[:, :4], **EXACT)
    assert not torch.allclose(said[:, 4:], instead[:, 4:], **EXACT)


@POLICIES
def test_the_order_of_what_was_said_is_seen(make: Callable[[], Policy]) -> None:
    policy = make()
    tokens = torch.tensor([[1, 2, 3], [2, 1, 3]])
    with torch.no_grad():
        one, other = policy(tokens, whole(tokens))[:, -1]
    assert not torch.allclose(one, other, **EXACT)


@POLICIES
def test_every_parameter_has_a_gradient_padding_or_not(make: Callable[[], Policy]) -> None:
    policy, tokens = make(), ids(2, 6)
    mask = whole(tokens)
    mask[0, :3] = False
    policy(tokens, mask)[mask].logsumexp(-1).sum().backward()
    for parameter in policy.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()
        assert parameter.grad.abs().sum() > 0


@pytest.mark.parametrize("make", [small.llama, small.gpt2])
@torch.no_grad()
def test_hugging_faces_models_say_what_they_say_without_us(
    make: Callable[[], HuggingFacePolicy],
) -> None:
    policy, tokens = make(), ids(2, 6)
    expected = policy.model(input_ids=tokens).logits
    torch.testing.assert_close(policy(tokens, whole(tokens)), expected, **EXACT)


def test_a_size_says_how_large_a_model_is() -> None:
    size = Size(vocabulary=500)
    assert size.hidden == 352
    count = sum(parameter.numel() for parameter in Transformer(size).parameters())
    assert 0.4e6 < count < 0.8e6
    small_one = small.transformer()
    assert Size(**small_one.config()) == small_one.size


def test_a_new_model_is_nearly_undecided() -> None:
    torch.manual_seed(0)
    tokens = ids(20, 8)
    policy = Transformer(Size(small.Letters().size))
    said = torch.distributions.Categorical(logits=policy(tokens, whole(tokens)))
    assert said.entropy().mean() > 0.9 * math.log(small.Letters().size)
