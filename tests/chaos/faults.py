"""Faults: what is done to the stack, in an order that a seed decides.

A fault begins while work is under way, and the next one once the stack is ready again. Only
processes that the harness started are signalled, and what runs in their sandboxes.
"""

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

import psutil

from tests.chaos.engine import Engine
from tests.chaos.proxy import Proxy
from tests.chaos.recovery import busy, held, recovery_s
from tests.chaos.stack import ChaosStack
from tests.integration.stack import until

_LOOK_S = 0.01
_NO_WORK_S = 2.0
# Connections are opened and cut again so often in one fault.
_CUTS = 5
_CUT_GAP_S = 0.3


@dataclass(slots=True)
class Scene:
    """Where faults happen, and what came of them.

    `pause_s` is how long a process is stopped, `gap_s` how much peace there is at most between
    two faults. `recoveries` has, for each killed worker, how long its work took to be in other
    hands (seconds); see recovery.py.
    """

    stack: ChaosStack
    proxy: Proxy
    chance: random.Random
    more_work: Callable[[], None]
    pause_s: float
    gap_s: float
    engine: Engine | None = None
    recoveries: list[float] = field(default_factory=list)
    say: Callable[[str], object] = print

    def busy_worker(self) -> int:
        """The pid of a worker that runs programs now."""
        again_at = time.monotonic() + _NO_WORK_S
        while not (found := sorted(set(self.stack.workers()) & busy(self.stack.redis))):
            if time.monotonic() > again_at:  # all was done already
                self.more_work()
                again_at += _NO_WORK_S
            time.sleep(_LOOK_S)
        return self.chance.choice(found)

    def busy_sandboxes(self) -> list[str]:
        """Those of a worker that runs programs now, the idle ones too: which is which can't
        be seen from outside."""
        found: list[str] = []

        def there() -> bool:
            found[:] = self.stack.sandboxes.of(self.busy_worker())
            return bool(found)

        until(there, "a worker to have sandboxes")
        return found


Fault = Callable[[Scene], None]


def kill_worker(scene: Scene) -> None:
    """SIGKILL one worker; its sandboxes are left to themselves."""
    _kill_worker(scene, with_sandboxes=False)


def kill_worker_and_sandboxes(scene: Scene) -> None:
    """SIGKILL a worker and everything that it started."""
    _kill_worker(scene, with_sandboxes=True)


def kill_api(scene: Scene) -> None:
    """SIGKILL the API."""
    _end(scene, "api", signal.SIGKILL)


def restart_workers(scene: Scene) -> None:
    """End the workers in good order, one after the other, as an upgrade under load does."""
    workers = scene.stack.workers()
    for pid in workers:
        os.kill(pid, signal.SIGTERM)
        until(partial(_replaced, scene, pid, len(workers)), f"worker {pid} to be replaced")


def restart_api(scene: Scene) -> None:
    """End the API in good order: what it was asked is answered, or asked again."""
    _end(scene, "api", signal.SIGTERM)


def kill_redis(scene: Scene) -> None:
    """SIGKILL Redis; what it had written to its append-only file is in the kernel's hands."""
    _end(scene, "redis", signal.SIGKILL)


def shut_redis_down(scene: Scene) -> None:
    """Have Redis end in good order."""
    _end(scene, "redis", signal.SIGTERM)


def remove_sandboxes(scene: Scene) -> None:
    """Take a worker's sandboxes away by hand, as `docker rm -f` does."""
    for sandbox in scene.busy_sandboxes():
        scene.stack.sandboxes.remove(sandbox)


def pause_worker(scene: Scene) -> None:
    """Stop a worker for longer than its job waits for it: somebody else runs the job too."""
    _pause(scene, [psutil.Process(scene.busy_worker())])


def pause_api(scene: Scene) -> None:
    """Stop the API."""
    _pause(scene, [psutil.Process(scene.stack.pid("api"))])


def pause_redis(scene: Scene) -> None:
    """Stop Redis."""
    _pause(scene, [psutil.Process(scene.stack.pid("redis"))])


def pause_sandboxes(scene: Scene) -> None:
    """Stop everything in a worker's sandboxes, the program that runs included."""
    within = scene.stack.sandboxes.processes
    _pause(scene, [process for one in scene.busy_sandboxes() for process in within(one)])


def cut_connections(scene: Scene) -> None:
    """Reset all connections between the clients and the API, several times."""
    for _ in range(_CUTS):
        scene.proxy.cut()
        time.sleep(_CUT_GAP_S)


def kill_engine(scene: Scene) -> None:
    """SIGKILL dockerd, and start it again."""
    assert scene.engine is not None
    scene.engine.restart(signal.SIGKILL)


def stop_engine(scene: Scene) -> None:
    """End dockerd in good order, which ends all containers, and start it again."""
    assert scene.engine is not None
    scene.engine.restart(signal.SIGTERM)


FAULTS: Sequence[Fault] = (
    kill_worker,
    kill_worker_and_sandboxes,
    kill_api,
    restart_workers,
    restart_api,
    kill_redis,
    shut_redis_down,
    remove_sandboxes,
    pause_worker,
    pause_api,
    pause_redis,
    pause_sandboxes,
    cut_connections,
)
ENGINE_FAULTS: Sequence[Fault] = (kill_engine, stop_engine)


def schedule(chance: random.Random, kinds: Sequence[Fault], rounds: int) -> list[Fault]:
    """Every kind once a round, in an order by chance."""
    return [fault for _ in range(rounds) for fault in chance.sample(kinds, len(kinds))]


def inject(scene: Scene, fault: Fault) -> None:
    """Let one fault happen, and wait until the stack is ready again."""
    time.sleep(scene.chance.uniform(0, scene.gap_s))
    scene.more_work()
    scene.busy_worker()
    began = time.monotonic()
    fault(scene)
    until(scene.stack.ready, f"the stack to be ready again after {fault.__name__}")
    scene.say(f"{fault.__name__}: ready again after {time.monotonic() - began:.1f} s")


def _end(scene: Scene, name: str, how: signal.Signals) -> None:
    before = scene.stack.pid(name)
    os.kill(before, how)
    until(lambda: scene.stack.pid(name) != before, f"another {name} to be started")


def _replaced(scene: Scene, pid: int, count: int) -> bool:
    workers = scene.stack.workers()
    return pid not in workers and len(workers) == count


def _kill_worker(scene: Scene, *, with_sandboxes: bool) -> None:
    pid = scene.busy_worker()
    worker = psutil.Process(pid)
    sandboxes = scene.stack.sandboxes.of(pid) if with_sandboxes else []
    # Stopped first: what it holds when it is looked at is what it holds when it dies.
    worker.suspend()
    units = held(scene.stack.redis, pid)
    worker.kill()
    killed_at = time.monotonic()
    for sandbox in sandboxes:
        scene.stack.sandboxes.remove(sandbox)
    took_s = recovery_s(scene.stack.redis, units, pid, killed_at)
    scene.recoveries.append(took_s)
    scene.say(f"worker {pid} held {len(units)} units: in other hands after {took_s:.2f} s")


def _pause(scene: Scene, processes: Iterable[psutil.Process]) -> None:
    stopped = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.suspend()
            stopped.append(process)
    threading.Event().wait(scene.pause_s)
    for process in stopped:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.resume()
