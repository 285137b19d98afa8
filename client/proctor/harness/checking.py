"""Checking a problem set: what is right passes, again and again, and what is nothing does not."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pydantic

from proctor._client import Client
from proctor.harness.judging import judge
from proctor.harness.probes import Probe, probes
from proctor.harness.repetition import repeated_problems, repeated_tests
from proctor.harness.report import Unscored
from proctor.types import Item, LimitsSpec, Problem, PytestTest, Reference, Result, Verdict

# Verdicts go by CPU time, and machines differ by a factor of two.
NEAR_CPU = 0.5
NEAR_MEMORY = 0.8
# What is guessed right in more than half of the tests is mostly luck.
WEAK_GUESS = 0.5
# Room for a slower machine and for honest programs slower than the reference.
LIMIT_FACTOR = 5
LEAST_LIMIT_S = 1.0
# The cause of an IE that is the problem's own.
PROBLEM_FAULTY = "problem faulty"
# What a test of pytest's does that can't be done to a program in another process.
_OURS = "NotAcross"


class CheckedProblem(pydantic.BaseModel):
    """What was found of one problem. Tests are named by number, from 1, and never shown."""

    id: str
    reference: dict[Verdict, int] = pydantic.Field(description="Verdicts of its runs; empty: none.")
    free_pass_rate: float = pydantic.Field(description="The most that a probe earned.")
    cpu_time_s: float | None = pydantic.Field(description="Of the reference's slowest test.")
    memory_mb: float | None = pydantic.Field(description="The most that a test of it took.")
    cpu_limit_s: float | None = pydantic.Field(description="In force; null if not known.")
    recommended_cpu_limit_s: float | None
    faults: list[str] = []
    warnings: list[str] = []


class CheckReport(pydantic.BaseModel):
    """What was found of a set."""

    problem_set: str
    programs: int
    problems: list[CheckedProblem]
    unscored: list[Unscored]

    @property
    def sound(self) -> bool:
        """Whether no problem has a fault."""
        return not any(problem.faults for problem in self.problems)


@dataclass(frozen=True, slots=True)
class _Trial:
    """A program that is run: the reference, or a probe."""

    problem: int
    item: Item
    probe: Probe | None


class Check:
    """The check of a set. Problems go with the programs: nothing is stored on the server.

    Args:
        name: of the set.
        problems: of it.
        repeats: how often each reference is run.
    """

    def __init__(self, name: str, problems: Sequence[Problem], repeats: int) -> None:
        self._name = name
        self._problems = problems
        self._trials = list(_trials(problems, repeats))

    @property
    def programs(self) -> int:
        """How many programs are run."""
        return len(self._trials)

    def run(
        self, client: Client, on_result: Callable[[Result], object] = lambda _: None
    ) -> CheckReport:
        """Judge every program and say what was found. Raises ProctorError."""
        defaults = client.info().default_limits
        by_problem: defaultdict[int, list[tuple[Probe | None, Result]]] = defaultdict(list)
        unscored = []
        uncollected: dict[int, str] = {}
        items = [trial.item for trial in self._trials]
        for place, result in judge(client, items, fresh=True):
            trial = self._trials[place]
            on_result(result)
            if result.cause == PROBLEM_FAULTY:
                uncollected[trial.problem] = result.reason or ""
            elif result.reward is None:
                unscored.append(Unscored.of(result, place + 1))
            else:
                by_problem[trial.problem].append((trial.probe, result))
        alike = repeated_problems(self._problems)
        checked = [
            _checked(problem, by_problem[place], defaults, alike.get(place, []))
            for place, problem in enumerate(self._problems)
        ]
        for place, reason in uncollected.items():
            checked[place].faults.insert(0, reason)
        return CheckReport(
            problem_set=self._name,
            programs=self.programs,
            problems=_without_equal_ids(checked),
            unscored=unscored,
        )


# -- helpers ----------------------------------------------------------------------------------


def _trials(problems: Sequence[Problem], repeats: int) -> Iterator[_Trial]:
    for place, problem in enumerate(problems):
        if (reference := problem.reference) is not None:
            for _ in range(repeats):
                yield _Trial(place, _item(problem, reference), None)
        for probe in probes(problem):
            solution = Reference(language="python", source=probe.source, files=probe.files)
            yield _Trial(place, _item(problem, solution), probe)


def _item(problem: Problem, program: Reference) -> Item:
    # The reference and the statement decide nothing, and would be sent with every program. What
    # became of each of pytest's tests is told of public ones only.
    tests = [
        test.model_copy(update={"public": True}) if isinstance(test, PytestTest) else test
        for test in problem.tests
    ]
    bare = problem.model_copy(update={"reference": None, "statement": "", "tests": tests})
    return Item(problem=bare, language=program.language, source=program.source, files=program.files)


def _checked(
    problem: Problem,
    results: list[tuple[Probe | None, Result]],
    defaults: LimitsSpec | None,
    alike: list[str],
) -> CheckedProblem:
    runs = [result for probe, result in results if probe is None]
    probed = [(probe, result) for probe, result in results if probe is not None]
    repeats = repeated_tests(problem)
    faults, warnings = [*repeats.contradictions], [*repeats.duplicates]
    verdicts = Counter(result.verdict for result in runs if result.verdict is not None)
    right = verdicts.keys() == {Verdict.AC}
    if problem.reference is None:
        warnings.append("has no reference: nothing shows that it can be solved")
    elif len(verdicts) > 1:
        faults.append(f"is flaky: its reference is {_mix(verdicts)} in {len(runs)} runs")
    elif runs and not right:
        faults.append(f"its reference is {_mix(verdicts)}{_failed(runs[0])}")
    wrong, weak = _rewarded(probed)
    faults += wrong
    warnings += weak
    if alike:
        warnings.append(f"has the same tests as {', '.join(alike)}")
    cpu_limit_s, memory_limit_mb = _limits(problem, defaults)
    tests = [test for result in runs for test in result.tests] if right else []
    cpu_time_s = max((test.cpu_time_s for test in tests), default=None)
    memory_mb = max((test.memory_mb for test in tests), default=None)
    if right:
        warnings += _near("CPU time", "s", [_cpu_times(r) for r in runs], cpu_limit_s, NEAR_CPU)
        warnings += _near("memory", "MiB", [_memory(r) for r in runs], memory_limit_mb, NEAR_MEMORY)
    return CheckedProblem(
        id=problem.id,
        reference=dict(verdicts),
        free_pass_rate=max((result.pass_rate or 0.0 for _, result in probed), default=0.0),
        cpu_time_s=cpu_time_s,
        memory_mb=memory_mb,
        cpu_limit_s=cpu_limit_s,
        recommended_cpu_limit_s=None if cpu_time_s is None else recommended_limit_s(cpu_time_s),
        faults=faults,
        warnings=warnings,
    )


def _rewarded(probed: list[tuple[Probe, Result]]) -> tuple[list[str], list[str]]:
    """Probes that earn what they must not, and the luckiest guess where it is too lucky."""
    wrong, guessed = [], []
    for probe, result in probed:
        told = f"the program {probe.name!r} passes {result.passed} of {result.total} test case(s)"
        rate = result.pass_rate or 0.0
        if result.verdict is Verdict.AC or (rate and not probe.guesses):
            wrong.append(told)
        elif rate > WEAK_GUESS:
            guessed.append((rate, told))
    return wrong, [max(guessed)[1]] if guessed and not wrong else []


def recommended_limit_s(cpu_time_s: float) -> float:
    """A CPU limit for a problem whose reference takes so long, in seconds, in halves of one."""
    return max(LEAST_LIMIT_S, math.ceil(2 * LIMIT_FACTOR * cpu_time_s) / 2)


def _cpu_times(result: Result) -> list[float]:
    return [test.cpu_time_s for test in result.tests]


def _memory(result: Result) -> list[float]:
    return [test.memory_mb for test in result.tests]


def _near(
    what: str, unit: str, runs: list[list[float]], limit: float | None, share: float
) -> Iterator[str]:
    """The tests that come near a limit in any of the reference's runs."""
    if limit is None:
        return
    most = [max(values) for values in zip(*runs, strict=True)]
    near = [number for number, value in enumerate(most, 1) if value > share * limit]
    if near:
        tests = ", ".join(map(str, near[:5])) + (" ..." if len(near) > 5 else "")
        yield (
            f"its reference takes up to {max(most):.3g} {unit} of {what}, the limit is {limit:g}: "
            f"near it in test {tests}"
        )


def _limits(problem: Problem, defaults: LimitsSpec | None) -> tuple[float | None, float | None]:
    """The CPU limit (s) and the memory limit (MiB) in force, where they are known."""
    given, default = problem.limits, defaults or LimitsSpec()
    return given.cpu_time_s or default.cpu_time_s, given.memory_mb or default.memory_mb


def _mix(verdicts: Counter[Verdict]) -> str:
    return ", ".join(f"{verdict} {count}" for verdict, count in sorted(verdicts.items()))


def _failed(result: Result) -> str:
    failed = [n for n, test in enumerate(result.tests, 1) if test.verdict is not Verdict.AC]
    told = f", in test {', '.join(map(str, failed[:5]))}" if failed else ""
    cases = [case for test in result.tests for case in test.cases if not case.passed]
    return told + "".join(f"; {case.name}: {_kind(case.reason or '')}" for case in cases[:5])


def _kind(reason: str) -> str:
    """What kind of failure it was; the rest of its words may be the test's."""
    return reason if reason.startswith(_OURS) else reason.partition(":")[0]


def _without_equal_ids(problems: list[CheckedProblem]) -> list[CheckedProblem]:
    """The problems, where one id stands for several with that fault."""
    counts = Counter(problem.id for problem in problems)
    for problem in problems:
        if counts[problem.id] > 1:
            problem.faults.append(
                f"{counts[problem.id]} problems have this id; the last one counts"
            )
    return problems
