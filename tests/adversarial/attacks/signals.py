"""Attacks on other processes: signals, limits and priorities that are not theirs to set."""

from dataclasses import replace

from proctor_sandbox.programs import End
from tests.adversarial.attack import BRIEF, EXITED, SHARED_UID, TIGHT, Attack, Row, probe

_SIGNALED = frozenset({End.SIGNALED})
_WALL = frozenset({End.WALL_LIMIT})

ATTACKS = [
    Attack(
        "kill -1",
        Row.SIGNALS,
        "import os, time; os.kill(-1, 9); time.sleep(60)",
        _SIGNALED | _WALL,
        limits=BRIEF,
    ),
    Attack(
        "kill -1 in C, child first",
        Row.SIGNALS,
        """
        #include <signal.h>
        #include <unistd.h>
        int main(void) { if (fork()) pause(); kill(-1, SIGKILL); }
        """,
        _SIGNALED | _WALL | EXITED,
        language="c",
        limits=BRIEF,
    ),
    Attack(
        "killing its parent",
        Row.SIGNALS,
        """
        import os
        for number in (9, 15, 19, 11):
            try: os.kill(os.getppid(), number)
            except PermissionError: print("refused")
        """,
        stdout=b"refused\n" * 4,
        exit_code=0,
        tolerated=_SIGNALED,
    ),
    Attack(
        "killing pid 1",
        Row.SIGNALS,
        """
        import os
        for number in (9, 19, 6):
            try: os.kill(1, number)
            except PermissionError: print("refused")
        print("alive")
        """,
        stdout=b"refused\n" * 3 + b"alive\n",
        exit_code=0,
        skipped={SHARED_UID: "the kernel drops such a signal to pid 1, and says nothing"},
    ),
    Attack(
        "killing pid 1 of its own uid",
        Row.SIGNALS,
        """
        import os
        for number in (9, 19, 6, 11):
            try: os.kill(1, number)
            except PermissionError: pass
        print("alive")
        """,
        stdout=b"alive\n",
        exit_code=0,
    ),
    Attack(
        "stopping every process it can reach",
        Row.SIGNALS,
        """
        import os, signal
        me = os.getpid()
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) != me:
                try: os.kill(int(name), signal.SIGSTOP)
                except PermissionError: pass
        print("done")
        """,
        stdout=b"done\n",
        exit_code=0,
        tolerated=_SIGNALED | _WALL,
        limits=BRIEF,
    ),
    probe(
        "signals through pidfds and queues",
        Row.SIGNALS,
        (
            "signal.pidfd_send_signal(os.pidfd_open(1), 9)",
            "signal.pidfd_send_signal(os.pidfd_open(os.getppid()), 9)",
        ),
        imports="os, signal",
        shared_uid=False,
    ),
    probe(
        "limits of other processes",
        Row.SIGNALS,
        (
            "resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))",
            "resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (3, 3))",
            "resource.prlimit(1, resource.RLIMIT_FSIZE, (0, 0))",
            "os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)",
            "os.setpriority(os.PRIO_PROCESS, 1, 19)",
        ),
        imports="os, resource",
    ),
    Attack(
        "a slow-down of all that has its uid",
        Row.SIGNALS,
        """
        import os
        try: os.setpriority(os.PRIO_USER, 0, 19)
        except PermissionError: pass
        print("done")
        """,
        stdout=b"done\n",
        limits=replace(TIGHT, wall_time_s=5.0),
    ),
]
