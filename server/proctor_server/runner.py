"""The runner: takes up chunks, has their units verified, writes outcomes as they are known."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from proctor_server.outcome import Outcome
from proctor_server.queue import ChunkQueue, alone
from proctor_server.store.chunks import Answer, Chunks, Taken
from proctor_server.units import Unit

if TYPE_CHECKING:
    from redis.client import Pipeline

# Answers are written at most so often, or as soon as there are FLUSH_UNITS: in small chunks
# somebody may wait for one of them, in large ones each write costs the sandbox's time.
SMALL_FLUSH_S = 0.01
FLUSH_S = 0.05
FLUSH_UNITS = 32
_SMALL_UNITS = 8
# A cancelled batch's units are found out about so often.
_WANTED_S = 0.25


class Verifies(Protocol):
    """What units are given to. `proctor_server.verify.Verifier` is one."""

    def verify(self, units: Iterable[Unit]) -> Iterator[tuple[Unit, Outcome]]:
        """Outcomes as they are known; units are read lazily."""


class Interrupted(Exception):
    """Raised when a chunk was left before its end because the worker is to stop."""


class ChunkRunner:
    """Runs chunks for one worker, one after the other."""

    def __init__(self, chunks: Chunks, queue: ChunkQueue, verifier: Verifies) -> None:
        self._chunks = chunks
        self._queue = queue
        self._verifier = verifier
        self._taken: Taken | None = None
        self._again = False
        self._stopping = False
        self.units = 0
        # What is run now: a batch that waits for it and its language, both None between chunks.
        self.batch: str | None = None
        self.language: str | None = None

    def offer(self, taken: Taken, *, again: bool) -> None:
        """Hand over a chunk that was read together with its job.

        `again`: somebody took it up before and did not end it.
        """
        self._taken, self._again = taken, again

    def stop(self) -> None:
        """Let the running chunk end after the units that are under way.

        Safe in a signal handler.
        """
        self._stopping = True

    def run(self, chunk_id: str) -> None:
        """Run what of a chunk has no outcome yet.

        Raises Interrupted after `stop`, and whatever the verifier raises; what was answered
        by then is written.
        """
        taken, self._taken = self._taken, None
        if taken is None or taken.id != chunk_id:
            taken = self._chunks.take(chunk_id)
        if taken is None:
            return
        if self._again and len(taken.units) > 1:
            # Whichever unit it was that nobody survived, the others shall not share its fate.
            self._split(taken)
            return
        self._run(taken)

    def forget(self, chunk_id: str, seconds: float, pipe: "Pipeline") -> None:
        """Remove a chunk that was run for so long, together with its job."""
        self._chunks.forget(chunk_id, pipe)
        self._chunks.note_time(seconds, pipe)

    def _split(self, taken: Taken) -> None:
        parts = [alone(unit, taken.timeout_s) for unit in taken.units]
        self._chunks.replace(taken, parts, self._queue.commands_again(parts))

    def _run(self, taken: Taken) -> None:
        if not taken.units:
            return
        self.batch, self.language = taken.batch, taken.units[0].language
        try:
            self._run_units(taken)
        finally:
            self.batch = self.language = None

    def _run_units(self, taken: Taken) -> None:
        left = len(taken.units)
        feed = _Feed(taken.units, self._chunks, lambda: self._stopping)
        pause_s = SMALL_FLUSH_S if left <= _SMALL_UNITS else FLUSH_S
        with _Writer(self._chunks, taken.id, pause_s) as writer:
            for unit, outcome in self._verifier.verify(feed):
                left -= 1
                self.units += 1
                answer = Answer(unit, outcome, feed.started.pop(unit.key))
                if left:
                    writer.put(answer)
                else:
                    writer.put_last(answer)
        if feed.interrupted:
            raise Interrupted


class _Feed:
    """Hands units out as they are asked for, without those that nobody waits for any more."""

    def __init__(self, units: Sequence[Unit], chunks: Chunks, stopping: Callable[[], bool]) -> None:
        self._units = deque(units)
        self._chunks = chunks
        self._stopping = stopping
        self._looked = time.monotonic()
        self.started: dict[str, float] = {}
        self.interrupted = False

    def __iter__(self) -> Iterator[Unit]:
        while self._units:
            if self._stopping():
                self.interrupted = True
                return
            if time.monotonic() - self._looked > _WANTED_S:
                wanted = self._chunks.wanted(self._units)
                self._units = deque(unit for unit in self._units if unit.key in wanted)
                self._looked = time.monotonic()
                continue
            unit = self._units.popleft()
            self.started[unit.key] = time.time()
            yield unit


class _Writer:
    """Writes answers from a thread, so that none waits for the next unit to end."""

    def __init__(self, chunks: Chunks, chunk_id: str, pause_s: float) -> None:
        self._chunks = chunks
        self._chunk_id = chunk_id
        self._pause_s = pause_s
        self._answers: deque[Answer] = deque()
        self._changed = threading.Condition()
        self._ending = False
        self._error: Exception | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._thread is not None:
            with self._changed:
                self._ending = True
                self._changed.notify()
            self._thread.join()
        self._flush()
        if self._error is not None and kind is None:
            raise self._error

    def put(self, answer: Answer) -> None:
        """Have an answer written soon. Raises what writing an earlier one raised."""
        if self._error is not None:
            raise self._error
        with self._changed:
            self._answers.append(answer)
            if len(self._answers) in (1, FLUSH_UNITS):
                self._changed.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._write, name="writer", daemon=True)
            self._thread.start()

    def put_last(self, answer: Answer) -> None:
        """Write the last answer at once, before the verifier puts its sandbox away."""
        self._answers.append(answer)
        self._flush()

    def _write(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._answers or self._ending)
                if self._ending:
                    return
            try:
                self._flush()
            except Exception as error:  # the thread that runs the chunk has to hear of it
                self._error = error
                return
            with self._changed:
                self._changed.wait_for(
                    lambda: self._ending or len(self._answers) >= FLUSH_UNITS, self._pause_s
                )

    def _flush(self) -> None:
        answers = []
        while self._answers:
            answers.append(self._answers.popleft())
        self._chunks.complete(answers, self._chunk_id)
