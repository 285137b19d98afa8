"""Sandboxes made by bubblewrap, for machines without a Docker engine. For development.

As root, a sandbox has a cgroup and every program a uid of its own. As an ordinary user it
has neither: programs are apart from the host, but share a uid with their agent, and memory
is watched by polling.
"""

import contextlib
import json
import os
import platform
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

from proctor_sandbox.artefacts import Artefacts
from proctor_sandbox.bubblewrap_command import (
    GROUP,
    PASSWD,
    PATH,
    SITE,
    Descriptors,
    command,
    interpreter,
)
from proctor_sandbox.bubblewrap_transport import ProcessTransport
from proctor_sandbox.cgroups import Cgroup, Hierarchies, reap
from proctor_sandbox.channel import AgentSandbox
from proctor_sandbox.distributions import importable
from proctor_sandbox.errors import LanguageUnavailable, SandboxLost, SandboxUnavailable
from proctor_sandbox.languages import RUNNABLE, Language, tools
from proctor_sandbox.launch import NUMERIC, PRELOAD, UIDS, AgentConfig, Ceiling, uid_base
from proctor_sandbox.owner import Owner
from proctor_sandbox.seam import Sandbox, SandboxInfo
from proctor_sandbox.seccomp_filter import seccomp_filter
from proctor_sandbox.versions import answer, question

SECCOMP_PROFILE = Path(__file__).parent / "seccomp.json"

# The first version whose tmpfs can be given a size.
_NEEDED_VERSION = (0, 7, 0)
# Writes its own pid to each file named first, then becomes what follows.
_ENTER = 'for door in $1; do echo $$ >"$door" || exit 125; done; shift; exec "$@"'


class BubblewrapBackend:
    """Starts sandboxes with the bwrap on PATH."""

    name = "bubblewrap"

    def __init__(self, ceiling: Ceiling | None = None, *, privileged: bool | None = None) -> None:
        """`privileged` False does without root's means even as root, for tests of what an
        ordinary user gets; None: what the user has.

        Raises SandboxUnavailable when bubblewrap is missing or too old.
        """
        self._bwrap = _find()
        self._ceiling = ceiling or Ceiling()
        self._privileged = os.geteuid() == 0 if privileged is None else privileged
        self._hierarchies = Hierarchies.find() if self._privileged else None
        self._filter = seccomp_filter(SECCOMP_PROFILE)
        self._owner = Owner.current()
        self._artefacts = Artefacts()

    def languages(self) -> dict[str, str]:
        """Python, and each language and mode whose compiler or interpreter this machine has."""
        return {
            name: language.image
            for name, language in RUNNABLE.items()
            if language.image == "python" or _has(language)
        }

    def versions(self) -> dict[str, str]:
        """What this machine's tools say, asked now; Python is the one that Proctor runs on."""
        found = {"python": platform.python_version()}
        for family in sorted(set(self.languages().values()) - {"python"}):
            # Seconds of work all together, that no program shall wait for.
            argv = ["nice", "-n", "19", "/bin/sh", "-c", question(family)]
            said = subprocess.run(
                argv, capture_output=True, check=False, text=True, env={"PATH": PATH}
            )
            found |= answer(said.stdout)
        return found

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
            numeric=list(NUMERIC) if "numpy" in packages else [],
            tester="pytest" in packages,
        )
        cgroup = self._make_cgroup()
        try:
            with _descriptors(self._filter) as (descriptors, news):
                argv = command(
                    self._bwrap,
                    privileged=self._privileged,
                    ceiling=self._ceiling,
                    packages=packages,
                    cgroup=cgroup.binds if cgroup else {},
                    descriptors=descriptors,
                    agent=config.argv(str(interpreter())),
                )
                if self._ceiling.core is not None:
                    argv = ["taskset", "--cpu-list", str(self._ceiling.core), *argv]
                transport = _spawn(argv, descriptors, news, cgroup)
        except OSError as error:
            if cgroup is not None:
                cgroup.remove()
            raise SandboxUnavailable(f"bubblewrap could not be run: {error}") from error
        name = f"bubblewrap-{transport.pid}"
        meter = cgroup.meter if cgroup else "watch"
        try:
            info = SandboxInfo(self.name, image, name, "bwrap", meter)
            return AgentSandbox(transport, info, self._artefacts)
        except SandboxLost as error:
            transport.close()
            raise SandboxUnavailable(
                f"the agent in {name} did not come up: {error}{_remedy(str(error))}"
            ) from error

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


def _has(language: Language) -> bool:
    command = tools(language).version[0]
    return shutil.which(command, path=PATH) is not None and all(map(os.path.exists, language.needs))


def _remedy(fault: str) -> str:
    if "uid map" in fault or "namespace" in fault:
        return (
            "; this machine does not let ordinary users make namespaces: let it (sysctl "
            "kernel.apparmor_restrict_unprivileged_userns=0 or "
            "kernel.unprivileged_userns_clone=1), be root, or use Docker"
        )
    return ""


def _spawn(
    argv: list[str], descriptors: Descriptors, news: "_News", cgroup: Cgroup | None
) -> ProcessTransport:
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
    return ProcessTransport(process, ours, stderr, cgroup, news.child())


class _News:
    """The pipe of --info-fd."""

    def __init__(self, reader: IO[bytes], writer: IO[bytes]) -> None:
        self._reader = reader
        self._writer = writer

    def child(self) -> int | None:
        """The pid of the sandbox's first process, None where bubblewrap failed to make it."""
        self._writer.close()  # else there would be no end to read to
        told = self._reader.read()
        return int(json.loads(told)["child-pid"]) if told else None


@cache
def _spawner(_pid: int) -> ThreadPoolExecutor:
    """One lasting thread that starts every sandbox of this process.

    --die-with-parent means the thread that forked: a sandbox started from a short-lived one
    would be killed at its end (prctl(2), PR_SET_PDEATHSIG).
    """
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="bubblewrap")


@contextlib.contextmanager
def _descriptors(seccomp: bytes) -> Iterator[tuple[Descriptors, _News]]:
    with contextlib.ExitStack() as stack:
        seccomp_fd, passwd_fd, group_fd = (
            stack.enter_context(_holding(content)).fileno() for content in (seccomp, PASSWD, GROUP)
        )
        read, write = os.pipe()
        reader = stack.enter_context(open(read, "rb"))
        writer = stack.enter_context(open(write, "wb"))
        yield Descriptors(seccomp_fd, passwd_fd, group_fd, write), _News(reader, writer)


def _holding(content: bytes) -> IO[bytes]:
    """A nameless file to read this from."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    file.write(content)
    file.seek(0)
    return file
