"""Checks of projects: pytest files, whose tests are known once a sandbox has collected them."""

import builtins
from dataclasses import dataclass, replace

from proctor.content import to_bytes
from proctor.types import Comparer, Isolation, PytestCase, PytestTest, Verdict
from proctor_sandbox.programs import End, Run, Way
from proctor_sandbox.programs import PytestCase as ProjectCase
from proctor_server.grading.checks import Check
from proctor_server.grading.verdicts import tested_verdict

# As of all other kinds together: PROCTOR_MAX_TESTS.
MOST_PYTESTS = 2000
# Why tests can't be collected, beside Python's own exceptions: the tester's, and pytest's.
_KINDS = {
    "NeedsProgram", "NotAcross", "Exit", "CollectError", "stopped",
    "INTERRUPTED", "INTERNAL_ERROR", "USAGE_ERROR", "NO_TESTS_COLLECTED",
}  # fmt: skip


class BadProblem(Exception):
    """Raised when a problem's tests are at fault, so that no program can be judged by them."""


@dataclass(frozen=True)
class PytestCheck(Check):
    """The tests in pytest files must pass.

    Which there are is known once they were collected in a sandbox, without a program; until then
    `names` is empty and `total` 0.
    """

    case: ProjectCase
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, test: PytestTest) -> "PytestCheck":
        """The check of pytest files, which are not collected yet."""
        files = {path: to_bytes(content) for path, content in test.files.items()}
        shown = "\n".join(
            f"# {path}\n{data.decode(errors='replace')}" for path, data in files.items()
        )
        way = Way.SHARE if test.isolation == "in_process" else Way.EXAMINE
        case = ProjectCase(files, way, tuple(test.modules))
        return cls(case, 0, test.weight, (shown, "") if test.public else None)

    @property
    def collection(self) -> ProjectCase:
        """The case that tells which tests there are."""
        shared = self.case.way is Way.SHARE
        return replace(self.case, way=Way.COLLECT_SHARED if shared else Way.COLLECT)

    def collected(self, run: Run) -> "PytestCheck":
        """The check with its tests, from a run of `collection`. Raises BadProblem."""
        tested = run.tested
        if run.end is not End.EXITED or tested is None:
            raise BadProblem(f"pytest's collection of its tests was ended: {run.end}")
        if tested.broken is not None:
            why = tested.broken if self.public else _kind(tested.broken)
            raise BadProblem(f"pytest can't collect its tests without a program: {why}")
        if len(set(tested.names)) > MOST_PYTESTS:
            raise BadProblem(f"its pytest files hold more than {MOST_PYTESTS} tests")
        return replace(self, names=tuple(tested.names), total=len(tested.names))

    def verdict(self, run: Run, comparer: Comparer) -> Verdict:
        """By what became of each test."""
        return tested_verdict(run.tested, self.names)

    @property
    def isolation(self) -> Isolation:
        """Whether the program could have told what it liked."""
        return "in_process" if self.case.way is Way.SHARE else None

    def held(self, run: Run) -> int | None:
        """The tests that passed."""
        return sum(case.passed for case in self.cases(run))

    def cases(self, run: Run) -> list[PytestCase]:
        """What became of each test."""
        outcomes = run.tested.outcomes if run.tested else {}
        found = [(name, outcomes.get(name, "it was not reached")) for name in self.names]
        return [PytestCase(name=name, passed=not why, reason=why or None) for name, why in found]

    @property
    def size_bytes(self) -> int:
        """The files."""
        return sum(len(data) for data in self.case.tests.values())


def _kind(why: str) -> str:
    """What kind of failure it was, without words or names of the tests'."""
    kind = why.partition(":")[0]
    return kind if kind in _KINDS or hasattr(builtins, kind) else "an exception of their own"
