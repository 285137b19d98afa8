"""Sampling: what is recorded is what was drawn, from the whole distribution, until the end."""

from collections.abc import Callable

import pytest
import torch

from proctor.train.model import Policy
from proctor.train.sampling import Samples, sample, token_logprobs
from tests.train import small

LETTERS = small.Letters()
PROMPTS = ["a", "bcd", "gfedcb", "aa"]
POLICIES = pytest.mark.parametrize("make", [small.transformer, small.llama, small.gpt2])


def drawn(
    policy: Policy,
    prompts: list[str] = PROMPTS,
    *,
    most: int = 12,
    each: int = 1,
    seed: int = 0,
    temperature: float = 1.0,
    autocast: torch.dtype | None = None,
) -> Samples:
    samples: Samples = sample(
        policy,
        LETTERS,
        prompts,
        most=most,
        each=each,
        temperature=temperature,
        generator=torch.Generator().manual_seed(seed),
        autocast=autocast,
    )
    return samples


@POLICIES
@pytest.mark.parametrize("temperature", [1.0, 0.7, 1.5])
@torch.no_grad()
def test_what_was_recorded_is_what_the_policy_says_afterwards(
    make: Callable[[], Policy], temperature: float
) -> None:
    policy = make()
    samples = drawn(policy, PROMPTS * 4, temperature=temperature)
    new = samples.mask[:, -samples.new :]
    assert len(set(samples.lengths.tolist())) > 1  # some ended earlier than others
    again = token_logprobs(policy, samples, temperature)
    torch.testing.assert_close(again[new], samples.logprobs[new], rtol=0.0, atol=1e-5)
    assert (samples.logprobs[new] < 0).all()


@POLICIES
@torch.no_grad()
def test_in_bfloat16_it_is_so_to_its_precision(make: Callable[[], Policy]) -> None:
    policy = make()
    samples = drawn(policy, PROMPTS * 4, autocast=torch.bfloat16)
    new = samples.mask[:, -samples.new :]
    again = token_logprobs(policy, samples, 1.0, torch.bfloat16)
    assert samples.logprobs.dtype == again.dtype == torch.float32
    assert (again[new] - samples.logprobs[new]).abs().mean() < 0.05


@POLICIES
@torch.no_grad()
def test_company_changes_no_completion(make: Callable[[], Policy]) -> None:
    policy = make()
    together = drawn(policy, temperature=0)
    alone = [drawn(policy, [prompt], temperature=0) for prompt in PROMPTS]
    assert together.texts == [each.texts[0] for each in alone]


@POLICIES
@torch.no_grad()
def test_at_temperature_0_the_likeliest_token_comes(make: Callable[[], Policy]) -> None:
    policy = make()
    samples = drawn(policy, temperature=0)
    assert samples.texts == drawn(policy, temperature=0, seed=1).texts
    logits = policy(samples.ids[:, :-1], samples.mask[:, :-1])[:, -samples.new :]
    new = samples.mask[:, -samples.new :]
    assert (logits.argmax(-1) == samples.ids[:, -samples.new :])[new].all()


def test_the_same_seed_draws_the_same_and_another_other_texts() -> None:
    policy = small.transformer()
    assert drawn(policy).texts == drawn(policy).texts
    assert drawn(policy).texts != drawn(policy, seed=1).texts


def test_an_end_that_is_drawn_counts_and_nothing_after_it() -> None:
    # What follows a letter is certain; "g" never ends, and after an end something would follow.
    policy = small.bigram(
        {"a": {"b": 1.0}, "b": {"c": 1.0}, "c": {"": 1.0}, "g": {"g": 1.0}, "": {"a": 1.0}},
        LETTERS,
    )
    samples = drawn(policy, ["a", "ab", "g", "c"], most=5)
    assert samples.texts == ["bc", "c", "ggggg", ""]
    assert samples.lengths.tolist() == [3, 2, 5, 1]
    assert samples.ids.tolist() == [
        [0, 1, 2, 3, 0, 0, 0],
        [1, 2, 3, 0, 0, 0, 0],
        [0, 7, 7, 7, 7, 7, 7],
        [0, 3, 0, 0, 0, 0, 0],
    ]
    assert samples.mask.int().tolist() == [
        [0, 1, 1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0, 0, 0],
        [0, 1, 1, 1, 1, 1, 1],
        [0, 1, 1, 0, 0, 0, 0],
    ]
    assert samples.logprobs.abs().max() < 1e-6


def test_sampling_ends_soon_after_the_last_row_has() -> None:
    policy = Counting(small.bigram({}, LETTERS).table.detach())
    samples = drawn(policy, ["abc", "a"], most=1000)
    assert samples.texts == ["", ""]
    assert policy.asked == [(2, 3)] + [(2, 1)] * 7  # the prompts once, then only what is new
    assert samples.new == 8


def test_completions_that_have_ended_cost_nothing_more() -> None:
    table = small.bigram({"g": {"g": 1.0}}, LETTERS).table.detach()
    policy = Counting(table)
    samples = drawn(policy, ["a", "g", "b", "c"], most=20)
    assert samples.texts == ["", "g" * 20, "", ""]
    assert samples.lengths.tolist() == [1, 20, 1, 1]
    assert policy.asked == [(4, 1)] * 8 + [(1, 1)] * 12


def test_a_prompt_is_read_once_for_all_its_completions() -> None:
    policy = Counting(small.bigram({"a": {"b": 0.5, "c": 0.5}}, LETTERS).table.detach())
    samples = drawn(policy, ["aba", "ca"], most=2, each=40)
    assert policy.asked == [(2, 3), (80, 1)]
    assert samples.ids[:40, :3].unique(dim=0).tolist() == [LETTERS.encode("aba")]
    assert set(samples.texts[:40]) == set(samples.texts[40:]) == {"b", "c"}


@POLICIES
@torch.no_grad()
def test_completions_of_one_prompt_are_those_of_the_prompt_repeated(
    make: Callable[[], Policy],
) -> None:
    policy = make()
    shared = drawn(policy, PROMPTS, each=3)
    alone = drawn(policy, [prompt for prompt in PROMPTS for _ in range(3)])
    assert shared.texts == alone.texts
    assert shared.ids.equal(alone.ids)


def test_tokens_come_as_often_as_they_are_likely() -> None:
    wanted = {"a": 0.5, "b": 0.3, "c": 0.15, "": 0.05}
    samples = drawn(small.bigram({"g": wanted}, LETTERS), ["g"] * 20_000, most=1)
    for text, probability in wanted.items():
        found = samples.texts.count(text) / 20_000
        assert found == pytest.approx(probability, abs=0.015)  # four standard deviations
        row = samples.texts.index(text)
        assert float(samples.logprobs[row].exp()) == pytest.approx(probability, rel=1e-4)


def test_a_temperature_sharpens_or_levels_the_distribution() -> None:
    policy = small.bigram({"g": {"a": 0.8, "b": 0.2}}, LETTERS)
    for temperature, probability in [(0.5, 0.64 / 0.68), (2.0, 0.8**0.5 / (0.8**0.5 + 0.2**0.5))]:
        samples = drawn(policy, ["g"] * 20_000, most=1, temperature=temperature)
        assert samples.texts.count("a") / 20_000 == pytest.approx(probability, abs=0.015)


@pytest.mark.parametrize("prompts", [[""], ["a", ""]])
def test_a_prompt_of_no_tokens_is_refused(prompts: list[str]) -> None:
    with pytest.raises(ValueError, match="a prompt has no tokens"):
        drawn(small.transformer(), prompts)


class Counting(small.Bigram):
    """Notes the shape of the ids of each call."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__(logits)
        self.asked: list[tuple[int, ...]] = []

    def forward(
        self,
        ids: torch.Tensor,
        mask: torch.Tensor,
        cache: object = None,
        *,
        last: int | None = None,
    ) -> torch.Tensor:
        self.asked.append(tuple(ids.shape))
        return super().forward(ids, mask, cache, last=last)
