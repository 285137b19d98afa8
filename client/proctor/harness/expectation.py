"""What a program should earn, and how a result differs from it: in words, without hidden data."""

from typing import Annotated

import pydantic

from proctor.errors import Unscored
from proctor.harness.report import why_unscored
from proctor.types import Result, Verdict

_SHOWN = 5

Share = Annotated[float, pydantic.Field(ge=0, le=1)]


class Expectation(pydantic.BaseModel):
    """A verdict or several that are as good, and perhaps a pass rate."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    verdicts: frozenset[Verdict] = frozenset({Verdict.AC})
    pass_rate: Share | None = None

    def deviation(self, result: Result) -> str | None:
        """How a result differs from what is expected; None where it does not.

        Raises:
            Unscored: it says nothing about the program, as the fault is Proctor's.
        """
        if result.reward is None:
            raise Unscored(f"{result.problem_id} could not be judged: {why_unscored(result)}")
        right = result.verdict in self.verdicts
        # As results are rounded nowhere, a third is written 0.333.
        rate = result.pass_rate or 0.0
        if right and (self.pass_rate is None or abs(rate - self.pass_rate) < 0.001):
            return None
        return f"{result.problem_id}: expected {self._wanted()}, got {told(result)}"

    def _wanted(self) -> str:
        wanted = " or ".join(verdict for verdict in Verdict if verdict in self.verdicts)
        return wanted if self.pass_rate is None else f"{wanted} with pass rate {self.pass_rate:g}"


def told(result: Result) -> str:
    """A result in words: verdict, counts, and which tests failed, by number from 1."""
    failed = [(n, test) for n, test in enumerate(result.tests, 1) if test.verdict != Verdict.AC]
    words = f"{result.verdict}: {result.passed} of {result.total} test case(s) passed"
    for number, test in failed[:_SHOWN]:
        words += f"\n  test {number}: {test.verdict}, {test.passed} of {test.total} passed"
        words += f", {test.cpu_time_s:.3f} s CPU, {test.memory_mb:.0f} MiB"
    if len(failed) > _SHOWN:
        words += f"\n  and {len(failed) - _SHOWN} more test(s)"
    if result.compile_output:
        words += "\n" + "\n".join(f"  {line}" for line in result.compile_output.splitlines())
    return words
