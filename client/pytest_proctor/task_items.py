"""Task files as pytest collects them: every candidate program is a test."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proctor import ProctorError
from proctor.harness import task_file
from pytest_proctor.grader import grader


class TaskFile(pytest.File):
    """A `*.proctor.yaml` file."""

    def collect(self) -> Iterator["CandidateTest"]:
        """A test for each candidate. Raises CollectError for a file with a fault."""
        try:
            candidates = task_file.read(self.path)
        except task_file.BadTaskFile as error:
            raise self.CollectError(str(error)) from error
        for candidate in candidates:
            yield CandidateTest.from_parent(self, name=candidate.name, candidate=candidate)


class CandidateTest(pytest.Item):
    """Whether a candidate earns what the file says."""

    def __init__(self, *, candidate: task_file.Candidate, **given: Any) -> None:
        super().__init__(**given)
        self._candidate = candidate

    def runtest(self) -> None:
        """Judge it. Raises AssertionError, or ProctorError where it could not be judged."""
        grader(self.config).judge(self._candidate.item, self._candidate.expectation)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The message alone: nobody wants to read the plug-in's source."""
        if isinstance(excinfo.value, AssertionError):
            return str(excinfo.value)
        if isinstance(excinfo.value, ProctorError):
            return f"not the program's fault, Proctor failed: {excinfo.value}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where it stands."""
        return self.path, self._candidate.line - 1, f"candidate {self.name}"
