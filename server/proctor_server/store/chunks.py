"""Chunks: the units of one job, as workers take them up and answer them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import redis
from pydantic import TypeAdapter
from pydantic_core import from_json, to_json

from proctor.content import Files
from proctor_server import journal
from proctor_server.outcome import Cause, Outcome
from proctor_server.queue import Chunk
from proctor_server.store import keys
from proctor_server.store.connection import run_script
from proctor_server.store.scripts import COMPLETE, NOTE_CHUNK, RELEASE, TAKE
from proctor_server.store.status import read_ended
from proctor_server.units import RawRun, Unit

if TYPE_CHECKING:
    from redis.client import Pipeline


_FILES = TypeAdapter(Files)
# How many columns a unit has that is of one file.
_PLAIN = 6


def pack(chunk: Chunk) -> tuple[bytes, str, int]:
    """A chunk's fields: its units as JSON, their keys, and its timeout in seconds."""
    rows = [_row(unit) for unit in chunk.units]
    return to_json(rows), " ".join(unit.key for unit in chunk.units), chunk.timeout_s


def _row(unit: Unit) -> tuple[object, ...]:
    row = unit.key, unit.language, unit.source, unit.problem, unit.stop_on_failure, unit.fresh
    # Left out where there is nothing in them, so that an older worker can read the others.
    return (*row, unit.files, unit.raw) if unit.files or unit.raw else row


def _unit(row: Sequence[Any]) -> Unit:
    if len(row) == _PLAIN:
        return Unit(*row)
    key, language, source, problem, stop, fresh, files, raw = row
    return Unit(
        key,
        language,
        source,
        problem,
        stop_on_failure=stop,
        fresh=fresh,
        files=_FILES.validate_python(files),
        raw=None if raw is None else RawRun.model_validate(raw),
    )


@dataclass(frozen=True, slots=True)
class Taken:
    """A chunk as it was found: the units that are still waited for, and a batch that does so."""

    id: str
    units: list[Unit]
    timeout_s: int
    made: float
    revived: int
    batch: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A unit's outcome, with the Unix time at which the unit was started."""

    unit: Unit
    outcome: Outcome
    started: float


def read_taken(chunk_id: str, raw: Sequence[bytes] | None) -> Taken | None:
    """What the TAKE script found; None where nothing is left of the chunk."""
    if raw is None:
        return None
    units, wanted, timeout, made, revived, batch = raw
    rows = from_json(units, cache_strings="none")
    # 49 is "1": somebody waits for the unit.
    left = [_unit(row) for row, one in zip(rows, wanted, strict=True) if one == 49]
    return Taken(chunk_id, left, int(timeout), float(made), int(revived), batch.decode())


def _facts(answer: Answer) -> str:
    """What the script is to know of an answer, as one text."""
    unit, outcome = answer.unit, answer.outcome
    words = (
        outcome.verdict.value,
        unit.language,
        unit.problem,
        f"{answer.started:.6f}",
        f"{outcome.run_time_s:.6f}",
        # What a raw run printed is for its caller alone.
        "!" if unit.raw else unit.twin or "-",
        outcome.cause or "",
    )
    return " ".join(words)


class Chunks:
    """The worker's side of the store. Redis's own exceptions pass: RQ knows what to do."""

    def __init__(self, client: "redis.Redis", results_ttl_s: int, outcome_ttl_s: int) -> None:
        self._redis = client
        self._results_ttl_s = results_ttl_s
        self._outcome_ttl_s = outcome_ttl_s

    def take(self, chunk_id: str) -> Taken | None:
        """What of a chunk is still to be answered."""
        return read_taken(chunk_id, run_script(self._redis, TAKE, chunk_id))

    def release(self, queue_key: str) -> None:
        """Put chunks whose turn it is into RQ's queue: each start of one does so, but one that
        ends with its worker's life does not."""
        run_script(self._redis, RELEASE, queue_key)

    def complete(self, answers: Sequence[Answer], chunk_id: str) -> int:
        """Write outcomes, give them to all who wait; returns how many were the first.

        What was ended or went wrong is logged; `chunk_id` says where.
        """
        if not answers:
            return 0
        args: list[str | bytes | float] = [
            f"{time.time():.6f}",
            self._results_ttl_s,
            self._outcome_ttl_s,
        ]
        for answer in answers:
            args += [answer.unit.key, _facts(answer), answer.outcome.to_json()]
        answered, ended, failed = run_script(self._redis, COMPLETE, *args)
        for one in read_ended(ended):
            journal.batch_ended(one)
        if failed:
            causes = {answer.unit.key: answer.outcome.cause for answer in answers}
            for key, *waiting in failed:
                unit = key.decode()
                journal.internal_error(unit, causes[unit], chunk_id, waiting)
        return int(answered)

    def wanted(self, units: Sequence[Unit]) -> set[str]:
        """The keys of those of the units that somebody still waits for."""
        pipe = self._redis.pipeline(transaction=False)
        for unit in units:
            pipe.exists(keys.WAITERS + unit.key)
        return {unit.key for unit, there in zip(units, pipe.execute(), strict=True) if there}

    def forget(self, chunk_id: str, into: "Pipeline | None" = None) -> None:
        """Remove a chunk whose units are all answered, as a part of a pipeline if one is given."""
        pipe = self._redis.pipeline() if into is None else into
        pipe.delete(keys.CHUNK + chunk_id)
        pipe.zrem(keys.CHUNKS, chunk_id)
        if into is None:
            pipe.execute()

    def note_time(self, seconds: float, pipe: "Pipeline") -> None:
        """Count how long a chunk took, as a part of a pipeline."""
        pipe.eval(NOTE_CHUNK.text, 0, seconds)

    def give_up(self, chunk_id: str, reason: str, cause: Cause) -> None:
        """End what is left of a chunk as IE."""
        taken = self.take(chunk_id)
        if taken is None:
            return
        now = time.time()
        outcome = Outcome.internal_error(reason, cause)
        self.complete([Answer(unit, outcome, now) for unit in taken.units], chunk_id)
        self.forget(chunk_id)

    def replace(
        self,
        taken: Taken,
        parts: Sequence[Chunk],
        commands: Sequence[tuple[object, ...]],
        *,
        revived: int = 0,
    ) -> None:
        """Put other chunks in a chunk's place, with their jobs, all at once."""
        with self._redis.pipeline() as pipe:
            for part in parts:
                units, unit_keys, timeout_s = pack(part)
                fields: dict[Any, Any] = {
                    "units": units,
                    "keys": unit_keys,
                    "timeout": timeout_s,
                    "made": taken.made,
                    "revived": revived,
                }
                pipe.hset(keys.CHUNK + part.id, mapping=fields)
                pipe.zadd(keys.CHUNKS, {part.id: taken.made})
            for command in commands:
                pipe.execute_command(*command)  # type: ignore[no-untyped-call]
            pipe.delete(keys.CHUNK + taken.id)
            pipe.zrem(keys.CHUNKS, taken.id)
            pipe.execute()

    def made_before(self, moment: float, limit: int) -> list[str]:
        """The ids of the oldest chunks that were made before a Unix time."""
        found: Any = self._redis.zrangebyscore(keys.CHUNKS, "-inf", moment, start=0, num=limit)
        return [chunk_id.decode() for chunk_id in found]
