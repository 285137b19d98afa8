"""The janitor: returns to the queue what dead workers left, and ends what is hopeless as IE.

Every worker is one now and then; a lock of seconds keeps them from doing it twice.
"""

import logging
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rq.exceptions import NoSuchJobError
from rq.executions import Execution
from rq.job import Job
from rq.registry import FailedJobRegistry, StartedJobRegistry
from rq.worker_registration import clean_worker_registry

from proctor_server.chunk_job import ChunkJob, ForeignJob, remove
from proctor_server.logs import fields
from proctor_server.origin import Origin
from proctor_server.outcome import Cause
from proctor_server.queue import ChunkQueue, alone
from proctor_server.store import keys
from proctor_server.store.chunks import Chunks

if TYPE_CHECKING:
    from rq.worker import BaseWorker

# Who has read a job starts it within milliseconds, unless it died or its machine stood still.
LOST_AFTER_S = 5.0
# The sweep finds what no crash of a worker can cause: a safety net, so seldom is enough.
SWEEP_EVERY_S = 10.0
SWEEP_AFTER_S = 30.0
_SWEEP_AT_ONCE = 500
_MAX_REVIVALS = 3

_log = logging.getLogger(__name__)


class Janitor:
    """Cleans one queue and its chunks."""

    def __init__(self, queue: ChunkQueue, chunks: Chunks) -> None:
        self._queue = queue
        self._chunks = chunks
        self._redis = queue.connection
        self._swept_at = 0.0

    def clean(self, worker: "BaseWorker") -> None:
        """Clean once, unless another worker is at it."""
        if not self._redis.set(keys.CLEANING, worker.name, nx=True, ex=keys.CLEANING_TTL_S):
            return
        try:
            self._dead_next_door()
            self._abandoned()
            self._lost()
            self._chunks.release(self._queue.key)
            clean_worker_registry(self._queue)
            if time.monotonic() - self._swept_at > SWEEP_EVERY_S:
                self._swept_at = time.monotonic()
                FailedJobRegistry(queue=self._queue).cleanup()
                self._sweep()
        finally:
            self._redis.delete(keys.CLEANING)

    def give_up(self, chunk_id: str, ending: str, cause: Cause) -> None:
        """End what is left of a chunk as IE; `ending` says how the last attempt at it ended."""
        reason = f"given up after several attempts; the last one ended with {ending}"
        self._chunks.give_up(chunk_id, reason, cause)

    def refuse(self, raw_id: bytes, difference: str) -> None:
        """Remove a job that is none of ours, and count it."""
        # Its id is quoted, since anything may be in it, and nothing else of it.
        _log.error("job %.60r is refused: it %s", raw_id, difference)
        with self._redis.pipeline() as pipe:
            pipe.lrem(self._queue.intermediate_queue_key, 0, raw_id)  # type: ignore[arg-type]
            remove(raw_id, pipe)
            pipe.incr(keys.REFUSED)
            pipe.execute()

    def _dead_next_door(self) -> None:
        """What a worker of this very machine left by dying need not wait for its heart."""
        registry = StartedJobRegistry(queue=self._queue, job_class=ChunkJob)
        for job_id, execution_id in registry.get_job_and_execution_ids(cleanup=False):
            execution = Execution(execution_id, job_id, self._redis)
            name: Any = self._redis.hget(execution.key, "worker_name")
            origin = None if name is None else Origin.of(name.decode())
            if origin is not None and origin.is_dead():
                extra = fields(chunk=job_id)
                _log.warning("worker %s is dead: its job is taken up", name.decode(), extra=extra)
                self._redis.zadd(registry.key, {execution.composite_key: 1}, xx=True)

    def _abandoned(self) -> None:
        """Jobs whose worker's heart stopped: RQ retries them, or fails them for good."""
        # RQ runs an abandoned job's own callback: its records are to be read as ours.
        registry = StartedJobRegistry(queue=self._queue, job_class=ChunkJob)
        self._refuse_foreign(registry.get_expired_job_ids())

        def hopeless(job: Job, *_: object) -> bool:
            if not job.retries_left:
                self.give_up(job.id, "a worker that died", Cause.WORKER_DIED)
            return True

        registry.cleanup(exception_handlers=[hopeless])

    def _refuse_foreign(self, job_ids: Iterable[str]) -> None:
        for job_id in job_ids:
            try:
                ChunkJob.fetch(job_id, self._redis, self._queue.serializer)
            except ForeignJob as difference:
                self.refuse(job_id.encode(), str(difference))
            except NoSuchJobError:
                continue  # ended meanwhile

    def _lost(self) -> None:
        """Jobs whose worker died between reading and starting them go back to the front."""
        queue = self._queue
        between = queue.intermediate_queue
        found = between.get_job_ids()
        if not found:
            return
        started = set(queue.started_job_registry.get_job_ids(cleanup=False))
        for job_id in found:
            if job_id in started or between.set_first_seen(job_id):
                continue
            seen = between.get_first_seen(job_id)
            if seen is None or time.time() - seen.timestamp() < LOST_AFTER_S:
                continue
            _log.warning(
                "a job was read and not started: it is queued again", extra=fields(chunk=job_id)
            )
            with self._redis.pipeline() as pipe:
                pipe.lrem(between.key, 1, job_id)
                pipe.delete(between.get_first_seen_key(job_id))
                queue.push_job_id(job_id, pipeline=pipe, at_front=True)
                pipe.execute()

    def _sweep(self) -> None:
        """Chunks that no job stands for any more are queued again, or given up."""
        ids = self._chunks.made_before(time.time() - SWEEP_AFTER_S, _SWEEP_AT_ONCE)
        if not ids:
            return
        with self._redis.pipeline(transaction=False) as pipe:
            for chunk_id in ids:
                pipe.hget(ChunkJob.key_for(chunk_id), "status")
            states = pipe.execute()
        for chunk_id, state in zip(ids, states, strict=True):
            if state is None:
                self._revive(chunk_id)
            elif state == b"failed":
                self.give_up(chunk_id, "a failure", Cause.FAILURE)

    def _revive(self, chunk_id: str) -> None:
        taken = self._chunks.take(chunk_id)
        if taken is None or not taken.units:
            self._chunks.forget(chunk_id)
        elif taken.revived >= _MAX_REVIVALS:
            self.give_up(chunk_id, "its job missing from the queue", Cause.JOB_LOST)
        else:
            _log.error("a chunk has no job: it is queued again", extra=fields(chunk=chunk_id))
            parts = [alone(unit, taken.timeout_s) for unit in taken.units]
            commands = self._queue.commands_again(parts)
            self._chunks.replace(taken, parts, commands, revived=taken.revived + 1)
