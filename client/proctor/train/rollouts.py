"""Rollouts: completions of a step's prompts, on their way to the judge and back."""

import time
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from proctor.train.sampling import Samples
from proctor.types import Verdict


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a policy is asked, and the problem that its answers are judged by.

    Prompts of one `topic` are about as hard as each other; see `curriculum`.
    """

    problem_id: str
    text: str
    topic: str = ""


class Judged(Protocol):
    """What the judge says of one completion. `proctor.Judged` is one."""

    @property
    def reward(self) -> float | None:
        """Its reward; None where the fault was the judge's."""

    @property
    def pass_rate(self) -> float | None:
        """The share of its tests that passed; None likewise."""

    @property
    def verdict(self) -> Verdict | None:
        """Its verdict; None where it has none."""


class Judge(Protocol):
    """Who says what completions are worth. `proctor.rewards.Reward` is one."""

    def judge(self, problems: Sequence[str], completions: Sequence[str]) -> Sequence[Judged]:
        """One answer per completion, in their order; waits for all of them."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """A group of completions for each of some prompts.

    Attributes:
        prompts: one per group.
        samples: group after group.
        updates: how often the policy had been updated when it drew them.
    """

    prompts: list[Prompt]
    samples: Samples
    updates: int

    @property
    def group(self) -> int:
        """Completions per prompt."""
        return len(self.samples.texts) // len(self.prompts)


class Asked:
    """A rollout that is being judged."""

    def __init__(self, rollout: Rollout, answer: Future[Sequence[Judged]]) -> None:
        self.rollout = rollout
        self._answer = answer

    def wait(self) -> tuple[Sequence[Judged], float]:
        """What was said of it, and the seconds for which this call waited.

        Raises whatever the judge raised: a wrong problem id stops a run at once.
        """
        began = time.monotonic()
        return self._answer.result(), time.monotonic() - began


class Asking:
    """Sends rollouts to the judge in the background, so that the policy can go on."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        # One after the other: the judge has its own concurrency, and the oldest is needed first.
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="asking")
        self._failed = False

    def ask(self, rollout: Rollout) -> Asked:
        """Have a rollout judged."""
        problems = [each.problem_id for each in rollout.prompts for _ in range(rollout.group)]
        return Asked(rollout, self._threads.submit(self._answer, problems, rollout.samples.texts))

    def _answer(self, problems: Sequence[str], completions: Sequence[str]) -> Sequence[Judged]:
        # The error of an earlier rollout ends the run; its end must not wait for this one.
        if self._failed:
            raise CancelledError
        try:
            return self._judge.judge(problems, completions)
        except BaseException:
            self._failed = True
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Not waited for: after an error or Ctrl-C what is under way may take minutes, and nobody
        # wants it any more. At the end of a run nothing is.
        self._threads.shutdown(wait=False, cancel_futures=True)
