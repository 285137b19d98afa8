"""Sandboxes made by bubblewrap, for machines without a Docker engine. For development.

As root, a sandbox has a cgroup and every program a uid of its own. As an ordinary user it
has neither: programs are apart from the host, but share a uid with their agent, and memory
is watched by polling.
"""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import IO

from proctor_sandbox.bubblewrap_command import (
    GROUP,
    PASSWD,
    SITE,
    Descriptors,
    command,
    interpreter,
)
from proctor_sandbox.cgroups import Cgroup, Hierarchies, reap
from proctor_sandbox.channel import AgentSandbox
from proctor_sandbox.distributions import importable
from proctor_sandbox.errors import LanguageUnavailable, SandboxLost, SandboxUnavailable
from proctor_sandbox.languages import LANGUAGES
from proctor_sandbox.launch import PRELOAD, UIDS, AgentConfig, Ceiling, uid_base
from proctor_sandbox.owner import Owner
from proctor_sandbox.seam import Sandbox, SandboxInfo
from proctor_sandbox.seccomp_filter import seccomp_filter

SECCOMP_PROFILE = Path(__file__).parent / "seccomp.json"

_READ_BYTES = 256 * 1024
_TAIL_BYTES = 8192
# The first version whose tmpfs can be given a size.
_NEEDED_VERSION = (0, 7, 0)
# Killing a pid namespace takes milliseconds; this long only where the machine is swamped.
_END_S = 10.0
# Writes its own pid to each file named first, then becomes what follows.
_ENTER = 'for door in $1; do echo $$ >"$door" || exit 125; done; shift; exec "$@"'


class BubblewrapBackend:
    """Starts sandboxes with the bwrap on PATH."""

    name = "bubblewrap"

    def __init__(self, ceiling: Ceiling | None = None, *, privileged: bool | None = None) -> None:
        """`privileged` False does without root's means even as root; None: as they are there.

        Raises SandboxUnavailable when bubblewrap is missing or too old.
        """
        self._bwrap = _find()
        self._ceiling = ceiling or Ceiling()
        self._privileged = os.geteuid() == 0 if privileged is None else privileged
        self._hierarchies = Hierarchies.find() if self._privileged else None
        self._filter = seccomp_filter(SECCOMP_PROFILE)
        self._owner = Owner.current()
        self._started = 0

    def languages(self) -> dict[str, str]:
        """Python, and each language whose compiler this machine has."""
        return {
            name: language.image
            for name, language in LANGUAGES.items()
            if not language.compile or shutil.which(language.compile[0])
        }

    def start(self, image: str) -> Sandbox:
        """Start a sandbox for an image family. Raises SandboxUnavailable."""
        if image not in self.languages().values():
            raise LanguageUnavailable(f"this machine has no compiler for {image} programs")
        python = image == "python"
        packages = importable() if python else {}
        config = AgentConfig(
            uid_base=uid_base(),
            uids=UIDS if self._privileged else 0,
            python=str(interpreter()) if python else None,
            site=[SITE] if packages else [],
            preload=list(PRELOAD) if python else [],
        )
        cgroup = self._make_cgroup()
        try:
            with _descriptors(self._filter) as descriptors:
                argv = command(
                    self._bwrap,
                    privileged=self._privileged,
                    ceiling=self._ceiling,
                    packages=packages,
                    cgroup=cgroup.binds if cgroup else {},
                    descriptors=descriptors,
                    agent=config.argv(str(interpreter())),
                )
                transport = _spawn(argv, descriptors, cgroup)
        except OSError as error:
            if cgroup is not None:
                cgroup.remove()
            raise SandboxUnavailable(f"bubblewrap could not be run: {error}") from error
        self._started += 1
        name = f"bubblewrap-{self._owner.pid}-{self._started}"
        meter = cgroup.meter if cgroup else "watch"
        try:
            return AgentSandbox(transport, SandboxInfo(self.name, image, name, "bwrap", meter))
        except SandboxLost as error:
            transport.close()
            raise SandboxUnavailable(f"the agent in {name} did not come up: {error}") from error

    def reap(self) -> int:
        """Remove the cgroups that dead owners left; their processes ended with them."""
        return reap(self._hierarchies) if self._hierarchies else 0

    def _make_cgroup(self) -> Cgroup | None:
        if self._hierarchies is None:
            return None
        try:
            return Cgroup.create(self._hierarchies, self._owner, self._ceiling)
        except OSError:
            # In a container, root may see a hierarchy and not be let to divide it. The sandbox
            # then watches memory by polling, and says so in its info.
            self._hierarchies = None
            return None


class ProcessTransport:
    """A socket to an agent that is the first process of a pid namespace."""

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        stream: socket.socket,
        stderr: IO[bytes],
        cgroup: Cgroup | None,
    ) -> None:
        self._process = process
        self._socket = stream
        self._socket.setblocking(False)
        self._stderr = stderr
        self._cgroup = cgroup
        self._memory_bytes = 0
        self._closed = False

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
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_END_S)
        self._socket.close()
        self._stderr.close()
        if self._cgroup is not None:
            with contextlib.suppress(OSError):
                self._cgroup.remove()


def _find() -> str:
    path = shutil.which("bwrap")
    if path is None:
        raise SandboxUnavailable("bubblewrap is missing; install it: apt-get install bubblewrap")
    said = subprocess.run([path, "--version"], capture_output=True, check=False, text=True).stdout
    version = tuple(int(part) for part in re.findall(r"\d+", said)[:3])
    if version < _NEEDED_VERSION:
        needed = ".".join(map(str, _NEEDED_VERSION))
        raise SandboxUnavailable(f"{said.strip() or path} is too old; {needed} or later is needed")
    return path


def _spawn(argv: list[str], descriptors: Descriptors, cgroup: Cgroup | None) -> ProcessTransport:
    if cgroup is not None:
        doors = " ".join(map(str, cgroup.doors))
        argv = ["/bin/sh", "-c", _ENTER, "sh", doors, *argv]
    ours, theirs = socket.socketpair()
    stderr = tempfile.TemporaryFile()  # noqa: SIM115 - the transport closes it

    def popen() -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            argv,
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=stderr,
            pass_fds=descriptors.numbers(),
        )

    with theirs:
        process = _spawner(os.getpid()).submit(popen).result()
    return ProcessTransport(process, ours, stderr, cgroup)


@cache
def _spawner(_pid: int) -> ThreadPoolExecutor:
    """One lasting thread that starts every sandbox of this process.

    --die-with-parent means the thread that forked: a sandbox started from a short-lived one
    would be killed at its end (prctl(2), PR_SET_PDEATHSIG).
    """
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="bubblewrap")


@contextlib.contextmanager
def _descriptors(seccomp: bytes) -> Iterator[Descriptors]:
    with contextlib.ExitStack() as stack:
        numbers = []
        for content in (seccomp, PASSWD, GROUP):
            file = stack.enter_context(tempfile.TemporaryFile())
            file.write(content)
            file.seek(0)
            numbers.append(file.fileno())
        yield Descriptors(*numbers)
