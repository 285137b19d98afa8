"""Progress: one unit on its way through a sandbox, until every test is settled."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import accumulate

from proctor.content import to_bytes
from proctor.types import TestResult, Verdict
from proctor_sandbox.errors import SandboxLost
from proctor_sandbox.languages import RUNNABLE
from proctor_sandbox.programs import End, Program, Report, Run, Work
from proctor_server.grading.checklist import Checklist
from proctor_server.grading.project_checks import BadProblem, PytestCheck
from proctor_server.grading.verdicts import is_borderline, program_verdict
from proctor_server.outcome import Cause, Outcome
from proctor_server.units import Unit

# How often a TLE that is too close to call is run again; the best run counts.
MAX_RERUNS = 2
# Of a compiler's words; the first errors are the ones that matter.
COMPILE_OUTPUT_BYTES = 16 * 1024
# Test data of one work: a sandbox holds it all, on top of what the program may use.
WORK_BYTES = 64 * 1024 * 1024
# Of a judged run's output: less is not worth a copy of the run.
KEPT_BYTES = 64 * 1024
# What is in the sandbox while pytest files are collected.
_NO_PROGRAM = Program("python", "")


class Progress:
    """What is known of a unit so far, and what is to be run next.

    `losses` counts the sandboxes that were lost while this unit ran in them. What a problem's
    pytest files hold is found out first, where nobody has yet. With `refused` the program is not
    run at all, and these words are its compile error.
    """

    __slots__ = (
        "_asked",
        "_checklist",
        "_collecting",
        "_judged",
        "_program",
        "_reruns",
        "_results",
        "_spent_s",
        "losses",
        "refused",
        "unit",
    )

    def __init__(self, unit: Unit, checklist: Checklist) -> None:
        self.unit = unit
        self.losses = 0
        self.refused: str | None = None
        self._checklist = checklist
        self._collecting: dict[int, PytestCheck] = {}
        self._program = program_of(unit, checklist.files)
        # By test; a result that is missing, or that is to be run again, is asked for next.
        self._results: list[TestResult | None] = [None] * len(checklist.checks)
        self._reruns: dict[int, int] = {}
        self._asked: list[int] = list(range(len(checklist.checks)))
        # By place in the current work: the result of a run, and whether it is too close to call.
        self._judged: dict[int, tuple[TestResult, bool]] = {}
        self._spent_s = 0.0

    def next_work(self) -> Work:
        """The tests that are to be run now. The same again until a report is recorded."""
        checklist = self._checklist
        checks = checklist.checks
        self._judged = {}
        self._collecting = checklist.uncollected
        if self._collecting:
            return Work(
                program=_NO_PROGRAM,
                cases=[check.collection for check in self._collecting.values()],
                limits=checklist.limits,
                tag=self,
            )
        return Work(
            program=self._program,
            cases=[checks[number].case for number in self._next_asked()],
            limits=checklist.limits,
            until=self._failed if self.unit.stop_on_failure else None,
            condense=self._condensed,
            tag=self,
        )

    def _next_asked(self) -> list[int]:
        """As many of the tests asked for as may be in a sandbox at once; the first in any case."""
        if self._checklist.size_bytes <= WORK_BYTES:
            return self._asked
        held = accumulate(self._checklist.checks[number].size_bytes for number in self._asked)
        return self._asked[: max(1, sum(size <= WORK_BYTES for size in held))]

    def record(self, report: Report) -> Outcome | None:
        """Take in a report; the outcome if that settles the unit, None if more is to be run.

        Raises SandboxLost for a report that holds nothing.
        """
        if self._collecting:
            return self._collected(report)
        if not report.compiled:
            self._spent_s += report.runs[0].wall_time_s
            words = report.runs[0].stderr[:COMPILE_OUTPUT_BYTES].decode(errors="replace")
            return self.compile_error(words)
        if not report.runs:
            raise SandboxLost("the sandbox reported a program without a single run")
        again = []
        for place, run in enumerate(report.runs):
            self._spent_s += run.wall_time_s
            number = self._asked[place]
            if self._settle(number, *self._judged[place]):
                again.append(number)
        if self.unit.stop_on_failure:
            self._asked = self._asked_until_failure(again)
        else:
            self._asked = again + self._asked[len(report.runs) :]
        return None if self._asked else self._outcome()

    def _collected(self, report: Report) -> Outcome | None:
        try:
            asked = zip(self._collecting.items(), report.runs, strict=True)
            for (number, check), run in asked:
                self._checklist.collected(number, check.collected(run))
        except BadProblem as fault:
            return Outcome.internal_error(str(fault), Cause.PROBLEM_FAULTY)
        return None if self.refused is None else self.compile_error(self.refused)

    def compile_error(self, words: str) -> Outcome:
        """The outcome of a program that does not compile, with the compiler's words."""
        return self._graded(Verdict.CE, [], compile_output=words)

    def lost(self, reason: str) -> Outcome:
        """The outcome of a unit that its sandboxes did not survive."""
        return self._graded(Verdict.IE, [], reason=reason, cause=Cause.SANDBOX_LOST)

    def _condensed(self, place: int, run: Run) -> Run:
        """Judge a run as it arrives; what is left of it is without its output."""
        checklist = self._checklist
        check = checklist.checks[self._asked[place]]
        result = check.grade(run, checklist.limits, checklist.comparer)
        close = result.verdict is Verdict.TLE and is_borderline(run, checklist.limits)
        self._judged[place] = result, close
        if run.end is End.COMPILE_ERROR or len(run.stdout) + len(run.stderr) < KEPT_BYTES:
            return run
        return replace(run, stdout=b"", stderr=b"")

    def _settle(self, number: int, result: TestResult, close: bool) -> bool:
        """Keep the better of a test's results; True if it is to be run again."""
        known = self._results[number]
        if known is None or _better(result, known):
            self._results[number] = result
        if not close:
            return False
        reruns = self._reruns.get(number, 0)
        self._reruns[number] = reruns + 1
        return reruns < MAX_RERUNS

    def _failed(self, place: int, _run: Run) -> bool:
        """Whether the current work's run failed its test: the sandbox stops after it."""
        return self._judged[place][0].verdict is not Verdict.AC

    def _asked_until_failure(self, again: list[int]) -> list[int]:
        """The first test that may still pass and those after it; none if one is lost for good."""
        for number, result in enumerate(self._results):
            if result is None or number in again:
                return list(range(number, len(self._results)))
            if result.verdict is not Verdict.AC:
                return []
        return []

    def _outcome(self) -> Outcome:
        results = [result for result in self._results if result is not None]
        return self._graded(program_verdict(result.verdict for result in results), results)

    def _graded(
        self,
        verdict: Verdict,
        results: list[TestResult],
        *,
        compile_output: str | None = None,
        reason: str | None = None,
        cause: Cause | None = None,
    ) -> Outcome:
        return Outcome(
            verdict=verdict,
            passed=sum(result.passed for result in results),
            total=self._checklist.total,
            total_weight=self._checklist.total_weight,
            tests=results,
            isolation=self._checklist.isolation,
            compile_output=compile_output,
            reason=reason,
            cause=cause,
            run_time_s=round(self._spent_s, 6),
        )


def program_of(unit: Unit, files: Mapping[str, bytes]) -> Program:
    """A unit's program, with files of its problem that go before those of its own."""
    own = {path: to_bytes(content) for path, content in unit.files.items() if path not in files}
    source = unit.source
    # A project may bring the file that the source lies in among its others.
    main = unit.files.get(RUNNABLE[unit.language].file) if not source else None
    if isinstance(main, str):
        source = main
    return Program(unit.language, source, {**files, **own})


def _better(result: TestResult, known: TestResult) -> bool:
    """Whether a second run of a test counts instead of the first: the least CPU time does.

    A run that the wall limit cut off has measured less than it would have taken, so any run
    that came to its end in time is better.
    """
    if (result.verdict is Verdict.TLE) != (known.verdict is Verdict.TLE):
        return known.verdict is Verdict.TLE
    return result.cpu_time_s < known.cpu_time_s
