"""A sandbox seen from the host: what is in it that was not there at the start.

All of this is read as root, through /proc and the namespaces, never from the agent's word.
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from proctor_sandbox.limits import MIB

# Where programs can write, and what must be empty between programs.
_WRITABLE = ("box", "tmp", "dev/shm")
_EMPTY = ("box/w", "box/src", "box/in", "tmp", "dev/shm")
# What the agent and each zygote may grow by: freed inputs that malloc keeps, grown heaps.
_GROWTH_BYTES = 24 * MIB
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

# Shows what a sandbox's IPC namespace holds: System V tables, then POSIX queues, in a mount
# namespace of the look's own.
_SHOW_IPC = (
    "mount -t mqueue mqueue /mnt && "
    "tail -q -n +2 /proc/sysvipc/shm /proc/sysvipc/sem /proc/sysvipc/msg && ls -A /mnt"
)


@dataclass(frozen=True, slots=True)
class _Process:
    parent: int
    resident_bytes: int
    command: str


class Outside:
    """One sandbox, compared with what it was when this was made."""

    def __init__(self, init: int) -> None:
        """`init` is the host's pid of the sandbox's first process. No program may be running."""
        self._init = init
        self._root = Path(f"/proc/{init}/root")
        self._crew = self._processes()
        self._mounts = self._mount_lines()
        self._inodes = self._used_inodes()

    @property
    def crew(self) -> frozenset[int]:
        """The pids of the agent and its zygotes, now."""
        return frozenset(self._processes())

    def left(self) -> list[str]:
        """What is there and should not be, in words; nothing when all is well."""
        return [
            *self._left_processes(),
            *self._left_files(),
            *(f"IPC object: {line}" for line in self._ipc_lines()),
            *(f"mount: {line}" for line in self._mount_lines() ^ self._mounts),
        ]

    def _left_processes(self) -> list[str]:
        now = self._processes()
        found = []
        if len(now) != len(self._crew):
            found.append(f"{len(now)} processes, not {len(self._crew)}")
        for pid, process in now.items():
            # Zygotes are the agent's children; what programs start is never that.
            if pid != self._init and process.parent != self._init:
                found.append(f"process {pid}: {process.command}")
        most = max(process.resident_bytes for process in self._crew.values()) + _GROWTH_BYTES
        found.extend(
            f"process {pid} has grown to {process.resident_bytes // MIB} MiB"
            for pid, process in now.items()
            if process.resident_bytes > most
        )
        return found

    def _left_files(self) -> list[str]:
        found = [
            f"file: /{place}/{name}" for place in _EMPTY for name in os.listdir(self._root / place)
        ]
        # Unlinked files that somebody holds open have no name, but an inode.
        used = self._used_inodes()
        return found + [
            f"{used[place]} inodes in /{place}, not {self._inodes[place]}"
            for place in _WRITABLE
            if used[place] != self._inodes[place]
        ]

    def _used_inodes(self) -> dict[str, int]:
        stats = {place: os.statvfs(self._root / place) for place in _WRITABLE}
        return {place: stat.f_files - stat.f_ffree for place, stat in stats.items()}

    def _mount_lines(self) -> frozenset[str]:
        return frozenset(Path(f"/proc/{self._init}/mountinfo").read_text().splitlines())

    def _ipc_lines(self) -> list[str]:
        command = ["nsenter", "--ipc", "--target", str(self._init), "unshare", "--mount"]
        shown = subprocess.run(
            [*command, "sh", "-c", _SHOW_IPC], capture_output=True, check=True, text=True
        )
        return shown.stdout.splitlines()

    def _processes(self) -> dict[int, _Process]:
        """All of the sandbox's pid namespace, by the host's pids."""
        namespace = os.readlink(f"/proc/{self._init}/ns/pid")
        everyone: dict[int, _Process] = {}
        inside: set[int] = set()
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                everyone[int(name)] = _read(name)
                if os.readlink(f"/proc/{name}/ns/pid") == namespace:
                    inside.add(int(name))
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended, or is a zombie, which has no namespace any more
            except PermissionError:
                continue  # the machine's own first process; ours can all be looked at
        # A zombie's parent is in the namespace.
        inside |= {pid for pid, process in everyone.items() if process.parent in inside}
        return {pid: everyone[pid] for pid in sorted(inside)}


def _read(pid: str) -> _Process:
    stat = Path(f"/proc/{pid}/stat").read_text()
    command, _, rest = stat.partition("(")[2].rpartition(")")
    fields = rest.split()
    return _Process(int(fields[1]), int(fields[21]) * _PAGE_BYTES, command)
