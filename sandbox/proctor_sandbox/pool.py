"""Warm sandboxes, started ahead of need and replaced in the background."""

import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NoReturn

from proctor_sandbox.errors import SandboxError, SandboxUnavailable
from proctor_sandbox.seam import Backend, Sandbox

# After this many programs a sandbox is replaced, so that nothing can pile up in it for long: a
# start (about 1 s of CPU with Docker, the engine's share included) is then 0.1 ms a program.
DEFAULT_MAX_PROGRAMS = 10_000
# One ahead: a lost sandbox costs no waiting, two in a row cost one start.
DEFAULT_SPARES = 1

_FIRST_RETRY_S = 0.5
_LAST_RETRY_S = 30.0


@dataclass(frozen=True, slots=True)
class PoolStats:
    """Counts since the pool was made; `idle` and `leased` are of now."""

    started: dict[str, int]  # by image family
    start_failures: dict[str, int]  # by image family
    replaced: dict[str, int]  # by reason; "worn" for those that reached max_programs
    idle: int
    leased: int


@dataclass(slots=True)
class _Shelf:
    """The sandboxes of one image family."""

    idle: deque[Sandbox] = field(default_factory=deque)
    leased: int = 0
    waiting: int = 0
    # As many as were ever needed at once are kept; there is one caller at least.
    needed: int = 1
    failures: int = 0
    failures_in_a_row: int = 0
    error: SandboxError | None = None
    retry_at: float = 0.0

    def short(self, spares: int) -> bool:
        return len(self.idle) + self.leased < self.needed + spares


class Pool:
    """Hands out warm sandboxes, each to one caller at a time. Thread-safe."""

    def __init__(
        self,
        backend: Backend,
        images: Iterable[str] = (),
        *,
        max_programs: int = DEFAULT_MAX_PROGRAMS,
        spares: int = DEFAULT_SPARES,
    ) -> None:
        """Begin to start sandboxes of these image families; others start when first leased.

        `max_programs` 1 is a fresh sandbox for every program. `spares` are kept idle beside
        those leased.
        """
        if max_programs < 1 or spares < 0:
            raise ValueError("max_programs must be at least 1 and spares at least 0")
        self._backend = backend
        self._max_programs = max_programs
        self._spares = spares
        self._shelves = {image: _Shelf() for image in images}
        self._leased: dict[int, Sandbox] = {}
        self._started: Counter[str] = Counter()
        self._replaced: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._closed = False
        self._finished: queue.SimpleQueue[Sandbox | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._keep_started, name="pool-starter", daemon=True),
            threading.Thread(target=self._keep_closed, name="pool-closer", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def lease(self, image: str) -> Sandbox:
        """A sandbox of an image family, for this caller alone.

        Waits for a start where none is idle; raises SandboxUnavailable when that start fails,
        LanguageUnavailable for a family that the backend does not have.
        """
        with self._changed:
            shelf = self._shelves.setdefault(image, _Shelf())
            failures = shelf.failures
            shelf.waiting += 1
            try:
                while not shelf.idle:
                    if self._closed:
                        raise SandboxUnavailable("the pool is closed")
                    if shelf.failures > failures:
                        self._raise(shelf)
                    # Somebody waits: no holding back from the next attempt.
                    shelf.retry_at = 0.0
                    shelf.needed = max(shelf.needed, shelf.leased + shelf.waiting)
                    self._changed.notify_all()
                    self._changed.wait()
            finally:
                shelf.waiting -= 1
            # The last one given back: its memory is warm, and the spares stay fresh.
            sandbox = shelf.idle.pop()
            shelf.leased += 1
            shelf.needed = max(shelf.needed, shelf.leased)
            self._leased[id(sandbox)] = sandbox
            self._changed.notify_all()
            return sandbox

    def programs_left(self, sandbox: Sandbox) -> int:
        """How many more programs a sandbox may run before it is to be given back."""
        return max(0, self._max_programs - sandbox.programs_run)

    def give_back(self, sandbox: Sandbox) -> None:
        """Return a leased sandbox in good order; a worn one is replaced."""
        if self.programs_left(sandbox) == 0:
            self.discard(sandbox, "worn")
            return
        with self._changed:
            if not self._take_back(sandbox):
                return
            self._shelves[sandbox.info.image].idle.append(sandbox)
            self._changed.notify_all()

    def discard(self, sandbox: Sandbox, reason: str) -> None:
        """End a leased sandbox and have it replaced.

        `reason` is counted up to its first colon, so that details after it make no new metric.
        """
        with self._changed:
            if not self._take_back(sandbox):
                return
            self._replaced[reason.partition(":")[0]] += 1
            self._finished.put(sandbox)
            self._changed.notify_all()

    def stats(self) -> PoolStats:
        """Counts for metrics."""
        with self._changed:
            shelves = self._shelves
            return PoolStats(
                started=dict(self._started),
                start_failures={
                    image: shelf.failures for image, shelf in shelves.items() if shelf.failures
                },
                replaced=dict(self._replaced),
                idle=sum(len(shelf.idle) for shelf in shelves.values()),
                leased=len(self._leased),
            )

    def close(self) -> None:
        """End every sandbox, leased ones too; nobody may be running programs in them.

        May be called twice.
        """
        with self._changed:
            if not self._closed:
                self._closed = True
                for shelf in self._shelves.values():
                    while shelf.idle:
                        self._finished.put(shelf.idle.pop())
                for sandbox in self._leased.values():
                    self._finished.put(sandbox)
                self._leased.clear()
                self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _take_back(self, sandbox: Sandbox) -> bool:
        """Whether it was leased and the pool is open: else it has been ended already."""
        if self._leased.pop(id(sandbox), None) is None:
            return False
        self._shelves[sandbox.info.image].leased -= 1
        return True

    def _raise(self, shelf: _Shelf) -> NoReturn:
        error = shelf.error
        # Several callers may wait for the same start: each gets an exception of its own.
        raise type(error)(*error.args) if error is not None else SandboxUnavailable()

    def _keep_started(self) -> None:
        while (image := self._next_image()) is not None:
            sandbox = None
            error = None
            try:
                sandbox = self._backend.start(image)
            except SandboxError as raised:
                error = raised
            with self._changed:
                shelf = self._shelves[image]
                if sandbox is not None:
                    self._started[image] += 1
                    shelf.failures_in_a_row = 0
                    if self._closed:
                        self._finished.put(sandbox)
                    else:
                        shelf.idle.append(sandbox)
                else:
                    shelf.error = error
                    shelf.failures += 1
                    delay_s = _FIRST_RETRY_S * 2**shelf.failures_in_a_row
                    shelf.failures_in_a_row = min(shelf.failures_in_a_row + 1, 10)
                    shelf.retry_at = time.monotonic() + min(delay_s, _LAST_RETRY_S)
                self._changed.notify_all()
        self._finished.put(None)

    def _next_image(self) -> str | None:
        """The family to start a sandbox of; waits until there is one. None at the end."""
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                short = [item for item in self._shelves.items() if item[1].short(self._spares)]
                ready = [item for item in short if item[1].retry_at <= now]
                if ready:
                    # Those that somebody waits for come first.
                    return max(ready, key=lambda item: item[1].waiting - len(item[1].idle))[0]
                soonest = min((shelf.retry_at for _, shelf in short), default=None)
                self._changed.wait(None if soonest is None else soonest - now)
            return None

    def _keep_closed(self) -> None:
        while (sandbox := self._finished.get()) is not None:
            sandbox.close()
