"""The queue: RQ on Redis, one job per chunk of units.

A job names its chunk and nothing else; what is to be run is in the store. No other kind of
job is taken up: see chunk_job.py.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import redis
from rq import Queue
from rq.job import Retry
from rq.serializers import JSONSerializer

from proctor_server.chunk_job import RETRIES, RETRIES_AGAIN, RUN_CHUNK, ChunkJob
from proctor_server.units import Unit

# Above the worst that a chunk's programs can do: starting sandboxes, compiling, our own work.
_MARGIN_S = 600
# A borderline test is run three times at most, and each loss of a sandbox (three) costs one.
_WORST_RUNS = 6
# LMOVE, which keeps a job that was read and not yet started.
_OLDEST_REDIS = (6, 2, 0)
# Long enough for an operator to look at what failed.
_FAILURE_TTL_S = 24 * 3600

# At 2 ms a program a full chunk takes about 0.13 s, of which RQ's part is 2 ms.
MAX_UNITS = 64
# Programs of many tests make smaller chunks, so that no chunk runs for long.
MAX_TESTS = 640
# A chunk is this part of a worker's share of what is left.
_SHARES_PER_WORKER = 3
# Smaller chunks than these cost more in the queue than they save at the end.
_LEAST_UNITS = 4


@dataclass(frozen=True, slots=True)
class Size:
    """How much work a unit may be: its tests, and the wall time (seconds) they may take."""

    tests: int
    worst_s: float


@dataclass(frozen=True, slots=True)
class Chunk:
    """Units that one job runs. No honest run of it takes longer than `timeout_s` (seconds)."""

    id: str
    units: list[Unit]
    timeout_s: int


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose a chunk is, and what it counts for among that caller's: its tests, for its share."""

    caller: str
    cost: float


class ChunkQueue(Queue):
    """RQ's queue of chunk jobs."""

    job_class = ChunkJob

    def __init__(self, name: str, connection: "redis.Redis", **options: Any) -> None:
        options |= {"serializer": JSONSerializer, "job_class": ChunkJob}
        super().__init__(name, connection=connection, **options)
        # Told instead of asked for: making commands needs no Redis, and INFO is nobody's right.
        self.redis_server_version = _OLDEST_REDIS

    def commands(self, chunks: Iterable[Chunk]) -> list[tuple[Any, ...]]:
        """The Redis commands by which RQ makes the chunks' jobs, not yet sent.

        They become part of the script that accepts a batch, so that what is accepted has its
        jobs. That script also puts them into the queue, each when it is its caller's turn.
        """
        made = self._recorded(chunks, RETRIES, at_front=False)
        return [args for args in made if args[:2] != ("RPUSH", self.key)]

    def commands_again(self, chunks: Iterable[Chunk]) -> list[tuple[Any, ...]]:
        """The same for chunks in place of one that had its turn: to the front of the queue."""
        return self._recorded(chunks, RETRIES_AGAIN, at_front=True)

    def _recorded(
        self, chunks: Iterable[Chunk], retries: int, *, at_front: bool
    ) -> list[tuple[Any, ...]]:
        recorder = self.connection.pipeline()
        wanted = [
            Queue.prepare_data(
                RUN_CHUNK,
                (chunk.id,),
                timeout=chunk.timeout_s,
                result_ttl=0,
                failure_ttl=_FAILURE_TTL_S,
                description="",
                job_id=chunk.id,
                retry=Retry(max=retries, interval=0, enqueue_at_front=True),
                at_front=at_front,
            )
            for chunk in chunks
        ]
        if wanted:
            self.enqueue_many(wanted, pipeline=recorder)
        return [args for args, _ in recorder.command_stack]


def into_chunks(units: Sequence[tuple[Unit, Size]], workers: int, backlog: int) -> list[Chunk]:
    """Cut units into chunks, each of one language, in order.

    A chunk is a share of what is left, up to MAX_UNITS: large at first, small towards the end,
    so that all workers end at about the same time (guided self-scheduling: Polychronopoulos
    and Kuck, 1987). `backlog`, units that wait already, keeps them busy anyway.
    """
    shares = max(workers, 1) * _SHARES_PER_WORKER
    by_language: dict[str, list[tuple[Unit, Size]]] = {}
    for unit, size in units:
        by_language.setdefault(unit.language, []).append((unit, size))
    return [chunk for group in by_language.values() for chunk in _cut(group, shares, backlog)]


def alone(unit: Unit, timeout_s: int) -> Chunk:
    """A chunk of one unit."""
    return Chunk(uuid.uuid4().hex, [unit], timeout_s)


def _cut(units: Sequence[tuple[Unit, Size]], shares: int, backlog: int) -> Iterator[Chunk]:
    least = min(_LEAST_UNITS, _share(len(units) + backlog, shares))
    most = _share(len(units) + backlog, shares)
    part: list[Unit] = []
    tests, worst_s = 0, 0.0
    for place, (unit, size) in enumerate(units):
        if part and (len(part) >= most or tests + size.tests > MAX_TESTS):
            yield _chunk(part, worst_s)
            part, tests, worst_s = [], 0, 0.0
            most = max(least, _share(len(units) - place + backlog, shares))
        part.append(unit)
        tests += size.tests
        worst_s += size.worst_s
    yield _chunk(part, worst_s)


def _share(units: int, shares: int) -> int:
    return max(1, min(MAX_UNITS, round(units / shares)))


def _chunk(units: list[Unit], worst_s: float) -> Chunk:
    return Chunk(uuid.uuid4().hex, units, int(_WORST_RUNS * worst_s) + _MARGIN_S)
