"""RQ's worker as Proctor needs it: no fork, a heart that beats while a job runs, few round trips.

What differs from RQ's SimpleWorker, and why:

- Heartbeats come from a thread, so that a dead worker's job is taken up after about 10 s. RQ's
  own would not beat during a job, and adds 60 s to each period.
- Three round trips to Redis a job instead of some twenty: waiting for one, reading and starting
  it, ending it. The keys and registries are RQ's own, so its tools show what happens.
- A stop is looked at between jobs and between units: no job is read and then dropped.
- A job that is none of ours is refused before RQ reads it, and commands over pub/sub are not
  listened to: whoever writes to Redis could have this process run anything otherwise.
- A worker without a sandbox puts its job back and waits; that is no failure of the job.
- Cleaning up is janitor.py's.
"""

import logging
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.exceptions import NoSuchJobError
from rq.executions import Execution, ExecutionRegistry
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from rq.timeouts import JobTimeoutException
from rq.utils import now
from rq.worker import WorkerStatus

from proctor_sandbox.errors import LanguageUnavailable, SandboxError, SandboxUnavailable
from proctor_server import logs
from proctor_server.chunk_job import RETRIES, ChunkJob, ForeignJob, is_chunk_id
from proctor_server.fleet import State
from proctor_server.janitor import Janitor
from proctor_server.outcome import Cause
from proctor_server.queue import ChunkQueue
from proctor_server.runner import ChunkRunner, Interrupted
from proctor_server.store.chunks import read_taken
from proctor_server.store.scripts import RELEASE, TAKE

if TYPE_CHECKING:
    from redis.client import Pipeline

# A heart beats every 2 s and an execution lives for 9 s without: four beats may be missed, and
# a death is noticed within 11 s.
LIFE_S = 9
_MONITORING_S = 3
_MAINTENANCE_S = 2
# How long a stop can go unnoticed while there is no work.
_BLOCK_S = 1
# RQ's scheme: the worker's own key lives for this and 60 s more.
_WORKER_TTL_S = 17
# Commands that RQ sends after each job; once in a while is enough.
_SELDOM_S = 1.0
# Between looks for a sandbox where there was none: an engine restarts in about 10 s.
_NO_SANDBOX_S = 2.0
_NAP_S = 0.1

# What an exception of a chunk's last attempt comes to; anything else is a failure of ours.
_CAUSES = {
    SandboxUnavailable.__name__: Cause.NO_SANDBOX,
    LanguageUnavailable.__name__: Cause.NO_SANDBOX,
    JobTimeoutException.__name__: Cause.TIMED_OUT,
}

_log = logging.getLogger(__name__)


class JobFailure(Exception):
    """Stands for what a job raised, in logs and in RQ's records.

    What an exception says may quote hidden test data; only a sandbox's own troubles and
    Redis's are repeated.
    """

    def __init__(self, error: Exception) -> None:
        name = type(error).__name__
        quotable = isinstance(error, SandboxError | RedisError)
        super().__init__(f"{name}: {error}" if quotable else name)


class ChunkWorker(SimpleWorker):
    """Takes chunk jobs from one queue and has them run in this process."""

    job_class = ChunkJob
    queue_class: type[Queue] = ChunkQueue
    log_result_lifespan = False

    def __init__(
        self,
        queue: ChunkQueue,
        runner: ChunkRunner,
        janitor: Janitor,
        patience_s: float,
        on_state: Callable[[State], None],
        name: str | None = None,
    ) -> None:
        super().__init__(
            [queue],
            name=name,
            connection=queue.connection,
            worker_ttl=_WORKER_TTL_S,
            job_monitoring_interval=_MONITORING_S,
            maintenance_interval=_MAINTENANCE_S,
            serializer=JSONSerializer,
            log_job_description=False,
        )
        self.redis_server_version = queue.redis_server_version  # type: ignore[assignment]
        self._queue = queue
        self._runner = runner
        self._janitor = janitor
        self._patience_s = patience_s
        self._on_state = on_state
        self._without_since: float | None = None
        self._running: tuple[Job, Execution] | None = None
        self._beat_at = 0.0
        self._suspension_at = 0.0

    @property
    def told_to_stop(self) -> bool:
        """Whether a signal asked for the end."""
        return self._stop_requested

    def listen_for_stop(self) -> None:
        """Heed SIGTERM and SIGINT from here on, as `work` does."""
        self._install_signal_handlers()  # type: ignore[no-untyped-call]

    # -- reading a job -------------------------------------------------------------------------

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[Job, ChunkQueue] | None:
        """The next job; None when told to stop, or (timeout None) when there is none."""
        queue = self._queue
        while not self._stop_requested:
            if self.should_run_maintenance_tasks:
                self.run_maintenance_tasks()
            self.heartbeat()
            raw: Any = (
                self.connection.lmove(queue.key, queue.intermediate_queue_key)
                if timeout is None
                else self.connection.blmove(queue.key, queue.intermediate_queue_key, _BLOCK_S)
            )
            if raw is not None:
                job = self._begin(raw)
                if job is not None:
                    return job, queue
            elif timeout is None:
                return None
        return None

    def _begin(self, raw_id: bytes) -> Job | None:
        """Read a job and what is left of its chunk, and register that it is run here.

        One round trip for all of it, from the intermediate queue to the started jobs.
        None where there is nothing to run: the job has ended meanwhile, or is refused.
        """
        if not is_chunk_id(raw_id):
            self._janitor.refuse(raw_id, "has an id that no job of ours has")
            return None
        job_id = raw_id.decode()
        job = ChunkJob(job_id, connection=self.connection, serializer=JSONSerializer)
        job.origin = self._queue.name
        with self.connection.pipeline() as pipe:
            pipe.hgetall(job.key)
            pipe.eval(TAKE.text, 0, job_id)
            pipe.eval(RELEASE.text, 0, self._queue.key)
            execution = Execution.create(job, LIFE_S, pipeline=pipe, worker_name=self.name)
            job.prepare_for_execution(self.name, pipeline=pipe)
            pipe.lrem(self._queue.intermediate_queue_key, 1, job_id)
            self.set_state(WorkerStatus.BUSY, pipeline=pipe)
            fields, chunk, *_ = pipe.execute()
        started_at = job.started_at
        try:
            job.restore(fields)
        except NoSuchJobError as error:
            if isinstance(error, ForeignJob):
                self._janitor.refuse(raw_id, str(error))
            else:  # ended by another worker; a chunk without its job is found by the sweep
                _log.warning("a job is gone", extra=logs.fields(chunk=job_id))
            with self.connection.pipeline() as pipe:
                self.cleanup_execution(job, pipe, execution)
                pipe.delete(job.key)
                pipe.execute()
            return None
        job.worker_name, job.started_at, job._status = self.name, started_at, JobStatus.STARTED
        self.executions[execution.id] = execution
        self._running = job, execution
        taken = read_taken(job_id, chunk)
        if taken is not None:
            self._runner.offer(taken, again=(job.retries_left or 0) < RETRIES)
        return job

    # -- running a job -------------------------------------------------------------------------

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Run a job here and now; whatever comes of it is in Redis afterwards."""
        execution = next(iter(self.executions.values()))
        if self._without_since is None:
            self._on_state("busy")
        ending: Callable[[], None]
        try:
            with self.death_penalty_class(
                job.timeout or queue.DEFAULT_TIMEOUT, JobTimeoutException, job_id=job.id
            ):
                job.perform()
        except Interrupted:
            ending = partial(self._put_back, job, execution)
        except SandboxUnavailable as error:
            ending = partial(self._without_sandbox, job, execution, error)
        except Exception as error:  # whatever a job raises is its failure, for RQ to retry
            ending = partial(self._fail, job, execution, error)
        else:
            self._without_since = None
            ending = partial(self._end, job, execution)
        # Not in a handler: what Redis raises in here is logged, and would take along what the job
        # raised, whose words may quote hidden test data.
        ending()
        if self._without_since is None:
            self._on_state("idle")

    def _end(self, job: Job, execution: Execution) -> None:
        """Remove a job that went well, in one round trip."""
        self._running = None
        with self.connection.pipeline() as pipe:
            self.cleanup_execution(job, pipe, execution)
            pipe.delete(job.key, ExecutionRegistry(job.id, self.connection).key)
            took = now() - job.started_at if job.started_at is not None else timedelta()
            self._runner.forget(job.id, took.total_seconds(), pipe)
            self.increment_successful_job_count(pipe)
            self.increment_total_working_time(took, pipe)
            self.set_state(WorkerStatus.IDLE, pipeline=pipe)
            pipe.execute()

    def _fail(self, job: Job, execution: Execution, error: Exception) -> None:
        """Have RQ retry or fail a job; what it logs and stores does not quote the error."""
        self._running = None
        failure = JobFailure(error)
        self._finalize_failure(
            job, self._queue, execution, (JobFailure, failure, error.__traceback__)
        )

    def _put_back(self, job: Job, execution: Execution) -> None:
        """Let another worker have a job at once, as if it had not been read."""
        self._running = None
        with self.connection.pipeline() as pipe:
            self.cleanup_execution(job, pipe, execution)
            job.set_status(JobStatus.QUEUED, pipeline=pipe)
            self._queue.push_job_id(job.id, pipeline=pipe, at_front=True)
            self.set_state(WorkerStatus.IDLE, pipeline=pipe)
            pipe.execute()

    def _without_sandbox(self, job: Job, execution: Execution, error: SandboxUnavailable) -> None:
        if self._without_since is None:
            self._without_since = time.monotonic()
            self._on_state("no sandbox")
            _log.error("no sandbox: %s", error, extra=logs.fields(chunk=job.id))
        if time.monotonic() - self._without_since > self._patience_s:
            self._fail(job, execution, error)
            return
        self._put_back(job, execution)
        again_at = time.monotonic() + _NO_SANDBOX_S
        while time.monotonic() < again_at and not self._stop_requested:
            time.sleep(_NAP_S)

    def handle_job_failure(
        self,
        job: Job,
        queue: Queue,
        started_job_registry: Any = None,
        exc_string: str = "",
        execution: Execution | None = None,
    ) -> None:
        """RQ's, which retries while there are retries left; then what is left ends as IE."""
        hopeless = not job.should_retry
        super().handle_job_failure(job, queue, started_job_registry, exc_string, execution)
        if hopeless:
            ending = _ending(exc_string)
            self._janitor.give_up(job.id, ending, _CAUSES.get(ending, Cause.FAILURE))

    # -- staying alive -------------------------------------------------------------------------

    def beat(self) -> None:
        """Show that this worker lives, and what it runs; called by the heart's thread."""
        running = self._running
        if running is not None:
            self.maintain_heartbeats(*running)
        else:
            self._beat_at = 0.0
            self.heartbeat()

    def heartbeat(self, timeout: int | None = None, pipeline: "Pipeline | None" = None) -> None:
        """RQ's, but of those that it sends around each job only one a second is sent."""
        if pipeline is None and timeout is None:
            if time.monotonic() - self._beat_at < _SELDOM_S:
                return
            self._beat_at = time.monotonic()
        super().heartbeat(timeout, pipeline)

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:
        """How long an execution lives after a beat (seconds)."""
        return LIFE_S

    def check_for_suspension(self, burst: bool) -> None:
        """RQ's, once a second."""
        if time.monotonic() - self._suspension_at >= _SELDOM_S:
            self._suspension_at = time.monotonic()
            super().check_for_suspension(burst)

    def run_maintenance_tasks(self) -> None:
        """Clean up after others, if nobody else is at it."""
        self._janitor.clean(self)
        self.last_cleaned_at = now()  # type: ignore[assignment]  # RQ declares None alone

    def subscribe(self) -> None:
        """Unlike RQ's, listens to no commands: signals are enough to stop a worker."""

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """Stop after the units that are under way; a second signal ends at once.

        Only flags are set: a handler that took a lock could wait for the code it interrupted.
        """
        self._shutdown_requested_date = now()
        signal.signal(signal.SIGINT, self.request_force_stop)
        signal.signal(signal.SIGTERM, self.request_force_stop)
        self._stop_requested = True
        self._runner.stop()


def _ending(exc_string: str) -> str:
    """The name of what a JobFailure stood for."""
    _, found, rest = exc_string.rpartition(f"{JobFailure.__name__}: ")
    return rest.partition(":")[0].strip() if found else "unknown"
