"""One test from launch to certain death: its output drained, its limits enforced.

Nothing here looks at what the program wrote. When `run` returns, no process of the test is
alive, and only then is its output whole.
"""

import contextlib
import math
import os
import select
import signal
import time

from .crew import Crew, Stuck
from .meter import Meter
from .spawner import Ended, Spawner, SpawnerDied
from .spec import Spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .main import Outbox

# A program may use this much of its CPU limit before it is stopped, so that a result just
# over the limit is measured, not cut off (limits.CPU_SLACK on the host).
CPU_SLACK = 1.2

_TESTER_CPU_S = 0.5  # pytest takes 0.1 s, tests of a few hundred asserts no more

_READ_BYTES = 256 * 1024
_WATCH_S = 0.02  # how often memory is looked at where no cgroup limits it
_FIRST_LOOK_S = 0.003  # a test that takes longer has its pipes drained from here on
_GRACE_S = 0.1  # for a candidate to end by itself once its examiner has
_DEATH_S = 20.0  # killed processes that are not dead by then never will be
_KILL_AGAIN_S = 0.5  # killed processes are dead within milliseconds
_LATE_S = 0.01  # a wait for the CPU that is not worth a second look
_NAP_S = 1.0  # nothing is waited for longer in one go, so that a pause from outside is noticed
_PAUSED_S = 0.5  # who wakes up so much later than asked for was not let run
_CORES = os.cpu_count() or 1


class Sink:
    """Collects what comes down a pipe; beyond `room_bytes` it is read and thrown away."""

    __slots__ = ("_room_bytes", "data", "fd")

    def __init__(self, fd: int, room_bytes: int | None = None) -> None:
        self.fd = fd
        self.data = bytearray()
        self._room_bytes = room_bytes

    def take(self, data: bytes) -> None:
        if self._room_bytes is not None:
            data = data[: self._room_bytes - len(self.data)]
        self.data += data


class Launch:
    """One process of a test: which zygote starts it, as what, with which descriptors."""

    __slots__ = ("fds", "result", "spawner", "spec")

    result: Ended

    def __init__(self, spawner: Spawner, spec: Spec, fds: list[int]) -> None:
        self.spawner = spawner
        self.spec = spec
        self.fds = fds


class Limits:
    """A test's limits as they came from the host."""

    __slots__ = ("cpu_cap_s", "cpu_s", "memory_bytes", "output_bytes", "processes", "wall_s")

    def __init__(
        self, cpu_s: float, wall_s: float, memory_bytes: int, output_bytes: int, processes: int
    ) -> None:
        self.cpu_s = cpu_s
        self.wall_s = wall_s
        self.memory_bytes = memory_bytes
        self.output_bytes = output_bytes
        self.processes = processes
        self.cpu_cap_s = cpu_s * CPU_SLACK

    def with_tester(self) -> "Limits":
        """With CPU time for a tester beside the program. Its own is measured apart."""
        return Limits(
            self.cpu_s + _TESTER_CPU_S,
            self.wall_s,
            self.memory_bytes,
            self.output_bytes,
            self.processes,
        )

    @property
    def rlimit_cpu_s(self) -> int:
        """Whole seconds, above the cap: it only bites where the agent was too slow."""
        return math.ceil(self.cpu_cap_s) + 1


class Supervisor:
    """Runs tests one after another."""

    def __init__(self, meter: Meter, crew: Crew, outbox: "Outbox") -> None:
        """`outbox` is flushed while a test runs."""
        self.meter = meter
        self.crew = crew
        self.outbox = outbox

    def run(
        self, launches: list[Launch], sinks: list[Sink], limits: Limits
    ) -> tuple[str | None, float]:
        """Run a test. Its first launch is the program; a second one is its examiner.

        `sinks` are drained to their ends; the first two count against the output limit.
        Returns (cause, wall_s): what stopped it, of "cpu", "wall", "memory" and "output", or
        None when it ended by itself. Each launch's `result` says how its process ended.
        Raises SpawnerDied and Stuck.
        """
        kills = self.meter.oom_kills()
        test = _Test(self, launches, sinks, limits, kills)
        try:
            test.run()
        except SpawnerDied:
            # The kernel may take the zygote for the program's hunger; its counter is the
            # evidence that this was the program's doing and no failure of ours.
            if self.meter.oom_kills() == kills and not self.crew.shares_uid:
                raise
            self._recover(launches)
        else:
            if not self.crew.wake():
                self._recover(launches)
        cause = test.cause
        wall_s = time.monotonic() - test.started
        for sink in sinks:
            # Nobody is left to write, but the end may not come: a descriptor that was sent
            # into a ring of sockets lives until the kernel happens to look for such rings.
            os.set_blocking(sink.fd, False)
            with contextlib.suppress(BlockingIOError):
                while data := os.read(sink.fd, _READ_BYTES):
                    sink.take(data)
        if self.meter.oom_kills() > kills:
            cause = "memory"
        elif cause is None and test.has_too_much_output():
            cause = "output"
        elif cause is None and _ran_out_of_cpu(launches[0].result, limits):
            cause = "cpu"
        if cause in ("cpu", "wall") and test.thrashed():
            cause = "memory"
        return cause, wall_s

    def _recover(self, launches: list[Launch]) -> None:
        """A zygote was ended by the program's doing: so is the program."""
        self.crew.restart([launch.spec.uid for launch in launches])
        for launch in launches:
            launch.result = (signal.SIGKILL, 0.0, 0)


class _Test:
    """The state of one test while it runs."""

    def __init__(
        self,
        supervisor: Supervisor,
        launches: list[Launch],
        sinks: list[Sink],
        limits: Limits,
        oom_kills: int,
    ) -> None:
        self._supervisor = supervisor
        self._oom_kills = oom_kills
        self._meter = supervisor.meter
        self._limits = limits
        # An examiner is ended first: it is not to go on without its program.
        self._uids = [launch.spec.uid for launch in reversed(launches)]
        self._sinks = {sink.fd: sink for sink in sinks}
        self._counted = sinks[:2]
        self._examiner = launches[-1] if len(launches) > 1 else None
        self._examined = False
        self._killed = False
        self.cause: str | None = None
        self._poll = select.poll()
        self._draining = False
        self._running: dict[int, Launch] = {}
        self._cpu_base_s = self._meter.cpu_s()
        self._refault_base_bytes: int | None = None
        self._paused_s = 0.0
        self.started = time.monotonic()
        self._deadline = self.started + limits.wall_s
        # Most programs end before their output fills a pipe: only the zygote is waited for at
        # first, since each wake-up costs what a small test does.
        self._look = self.started + _FIRST_LOOK_S
        for launch in launches:
            launch.spawner.launch(launch.spec, launch.fds)
            for fd in launch.fds:
                os.close(fd)
            self._running[launch.spawner.fd] = launch
            self._poll.register(launch.spawner.fd, select.POLLIN)

    def run(self) -> None:
        outbox = self._supervisor.outbox
        while self._running:
            now = time.monotonic()
            wake = min(self._deadline, self._look, outbox.due, now + _NAP_S)
            timeout_ms = max(0.0, (wake - now) * 1000 + 0.5)
            events = self._poll.poll(timeout_ms)
            self._note_pause(now, timeout_ms / 1000)
            for fd, _event in events:
                if fd in self._sinks:
                    self._on_output(self._sinks[fd])
                else:
                    self._on_news(self._running[fd])
            now = time.monotonic()
            if now >= outbox.due:
                outbox.flush()
            if now >= self._deadline:
                self._on_deadline()
            elif now >= self._look:
                self._on_look(now)

    def _on_output(self, sink: Sink) -> None:
        data = os.read(sink.fd, _READ_BYTES)
        if not data:
            self._poll.unregister(sink.fd)
            del self._sinks[sink.fd]
            return
        sink.take(data)
        if self.has_too_much_output():
            self._stop("output")

    def has_too_much_output(self) -> bool:
        return sum(len(sink.data) for sink in self._counted) > self._limits.output_bytes

    def thrashed(self) -> bool:
        """Whether it was slow for want of memory: a runtime of many MB whose program leaves it no
        room reads its own pages again and again, for as long as it is let."""
        if self._refault_base_bytes is None:
            return False
        again_bytes = self._meter.refault_bytes() - self._refault_base_bytes
        return again_bytes > self._limits.memory_bytes

    def _on_news(self, launch: Launch) -> None:
        news = launch.spawner.news()
        if news is None:
            self._supervisor.crew.kill([launch.spec.uid])
            return
        launch.result = news
        self._poll.unregister(launch.spawner.fd)
        del self._running[launch.spawner.fd]
        if launch is self._examiner and not self._killed:
            # It has heard enough. Its candidate hears the end of the line, and ends or not.
            self._examined = True
            self._deadline = min(self._deadline, time.monotonic() + _GRACE_S)

    def _note_pause(self, slept_at: float, sleep_s: float) -> None:
        """The time for which the whole sandbox was not let run is nobody's wall time."""
        slept_s = time.monotonic() - slept_at
        if slept_s - sleep_s > _PAUSED_S:
            self._paused_s += slept_s
            self._deadline += slept_s

    def _on_deadline(self) -> None:
        if self._killed:
            raise Stuck("killed processes are still alive")
        if self._examined:
            self._stop(None)
            return
        now = time.monotonic()
        waited_s = self._supervisor.crew.waited_s()
        deadline = self.started + self._limits.wall_s + self._paused_s + (waited_s or 0.0)
        if waited_s is None and now < deadline + _DEATH_S:
            # Nobody is there: its zygote was not let run to start it, or to tell of its end.
            self._supervisor.crew.wake()
            self._deadline = now + _GRACE_S
        elif deadline - now < _LATE_S:
            self._stop("wall")
        else:
            # The wall limit is for who waits for nothing, and this one waits for a CPU.
            self._deadline = deadline
            self._supervisor.outbox.put({"op": "late"})

    def _on_look(self, now: float) -> None:
        if self._killed:
            # With one uid for all, a process may have been born, or have stopped a zygote, between
            # the look at who is there and the kill.
            self._supervisor.crew.kill(self._uids)
            self._look = now + _KILL_AGAIN_S
            return
        if not self._draining:
            self._draining = True
            # Not at the start: to read it takes as long as a small test's share of our work.
            self._refault_base_bytes = self._meter.refault_bytes()
            for fd in self._sinks:
                self._poll.register(fd, select.POLLIN)
        used_s = self._meter.cpu_s() - self._cpu_base_s
        if self._is_out_of_memory():
            self._stop("memory")
        elif used_s >= self._limits.cpu_cap_s:
            self._stop("cpu")
        else:
            self._look = now + self._until_look(used_s)

    def _is_out_of_memory(self) -> bool:
        if self._meter.watches:
            return self._meter.memory_bytes() > self._limits.memory_bytes
        # The kernel took one of its processes; the others may wait for that one for ever.
        return self._meter.oom_kills() > self._oom_kills

    def _until_look(self, used_s: float) -> float:
        """Seconds until a limit may have been reached: all cores together can't be faster."""
        wait_s = max(0.002, (self._limits.cpu_cap_s - used_s) / _CORES)
        return min(wait_s, _WATCH_S) if self._meter.watches else wait_s

    def _stop(self, cause: str | None) -> None:
        if not self._killed:
            self._killed = True
            self.cause = cause
            self._supervisor.crew.kill(self._uids)
            now = time.monotonic()
            self._deadline, self._look = now + _DEATH_S, now + _KILL_AGAIN_S


def _ran_out_of_cpu(result: Ended, limits: Limits) -> bool:
    """Whether its rlimit ended it, or it ended itself so late that nobody had looked."""
    status, cpu_s, _ = result
    out = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU
    return out or cpu_s > limits.cpu_cap_s
