"""A cgroup for each bubblewrap sandbox, as Docker makes one for each container.

Only root may make them. v1 wants a folder in each controller's hierarchy, v2 one folder;
all lie under `proctor` and are named after their owner, so that left-overs can be told.
"""

import contextlib
import errno
import os
import secrets
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from proctor_sandbox.launch import Ceiling
from proctor_sandbox.owner import Owner

# cpuacct has no limits: the agent reads from it what CPU time the sandbox used.
_CONTROLLERS_V1 = ("memory", "pids", "cpu", "cpuacct")
_CONTROLLERS_V2 = ("memory", "pids", "cpu")
_PERIOD_US = 100_000
# The kernel takes a moment to bury killed processes; only then can a cgroup be removed.
_BURIAL_S = 5.0
_PARENT = "proctor"


@dataclass(frozen=True, slots=True)
class Hierarchies:
    """Where this machine's controllers are mounted; one path for all of them in version 2."""

    version: Literal[1, 2]
    mounts: dict[str, Path]

    @classmethod
    def find(cls, mountinfo: Path = Path("/proc/self/mountinfo")) -> "Hierarchies | None":
        """What can be written to here; None without root or without the controllers."""
        v1: dict[str, Path] = {}
        v2: Path | None = None
        for line in mountinfo.read_text().splitlines():
            before, _, after = line.partition(" - ")
            mount = Path(before.split()[4])
            kind, _, options = after.split(maxsplit=2)
            if kind == "cgroup":
                v1 |= {name: mount for name in options.split(",") if name in _CONTROLLERS_V1}
            elif kind == "cgroup2":
                v2 = mount
        if set(v1) == set(_CONTROLLERS_V1):
            found = cls(1, v1)
        elif v2 is not None and _offers(v2, _CONTROLLERS_V2):
            found = cls(2, dict.fromkeys(_CONTROLLERS_V2, v2))
        else:
            return None
        writable = all(os.access(mount, os.W_OK) for mount in found.mounts.values())
        return found if writable and os.geteuid() == 0 else None


class Cgroup:
    """One sandbox's cgroup."""

    def __init__(self, hierarchies: Hierarchies, folders: dict[str, Path]) -> None:
        self._v2 = hierarchies.version == 2
        self._folders = folders
        self._memory_bytes = 0

    @classmethod
    def create(cls, hierarchies: Hierarchies, owner: Owner, ceiling: Ceiling) -> "Cgroup":
        """Make a cgroup with these limits. Raises OSError where the kernel refuses."""
        name = f"{owner}~{secrets.token_hex(6)}"
        if hierarchies.version == 2:
            _delegate(hierarchies.mounts["memory"])
        folders = {
            controller: mount / _PARENT / name for controller, mount in hierarchies.mounts.items()
        }
        cgroup = cls(hierarchies, folders)
        try:
            for folder in folders.values():
                folder.mkdir(parents=True, exist_ok=True)
            cgroup.limit_memory(ceiling.memory_bytes)
            (folders["pids"] / "pids.max").write_text(str(ceiling.processes))
            quota = int(ceiling.cpus * _PERIOD_US)
            if cgroup._v2:
                (folders["cpu"] / "cpu.max").write_text(f"{quota} {_PERIOD_US}")
            else:
                (folders["cpu"] / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
                (folders["cpu"] / "cpu.cfs_quota_us").write_text(str(quota))
        except OSError:
            cgroup.remove()
            raise
        return cgroup

    @property
    def meter(self) -> str:
        """The name of the agent's meter over this cgroup."""
        return "cgroup2" if self._v2 else "cgroup1"

    @property
    def doors(self) -> list[Path]:
        """The files that a process writes its pid to, to be in here."""
        return sorted({folder / "cgroup.procs" for folder in self._folders.values()})

    @property
    def binds(self) -> dict[Path, str]:
        """What the agent has to see inside, and where, as container engines show it."""
        if self._v2:
            return {self._folders["memory"]: "/sys/fs/cgroup"}
        return {self._folders[name]: f"/sys/fs/cgroup/{name}" for name in ("memory", "cpuacct")}

    def limit_memory(self, memory_bytes: int) -> None:
        """Memory of all that runs here, swap included. Raises OSError."""
        folder = self._folders["memory"]
        if self._v2:
            (folder / "memory.max").write_text(str(memory_bytes))
            _write_if_there(folder / "memory.swap.max", "0")
        else:
            # Memory may never be above memory and swap together, not even between two writes.
            limits = [folder / "memory.limit_in_bytes", folder / "memory.memsw.limit_in_bytes"]
            if memory_bytes > self._memory_bytes > 0:
                limits.reverse()
            for limit in limits:
                _write_if_there(limit, str(memory_bytes))
        self._memory_bytes = memory_bytes

    def oom_kills(self) -> int:
        """How many processes the kernel has killed in here for want of memory."""
        name = "memory.events" if self._v2 else "memory.oom_control"
        for line in (self._folders["memory"] / name).read_text().splitlines():
            key, _, number = line.partition(" ")
            if key == "oom_kill":
                return int(number)
        return 0

    def remove(self) -> None:
        """Kill what is left in here and remove the cgroup. Raises OSError if it can't be."""
        for folder in set(self._folders.values()):
            _remove(folder)


def reap(hierarchies: Hierarchies) -> int:
    """Remove the cgroups of owners that are gone; returns how many sandboxes they were of."""
    names = set()
    for mount in set(hierarchies.mounts.values()):
        parent = mount / _PARENT
        for folder in parent.iterdir() if parent.is_dir() else ():
            owner = Owner.parse(folder.name.partition("~")[0])
            if folder.is_dir() and owner is not None and owner.is_gone():
                _remove(folder)
                names.add(folder.name)
    return len(names)


def _offers(mount: Path, controllers: tuple[str, ...]) -> bool:
    return set(controllers) <= set((mount / "cgroup.controllers").read_text().split())


def _delegate(mount: Path) -> None:
    """Hand the controllers down to our cgroups.

    Refused (EBUSY) where processes live in `mount` itself, as in a container of its own.
    """
    wanted = " ".join(f"+{name}" for name in _CONTROLLERS_V2)
    parent = mount / _PARENT
    parent.mkdir(exist_ok=True)
    if not _offers(parent, _CONTROLLERS_V2):
        (mount / "cgroup.subtree_control").write_text(wanted)
    (parent / "cgroup.subtree_control").write_text(wanted)


def _write_if_there(path: Path, text: str) -> None:
    """Kernels without swap accounting lack the files for it."""
    if path.exists():
        path.write_text(text)


def _remove(folder: Path) -> None:
    deadline = time.monotonic() + _BURIAL_S
    while folder.exists():
        for pid in _pids(folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.002)


def _pids(folder: Path) -> list[int]:
    """Who is in a cgroup: nobody once it is removed, as by another worker that starts now."""
    try:
        return [int(pid) for pid in (folder / "cgroup.procs").read_text().split()]
    except OSError as error:
        # ENODEV: it was removed between opening and reading.
        if error.errno in (errno.ENOENT, errno.ENODEV):
            return []
        raise
