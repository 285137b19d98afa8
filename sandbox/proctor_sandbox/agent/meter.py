"""What the sandbox's own cgroup says: memory that ran out, CPU that was used.

Both hierarchies are read where container engines show them, /sys/fs/cgroup. Where there is
none (bubblewrap without root), processes are watched through /proc instead.
"""

import os
from collections.abc import Callable, Iterator

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_ROOT = "/sys/fs/cgroup"


def find(infrastructure: Callable[[], set[int]]) -> "Meter":
    """The meter that this machine allows. `infrastructure()` gives the pids that are ours."""
    for kind in (CgroupV2, CgroupV1):
        try:
            return kind()
        except OSError:
            continue  # not this hierarchy
    return Watch(infrastructure)


class _Cgroup:
    """A cgroup is charged for the whole process tree, so a fork hides nothing."""

    watches = False

    def __init__(self, events: str, usage: str, statistics: str) -> None:
        self._events = os.open(events, os.O_RDONLY | os.O_CLOEXEC)
        self._usage = os.open(usage, os.O_RDONLY | os.O_CLOEXEC)
        self._statistics = os.open(statistics, os.O_RDONLY | os.O_CLOEXEC)
        self.oom_kills()
        self.memory_bytes()

    def oom_kills(self) -> int:
        """How many processes the kernel has killed in this sandbox for want of memory."""
        return _field(os.pread(self._events, 4096, 0), b"oom_kill")

    def memory_bytes(self) -> int:
        """Memory charged to the sandbox now, without what the kernel can take back at will.

        Pages of the image's files are charged to whichever sandbox reads them first, tens of MiB;
        a limit that counted them would be wider in that one than in its neighbours.
        """
        kept = os.pread(self._statistics, 8192, 0)
        files = _field(kept, b"active_file") + _field(kept, b"inactive_file")
        return max(0, int(os.pread(self._usage, 64, 0)) - files)

    def refault_bytes(self) -> int:
        """Pages of files that were taken back for want of memory, and read again since; in bytes.

        Both hierarchies count them since Linux 5.9; an older kernel is taken to have none.
        """
        kept = os.pread(self._statistics, 8192, 0)
        return _field(kept, b"workingset_refault_file", 0) * _PAGE_BYTES


class CgroupV2(_Cgroup):
    name = "cgroup2"

    def __init__(self) -> None:
        super().__init__(
            f"{_ROOT}/memory.events", f"{_ROOT}/memory.current", f"{_ROOT}/memory.stat"
        )
        self._cpu = os.open(f"{_ROOT}/cpu.stat", os.O_RDONLY | os.O_CLOEXEC)
        self.cpu_s()

    def cpu_s(self) -> float:
        """CPU time used in the sandbox so far, in seconds."""
        return _field(os.pread(self._cpu, 4096, 0), b"usage_usec") / 1e6


class CgroupV1(_Cgroup):
    name = "cgroup1"

    def __init__(self) -> None:
        memory = f"{_ROOT}/memory"
        super().__init__(
            f"{memory}/memory.oom_control",
            f"{memory}/memory.usage_in_bytes",
            f"{memory}/memory.stat",
        )
        self._cpu = os.open(f"{_ROOT}/cpuacct/cpuacct.usage", os.O_RDONLY | os.O_CLOEXEC)
        self.cpu_s()

    def cpu_s(self) -> float:
        """CPU time used in the sandbox so far, in seconds."""
        return int(os.pread(self._cpu, 64, 0)) / 1e9


class Watch:
    """Sums over /proc, for sandboxes without a cgroup of their own.

    CPU time of processes that have ended and were not waited for is missed here; the verdict
    rests on wait4, this only decides when to stop a program.
    """

    name = "watch"
    watches = True

    def __init__(self, infrastructure: Callable[[], set[int]]) -> None:
        self._infrastructure = infrastructure

    def oom_kills(self) -> int:
        return 0

    def memory_bytes(self) -> int:
        """Resident memory of all that is not ours."""
        return sum(resident for _, resident in self._processes())

    def refault_bytes(self) -> int:
        return 0  # nothing holds programs back before they are stopped

    def cpu_s(self) -> float:
        """CPU time of all that is not ours, in seconds, dead children included."""
        return sum(cpu_s for cpu_s, _ in self._processes())

    def _processes(self) -> Iterator[tuple[float, int]]:
        ours = self._infrastructure()
        for name in os.listdir("/proc"):
            if not name.isdigit() or int(name) in ours:
                continue
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended while we looked
            # Counted from field 3 of proc(5): utime 14, stime 15, cutime 16, cstime 17, rss 24.
            yield sum(map(int, fields[11:15])) / _TICKS_PER_S, int(fields[21]) * _PAGE_BYTES


Meter = CgroupV1 | CgroupV2 | Watch


def _field(text: bytes, name: bytes, default: int | None = None) -> int:
    for line in text.splitlines():
        key, _, number = line.partition(b" ")
        if key == name:
            return int(number)
    if default is None:
        raise OSError(f"no {name.decode()} in the cgroup's file")
    return default
