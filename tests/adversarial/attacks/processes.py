"""Attacks with processes: too many, too busy, too idle, too long-lived."""

from proctor_sandbox.programs import End
from tests.adversarial.attack import (
    BRIEF,
    EXITED,
    RING,
    STOPPED,
    TIGHT,
    UNBOUND,
    Attack,
    Row,
)

_SIGNALED = frozenset({End.SIGNALED})
_CPU = frozenset({End.CPU_LIMIT})
_WALL = frozenset({End.WALL_LIMIT})

ATTACKS = [
    Attack(
        "fork bomb",
        Row.BOMBS,
        """
        import os
        while True:
            try: os.fork()
            except OSError: pass
        """,
        STOPPED,
        limits=TIGHT,
        may_cost_a_zygote=True,
        skipped=UNBOUND,
    ),
    Attack(
        "fork bomb whose parents leave",
        Row.BOMBS,
        """
        import os
        while True:
            try:
                if os.fork(): os._exit(0)
                os.setsid()
            except OSError: pass
        """,
        STOPPED | EXITED,
        limits=TIGHT,
        may_cost_a_zygote=True,
        skipped=UNBOUND,
    ),
    Attack(
        "fork bomb in C",
        Row.BOMBS,
        """
        #include <unistd.h>
        int main(void) { for (;;) fork(); }
        """,
        STOPPED,
        language="c",
        limits=TIGHT,
        may_cost_a_zygote=True,
        skipped=UNBOUND,
    ),
    Attack(
        "vfork bomb in C",
        Row.BOMBS,
        """
        #include <unistd.h>
        static void again(void) { while (vfork() == 0) again(); }
        int main(void) { for (;;) again(); }
        """,
        STOPPED | _SIGNALED,
        language="c",
        limits=TIGHT,
        skipped=UNBOUND,
    ),
    Attack(
        "thread bomb",
        Row.BOMBS,
        """
        import threading, time
        while True:
            try: threading.Thread(target=time.sleep, args=(60,)).start()
            except RuntimeError: pass
        """,
        STOPPED,
        limits=TIGHT,
    ),
    Attack(
        "thread bomb in C++",
        Row.BOMBS,
        """
        #include <thread>
        #include <unistd.h>
        int main() { for (;;) try { std::thread(pause).detach(); } catch (...) {} }
        """,
        STOPPED,
        language="cpp",
        limits=TIGHT,
    ),
    Attack(
        "spinning in a child",
        Row.CPU,
        """
        import os
        if os.fork() == 0:
            while True: pass
        os.wait()
        """,
        _CPU,
        limits=TIGHT,
    ),
    Attack(
        "spinning in children that take turns",
        Row.CPU,
        """
        import os
        while True:
            if os.fork() == 0:
                for _ in range(100_000): pass
                os._exit(0)
            os.wait()
        """,
        _CPU,
        limits=TIGHT,
    ),
    Attack(
        "spinning in children that nobody waits for",
        Row.CPU,
        """
        import os, time
        for _ in range(4):
            if os.fork() == 0:
                os.setsid()
                while True: pass
        time.sleep(60)
        """,
        _CPU,
        limits=TIGHT,
    ),
    Attack(
        "spinning with every signal ignored",
        Row.CPU,
        """
        #include <signal.h>
        int main(void) { for (int n = 1; n < 65; n++) signal(n, SIG_IGN); for (;;); }
        """,
        _CPU,
        language="c",
        limits=TIGHT,
    ),
    Attack("sleeping", Row.WAITING, "import time; time.sleep(60)", _WALL, limits=BRIEF, stdout=b""),
    Attack(
        "stopping itself",
        Row.WAITING,
        "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)",
        _WALL,
        limits=BRIEF,
    ),
    Attack(
        "stopping itself and its children",
        Row.WAITING,
        """
        import os, signal
        for _ in range(3): os.fork()
        os.kill(0, signal.SIGSTOP)
        """,
        _WALL,
        limits=BRIEF,
    ),
    Attack(
        "a deadlock",
        Row.WAITING,
        "import threading; lock = threading.Lock(); lock.acquire(); lock.acquire()",
        _WALL,
        limits=BRIEF,
    ),
    Attack(
        "waiting for a pipe that nobody writes to",
        Row.WAITING,
        "#include <unistd.h>\nint main(void) { int p[2]; char c; pipe(p); read(p[0], &c, 1); }",
        _WALL,
        language="c",
        limits=BRIEF,
    ),
    Attack(
        "a daemon by double fork",
        Row.DAEMONS,
        """
        import os, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.closerange(0, 256)
                time.sleep(600)
            os._exit(0)
        os.wait()
        print("gone")
        """,
        stdout=b"gone\n",
        exit_code=0,
    ),
    Attack(
        "a daemon that ignores signals and forks on",
        Row.DAEMONS,
        """
        #include <signal.h>
        #include <unistd.h>
        int main(void) {
            if (fork()) return 0;
            setsid();
            for (int n = 1; n < 65; n++) signal(n, SIG_IGN);
            for (;;) { if (fork() > 0) _exit(0); usleep(100); }
        }
        """,
        EXITED | STOPPED,
        language="c",
        limits=TIGHT,
    ),
    Attack(
        "a daemon that holds the output open",
        Row.DAEMONS,
        """
        import os, time
        if os.fork() == 0:
            os.setsid()
            time.sleep(600)
        print("out")
        """,
        stdout=b"out\n",
        exit_code=0,
    ),
    Attack(
        "output kept open by a ring of sockets",
        Row.DAEMONS,
        f"""{RING}
        put(1)
        print("out")
        """,
        stdout=b"out\n",
        exit_code=0,
    ),
    Attack(
        "a program that makes itself the reaper of orphans",
        Row.DAEMONS,
        """
        import ctypes, os, time
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
        for _ in range(5):
            if os.fork() == 0:
                if os.fork() == 0: time.sleep(600)
                os._exit(0)
        print("out")
        """,
        stdout=b"out\n",
        exit_code=0,
    ),
]
