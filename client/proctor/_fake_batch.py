"""A batch of the fake server: its programs, and what its judge says that they earn."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from proctor.types import (
    PASS_RATES,
    BatchRequest,
    BatchStatus,
    ListedBatch,
    PassRateBin,
    Problem,
    ProblemStats,
    Result,
    SubmissionDetail,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class Program:
    """What a judge is shown: an item's problem id, language and text."""

    problem_id: str
    language: str
    text: str


# A reward from 0 to 1, None for a fault of Proctor's, or a verdict that stands for one.
Judge = Callable[[Program], float | Verdict | None]


@dataclass(slots=True)
class FakeBatch:
    """A batch whose results are known at once; the first `ready` of them can be seen."""

    id: str
    body: bytes
    programs: Sequence[Program]
    results: list[Result]
    created_at: float
    deadline_s: float | None
    ready: int
    cancelled: bool = False

    @classmethod
    def of(
        cls, batch_id: str, batch: BatchRequest, body: bytes, judge: Judge, held: int | None
    ) -> "FakeBatch":
        """Judge a request; all but so many results are held back, unless that is None."""
        programs = [
            Program(
                item.problem_id or (item.problem.id if item.problem else ""),
                item.language,
                item.source or item.completion or item.continuation or "",
            )
            for item in batch.items
        ]
        results = [
            _result(place, item.id, program, judge(program))
            for place, (item, program) in enumerate(zip(batch.items, programs, strict=True))
        ]
        ready = len(results) if held is None else min(held, len(results))
        return cls(batch_id, body, programs, results, time.time(), batch.deadline_s, ready)

    @property
    def total(self) -> int:
        """How many programs it has."""
        return len(self.results)

    @property
    def state(self) -> Literal["running", "done", "cancelled"]:
        """As the server says it."""
        if self.ready < self.total:
            return "running"
        return "cancelled" if self.cancelled else "done"

    def end_if_late(self) -> None:
        """As the server does at a batch's deadline."""
        if self.deadline_s is not None and time.time() >= self.created_at + self.deadline_s:
            self.cancel()

    def cancel(self) -> None:
        """End what is not ready as cancelled."""
        for place in range(self.ready, self.total):
            self.cancelled = True
            self.results[place] = self.results[place].model_copy(
                update={"state": "cancelled", "verdict": None, "pass_rate": None, "reward": None}
            )
        self.ready = self.total

    def status(self) -> BatchStatus:
        """How far it is."""
        there = self.results[: self.ready]
        counts = Counter(result.verdict for result in there if result.verdict)
        rates = [result.pass_rate for result in there if result.pass_rate is not None]
        return BatchStatus(
            id=self.id,
            state=self.state,
            total=self.total,
            completed=self.ready,
            verdicts=dict(counts),
            pass_rates=dict(Counter(map(_bin, rates))),
            created_at=self.created_at,
        )

    def listed(self) -> ListedBatch:
        """The same, in the list of batches."""
        return ListedBatch(**self.status().model_dump(), caller="")

    def detail(self, index: int) -> SubmissionDetail:
        """One submission. Raises IndexError."""
        program = self.programs[index]
        return SubmissionDetail(
            index=index,
            problem_id=program.problem_id,
            language=program.language,
            source=program.text,
            result=self.results[index] if index < self.ready else None,
        )


def problem_stats(problem: Problem, batches: Sequence[FakeBatch]) -> ProblemStats:
    """What came of a problem's submissions in these batches. None is known to be suspicious."""
    found = [
        result
        for batch in batches
        for result in batch.results[: batch.ready]
        if result.problem_id == problem.id and result.verdict is not None
    ]
    rates = [result.pass_rate for result in found if result.pass_rate is not None]
    return ProblemStats(
        id=problem.id,
        tests=len(problem.tests),
        submissions=len(found),
        accepted=sum(result.verdict is Verdict.AC for result in found),
        pass_rate=sum(rates) / len(rates) if rates else None,
        internal_errors=len(found) - len(rates),
        reruns=0,
        flaky=0,
    )


# -- helpers ----------------------------------------------------------------------------------


def _result(
    index: int, item_id: str | None, program: Program, said: float | Verdict | None
) -> Result:
    verdict, reward = _judged(said)
    return Result(
        index=index,
        id=item_id,
        submission_id=sha256(f"{index} {program.text}".encode()).hexdigest()[:16],
        problem_id=program.problem_id,
        language=program.language,
        verdict=verdict,
        pass_rate=None if reward is None else max(0.0, min(1.0, reward)),
        reward=reward,
        passed=int(reward == 1.0),
        total=1,
        reason="the judge gave None" if verdict is Verdict.IE else None,
    )


def _bin(rate: float) -> PassRateBin:
    first, *between, last = PASS_RATES
    if rate in (0.0, 1.0):
        return first if rate == 0.0 else last
    return between[int(rate * len(between))]


def _judged(said: float | Verdict | None) -> tuple[Verdict, float | None]:
    if isinstance(said, Verdict):
        rewards = {Verdict.AC: 1.0, Verdict.IE: None}
        return said, rewards.get(said, 0.0)
    if said is None:
        return Verdict.IE, None
    return Verdict.AC if said == 1.0 else Verdict.WA, float(said)
