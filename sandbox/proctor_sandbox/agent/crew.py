"""The agent's other processes: its zygotes, and the means to end what came of them."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Sequence

from .spawner import Spawner

TYPE_CHECKING = False  # what typing itself would say, but to import it takes 3 ms
if TYPE_CHECKING:
    from typing import Any

_DEATH_S = 20.0  # killed processes that are not dead by then never will be

# All that a program finds in its environment. One thread for each numeric library: a test's
# CPU time is the sum over threads, and more threads than cores only burn it.
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


# numpy, and what imports it.
_NUMERIC_WORDS = (b"numpy", b"pandas", b"scipy")


class Stuck(Exception):
    """Raised when processes survive being killed."""


class NoTester(Exception):
    """Raised when the image lacks pytest: our fault, never the program's."""


class Crew:
    def __init__(self, config: "dict[str, Any]", home: str) -> None:
        """`config` is the agent's; `home` is where programs are told to be at home."""
        self._config = config
        self._environment = {**ENVIRONMENT, "HOME": home}
        self._spawners: dict[str, Spawner] = {}
        self._uids_used = 0
        # With one uid for all, a program can end our zygotes, and nobody else there can.
        self.shares_uid = not config["uids"]
        # All at once, so that what they weigh is known before a program's memory is limited.
        for name in ("python", "examiner") if config["python"] else ("launcher",):
            self._spawner(name)
        if config["numeric"]:
            self._spawner("numeric")

    def python(self, source: bytes) -> Spawner:
        """The zygote of Python programs: for those that speak of numpy, one that has it."""
        if self._config["numeric"] and any(word in source for word in _NUMERIC_WORDS):
            return self._spawner("numeric")
        return self._spawner("python")

    def examiner(self) -> Spawner:
        """The zygote of examiners: another process, so that programs inherit no test code."""
        return self._spawner("examiner")

    def tester(self) -> Spawner:
        """The zygote of what runs pytest files; started when first asked for. Raises NoTester."""
        if not self._config["tester"]:
            raise NoTester("this sandbox has no pytest")
        return self._spawner("tester")

    def launcher(self) -> Spawner:
        """A bare zygote, which executes binaries."""
        return self._spawner("launcher")

    def pids(self) -> set[int]:
        """The processes that are ours and no program's."""
        return {os.getpid(), *(spawner.pid for spawner in self._spawners.values())}

    def next_uid(self) -> int | None:
        """A uid that no living process has; None where all share one."""
        if self.shares_uid:
            return None
        self._uids_used += 1
        base: int = self._config["uid_base"]
        count: int = self._config["uids"]
        return base + self._uids_used % count

    def kill(self, uids: Sequence[int | None]) -> None:
        """End every process of these uids; their zygotes will say that they are gone."""
        if self.shares_uid:
            for pid in self._strangers():
                _signal(pid)
            self.wake()  # a zygote that was stopped could not tell of their death
            return
        for uid in filter(None, uids):
            # kill(-1) reaches all that this uid may signal at one instant, forks included.
            pid = os.fork()
            if pid == 0:
                try:
                    os.setresgid(uid, uid, uid)
                    os.setresuid(uid, uid, uid)
                    _signal(-1)
                finally:
                    os._exit(0)
            os.waitpid(pid, 0)

    def waited_s(self) -> float | None:
        """How long what runs here was ready to run and had no CPU; None where nothing runs.

        That of the thread that waited longest, since many can wait for one another; 0 where
        the kernel does not tell.
        """
        alive = [pid for pid in self._strangers() if not _has_ended(pid)]
        return max(map(_waited_s, alive), default=None)

    def wake(self) -> bool:
        """Have zygotes go on that a program of their own uid has stopped; False where it has
        ended one."""
        if not self.shares_uid:
            return True
        if not all(spawner.is_alive() for spawner in self._spawners.values()):
            return False
        for spawner in self._spawners.values():
            _signal(spawner.pid, signal.SIGCONT)
        return True

    def restart(self, uids: Sequence[int | None]) -> None:
        """Start all zygotes again; what a dead one was parent of came to us and is ended first.

        Raises Stuck.
        """
        for spawner in self._spawners.values():
            spawner.close()
        deadline = time.monotonic() + _DEATH_S
        while self._strangers():
            self.kill(uids)
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            if time.monotonic() > deadline:
                raise Stuck("killed processes are still alive")
            time.sleep(0.001)
        for spawner in self._spawners.values():
            spawner.start()

    def _preload(self, name: str) -> list[str]:
        if name not in ("python", "numeric"):
            return []
        extra = self._config["numeric"] if name == "numeric" else []
        return [*self._config["preload"], *extra]

    def _strangers(self) -> list[int]:
        ours = self.pids()
        return [
            int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) not in ours
        ]

    def _spawner(self, name: str) -> Spawner:
        if name not in self._spawners:
            runs_python = name != "launcher"
            self._spawners[name] = Spawner(
                self._config["python"] or sys.executable,
                os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                self._environment,
                preload=self._preload(name),
                site=self._config["site"] if runs_python else (),
                runs_python=runs_python,
                tester=name == "tester",
            )
        return self._spawners[name]


def _has_ended(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] == b"Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def _waited_s(pid: int) -> float:
    longest_ns = 0
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat", "rb") as file:
                longest_ns = max(longest_ns, int(file.read().split()[1]))
    except (FileNotFoundError, ProcessLookupError):
        pass  # it ended while we looked, or this kernel does not count
    return longest_ns / 1e9


def _signal(pid: int, number: int = signal.SIGKILL) -> None:
    with contextlib.suppress(ProcessLookupError):  # gone already, which is what was wanted
        os.kill(pid, number)
