"""Looking at a policy without changing it, and pretraining one."""

import random

import pytest
import torch

from proctor.train.evaluation import Evaluation, evaluate
from proctor.train.pretraining import Pretraining, pretrain
from proctor.train.rollouts import Prompt
from tests.train import small
from tests.train.small import FakeJudge

LETTERS = small.Letters()
PROMPTS = [Prompt(f"p/{letter}", letter) for letter in "abcd"]


def test_several_completions_of_each_prompt_are_judged() -> None:
    policy = small.bigram({"a": {"b": 0.5, "c": 0.5}, "d": {"d": 1.0}}, LETTERS)
    judge = FakeJudge(lambda problem, text: float((problem, text) in {("p/a", "b"), ("p/d", "d")}))
    prompts = [Prompt("p/a", "a"), Prompt("p/d", "d")]
    found = evaluate(policy, LETTERS, prompts, judge, longest=1, each=1000, rows=300)
    assert found.completions == 2000
    assert found.solved == pytest.approx(0.75, abs=0.03)


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_completions_are_judged_and_averaged(rows: int) -> None:
    policy = small.bigram({letter: {letter: 1.0} for letter in "abcd"}, LETTERS)
    worth = {"p/a": 1.0, "p/b": 0.5, "p/c": 0.0, "p/d": None}
    judge = FakeJudge(lambda problem, _: worth[problem])
    found = evaluate(policy, LETTERS, PROMPTS, judge, longest=2, rows=rows)
    assert judge.calls == [["aa", "bb", "cc", "dd"]]
    assert found == Evaluation(pass_rate=0.5, solved=1 / 3, completions=3, unscored=1)


def test_nothing_is_learned_and_the_same_seed_finds_the_same() -> None:
    policy = small.transformer()
    before = {name: each.clone() for name, each in policy.state_dict().items()}
    state = torch.get_rng_state()
    judge = FakeJudge(lambda _, text: len(text) / 9)
    first, again, other = (
        evaluate(policy, LETTERS, PROMPTS * 9, judge, longest=9, seed=seed) for seed in (0, 0, 1)
    )
    assert first == again != other
    torch.testing.assert_close(dict(policy.state_dict()), before, rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_likeliest_is_asked_for_at_temperature_0() -> None:
    policy = small.bigram({"a": {"b": 0.6, "c": 0.4}}, LETTERS)
    judge = FakeJudge(lambda _, text: float(text == "b"))
    for temperature, expected in [(0.0, 1.0), (1.0, 0.6)]:
        prompts = [Prompt("p/a", "a")] * 2000
        found = evaluate(policy, LETTERS, prompts, judge, longest=1, temperature=temperature)
        assert found.solved == pytest.approx(expected, abs=0.05)


def test_an_average_of_nothing_is_no_number() -> None:
    with pytest.raises(ValueError, match="not one completion could be judged"):
        evaluate(small.transformer(), LETTERS, PROMPTS, FakeJudge(lambda *_: None), longest=2)


# -- pretraining ------------------------------------------------------------------------------


def test_a_policy_learns_to_write_what_demonstrations_do() -> None:
    answers = {"a": "bb", "c": "dca", "ac": ""}
    policy = small.transformer()
    settings = Pretraining(steps=150, batch=12, warm_up=5)
    losses = list(pretrain(policy, LETTERS, lambda rng: rng.choice([*answers.items()]), settings))
    assert len(losses) == 150
    assert losses[-1] < 0.1 < 2 < losses[0]
    prompts = [Prompt(text, text) for text in answers]
    judge = FakeJudge(lambda problem, text: float(text == answers[problem]))
    assert evaluate(policy, LETTERS, prompts, judge, longest=5, temperature=0).solved == 1


def test_prompts_are_not_learned() -> None:
    def demonstration(rng: random.Random) -> tuple[str, str]:
        return "".join(rng.choices("abcdefg", k=4)), "cd"

    settings = Pretraining(steps=120, batch=12, warm_up=5)
    *_, last = pretrain(small.transformer(), LETTERS, demonstration, settings)
    assert last < 0.1  # chance in prompts, 1.9 nats a letter, would keep it far above


def test_the_same_seed_learns_the_same() -> None:
    def losses(seed: int) -> list[float]:
        settings = Pretraining(steps=5, batch=4, seed=seed)
        return list(
            pretrain(small.transformer(), LETTERS, lambda rng: (rng.choice("ab"), "c"), settings)
        )

    assert losses(0) == losses(0) != losses(1)
