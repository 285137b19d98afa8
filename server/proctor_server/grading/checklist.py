"""Checklists: all that one problem version is graded by."""

from dataclasses import dataclass
from functools import cached_property

from proctor.content import to_bytes
from proctor.types import (
    AssertionTest,
    CallTest,
    Comparer,
    Isolation,
    Problem,
    PytestTest,
    StdinTest,
    TestCase,
)
from proctor_sandbox.limits import Limits
from proctor_server.grading.checks import AssertionCheck, CallCheck, Check, StdinCheck
from proctor_server.grading.project_checks import PytestCheck
from proctor_server.limit_rules import LimitRules


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

    @property
    def uncollected(self) -> dict[int, PytestCheck]:
        """The pytest checks whose tests are not known yet, by their places."""
        return {
            place: check
            for place, check in enumerate(self.checks)
            if isinstance(check, PytestCheck) and not check.names
        }

    def collected(self, place: int, check: PytestCheck) -> None:
        """Put a check in its place that knows its tests."""
        self.checks[place] = check

    @property
    def takes_projects(self) -> bool:
        """Whether a program may be files alone, without a source to run."""
        return all(isinstance(check, PytestCheck) for check in self.checks)

    @property
    def isolation(self) -> Isolation:
        """That of the test whose result is to be trusted least."""
        return next((check.isolation for check in self.checks if check.isolation), None)

    @property
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
        case PytestTest():
            return PytestCheck.of(test)
