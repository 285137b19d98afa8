"""Whose a sandbox is, so that what a dead worker left behind can be told from a live one's."""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_SEPARATOR = "-"


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, named so that the name is never used again.

    `place` is the boot of the machine and the pid namespace in which `pid` means something;
    `started` is the process's start in clock ticks since boot, since pids come back.
    """

    place: str
    pid: int
    started: int

    def __str__(self) -> str:
        return _SEPARATOR.join((self.place, str(self.pid), str(self.started)))

    @classmethod
    def current(cls) -> "Owner":
        """The process that asks."""
        pid = os.getpid()
        return cls(_place(), pid, _started(pid) or 0)

    @classmethod
    def parse(cls, text: str) -> "Owner | None":
        """The owner that `str()` gave this text, None for any other text."""
        place, _, rest = text.partition(_SEPARATOR)
        pid, _, started = rest.partition(_SEPARATOR)
        if not (place and pid.isdecimal() and started.isdecimal()):
            return None
        return cls(place, int(pid), int(started))

    def is_gone(self) -> bool | None:
        """Whether the process has ended; None when that cannot be seen from here."""
        if self.place != _place():
            # An earlier boot of this machine is surely over, but so it looks for another
            # machine or container too: not ours to judge.
            return None
        return _started(self.pid) != self.started


@cache
def _place() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")
    return f"{boot}.{os.stat('/proc/self/ns/pid').st_ino}"


def _started(pid: int) -> int | None:
    """Start time of a process in clock ticks since boot, None when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # Field 22; the name (field 2) may hold spaces and parentheses of its own.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])
