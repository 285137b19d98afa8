"""Which prompts come next."""

from collections import Counter

import pytest

from proctor.train.curriculum import Curriculum
from proctor.train.rollouts import Prompt

EASY = [Prompt(f"easy/{number}", "1 + 1", "easy") for number in range(10)]
HARD = [Prompt(f"hard/{number}", "a proof", "hard") for number in range(5)]


def topics(drawn: list[Prompt]) -> Counter[str]:
    return Counter(prompt.topic for prompt in drawn)


def test_every_prompt_of_a_topic_comes_once_before_any_comes_again() -> None:
    drawn = Curriculum([*EASY, *HARD], 0).draw(200)
    for prompts in (EASY, HARD):
        ids = [prompt.problem_id for prompt in drawn if prompt.topic == prompts[0].topic]
        passes = [ids[at : at + len(prompts)] for at in range(0, len(ids), len(prompts))]
        assert all(len(set(one)) == len(one) for one in passes)
        assert passes[0] != passes[1]


def test_topics_are_drawn_alike_until_more_is_known() -> None:
    found = topics(Curriculum([*EASY, *HARD], 0).draw(1000))
    assert abs(found["easy"] - found["hard"]) < 100


def test_a_topic_that_is_learned_comes_seldom_and_does_not_vanish() -> None:
    curriculum = Curriculum([*EASY, *HARD], 0)
    curriculum.note((prompt, prompt.topic == "hard") for prompt in (EASY + HARD) * 20)
    assert curriculum.telling() == pytest.approx({"easy": 0.95**200, "hard": 1.0})
    assert 50 < topics(curriculum.draw(1000))["easy"] < 150


def test_it_goes_on_from_a_state_as_if_nothing_had_happened() -> None:
    first = Curriculum([*EASY, *HARD], 0)
    first.draw(7)
    first.note([(EASY[0], False), (HARD[0], True)])
    second = Curriculum([*EASY, *HARD], 1)
    second.load_state_dict(first.state_dict())
    assert second.draw(50) == first.draw(50)
