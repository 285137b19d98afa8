"""The connection to an agent under bubblewrap, and the end of both."""

import contextlib
import os
import signal
import socket
import subprocess
from typing import IO

from proctor_sandbox.cgroups import Cgroup
from proctor_sandbox.errors import SandboxLost

_READ_BYTES = 256 * 1024
_TAIL_BYTES = 8192
# Killing a pid namespace takes milliseconds; this long only where the machine is swamped.
_END_S = 10.0


class ProcessTransport:
    """A socket to an agent that is the first process of a pid namespace."""

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        stream: socket.socket,
        stderr: IO[bytes],
        cgroup: Cgroup | None,
        init: int | None,
    ) -> None:
        """`init` is the pid of the sandbox's first process, None if there never was one."""
        self._process = process
        self._init = init
        self._init_fd = None if init is None else _pidfd(init)
        self._socket = stream
        self._socket.setblocking(False)
        self._stderr = stderr
        self._cgroup = cgroup
        self._memory_bytes = 0
        self._closed = False

    @property
    def pid(self) -> int:
        """The process that everything in the sandbox ends with."""
        return self._process.pid if self._init is None else self._init

    @property
    def read_fd(self) -> int:
        return self._socket.fileno()

    @property
    def write_fd(self) -> int:
        return self._socket.fileno()

    def read(self) -> bytes | None:
        """Bytes of the agent's stdout; None when there are none yet, b"" when it has ended."""
        try:
            return self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def write(self, data: memoryview) -> int:
        """Bytes taken, 0 for not now. Raises SandboxLost when the stream is closed."""
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise SandboxLost(f"the agent's stdin is closed: {self.autopsy()}") from error

    def memory_limit(self, memory_bytes: int) -> None:
        """Set the cgroup's memory limit, where there is one. Raises SandboxLost."""
        if self._cgroup is None or memory_bytes == self._memory_bytes:
            return
        try:
            self._cgroup.limit_memory(memory_bytes)
        except OSError as error:
            raise SandboxLost(f"cannot set the memory limit: {error}") from error
        self._memory_bytes = memory_bytes

    def autopsy(self) -> str:
        """How bubblewrap ended, what its cgroup counted and the end of its stderr."""
        if self._closed:
            return "the sandbox was closed"
        try:
            # The stream ends a moment before the process can be waited for.
            status = self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            return "the connection ended while the sandbox runs"
        found = f"bubblewrap ended with status {status}"
        with contextlib.suppress(OSError):
            if self._cgroup is not None and (kills := self._cgroup.oom_kills()):
                found += f", the kernel having killed {kills} processes in it for memory"
        size = os.fstat(self._stderr.fileno()).st_size
        stderr = os.pread(self._stderr.fileno(), _TAIL_BYTES, max(0, size - _TAIL_BYTES))
        text = stderr.decode(errors="replace").strip()
        return f"{found}; stderr: {text}" if text else found

    def close(self) -> None:
        """Kill everything in the sandbox. May be called twice.

        A cgroup that cannot be removed now is left to `reap`.
        """
        if self._closed:
            return
        self._closed = True
        # bubblewrap's own --die-with-parent is forgotten by a process that changes its uid, as
        # the agent does; so the agent, pid 1 in there, is killed, and all else ends with it.
        if self._init_fd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._init_fd, signal.SIGKILL)
            os.close(self._init_fd)
        else:
            self._process.kill()
        # bubblewrap waits for its child and ends: killed sooner, it would leave a zombie.
        try:
            self._process.wait(timeout=_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._socket.close()
        self._stderr.close()
        if self._cgroup is not None:
            with contextlib.suppress(OSError):
                self._cgroup.remove()


def _pidfd(pid: int) -> int | None:
    """A handle on a process, whose pid may come to be another's."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None
