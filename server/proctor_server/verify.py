"""Verify: units in, graded outcomes out, through warm sandboxes that are kept busy.

What goes wrong with a sandbox is dealt with here: what it had not reported is run again in
another one, and nobody is charged but the program that was running.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

from proctor.types import Problem
from proctor_sandbox.errors import LanguageUnavailable, SandboxLost, SandboxUnavailable
from proctor_sandbox.programs import Report, Work
from proctor_sandbox.seam import Sandbox
from proctor_server import journal
from proctor_server.grading.checks import Checklist
from proctor_server.limit_rules import LimitRules
from proctor_server.outcome import Cause, Outcome
from proctor_server.progress import Progress
from proctor_server.raw_progress import RawProgress
from proctor_server.units import Unit

# A program that three sandboxes did not survive will not be survived by a fourth.
MAX_LOSSES = 3
# Test data of some ten large contest problems, or of thousands of small ones.
CACHE_BYTES = 64 * 1024 * 1024


class SandboxPool(Protocol):
    """Where sandboxes come from and go to. `proctor_sandbox.pool.Pool` is one."""

    def lease(self, image: str) -> Sandbox:
        """A sandbox of an image family, for this caller alone. Raises SandboxUnavailable."""

    def programs_left(self, sandbox: Sandbox) -> int:
        """How many more programs may be run in a leased sandbox before it is given back."""

    def give_back(self, sandbox: Sandbox) -> None:
        """Return a sandbox in good order."""

    def discard(self, sandbox: Sandbox, reason: str) -> None:
        """End a sandbox that can't be used any more."""


class Underway(Protocol):
    """A unit on its way through sandboxes; `losses` counts those that were lost meanwhile."""

    unit: Unit
    losses: int

    def next_work(self) -> Work:
        """What is to be run now. The same again until a report is recorded."""

    def record(self, report: Report) -> Outcome | None:
        """Take in a report; the outcome if that settles the unit. Raises SandboxLost."""

    def lost(self, reason: str) -> Outcome:
        """The outcome of a unit that its sandboxes did not survive."""


class Verifier:
    """Runs units against their problems and grades them.

    `problem` gives the problem of a version and raises KeyError if there is none; `images`
    maps a language to the image family that holds it.
    """

    def __init__(
        self,
        pool: SandboxPool,
        problem: Callable[[str], Problem],
        images: Mapping[str, str],
        limits: LimitRules,
    ) -> None:
        self._pool = pool
        self._problem = problem
        self._images = images
        self._limits = limits
        self._checklists: OrderedDict[str, Checklist] = OrderedDict()
        self._cached_bytes = 0

    def verify(self, units: Iterable[Unit]) -> Iterator[tuple[Unit, Outcome]]:
        """Outcomes as they are known, exactly one for each unit; `units` is read lazily.

        Raises SandboxUnavailable or LanguageUnavailable when nothing can be run here; outcomes
        yielded before stand. Closing the iterator ends the program that is running.
        """
        feed = _Feed(units, self._ready, self._images)
        while True:
            image = feed.next_image()
            while feed.settled:
                yield feed.settled.popleft()
            if image is None:
                return
            yield from self._serve(feed, image)

    def _serve(self, feed: "_Feed", image: str) -> Iterator[tuple[Unit, Outcome]]:
        """Run all that is there for an image family, in as many sandboxes as it takes."""
        idle_losses = 0
        while feed.has(image):
            sandbox = self._pool.lease(image)
            session = _Session(sandbox, feed, image, self._pool.programs_left(sandbox))
            in_order = False
            reason = "abandoned in use"
            try:
                yield from session.outcomes()
                in_order = True
            except SandboxLost as lost:
                reason = str(lost)
                if session.reported or session.in_flight:
                    idle_losses = 0
                else:
                    idle_losses += 1
                journal.sandbox_lost(reason, [one.unit.key for one in session.in_flight])
                yield from session.recover(reason)
                if idle_losses == MAX_LOSSES:
                    raise SandboxUnavailable(
                        f"{MAX_LOSSES} sandboxes in a row were lost before they took a program: "
                        f"{reason}"
                    ) from lost
            finally:
                if in_order:
                    self._pool.give_back(sandbox)
                else:
                    self._pool.discard(sandbox, reason)

    def _ready(self, unit: Unit) -> Underway | Outcome:
        """A unit made ready to run, or its outcome where there is nothing to run."""
        if unit.raw is not None:
            return RawProgress(unit, unit.raw, self._limits)
        try:
            checklist = self._checklist(unit.problem)
        except KeyError:
            reason = f"problem version {unit.problem} is not stored any more"
            return Outcome.internal_error(reason, Cause.PROBLEM_GONE)
        progress = Progress(unit, checklist)
        if not unit.source.strip():
            # Else it would be right wherever nothing is expected.
            return progress.compile_error("there is no program in this submission")
        return progress

    def _checklist(self, version: str) -> Checklist:
        checklist = self._checklists.get(version)
        if checklist is not None:
            self._checklists.move_to_end(version)
            return checklist
        checklist = Checklist.of(self._problem(version), self._limits)
        self._checklists[version] = checklist
        self._cached_bytes += checklist.size_bytes
        while self._cached_bytes > CACHE_BYTES and len(self._checklists) > 1:
            _, dropped = self._checklists.popitem(last=False)
            self._cached_bytes -= dropped.size_bytes
        return checklist


class _Feed:
    """Units by image family, read only as far as they are asked for."""

    def __init__(
        self,
        units: Iterable[Unit],
        ready: Callable[[Unit], Underway | Outcome],
        images: Mapping[str, str],
    ) -> None:
        self._units = iter(units)
        self._ready = ready
        self._images = images
        self._waiting: dict[str, deque[Underway]] = {}
        self.settled: deque[tuple[Unit, Outcome]] = deque()

    def take(self, image: str) -> Underway | None:
        """The next piece of work for an image family; None when there is no more."""
        waiting = self._waiting.setdefault(image, deque())
        while not waiting and self._read():
            pass
        return waiting.popleft() if waiting else None

    def has(self, image: str) -> bool:
        """Whether `take` would give something."""
        waiting = self._waiting.setdefault(image, deque())
        while not waiting and self._read():
            pass
        return bool(waiting)

    def next_image(self) -> str | None:
        """An image family that something waits for; None when all is done."""
        while True:
            for image, waiting in self._waiting.items():
                if waiting:
                    return image
            if not self._read():
                return None

    def put_first(self, progress: Underway) -> None:
        """Give back what must be run, or run again, before anything else."""
        image = self._images[progress.unit.language]
        self._waiting[image].appendleft(progress)

    def _read(self) -> bool:
        unit = next(self._units, None)
        if unit is None:
            return False
        ready = self._ready(unit)
        if isinstance(ready, Outcome):
            self.settled.append((unit, ready))
            return True
        image = self._images.get(unit.language)
        if image is None:
            raise LanguageUnavailable(f"no sandbox here has the language {unit.language!r}")
        self._waiting.setdefault(image, deque()).append(ready)
        return True


class _Session:
    """One lease of one sandbox: what it was handed and has not reported."""

    def __init__(self, sandbox: Sandbox, feed: _Feed, image: str, programs: int) -> None:
        self._sandbox = sandbox
        self._feed = feed
        self._image = image
        self._programs = programs
        self.in_flight: deque[Underway] = deque()
        self.reported = False

    def outcomes(self) -> Iterator[tuple[Unit, Outcome]]:
        """Run until there is no more work or the sandbox has run its number of programs.

        Raises SandboxLost.
        """
        feed = self._feed
        while self._programs > 0 and feed.has(self._image):
            for report in self._sandbox.execute(self._works()):
                progress = self.in_flight[0]
                if report.work.tag is not progress:
                    raise SandboxLost("the sandbox reported programs out of order")
                outcome = progress.record(report)
                self.in_flight.popleft()
                self.reported = True
                if outcome is None:
                    feed.put_first(progress)
                else:
                    yield progress.unit, outcome
                while feed.settled:
                    yield feed.settled.popleft()
            if self.in_flight:
                raise SandboxLost("the sandbox ended its reports before its programs")

    def recover(self, reason: str) -> Iterator[tuple[Unit, Outcome]]:
        """Put back what the lost sandbox owes; the program that was running is charged."""
        if not self.in_flight:
            return
        running = self.in_flight[0]
        running.losses += 1
        hopeless = running.losses == MAX_LOSSES
        if hopeless:
            self.in_flight.popleft()
        while self.in_flight:
            self._feed.put_first(self.in_flight.pop())
        if hopeless:
            yield (
                running.unit,
                running.lost(
                    f"{MAX_LOSSES} sandboxes were lost while this program ran in them; "
                    f"the last one: {reason}"
                ),
            )

    def _works(self) -> Iterator[Work]:
        while self._programs > 0:
            progress = self._feed.take(self._image)
            if progress is None:
                return
            self._programs -= 1
            self.in_flight.append(progress)
            yield progress.next_work()
