"""Sandboxes alone: what programs cost with no queue, no API and no other process around them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from bench import workloads
from proctor_sandbox.limits import Limits
from proctor_sandbox.programs import End, Program, StdinCase, Work
from proctor_sandbox.seam import Backend, Sandbox

# Never the thing that is measured, whatever else runs on the machine.
_LIMITS = Limits.for_cpu(20.0)

# What a program asks its interpreter, so that the bare one can be of the same version.
_VERSION_SOURCE = "import sys\nprint(*sys.version_info[:3], sep='.')\n"


class WrongOutput(Exception):
    """Raised when a program printed something else than it should: nothing was measured."""


@dataclass(frozen=True, slots=True)
class Sandboxes:
    """One warm sandbox of each image family."""

    python: Sandbox
    native: Sandbox


@contextmanager
def warm_sandboxes(backend: Backend) -> Iterator[Sandboxes]:
    """Start a sandbox of each image family. Raises SandboxUnavailable."""
    python = backend.start("python")
    try:
        native = backend.start("native")
        try:
            yield Sandboxes(python, native)
        finally:
            native.close()
    finally:
        python.close()


def python_version(sandbox: Sandbox) -> str:
    """Version of the interpreter that runs Python programs, such as 3.11.2."""
    work = Work(Program("python", _VERSION_SOURCE), [StdinCase(b"")], _LIMITS)
    (report,) = sandbox.execute([work])
    return report.runs[0].stdout.decode().strip()


def python_programs(sandbox: Sandbox, programs: int, tests: int, mark: str) -> float:
    """Seconds for some trivial programs, one after the other, each with so many tests."""
    numbers = range(tests)
    cases = [StdinCase(f"{number}\n".encode()) for number in numbers]
    wanted = [f"{number + 1}\n".encode() for number in numbers]
    works = [
        Work(Program("python", source), cases, _LIMITS)
        for source in islice(workloads.trivial(mark), programs)
    ]
    return _seconds(sandbox, works, wanted)


def cpp_programs(sandbox: Sandbox, programs: int, mark: str) -> float:
    """Seconds for some C++ programs, one after the other, each compiled and run on its tests."""
    tests = workloads.cpp_tests()
    cases = [StdinCase(text.encode()) for text, _ in tests]
    works = [
        Work(Program("cpp", source), cases, _LIMITS)
        for source in islice(workloads.cpp(mark), programs)
    ]
    return _seconds(sandbox, works, [output.encode() for _, output in tests])


def _seconds(sandbox: Sandbox, works: list[Work], wanted: list[bytes]) -> float:
    began = time.perf_counter()
    reports = list(sandbox.execute(works))
    seconds = time.perf_counter() - began
    for report in reports:
        for run in report.runs:
            if run.end is not End.EXITED or run.exit_code != 0:
                raise WrongOutput(f"a program ended so: {run.end}, {run.stderr[-500:]!r}")
        if [run.stdout for run in report.runs] != wanted:
            raise WrongOutput(
                f"a {report.work.program.language} program printed what it should not"
            )
    return seconds
