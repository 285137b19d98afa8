"""The report of an evaluation: what its results say by problem and as a whole.

It is kept as JSON, and read again as the baseline of a later run. It holds no program, no output
and nothing of a hidden test.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import Literal

import pydantic

from proctor.harness import statistics
from proctor.types import ProblemInfo, Result, Verdict

# Rows of the table of the slowest programs.
SLOWEST = 5


class BadReport(ValueError):
    """Raised when a file is no report of an evaluation."""


class _Part(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


class Figure(_Part):
    """A mean over problems, with its 95 % interval."""

    value: float
    low: float
    high: float


class ProblemScore(_Part):
    """One problem's samples. Those without a verdict of their own are counted apart."""

    id: str
    version: str = pydantic.Field(description="Of the problem; another version is another problem.")
    samples: int
    scored: int
    accepted: int
    mean_pass_rate: float | None = pydantic.Field(description="Of the scored; null if none is.")
    best_passed: int = pydantic.Field(description="Test cases that the best sample passed.")
    total: int = pydantic.Field(description="Test cases of the problem; 0 if none was scored.")
    verdicts: dict[Verdict, int]
    cpu_time_s: float = pydantic.Field(description="All tests of all its samples together.")

    @property
    def pass_at_1(self) -> float | None:
        """Share of the scored samples that is accepted."""
        return self.accepted / self.scored if self.scored else None

    @property
    def solved(self) -> bool:
        """Whether a sample is accepted."""
        return self.accepted > 0


class SlowProgram(_Part):
    """A program by the CPU time of its slowest test."""

    problem_id: str
    sample: int = pydantic.Field(description="Which of the samples, from 1.")
    verdict: Verdict
    cpu_time_s: float


class Unscored(_Part):
    """A sample without a verdict of its own: the fault is Proctor's."""

    problem_id: str
    sample: int = pydantic.Field(description="Which of the samples, from 1.")
    reason: str

    @classmethod
    def of(cls, result: Result, sample: int) -> "Unscored":
        """Of a result without a reward."""
        return cls(problem_id=result.problem_id, sample=sample, reason=why_unscored(result))


class Gate(_Part):
    """A condition of the run, and whether it holds."""

    name: str
    passed: bool
    detail: str


class Report(_Part):
    """An evaluation. Means are over problems, each problem counting once."""

    proctor_report: Literal[1] = 1
    problem_set: str
    server: str = pydantic.Field(description="Version and sandbox of the server that judged.")
    began_at: datetime
    seconds: float
    samples: int
    judged: int = pydantic.Field(description="Asked of the server; the others were known.")
    missing: list[str] = pydantic.Field(description="Problems of the set without a sample.")
    pass_at_k: dict[int, Figure | None] = pydantic.Field(
        description="Null where a problem has fewer than k scored samples."
    )
    mean_pass_rate: Figure | None
    verdicts: dict[Verdict, int]
    unscored: list[Unscored]
    slowest: list[SlowProgram]
    problems: list[ProblemScore]
    gates: list[Gate] = []

    @property
    def passed(self) -> bool:
        """Whether every gate holds."""
        return all(gate.passed for gate in self.gates)


def read_report(path: Path) -> Report:
    """A report out of its JSON file.

    Raises:
        BadReport: it is none.
        OSError: it can't be read.
    """
    try:
        return Report.model_validate_json(path.read_bytes())
    except pydantic.ValidationError as error:
        raise BadReport(f"{path} is no JSON report of proctor eval") from error


def scores(results: Sequence[Result], problems: Mapping[str, ProblemInfo]) -> list[ProblemScore]:
    """By problem, in the order of `problems`; `results` are those of all samples."""
    by_problem: defaultdict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_problem[result.problem_id].append(result)
    return [
        _score(problem_id, problem.version, by_problem[problem_id])
        for problem_id, problem in problems.items()
        if problem_id in by_problem
    ]


def pass_at(problems: Sequence[ProblemScore], k: int) -> Figure | None:
    """pass@k over the problems that were scored; None where one has fewer than k samples."""
    scored = [each for each in problems if each.scored]
    if not scored or min(each.scored for each in scored) < k:
        return None
    return _figure([statistics.pass_at_k(each.scored, each.accepted, k) for each in scored])


def mean_pass_rate(problems: Sequence[ProblemScore]) -> Figure | None:
    """The mean share of tests passed, over the problems that were scored."""
    rates = [each.mean_pass_rate for each in problems if each.mean_pass_rate is not None]
    return _figure(rates) if rates else None


def verdict_mix(results: Sequence[Result]) -> dict[Verdict, int]:
    """How many of each verdict there are, AC first, IE last."""
    counts = Counter(result.verdict for result in results)
    return {verdict: counts[verdict] for verdict in Verdict if counts[verdict]}


def unscored(results: Sequence[Result]) -> list[Unscored]:
    """The samples whose fault is not their own, with what is known of the reason."""
    return [
        Unscored.of(result, place)
        for place, result in enumerate(results, 1)
        if result.reward is None
    ]


def why_unscored(result: Result) -> str:
    """What is known of why a result has no reward."""
    return result.reason or f"ended as {result.verdict or result.state}"


def slowest(results: Sequence[Result]) -> list[SlowProgram]:
    """The programs with the slowest tests, the slowest first."""
    found = [
        SlowProgram(
            problem_id=result.problem_id,
            sample=place,
            verdict=result.verdict,
            cpu_time_s=max(test.cpu_time_s for test in result.tests),
        )
        for place, result in enumerate(results, 1)
        if result.tests and result.verdict is not None and result.reward is not None
    ]
    return sorted(found, key=lambda each: -each.cpu_time_s)[:SLOWEST]


# -- helpers ----------------------------------------------------------------------------------


def _score(problem_id: str, version: str, results: Sequence[Result]) -> ProblemScore:
    scored = [result for result in results if result.reward is not None]
    rates = [result.pass_rate for result in scored if result.pass_rate is not None]
    return ProblemScore(
        id=problem_id,
        version=version,
        samples=len(results),
        scored=len(scored),
        accepted=sum(result.verdict is Verdict.AC for result in scored),
        mean_pass_rate=fmean(rates) if rates else None,
        best_passed=max((result.passed for result in scored), default=0),
        total=max((result.total for result in scored), default=0),
        verdicts=verdict_mix(results),
        cpu_time_s=sum(test.cpu_time_s for result in scored for test in result.tests),
    )


def _figure(values: Sequence[float]) -> Figure:
    span = statistics.interval(values)
    return Figure(value=fmean(values), low=span.low, high=span.high)
