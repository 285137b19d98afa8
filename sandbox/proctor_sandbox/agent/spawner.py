"""The zygote: a process of its own whose forks are the tests.

It never reads a program's data: it takes a description and descriptors, forks, and tells how
the fork ended. As a subreaper it becomes the parent of whatever a test leaves behind, so
that "no children" (ECHILD) proves that nothing of the test is alive.

`Spawner` is the agent's side of it; `main` is the process.
"""

import array
import ctypes
import gc
import json
import marshal
import os
import signal
import socket
import sys
from collections.abc import Sequence

from . import child, warm
from .spec import Spec

_PR_SET_CHILD_SUBREAPER = 36
_SOCKET_FD = 3
# Has the linker look up every function at the start, where each fork would do so at first use.
_BIND_NOW = "LD_BIND_NOW"
_FD_BYTES = array.array("i").itemsize
_MAX_FDS = 16
_MAX_MESSAGE = 64 * 1024


# How a test's processes ended: wait status of the first, CPU seconds of all, and the peak
# resident bytes of the largest.
Ended = tuple[int, float, int]


class SpawnerDied(Exception):
    """Raised when the zygote is gone."""


class Spawner:
    """Starts processes for the agent. One at a time; `fd` is readable when there is news."""

    def __init__(
        self,
        python: str,
        path: str,
        env: dict[str, str],
        preload: Sequence[str] = (),
        site: Sequence[str] = (),
        runs_python: bool = True,
        tester: bool = False,
    ) -> None:
        self._python = python
        self._path = path
        self._env = {**env, _BIND_NOW: "1"}
        self._config = json.dumps(
            {"preload": preload, "site": site, "python": runs_python, "tester": tester}
        )
        self._started = False
        self.start()

    def start(self) -> None:
        """Start the process, again if need be, and wait until it is ready."""
        self.close()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            argv = [self._python, "-s", "-P", "-X", "utf8", "-c", _BOOT, self._path, self._config]
            # The forks go on using the streams that the interpreter makes for these, so they
            # are of the kind that a test's will be: a file to read, pipes to write to.
            reader, writer = os.pipe()
            actions = [
                (os.POSIX_SPAWN_OPEN, 0, __file__, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, writer, 1),
                (os.POSIX_SPAWN_DUP2, theirs.fileno(), _SOCKET_FD),
            ]
            self.pid = os.posix_spawn(self._python, argv, self._env, file_actions=actions)
            os.close(reader)
            os.close(writer)
        self._socket = ours
        self.fd = ours.fileno()
        self._started = True
        self.news()

    def close(self) -> None:
        """End the process."""
        if self._started:
            self._started = False
            self._socket.close()
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def is_alive(self) -> bool:
        """Whether the process has not ended."""
        if self._started and os.waitpid(self.pid, os.WNOHANG)[0]:
            self._started = False
            self._socket.close()
        return self._started

    def launch(self, spec: Spec, fds: list[int]) -> None:
        """Start one process; `fds` are handed over and stay open here."""
        # Version 2 marks no string as interned: to look them up would cost the fork pages.
        message = marshal.dumps(spec.fields(), 2)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
        try:
            self._socket.sendmsg([message], rights)
        except OSError as error:
            raise SpawnerDied(str(error)) from None

    def news(self) -> Ended | None:
        """What the zygote has to say: None when the process has ended and others of it live on,
        how it ended once nothing of it is alive."""
        try:
            message = self._socket.recv(_MAX_MESSAGE)
        except OSError:
            message = b""
        if not message:
            raise SpawnerDied("the zygote has ended")
        news: Ended | None = marshal.loads(message)  # noqa: S302 - only the zygote speaks here
        return news


_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); from agent import spawner; "
    "sys.path.pop(0); spawner.main(sys.argv[2])"
)


def main(settings: str) -> None:
    """Become a zygote and serve the agent on descriptor 3."""
    config = json.loads(settings)
    link = socket.socket(fileno=_SOCKET_FD)
    _forget(_BIND_NOW)
    child.libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if os.geteuid() == 0:
        os.setgroups([])
    child.confine_zygote()
    sys.path.extend(config["site"])
    if config["python"]:
        warm.preload(config["preload"])
    warm.rehearse(python=config["python"])
    if config["tester"]:
        from . import tester  # which imports pytest: 100 ms and more

        child.MODES.update(tester.MODES)
        tester.rehearse()
    # Where programs share our uid, this keeps our memory from them.
    child.libc.prctl(child.PR_SET_DUMPABLE, 0, 0, 0, 0)
    # What a program would see of us: no module, no argument.
    for name in [name for name in sys.modules if name.partition(".")[0] == "agent"]:
        del sys.modules[name]
    sys.argv = [""]
    gc.collect()
    warm.settle()
    gc.freeze()
    link.send(marshal.dumps(None))
    serve(link)


def _forget(name: str) -> None:
    """Take a variable out of the environment, and out of the bytes that /proc/self/environ shows:
    what a process began with."""
    getenv = child.libc.getenv
    getenv.restype = ctypes.c_void_p
    value = os.environ[name]
    start = getenv(name.encode()) - len(f"{name}=")
    del os.environ[name]
    ctypes.memset(start, 0, len(f"{name}={value}"))


def serve(link: socket.socket) -> None:
    """Fork for each request until the agent hangs up.

    Every object touched here is a page copied after each fork, so little is done.
    """
    room = socket.CMSG_SPACE(_MAX_FDS * _FD_BYTES)
    while True:
        message, rights, _flags, _address = link.recvmsg(_MAX_MESSAGE, room)
        if not message:
            os._exit(0)
        pid = os.fork()
        if pid == 0:
            # Passed descriptors take the lowest free numbers; to read these would cost more.
            count = len(rights[0][2]) // _FD_BYTES
            fds = list(range(_SOCKET_FD + 1, _SOCKET_FD + 1 + count))
            child.become(Spec(*marshal.loads(message)), fds)  # noqa: S302 - the agent's
        os.closerange(_SOCKET_FD + 1, _SOCKET_FD + 1 + _MAX_FDS)
        link.send(_reap(link, pid))


def _reap(link: socket.socket, pid: int) -> bytes:
    """Wait until the process and all that it left are gone; their CPU time adds up."""
    cpu_s = 0.0
    peak_kib = 0
    status = 0
    options = 0
    while True:
        try:
            ended, how, usage = os.wait4(-1, options)
        except ChildProcessError:
            return marshal.dumps((status, cpu_s, peak_kib * 1024))
        if ended == 0:
            link.send(marshal.dumps(None))
            options = 0
            continue
        cpu_s += usage.ru_utime + usage.ru_stime
        peak_kib = max(peak_kib, usage.ru_maxrss)
        if ended == pid:
            status = how
            options = os.WNOHANG
