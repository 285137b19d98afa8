"""Outcomes: what became of a unit. No reward in it; rewards.py makes one under a policy."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from proctor.runs import Ran
from proctor.types import TestResult, Verdict


class Cause(StrEnum):
    """Which failure of ours made an IE. Few, since each is counted under its own name."""

    SANDBOX_LOST = "sandbox lost"  # one after the other, over one program
    NO_SANDBOX = "no sandbox"  # none could be had, for too long
    WORKER_DIED = "worker died"
    JOB_LOST = "job lost"  # the queue forgot it, again and again
    TIMED_OUT = "timed out"  # a chunk took longer than any honest one can
    PROBLEM_GONE = "problem gone"  # its tests were not stored any more
    FAILURE = "failure"  # whatever else went wrong in a worker


class Outcome(BaseModel):
    """The graded result of one unit.

    `tests` holds the tests that were run, in test order; after a compile error or a stop on
    the first failure some are left out. `total` and `total_weight` are the problem's own,
    whatever the program did, so left-out tests count as not passed.
    """

    model_config = ConfigDict(frozen=True)

    verdict: Verdict
    passed: int
    total: int
    total_weight: float = Field(description="Sum of the weights of all the problem's tests.")
    tests: list[TestResult] = []
    compile_output: str | None = None
    reason: str | None = None
    cause: Cause | None = None
    run_time_s: float = 0.0
    ran: Ran | None = Field(None, description="What a raw run left.")

    @property
    def pass_rate(self) -> float | None:
        """passed / total, from 0.0 to 1.0; None for IE, which says nothing of the program."""
        if self.verdict is Verdict.IE:
            return None
        return self.passed / self.total

    @classmethod
    def internal_error(cls, reason: str, cause: Cause, total: int = 0) -> "Outcome":
        """An IE, with what failed on our side. Only evidence from outside a sandbox makes one."""
        return cls(
            verdict=Verdict.IE,
            passed=0,
            total=total,
            total_weight=0.0,
            reason=reason,
            cause=cause,
        )

    def to_json(self) -> bytes:
        """UTF-8 JSON; `from_json` reads it back."""
        return self.model_dump_json(exclude_defaults=True).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "Outcome":
        """Read what `to_json` wrote. Raises pydantic.ValidationError for anything else."""
        return cls.model_validate_json(data)
