"""The curriculum: which prompts come next, of each topic as many as it still has to teach.

A group whose rewards are all equal has no advantages and teaches nothing. DAPO (arXiv 2503.14476)
samples on until it has enough groups that do; here such groups are made rarer beforehand, since
what is sampled has to be judged as well.
"""

import random
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from proctor.train.rollouts import Prompt

# Of a group in the running share of its topic's that taught something: the last twenty count.
_WEIGHT = 0.05
# Of a topic that has nothing left to teach: what was learned is not to be forgotten unseen.
_LEAST = 0.1


class Curriculum:
    """Draws prompts: a topic as likely as its groups are to teach, in it each before any again.

    Where all are of one topic, that is an order drawn anew for each pass over them.

    Args:
        prompts: to draw from.
        seed: of the order.
    """

    def __init__(self, prompts: Sequence[Prompt], seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311  a seed is what is wanted
        self._prompts: dict[str, list[Prompt]] = {}
        for prompt in prompts:
            self._prompts.setdefault(prompt.topic, []).append(prompt)
        # Places in the topic's list.
        self._upcoming: dict[str, deque[int]] = {topic: deque() for topic in self._prompts}
        self._telling = dict.fromkeys(self._prompts, 1.0)

    def draw(self, count: int) -> list[Prompt]:
        """The next prompts."""
        return [self._next() for _ in range(count)]

    def note(self, groups: Iterable[tuple[Prompt, bool]]) -> None:
        """Take account of groups that were judged, and whether the rewards of each differed."""
        for prompt, told in groups:
            self._telling[prompt.topic] += _WEIGHT * (told - self._telling[prompt.topic])

    def telling(self) -> dict[str, float]:
        """The share of each topic's latest groups that taught something."""
        return dict(self._telling)

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs; plain values."""
        return {
            "random": self._random.getstate(),
            "upcoming": {topic: list(places) for topic, places in self._upcoming.items()},
            "telling": self.telling(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state that was taken of the same prompts."""
        version, numbers, gauss = state["random"]
        self._random.setstate((version, tuple(numbers), gauss))
        self._upcoming = {topic: deque(places) for topic, places in state["upcoming"].items()}
        self._telling = dict(state["telling"])

    def _next(self) -> Prompt:
        weights = [max(share, _LEAST) for share in self._telling.values()]
        [topic] = self._random.choices(list(self._telling), weights)
        prompts, upcoming = self._prompts[topic], self._upcoming[topic]
        if not upcoming:
            upcoming.extend(self._random.sample(range(len(prompts)), len(prompts)))
        return prompts[upcoming.popleft()]
