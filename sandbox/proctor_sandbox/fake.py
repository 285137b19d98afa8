"""Sandboxes in memory, for tests of what stands on the seam: no process, no container.

A fake runs no source. Each source that a test uses is given a behaviour, and everything else
(order, laziness, `until`, loss, counting) is as the contract suite holds all backends to it.

    backend = FakeBackend({"print(input())": echoes(), "while True: pass": never_ends()})
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

from proctor_sandbox.errors import LanguageUnavailable, SandboxLost, SandboxUnavailable
from proctor_sandbox.languages import LANGUAGES
from proctor_sandbox.limits import CPU_SLACK, MIB, Limits
from proctor_sandbox.programs import (
    Answer,
    Assertions,
    CallCase,
    Case,
    End,
    ExamineCase,
    Report,
    Run,
    StdinCase,
    Work,
)
from proctor_sandbox.seam import Sandbox, SandboxInfo


class Behaviour(Protocol):
    """What a program does on one case. May raise SandboxLost."""

    def __call__(self, case: Case, limits: Limits, /) -> Run:
        """The evidence that the case leaves behind."""


def ends(
    end: End = End.EXITED,
    *,
    exit_code: int | None = 0,
    signal: int | None = None,
    stdout: bytes = b"",
    stderr: bytes = b"",
    cpu_time_s: float = 0.001,
) -> Behaviour:
    """The same evidence for every case."""
    run = _run(end, exit_code, signal, stdout, stderr, cpu_time_s)
    return lambda _case, _limits: run


def prints(stdout: bytes) -> Behaviour:
    """Print these bytes, whatever is read."""
    return ends(stdout=stdout)


def echoes(change: Callable[[bytes], bytes] = bytes) -> Behaviour:
    """Print what is read, or what a function of yours makes of it."""

    def behave(case: Case, _limits: Limits, /) -> Run:
        stdin = case.stdin if isinstance(case, StdinCase) else b""
        return _run(stdout=change(stdin))

    return behave


def never_ends() -> Behaviour:
    """Spin until the CPU limit stops it."""

    def behave(_case: Case, limits: Limits, /) -> Run:
        return _run(End.CPU_LIMIT, None, 9, cpu_time_s=limits.cpu_time_s * CPU_SLACK)

    return behave


def does_not_compile(words: bytes = b"SyntaxError: invalid syntax") -> Behaviour:
    """Be refused by the compiler, with these words."""
    return ends(End.COMPILE_ERROR, exit_code=1, stderr=words)


def returns(function: Callable[..., object]) -> Behaviour:
    """Answer calls with what a function of yours returns or raises."""

    def behave(case: Case, _limits: Limits, /) -> Run:
        if not isinstance(case, CallCase):
            return _run()
        try:
            answer = Answer(value=function(*case.args, **case.kwargs))
        except Exception as error:  # an answer like any other, as it is in the real agent
            answer = Answer(error=type(error).__name__)
        return _run(answer=answer)

    return behave


def asserts(total: int, failures: Mapping[int, str] | None = None) -> Behaviour:
    """Pass an examiner's assertions but for these; see `Assertions.failures`."""

    def behave(case: Case, _limits: Limits, /) -> Run:
        if not isinstance(case, ExamineCase):
            return _run()
        failed = dict(failures or {})
        return _run(assertions=Assertions(total, total - len(failed), failed))

    return behave


def loses_sandbox(times: int = 1) -> Behaviour:
    """Take the sandbox down this many times, then exit in peace."""
    left = times

    def behave(_case: Case, _limits: Limits, /) -> Run:
        nonlocal left
        if left > 0:
            left -= 1
            raise SandboxLost("the fake sandbox was told to get lost")
        return _run()

    return behave


class FakeBackend:
    """Starts fakes. `behaviours` maps a program's source to what it does.

    Any other source is an exit with status 0. `broken` makes `start` fail until it is
    cleared; `live` holds the sandboxes that were started and not closed.
    """

    name = "fake"

    def __init__(self, behaviours: Mapping[str, Behaviour] | None = None) -> None:
        self.behaviours = dict(behaviours or {})
        self.live: list[FakeSandbox] = []
        self.started = 0
        self.broken: str | None = None

    def languages(self) -> dict[str, str]:
        """The real ones."""
        return {name: language.image for name, language in LANGUAGES.items()}

    def versions(self) -> dict[str, str]:
        """There are no tools to ask."""
        return {}

    def start(self, image: str) -> Sandbox:
        """A new fake. Raises SandboxUnavailable while `broken` says why."""
        if self.broken is not None:
            raise SandboxUnavailable(self.broken)
        self.started += 1
        sandbox = FakeSandbox(self, image, f"fake-{self.started}")
        self.live.append(sandbox)
        return sandbox

    def reap(self) -> int:
        """Nothing outlives the process, so nothing is ever left."""
        return 0


class FakeSandbox:
    """A sandbox whose programs behave as its backend was told."""

    def __init__(self, backend: FakeBackend, image: str, name: str) -> None:
        self._backend = backend
        self._programs_run = 0
        self._lost = False
        self._abandoned = False
        self.info = SandboxInfo("fake", image, name, "none", "watch")

    @property
    def programs_run(self) -> int:
        return self._programs_run

    def execute(self, works: Iterable[Work]) -> Iterator[Report]:
        """See `Sandbox.execute`."""
        if self._abandoned:
            raise SandboxLost("an earlier run was not read to its end")
        self._abandoned = True
        for work in works:
            if self._lost:
                raise SandboxLost("the fake sandbox is lost or closed")
            language = LANGUAGES.get(work.program.language)
            if language is None or language.image != self.info.image:
                raise LanguageUnavailable(
                    f"{work.program.language} does not run in a {self.info.image} sandbox"
                )
            yield self._report(work)
            self._programs_run += 1
        self._abandoned = False

    def close(self) -> None:
        """May be called twice."""
        self._lost = True
        if self in self._backend.live:
            self._backend.live.remove(self)

    def _report(self, work: Work) -> Report:
        behave = self._backend.behaviours.get(work.program.source, ends())
        runs = []
        for index, case in enumerate(work.cases):
            try:
                run = behave(case, work.limits)
            except SandboxLost:
                self._lost = True
                raise
            runs.append(work.condense(index, run) if work.condense else run)
            if runs[-1].end is End.COMPILE_ERROR:
                break
            if work.until is not None and work.until(index, runs[-1]):
                break
        return Report(work, runs)


def _run(
    end: End = End.EXITED,
    exit_code: int | None = 0,
    signal: int | None = None,
    stdout: bytes = b"",
    stderr: bytes = b"",
    cpu_time_s: float = 0.001,
    answer: Answer | None = None,
    assertions: Assertions | None = None,
) -> Run:
    return Run(
        end=end,
        exit_code=exit_code,
        signal=signal,
        cpu_time_s=cpu_time_s,
        wall_time_s=cpu_time_s,
        memory_bytes=8 * MIB,
        stdout=stdout,
        stderr=stderr,
        answer=answer,
        assertions=assertions,
    )
