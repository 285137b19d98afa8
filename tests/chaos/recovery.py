"""Recovery: how long the work of a killed worker takes to be in other hands.

It is the time from the kill to the moment when every unit that the worker held and had not
answered is answered (its reward is in Redis), or is started again by another worker: a job of
this unit alone is registered as running there. A worker holds the units of the job that is
registered as its own in RQ, and of a job that it has read and not yet registered.
"""

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from proctor_server.origin import Origin
from proctor_server.store import keys

if TYPE_CHECKING:
    import redis

_QUEUE = "proctor"
_RUNNING = f"rq:wip:{_QUEUE}"
_READ = f"rq:queue:{_QUEUE}:intermediate"
_LOOK_S = 0.02
# So long is waited; what takes longer is told as this.
_LONGEST_S = 90.0


def busy(client: "redis.Redis") -> set[int]:
    """The pids of the workers that run a job now."""
    return {pid for pid, _ in _running(client)}


def held(client: "redis.Redis", worker: int) -> set[str]:
    """The keys of the units that a worker has taken up and not answered."""
    jobs = {job_id for pid, job_id in _running(client) if pid == worker}
    read: Any = client.lrange(_READ, 0, -1)
    jobs |= {raw.decode() for raw in read}
    return _unanswered(client, [key for job_id in jobs for key in _units(client, job_id)])


def recovery_s(client: "redis.Redis", units: set[str], killed: int, killed_at: float) -> float:
    """Wait until none of these units waits for anybody; seconds since `killed_at` (monotonic)."""
    while units and time.monotonic() - killed_at < _LONGEST_S:
        units = _unanswered(client, units) - _started_again(client, killed)
        if units:
            time.sleep(_LOOK_S)
    return time.monotonic() - killed_at


def _started_again(client: "redis.Redis", killed: int) -> set[str]:
    """Units that are the only one of a job that a living worker runs."""
    found: set[str] = set()
    for pid, job_id in _running(client):
        units = _units(client, job_id)
        if pid != killed and len(units) == 1:
            found |= set(units)
    return found


def _running(client: "redis.Redis") -> Iterator[tuple[int, str]]:
    """Pid and job of each execution that is registered."""
    registered: Any = client.zrange(_RUNNING, 0, -1)
    for raw in registered:
        name: Any = client.hget(b"rq:execution:" + raw, "worker_name")
        origin = None if name is None else Origin.of(name.decode())
        if origin is not None:
            yield origin.pid, raw.decode().partition(":")[0]


def _units(client: "redis.Redis", job_id: str) -> list[str]:
    found: Any = client.hget(keys.CHUNK + job_id, "keys")
    return [] if found is None else found.decode().split()


def _unanswered(client: "redis.Redis", units: Iterable[str]) -> set[str]:
    wanted = list(units)
    with client.pipeline(transaction=False) as pipe:
        for key in wanted:
            pipe.exists(keys.WAITERS + key)
        return {key for key, there in zip(wanted, pipe.execute(), strict=True) if there}
