"""Rewards for a trainer: samples in, floats out, whatever happens in between.

from proctor.rewards import Reward

reward = Reward("http://127.0.0.1:8077", policy="pass_rate")
reward.score(["HumanEval/0", "HumanEval/1"], [completion, other])   # [1.0, None]
"""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

import httpx

from proctor import _requests as requests
from proctor._client import DEFAULT_URL
from proctor._gatherer import Gatherer, Outcome, Terms, Unjudged
from proctor._home import Home
from proctor._http import Connection
from proctor._requests import Form, Policy, Stop
from proctor._retries import Retry
from proctor._submissions import Completion, ProblemOf, submissions
from proctor.errors import Unscored
from proctor.summary import Summary
from proctor.types import Extraction, Result, Verdict

OnFailure: TypeAlias = Literal["none", "zero", "raise"]

# About seven minutes: a server that restarts may have a long append-only file to read. A
# training step that waits is cheaper than one that has lost its rewards.
PATIENT = Retry(attempts=60)
# What has no result by then is given up. A step's programs seldom take a minute; a queue that is
# longer than ten is no use to a trainer that waits for it.
DEADLINE_S = 600.0

_READ_TIMEOUT_S = 60.0
_log = logging.getLogger("proctor")


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one sample.

    Attributes:
        reward: by the policy; where the fault is ours, None, or 0.0 under `on_failure="zero"`.
        result: the whole result; None where none came.
        reason: why the sample could not be judged; None where it was.
    """

    reward: float | None
    result: Result | None
    reason: str | None = None

    @property
    def unscored(self) -> bool:
        """Whether the sample has no reward of its own: IE, cancelled, or no result at all."""
        return self.reason is not None

    @property
    def verdict(self) -> Verdict | None:
        """AC, WA, ...; None where no result came, or it was cancelled."""
        return self.result.verdict if self.result is not None else None

    @property
    def pass_rate(self) -> float | None:
        """Passed of all test cases; None where the sample is unscored."""
        return self.result.pass_rate if self.result is not None else None


class Reward:
    """Judges samples for a trainer. Safe to use from threads, event loops, forks; it pickles.

    Args:
        url: the server's address.
        api_key: sent as a bearer token, where the server asks for one.
        policy: how verdicts become a reward: a name, or a RewardPolicy with its numbers.
        form: what the texts are: "completion" (a raw answer, the program is taken out of it),
            "source" (a whole program) or "continuation" (what follows the problem's prefix).
        language: of the programs, where neither the call nor the problem says.
        extraction: how a program is taken out of a "completion".
        stop: after a program's "first_failure", or "never" (needed for a pass rate).
        on_failure: what a sample gets that was not judged through a fault of ours (IE, cancelled
            at the deadline, no answer after every retry): "none", "zero", or "raise" Unscored.
        deadline_s: seconds after which what has no result is given up; None: never.
        retry: how requests are tried again; patient enough for a server that restarts.
        fresh: run every program even if an equal one's result is known.
        name: what it is called in logs.
        transport: instead of the network; `proctor.testing.FakeServer` is one.

    Faults of the caller's (a problem id that is not stored, a key that is not known) are raised
    at once, whatever `on_failure` says: training on must not be an option.

    Raises:
        ValueError: the address, the key or on_failure cannot be right.
        InvalidRequest: another option cannot be.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        policy: Policy = "pass_rate",
        form: Form = "completion",
        language: str = "python",
        extraction: Extraction | None = None,
        stop: Stop = "never",
        on_failure: OnFailure = "none",
        deadline_s: float | None = DEADLINE_S,
        retry: Retry | None = None,
        fresh: bool = False,
        name: str = "proctor",
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        if on_failure not in ("none", "zero", "raise"):
            raise ValueError(f"on_failure {on_failure!r}: give none, zero or raise")
        if form not in ("completion", "source", "continuation"):
            raise ValueError(f"form {form!r}: give completion, source or continuation")
        self.name = name
        self._connection = Connection(url, api_key, _READ_TIMEOUT_S)
        self._form: Form = form
        self._language = language
        self._on_failure = on_failure
        self._transport = transport
        options = requests.Options(
            reward=policy,
            stop=stop,
            extraction=extraction or Extraction(),
            fresh=fresh,
            deadline_s=deadline_s,
        )
        # Whatever cannot be is found here, not in the first step.
        checked = requests.batch_request([{"problem_id": "any", form: ""}], options)
        self._terms = Terms(options, checked.reward, retry or PATIENT)
        self._homes: dict[int, Home] = {}

    def judge(
        self,
        problems: ProblemOf | Sequence[ProblemOf],
        completions: Sequence[Completion],
        *,
        languages: str | Sequence[str | None] | None = None,
    ) -> list[Judged]:
        """What became of samples, in their order. Blocks; see `judge_async`."""
        return self._home().run(self.judge_async(problems, completions, languages=languages))

    async def judge_async(
        self,
        problems: ProblemOf | Sequence[ProblemOf],
        completions: Sequence[Completion],
        *,
        languages: str | Sequence[str | None] | None = None,
    ) -> list[Judged]:
        """What became of samples, in their order.

        Calls that are made at about the same time go out as one batch. Equal samples of a call
        are judged once.

        Args:
            problems: one per completion, or one for all: an id; an inline `Problem` or a mapping
                with its fields; open-r1's verification_info or verl's ground_truth, as a mapping
                or as JSON text.
            completions: texts, or conversations, of which what the assistant said last counts.
            languages: one per completion, or one for all.

        Raises:
            TypeError: a completion is neither; the message says which.
            Unscored: a sample could not be judged, under `on_failure="raise"`.
            ProctorError: the caller is at fault: InvalidRequest (a problem that is not stored,
                named by its id), NotPermitted, NotFound, Conflict, BadAnswer (no Proctor).
        """
        home = self._home()
        outcomes = await home.gatherer().outcomes(
            submissions(problems, completions, languages, form=self._form, language=self._language)
        )
        judged = [self._judged(index, outcome) for index, outcome in enumerate(outcomes)]
        home.count(each.result for each in judged)
        self._tell_unscored(judged)
        return judged

    def score(
        self,
        problems: ProblemOf | Sequence[ProblemOf],
        completions: Sequence[Completion],
        *,
        languages: str | Sequence[str | None] | None = None,
    ) -> list[float | None]:
        """Rewards of samples, in their order. Blocks; see `judge_async`."""
        return [each.reward for each in self.judge(problems, completions, languages=languages)]

    async def score_async(
        self,
        problems: ProblemOf | Sequence[ProblemOf],
        completions: Sequence[Completion],
        *,
        languages: str | Sequence[str | None] | None = None,
    ) -> list[float | None]:
        """Rewards of samples, in their order; see `judge_async`."""
        judged = await self.judge_async(problems, completions, languages=languages)
        return [each.reward for each in judged]

    def summary(self, *, reset: bool = False) -> Summary:
        """Counts and means of all that this process judged, since the last reset.

        Problems are not counted, so that a week of training takes no memory.
        """
        return self._home().summary(reset)

    def close(self) -> None:
        """Close what the blocking methods opened. Using them again opens it again."""
        self._home().close()

    async def aclose(self) -> None:
        """Close what was opened in the running event loop. It closes with the loop anyway."""
        await self._home().aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_homes": {}}

    # -- helpers ------------------------------------------------------------------------------

    def _home(self) -> Home:
        process_id = os.getpid()
        found = self._homes.get(process_id)
        if found is None:
            connection, terms, transport = self._connection, self._terms, self._transport
            # setdefault is one step, where a lock might have been held at a fork.
            found = self._homes.setdefault(
                process_id, Home(lambda: Gatherer(connection, terms, transport))
            )
        return found

    def _judged(self, index: int, outcome: Outcome) -> Judged:
        unscored = 0.0 if self._on_failure == "zero" else None
        if isinstance(outcome, Unjudged):
            return Judged(unscored, None, outcome.reason)
        result = outcome.model_copy(update={"index": index})
        if result.reward is not None:
            return Judged(result.reward, result)
        return Judged(unscored, result, _why(result))

    def _tell_unscored(self, judged: list[Judged]) -> None:
        unscored = [(index, each.reason) for index, each in enumerate(judged) if each.unscored]
        if not unscored:
            return
        index, reason = unscored[0]
        text = (
            f"{self.name}: {len(unscored)} of {len(judged)} sample(s) could not be judged, "
            f"through no fault of the program; completions[{index}]: {reason}"
        )
        if self._on_failure == "raise":
            raise Unscored(text)
        _log.warning("%s", text)


def _why(result: Result) -> str:
    if result.reason:
        return result.reason
    if result.state == "cancelled":
        return "it was cancelled: no result came within deadline_s"
    return f"the verdict is {result.verdict}"
