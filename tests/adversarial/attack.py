"""What an attack is: a hostile program, and the ends that a good judge may give it."""

import os
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from proctor_sandbox.languages import LANGUAGES
from proctor_sandbox.limits import MIB, Limits
from proctor_sandbox.programs import Case, End, Program, StdinCase, Work

# For programs that look around and report: enough for a busy machine.
CALM = Limits(
    cpu_time_s=1.0, wall_time_s=5.0, memory_bytes=128 * MIB, output_bytes=256 * 1024, processes=32
)
# For programs that have to be stopped.
TIGHT = replace(CALM, cpu_time_s=0.25, wall_time_s=2.0, memory_bytes=96 * MIB)
# For programs that wait: nothing but the wall clock ends them.
BRIEF = replace(TIGHT, wall_time_s=0.5)


class Row(StrEnum):
    """The kinds of attack that have to be met; docs/threat-model.md names a test for each."""

    BOMBS = "fork bomb, thread bomb"
    MEMORY = "memory: anonymous, mmap, tmpfs, /dev/shm, memfd, huge BSS"
    CPU = "CPU spin in children"
    WAITING = "sleep, SIGSTOP self, waiting on nothing"
    FLOOD = "stdout or stderr flood"
    COMPILER = "compiler output flood, #include </dev/random>, template and macro bombs"
    DISK = "disk fill, inode exhaustion, sparse giant file"
    DESCRIPTORS = "fd exhaustion"
    DAEMONS = "setsid, double fork, daemon left behind"
    SIGNALS = "kill -1, kill parent, kill pid 1"
    TRACING = "ptrace, /proc/PID/mem, process_vm_readv of agent, zygote, examiner"
    READING = "reading tests: files, environment, cmdline, inherited fds, memory, frames"
    FORGING = "writing to inherited fds to forge a result"
    NETWORK = "network, DNS, metadata address, docker bridge, host loopback, AF_VSOCK"
    LINKS = "symlink, FIFO, device, hardlink tricks in the box"
    IPC = "SysV and POSIX IPC, keyrings, file locks, shared /dev/shm"
    STATE = "state in /tmp, /var/tmp, /dev/shm, home, site-packages"
    NAMES = "huge argv, env, path, bad unicode names"
    STACK = "deep recursion, stack overflow"
    INPUT = "closed stdin, early close, never reads 10 MB of input"
    BYTES = "binary, NUL, invalid UTF-8, CR, terminal escapes"
    STATUS = "exit code and signal"
    KERNEL = "user and other namespaces, mount, io_uring, bpf, userfaultfd, keyctl, perf"
    CLOCK = "clock change"
    CORES = "core dumps, compiler crashes, 200 MB binary"
    API = "API: deep JSON, giant integers, NaN, duplicate keys, 1 GB body, gzip bomb"


# The backend on which programs share one uid with their agent: weaker, and said to be so.
SHARED_UID = "bubblewrap-unprivileged"

# Where root stands in for an ordinary user, as in `make test`, the kernel lets it fork on.
UNBOUND = {SHARED_UID: "run by root, no limit of processes binds it"} if os.geteuid() == 0 else {}

# Python: a pair of sockets that hold each other, and with them what is put into them, after the
# death of all that knew them, until the kernel looks for such rings.
RING = """
        import array, os, socket
        a, b = socket.socketpair()
        def put(fd):
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
            a.sendmsg([b"x"], rights)
        put(a.fileno())
        put(b.fileno())
        """

STOPPED = frozenset({End.CPU_LIMIT, End.WALL_LIMIT, End.MEMORY_LIMIT})
EXITED = frozenset({End.EXITED})


@dataclass(frozen=True, slots=True)
class Attack:
    """A hostile program. After it, whatever its end, nothing of it may be left."""

    name: str
    row: Row
    source: str
    # The ends a good judge may give.
    ends: frozenset[End] = EXITED
    language: str = "python"
    # All of a program's tests; each must end as said here.
    cases: tuple[Case, ...] = (StdinCase(b""),)
    limits: Limits = CALM
    # How often the program is run: twice, where the second is to find nothing of the first.
    times: int = 1
    # Exactly what it prints, where it ends as wanted; None where that does not matter.
    stdout: bytes | None = None
    exit_code: int | None = None
    signal: int | None = None
    # What neither its stdout nor its stderr may contain.
    never: tuple[bytes, ...] = ()
    # Ends that are tolerated besides where agent and programs share a uid; what is printed
    # is not looked at then.
    tolerated: frozenset[End] = frozenset()
    # Backends on which it may use up its sandbox.
    may_lose: frozenset[str] = frozenset()
    # Whether the kernel may take a zygote for it; nothing else may end one.
    may_cost_a_zygote: bool = False
    # Backends where it means nothing, each with the reason.
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def image(self) -> str:
        return LANGUAGES[self.language].image

    def work(self) -> Work:
        program = Program(self.language, textwrap.dedent(self.source))
        return Work(program, self.cases, self.limits)

    def ends_on(self, backend: str) -> frozenset[End]:
        """The ends that are permitted on a backend."""
        return self.ends | self.tolerated if backend == SHARED_UID else self.ends


def probe(
    name: str,
    row: Row,
    tries: Iterable[str],
    *,
    imports: str = "os",
    allowed: tuple[str, ...] = ("OSError",),
    shared_uid: bool = True,
) -> Attack:
    """An attack that tries several Python statements, each of which must be refused.

    Refused means that one of the `allowed` exceptions is raised. `shared_uid` False skips it
    where programs share their agent's uid.
    """
    source = f"""
        import {imports}
        for text in {tuple(tries)!r}:
            try:
                exec(text)
            except ({", ".join(allowed)},):
                continue
            print("not refused:", text)
        print("done")
        """
    skipped = {} if shared_uid else {SHARED_UID: "agent and programs share a uid there"}
    return Attack(name, row, source, stdout=b"done\n", exit_code=0, skipped=skipped)
