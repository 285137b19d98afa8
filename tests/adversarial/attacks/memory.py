"""Attacks on memory: every way to be charged for it, and stacks that have no end."""

from dataclasses import replace

from proctor_sandbox.limits import MIB
from proctor_sandbox.programs import End
from tests.adversarial.attack import SHARED_UID, TIGHT, Attack, Row

_MEMORY = frozenset({End.MEMORY_LIMIT})
# A program may be told that there is no more, and fail by itself.
_REFUSED = frozenset({End.EXITED, End.SIGNALED})
_NO_CGROUP = {SHARED_UID: "without a cgroup, files are bounded by the size of their tmpfs alone"}
# Enough time to touch all the memory there is.
_ROOMY = replace(TIGHT, cpu_time_s=2.0, wall_time_s=8.0)

ATTACKS = [
    Attack(
        "anonymous memory",
        Row.MEMORY,
        "hoard = []\nwhile True: hoard.append(bytearray(4 << 20))",
        _MEMORY,
        limits=_ROOMY,
        may_cost_a_zygote=True,
    ),
    Attack(
        "one large object",
        Row.MEMORY,
        "x = b'x' * (200 << 20)",
        _MEMORY,
        limits=_ROOMY,
        may_cost_a_zygote=True,
    ),
    Attack(
        "memory in many children",
        Row.MEMORY,
        """
        import os, time
        for _ in range(20):
            if os.fork() == 0:
                x = b"x" * (10 << 20)
                time.sleep(60)
        time.sleep(60)
        """,
        _MEMORY,
        limits=_ROOMY,
        may_cost_a_zygote=True,
    ),
    Attack(
        "shared mapping",
        Row.MEMORY,
        """
        import mmap
        shared = mmap.mmap(-1, 200 << 20)
        for at in range(0, 200 << 20, 4096): shared[at] = 1
        """,
        _MEMORY,
        limits=_ROOMY,
        may_cost_a_zygote=True,
    ),
    Attack(
        "malloc without end in C",
        Row.MEMORY,
        """
        #include <stdlib.h>
        #include <string.h>
        int main(void) { for (;;) { void *p = malloc(1 << 20); if (p) memset(p, 1, 1 << 20); } }
        """,
        _MEMORY,
        language="c",
        limits=_ROOMY,
        may_cost_a_zygote=True,
    ),
    Attack(
        "vector without end in C++",
        Row.MEMORY,
        """
        #include <vector>
        int main() { std::vector<long> v; for (;;) v.push_back(1); }
        """,
        _MEMORY | _REFUSED,
        language="cpp",
        limits=_ROOMY,
        may_cost_a_zygote=True,
    ),
    Attack(
        "huge BSS",
        Row.MEMORY,
        """
        #include <string.h>
        static char hoard[512 << 20];
        int main(void) { memset(hoard, 1, sizeof hoard); return hoard[12345]; }
        """,
        _MEMORY | _REFUSED,
        language="c",
        limits=_ROOMY,
        may_cost_a_zygote=True,
    ),
    Attack(
        "files in /tmp, /dev/shm and the box",
        Row.MEMORY,
        """
        for place in ("/dev/shm", "/tmp", "."):
            with open(place + "/file", "wb") as file:
                try:
                    for _ in range(60): file.write(bytes(1 << 20))
                except OSError: pass
        """,
        _MEMORY,
        limits=_ROOMY,
        may_cost_a_zygote=True,
        skipped=_NO_CGROUP,
    ),
    Attack(
        "memfd",
        Row.MEMORY,
        """
        import os
        fd = os.memfd_create("hoard")
        for _ in range(200): os.write(fd, bytes(1 << 20))
        """,
        _MEMORY,
        limits=_ROOMY,
        may_cost_a_zygote=True,
        skipped=_NO_CGROUP,
    ),
    Attack(
        "memory with the score of the killer's victims lowered",
        Row.MEMORY,
        """
        import os
        for score in ("-1000", "0", "500"):
            try:
                with open("/proc/self/oom_score_adj", "w") as file: file.write(score)
            except OSError: pass
        hoard = []
        while True: hoard.append(bytearray(1 << 20))
        """,
        _MEMORY,
        limits=_ROOMY,
        may_cost_a_zygote=True,
    ),
    Attack(
        "full pipes and sockets",
        Row.MEMORY,
        """
        import os, socket
        held = []
        try:
            while True:
                pair = socket.socketpair()
                held.append(pair)
                pair[0].setblocking(False)
                try:
                    while True: pair[0].send(bytes(65536))
                except BlockingIOError: pass
        except OSError as error:
            print(error.errno)
        """,
        frozenset({End.EXITED, End.MEMORY_LIMIT}),
        limits=replace(_ROOMY, memory_bytes=64 * MIB),
    ),
    Attack(
        "buffers of sockets on the loopback interface",
        Row.MEMORY,
        # They are the kernel's and nobody is charged: to be had, they would have to be limited.
        """
        #include <stdio.h>
        #include <sys/socket.h>
        int main(void) {
            int families[] = {AF_INET, AF_INET6}, kinds[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW};
            for (int n = 0; n < 6; n++)
                if (socket(families[n / 3], kinds[n % 3], 0) != -1) puts("a socket");
        }
        """,
        language="c",
        stdout=b"",
        exit_code=0,
    ),
    Attack(
        "deep recursion",
        Row.STACK,
        "def f(n): return f(n + 1)\nf(0)",
        stdout=b"",
        exit_code=1,
    ),
    Attack(
        "deep recursion without a limit",
        Row.STACK,
        """
        import sys, functools
        sys.setrecursionlimit(2**31 - 1)
        class Deep:
            def __repr__(self): return repr(self)
        repr(Deep())
        """,
        frozenset({End.EXITED, End.SIGNALED, End.MEMORY_LIMIT, End.CPU_LIMIT}),
        limits=_ROOMY,
        may_cost_a_zygote=True,
    ),
    Attack(
        "stack overflow in C",
        Row.STACK,
        """
        #include <stdio.h>
        int deep(int n) { volatile char room[65536]; room[0] = n; return deep(n + 1) + room[0]; }
        int main(void) { printf("%d", deep(0)); }
        """,
        frozenset({End.SIGNALED, End.MEMORY_LIMIT}),
        language="c",
        limits=_ROOMY,
        stdout=b"",
        signal=11,
        may_cost_a_zygote=True,
    ),
    Attack(
        "stack overflow with a handler for it, in C++",
        Row.STACK,
        """
        #include <csignal>
        static int deep(int n) {
            volatile char room[1 << 16];
            room[0] = n;
            return deep(n) + room[0];
        }
        int main() { std::signal(SIGSEGV, [](int) { deep(1); }); return deep(0); }
        """,
        frozenset({End.SIGNALED, End.MEMORY_LIMIT}),
        language="cpp",
        limits=_ROOMY,
        may_cost_a_zygote=True,
    ),
]
