"""The worker process: one warm pool of sandboxes, one queue, one program at a time."""

import logging
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from proctor.types import Problem
from proctor_server import clock, jobs, logs
from proctor_server.fleet import Announcement, State, announce, withdraw
from proctor_server.janitor import Janitor
from proctor_server.origin import Origin
from proctor_server.queue import ChunkQueue
from proctor_server.rq_worker import ChunkWorker
from proctor_server.runner import ChunkRunner, Verifies
from proctor_server.settings import Settings
from proctor_server.store.chunks import Chunks
from proctor_server.store.connection import await_redis, worker_connection
from proctor_server.store.problems import StoredProblems
from proctor_server.version import VERSION

if TYPE_CHECKING:
    from redis import Redis

    from proctor_sandbox.pool import PoolStats

# See rq_worker.LIFE_S, which this must stay well below.
BEAT_S = 2.0
_RATE_S = 10.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Equipment:
    """What a worker runs programs with, and what it says of it."""

    verifier: Verifies
    languages: list[str]
    versions: Callable[[], Mapping[str, str]]
    backend: str
    runtime: str
    counts: Callable[[], Mapping[str, int]]
    close: Callable[[], None]


Equip = Callable[[Settings, Callable[[str], Problem]], Equipment]


def run(settings: Settings, equip: "Equip | None" = None) -> int:
    """Work until told to stop (SIGTERM, SIGINT: the units under way are ended first).

    Returns the exit status: 0 when told to stop, 1 when something else ended the work.
    Raises SandboxUnavailable where no kind of sandbox works here, ClockApart.
    """
    name = Origin.here().worker_name()
    logs.configure(settings.log_format, process="worker", worker=name)
    await_redis(settings.redis_url, settings.redis_password(), _log.warning)
    connection = worker_connection(settings.redis_url, settings.redis_password())
    equipment = (equip or sandboxes)(settings, StoredProblems(connection))
    try:
        clock.check(connection)
        chunks = Chunks(connection, settings.results_ttl_s, settings.outcome_ttl_s)
        queue = ChunkQueue(settings.queue, connection)
        runner = ChunkRunner(chunks, queue, equipment.verifier)
        sign = _Sign(connection, name, equipment, runner)
        worker = ChunkWorker(
            queue,
            runner,
            Janitor(queue, chunks),
            settings.sandbox_patience_s,
            sign.state,
            name=name,
        )
        jobs.runner.set(runner)
        worker.listen_for_stop()
        _log.info(
            "worker started",
            extra=logs.fields(
                sandbox=f"{equipment.backend} ({equipment.runtime})", version=VERSION
            ),
        )
        with _beating(worker, sign):
            worker.work(logging_level="WARNING")
    except RedisError as error:
        _log.error("Redis is away for too long (%s): ending, to be started again", error)
        return 1
    finally:
        equipment.close()
    _log.info("worker ended", extra=logs.fields(units=runner.units))
    return 0 if worker.told_to_stop else 1


def sandboxes(settings: Settings, problem: Callable[[str], Problem]) -> Equipment:
    """A verifier over warm sandboxes of this machine. Raises SandboxUnavailable."""
    from proctor_sandbox.pool import Pool
    from proctor_server.backends import open_backend
    from proctor_server.verify import Verifier

    backend, _ = open_backend(
        settings.sandbox, settings.runtime, settings.core, settings.own_images()
    )
    backend.reap()
    images = backend.languages()
    pool = Pool(
        backend,
        # The other families' start when one of their programs comes: few are ever in use.
        ("python",),
        max_programs=settings.max_programs,
        spares=settings.spares,
    )
    return Equipment(
        verifier=Verifier(pool, problem, images, settings.limit_rules()),
        languages=sorted(images),
        versions=backend.versions,
        backend=backend.name,
        runtime=settings.runtime or ("bwrap" if backend.name == "bubblewrap" else "default"),
        counts=lambda: _counts(pool.stats()),
        close=pool.close,
    )


def _counts(stats: "PoolStats") -> dict[str, int]:
    failures = sum(stats.start_failures.values())
    replaced = {f"replaced: {reason}": count for reason, count in stats.replaced.items()}
    return {"started": sum(stats.started.values()), "failed to start": failures, **replaced}


class _Sign:
    """What the worker says of itself to the API and to operators."""

    def __init__(
        self, connection: "Redis", name: str, equipment: Equipment, runner: ChunkRunner
    ) -> None:
        self._connection = connection
        self._name = name
        self._equipment = equipment
        self._runner = runner
        self._started_at = time.time()
        self._state: State = "idle"
        self._rate = _Rate()
        self._versions: Mapping[str, str] = {}

    def learn(self) -> None:
        """Ask for the versions of languages, and show them.

        On a busy machine all the tools together take longer than a heart may be silent.
        """
        self._versions = self._equipment.versions()
        _tried(self.show)

    def state(self, state: State) -> None:
        """Say in what state the worker is; a change for the worse or the better at once."""
        news = "no sandbox" in (state, self._state) and state != self._state
        self._state = state
        if news:
            self.show()

    def show(self) -> None:
        """Write it down; it holds for some seconds."""
        announce(
            self._connection,
            Announcement(
                name=self._name,
                host=socket.gethostname(),
                pid=os.getpid(),
                languages=self._equipment.languages,
                versions=dict(self._versions),
                backend=self._equipment.backend,
                runtime=self._equipment.runtime,
                version=VERSION,
                state=self._state,
                started_at=self._started_at,
                units=self._runner.units,
                units_per_s=self._rate.after(self._runner.units),
                batch=self._runner.batch,
                language=self._runner.language,
                sandboxes=dict(self._equipment.counts()),
            ),
        )

    def take_down(self) -> None:
        """Remove it."""
        withdraw(self._connection, self._name)


class _Rate:
    """How fast a count grew over the last ten seconds."""

    def __init__(self) -> None:
        self._seen = deque([(time.monotonic(), 0)])

    def after(self, count: int) -> float:
        """Note the count of now; how much it grew a second."""
        now = time.monotonic()
        while len(self._seen) > 1 and self._seen[1][0] <= now - _RATE_S:
            self._seen.popleft()
        began, before = self._seen[0]
        self._seen.append((now, count))
        return round((count - before) / max(now - began, BEAT_S), 3)


def _tried(*acts: Callable[[], object]) -> None:
    try:
        for act in acts:
            act()
    except RedisError as error:
        # The connection has retried for a minute; the next beat tries again.
        _log.warning("no heartbeat: %s", type(error).__name__)


@contextmanager
def _beating(worker: ChunkWorker, sign: _Sign) -> Iterator[None]:
    """Beat from a thread, whatever the worker is doing."""
    ended = threading.Event()
    sign.show()

    def beat() -> None:
        while not ended.wait(BEAT_S):
            _tried(worker.beat, sign.show)

    heart = threading.Thread(target=beat, name="heart", daemon=True)
    heart.start()
    threading.Thread(target=sign.learn, name="versions", daemon=True).start()
    try:
        yield
    finally:
        ended.set()
        heart.join(timeout=BEAT_S)
        try:
            sign.take_down()
        except RedisError as error:
            _log.warning("can't sign off: %s", type(error).__name__)
