"""Checks: a problem made ready to grade by: cases for a sandbox, and what is expected of each.

Only `case` ever goes to a sandbox; what is expected stays here until a run has come back.
"""

import json
import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

from pydantic import JsonValue

from proctor.content import to_bytes
from proctor.types import (
    AssertionTest,
    CallTest,
    Comparer,
    Problem,
    PublicRun,
    StdinTest,
    TestCase,
    TestResult,
    Verdict,
)
from proctor_sandbox.agent import asserts
from proctor_sandbox.limits import MIB, Limits
from proctor_sandbox.programs import CallCase, Case, ExamineCase, Run, StdinCase
from proctor_server.grading.verdicts import (
    assertions_verdict,
    call_verdict,
    end_verdict,
    stdin_verdict,
)
from proctor_server.limit_rules import LimitRules

# Of a public test's output; whoever looks at it wants no more.
SHOWN_BYTES = 64 * 1024


@dataclass(frozen=True)
class Check(ABC):
    """One test: the case that runs it, and how its run is graded.

    `public` is what a public test shows of itself: its input, and what it expects.
    """

    case: Case
    total: int
    weight: float
    public: tuple[str, str] | None

    @abstractmethod
    def verdict(self, run: Run, comparer: Comparer) -> Verdict:
        """The verdict of a run that no limit ended."""

    @property
    @abstractmethod
    def size_bytes(self) -> int:
        """About how much memory the test's data takes."""

    def grade(self, run: Run, limits: Limits, comparer: Comparer) -> TestResult:
        """What a run of this test is worth. `passed` equals `total` if and only if it is AC."""
        verdict = end_verdict(run, limits) or self.verdict(run, comparer)
        if verdict is Verdict.AC:
            passed = self.total
        elif run.assertions is not None:
            # A program that held every assert and was still not accepted (too slow) misses one.
            passed = max(0, min(run.assertions.passed, self.total - 1))
        else:
            passed = 0
        return TestResult(
            verdict=verdict,
            passed=passed,
            total=self.total,
            weight=self.weight,
            cpu_time_s=round(run.cpu_time_s, 6),
            wall_time_s=round(run.wall_time_s, 6),
            memory_mb=round(run.memory_bytes / MIB, 3),
            exit_code=run.exit_code,
            signal=run.signal,
            public=self._public_run(run),
        )

    def _public_run(self, run: Run) -> PublicRun | None:
        if self.public is None:
            return None
        shown, expected = self.public
        stdout = run.stdout[:SHOWN_BYTES].decode(errors="replace")
        stderr = run.stderr[:SHOWN_BYTES].decode(errors="replace")
        return PublicRun(input=shown, expected=expected, stdout=stdout, stderr=stderr)


@dataclass(frozen=True)
class StdinCheck(Check):
    """The program's output must be the expected one, as the problem's comparer sees it."""

    case: StdinCase
    expected: bytes

    @classmethod
    def of(cls, test: StdinTest) -> "StdinCheck":
        """The check of a stdin test."""
        public = (test.input, test.output) if test.public else None
        files = {path: to_bytes(content) for path, content in test.files.items()}
        case = StdinCase(test.input.encode(), tuple(test.args), files)
        return cls(case, 1, test.weight, public, test.output.encode())

    def verdict(self, run: Run, comparer: Comparer) -> Verdict:
        """By exit status, then by output."""
        return stdin_verdict(run, self.expected, comparer)

    @property
    def size_bytes(self) -> int:
        """Input, files and expected output."""
        files = sum(len(data) for data in self.case.files.values())
        return len(self.case.stdin) + files + len(self.expected)


@dataclass(frozen=True)
class CallCheck(Check):
    """What the function returns must be the expected value."""

    case: CallCase
    expected: JsonValue

    @classmethod
    def of(cls, test: CallTest) -> "CallCheck":
        """The check of a call test."""
        public = None
        if test.public:
            call = json.dumps({"args": test.args, "kwargs": test.kwargs}, ensure_ascii=False)
            public = f"{test.function} {call}", json.dumps(test.expected, ensure_ascii=False)
        case = CallCase(test.function, test.args, dict(test.kwargs))
        return cls(case, 1, test.weight, public, test.expected)

    def verdict(self, run: Run, comparer: Comparer) -> Verdict:
        """By what came back of the call."""
        return call_verdict(run.answer, self.expected, comparer)

    @property
    def size_bytes(self) -> int:
        """Arguments and expected value; a list of small ints takes 8 times the room of its text."""
        return 8 * len(json.dumps([self.case.args, self.case.kwargs, self.expected]))


@dataclass(frozen=True)
class AssertionCheck(Check):
    """The test code's asserts must hold."""

    case: ExamineCase

    @classmethod
    def of(cls, test: AssertionTest, entry_point: str | None) -> "AssertionCheck":
        """The check of test code. Raises SyntaxError or ValueError if it is no Python."""
        public = (test.code, "") if test.public else None
        case = ExamineCase(test.code, test.entry_point or entry_point)
        with warnings.catch_warnings():
            # Python would show the line of a bad escape, and test code belongs in no log.
            warnings.simplefilter("ignore")
            total = asserts.count(test.code)
        return cls(case, total, test.weight, public)

    def verdict(self, run: Run, comparer: Comparer) -> Verdict:
        """By how the asserts went; the test code itself compares."""
        return assertions_verdict(run.assertions, self.total)

    @property
    def size_bytes(self) -> int:
        """The test code."""
        return len(self.case.code)


@dataclass(frozen=True)
class Checklist:
    """All checks of one problem version, with its limits, its comparer and its files."""

    checks: list[Check]
    limits: Limits
    comparer: Comparer
    files: dict[str, bytes]

    @classmethod
    def of(cls, problem: Problem, rules: LimitRules) -> "Checklist":
        """Make a problem ready.

        Raises SyntaxError or ValueError for test code that is no Python, so that whoever takes
        problems in can refuse such a one.
        """
        checks = [_check(test, problem.entry_point) for test in problem.tests]
        files = {path: to_bytes(content) for path, content in problem.files.items()}
        return cls(checks, rules.resolve(problem.limits), problem.comparer, files)

    @cached_property
    def total(self) -> int:
        """How many test cases the problem has, whatever a program does."""
        return sum(check.total for check in self.checks)

    @cached_property
    def total_weight(self) -> float:
        """The weight of all tests, run or not."""
        return sum(check.weight for check in self.checks)

    @cached_property
    def size_bytes(self) -> int:
        """About how much memory this takes, at 1 KiB for the objects of a test."""
        files = sum(len(data) for data in self.files.values())
        return files + sum(1024 + check.size_bytes for check in self.checks)


def _check(test: TestCase, entry_point: str | None) -> Check:
    match test:
        case StdinTest():
            return StdinCheck.of(test)
        case CallTest():
            return CallCheck.of(test)
        case AssertionTest():
            return AssertionCheck.of(test, entry_point)
