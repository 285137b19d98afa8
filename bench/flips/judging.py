"""All submissions through real sandboxes, by several workers at once, on a busy machine or not."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bench.flips.programs import Submission
from proctor_sandbox.pool import Pool
from proctor_sandbox.programs import Report, Work
from proctor_sandbox.seam import Backend, Sandbox, SandboxInfo
from proctor_server.grading.verdicts import end_verdict
from proctor_server.limit_rules import LimitRules
from proctor_server.progress import Progress
from proctor_server.units import Unit, problem_version
from proctor_server.verify import Verifier


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one submission.

    `verdict` is what the product says; `first` is what its first run alone, without the policy
    of running close calls again, would have said.
    """

    verdict: str
    first: str


class WorkerFailed(Exception):
    """Raised when a submission has no verdict of its own: ours is the fault, and IE counts too."""


def judged(
    submissions: Sequence[Submission], backend: Callable[[int], Backend], workers: int
) -> list[Judged]:
    """Judge all submissions; `backend` makes one for a core.

    Each worker has warm sandboxes on one core, as those of `proctor up` have. Raises
    WorkerFailed, and SandboxUnavailable where none can be started.
    """
    problems = {problem_version(one.problem): one.problem for one in submissions}
    versions = {one.problem.id: version for version, one in _by_version(submissions)}
    units = [
        Unit.of("python", one.source, versions[one.problem.id], fresh=True) for one in submissions
    ]
    feed = _Shared(units)
    cores = sorted(os.sched_getaffinity(0))

    def work(number: int) -> dict[str, Judged]:
        made = backend(cores[number % len(cores)])
        pool = _FirstRuns(Pool(made, ["python"], spares=0))
        verifier = Verifier(pool, problems.__getitem__, made.languages(), LimitRules())
        try:
            found = {}
            for unit, outcome in verifier.verify(feed):
                if outcome.reason is not None:
                    raise WorkerFailed(outcome.reason)
                verdict = outcome.verdict.value
                found[unit.key] = Judged(verdict, pool.changed.get(unit.key, verdict))
            return found
        finally:
            pool.close()

    with ThreadPoolExecutor(workers) as threads:
        found: dict[str, Judged] = {}
        for part in threads.map(work, range(workers)):
            found |= part
    return [found[unit.key] for unit in units]


def _by_version(submissions: Iterable[Submission]) -> Iterator[tuple[str, Submission]]:
    seen = set()
    for one in submissions:
        if one.problem.id not in seen:
            seen.add(one.problem.id)
            yield problem_version(one.problem), one


class _Shared:
    """Units that several workers take from, one at a time each."""

    def __init__(self, units: Iterable[Unit]) -> None:
        self._units = iter(units)
        self._lock = threading.Lock()

    def __iter__(self) -> "_Shared":
        return self

    def __next__(self) -> Unit:
        with self._lock:
            return next(self._units)


class _FirstRuns:
    """A pool that looks on: what would have been said of programs that were run again.

    Only TLE is ever run again, and only of one-test programs is it looked at.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._leased: dict[int, Sandbox] = {}
        self.changed: dict[str, str] = {}

    def lease(self, image: str) -> Sandbox:
        sandbox = _Watched(self._pool.lease(image), self.changed)
        self._leased[id(sandbox)] = sandbox.inner
        return sandbox

    def programs_left(self, sandbox: Sandbox) -> int:
        return self._pool.programs_left(self._leased[id(sandbox)])

    def give_back(self, sandbox: Sandbox) -> None:
        self._pool.give_back(self._leased.pop(id(sandbox)))

    def discard(self, sandbox: Sandbox, reason: str) -> None:
        self._pool.discard(self._leased.pop(id(sandbox)), reason)

    def close(self) -> None:
        self._pool.close()


class _Watched:
    """A sandbox; what ends a program's first run is noted where that alone decides."""

    def __init__(self, inner: Sandbox, changed: dict[str, str]) -> None:
        self.inner = inner
        self._changed = changed

    @property
    def info(self) -> SandboxInfo:
        return self.inner.info

    @property
    def programs_run(self) -> int:
        return self.inner.programs_run

    def execute(self, works: Iterable[Work]) -> Iterator[Report]:
        for report in self.inner.execute(works):
            progress = report.work.tag
            assert isinstance(progress, Progress)
            verdict = end_verdict(report.runs[0], report.work.limits)
            if verdict is not None and len(report.work.cases) == 1:
                self._changed.setdefault(progress.unit.key, verdict.value)
            yield report

    def close(self) -> None:
        self.inner.close()
