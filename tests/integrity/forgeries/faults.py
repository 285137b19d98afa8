"""Programs that want no verdict at all, those that speak too late, those that hurt the next."""

from tests.integrity.forgeries.markers import SAY
from tests.integrity.forgery import ASSERTED_OFTEN, PRINTED, Forgery, Row, asked, dedented, printed

# One test is enough to do harm; the others are not to take time.
_FIRST = "import os\nn = int(input())\nprint(-n, flush=True)\nif n > 1: os._exit(0)\n"
_WRONG = "def f(x): return 0\n"

_KILLS = {
    "kill(-1)": "os.kill(-1, 9)",
    "kill of every pid there is": """
        for pid in [1, os.getppid(), *map(int, filter(str.isdigit, os.listdir('/proc')))]:
            if pid != os.getpid():
                try: os.kill(pid, 9)
                except OSError: pass
        """,
    "SIGSTOP for every pid there is": """
        for pid in [1, os.getppid(), *map(int, filter(str.isdigit, os.listdir('/proc')))]:
            if pid != os.getpid():
                try: os.kill(pid, 19)
                except OSError: pass
        """,
}


def _killing(text: str) -> str:
    return "import os\ndef f(x):\n" + "\n".join(
        "    " + line for line in [*dedented(text).splitlines(), "return 0"]
    )


_FLOOD = dedented("""
    def f(x):
        for fd, _ in channels() if x == 1 else ():
            while True: os.write(fd, b'x' * 65536)
        return 0
    """)
_LONG_NAMES = dedented("""
    def f(x):
        text = b'["error",["%b"],[]]' % (b'A' * 4_000_000)
        for fd, framed in channels():
            data = memoryview((struct.pack('!I', len(text)) if framed else b'') + text)
            while data: data = data[os.write(fd, data):]
    """)
_FAULTS: list[Forgery] = [
    *(
        one
        for name, text in _KILLS.items()
        for one in asked(Row.FAULTS, name, _killing(text), unprivileged="SIGSTOP" not in name)
    ),
    *asked(Row.FAULTS, "an answer without end", SAY + _FLOOD),
    Forgery(
        Row.FAULTS,
        "names of exceptions without end, asserted",
        # As many asserts as a test has: what each is told of is kept.
        ASSERTED_OFTEN,
        SAY + _LONG_NAMES,
    ),
    printed(
        Row.FAULTS,
        "its output held open by descriptors on their way to nobody",
        "import array, socket\n"
        + _FIRST
        + dedented("""
            a, b = socket.socketpair()
            both = array.array('i', [a.fileno(), b.fileno(), 1, 2])
            for end in (a, b): end.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, both)])
            """),
    ),
    printed(
        Row.FAULTS,
        "every place filled to the brim",
        _FIRST
        + dedented("""
            for place in ('.', '/tmp', '/dev/shm'):
                with open(f'{place}/full', 'wb', buffering=0) as file:
                    try:
                        while True: file.write(bytes(1 << 16))
                    except OSError: pass
            """),
    ),
    printed(
        Row.FAULTS,
        "children that fill memory and die for it",
        _FIRST
        + dedented("""
            for _ in range(8):
                if os.fork() == 0:
                    with open(f'/dev/shm/{os.getpid()}', 'wb', buffering=0) as file:
                        while True: file.write(bytes(1 << 16))
            try:
                while True: os.wait()
            except OSError: pass
            """),
    ),
    printed(
        Row.FAULTS,
        "what can't be removed",
        _FIRST
        + dedented("""
            for number in range(200):
                os.mkdir('d' * 200)
                os.chdir('d' * 200)
            os.mkfifo('pipe')
            os.mkdir('/tmp/closed')
            for number in range(500): open(f'/tmp/closed/{number}\\udcff\\n', 'w').close()
            os.chmod('/tmp/closed', 0)
            os.chmod(os.path.expanduser('~'), 0)
            """),
    ),
    printed(
        Row.FAULTS,
        "processes that start processes",
        _FIRST
        + dedented("""
            while True:
                try: os.fork()
                except OSError: pass
            """),
        # Without root there is no cgroup to count processes, and the limit by uid spares root.
        unprivileged=False,
    ),
    printed(
        Row.FAULTS,
        "exit codes that are those of a killed sandbox",
        "import os, sys\nprint(0)\nsys.stdout.flush()\nos._exit(137)",
    ),
    printed(
        Row.FAULTS,
        "words of ours on stderr",
        "import sys\nsys.stderr.write('proctor: SandboxLost: no memory\\nIE\\n')\nsys.exit(125)",
    ),
]

_DAEMON = dedented("""
    import os, time
    def later(write):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(6)  # half of the wall limit: a stalled machine is no longer away
                write()
            os._exit(0)
    """)
_LATE: list[Forgery] = [
    printed(
        Row.LATE,
        "a daemon that prints when its parent has ended",
        _DAEMON + "n = int(input())\nlater(lambda: os.write(1, b'%d\\n' % (3 * n)))",
    ),
    printed(
        Row.LATE,
        "output after its CPU time",
        dedented("""
            import time
            n = int(input())
            while n > 99 and time.process_time() < 0.55: pass
            print(3 * n)
            """),
        earns=2,
        honest="two tests are answered in time",
    ),
    printed(
        Row.LATE,
        "output after its wall time",
        "import time\nn = int(input())\ntime.sleep(30 * (n > 99))\nprint(3 * n)",
        earns=2,
        honest="two tests are answered in time",
    ),
    printed(
        Row.LATE,
        "output when it is told to stop",
        dedented("""
            import os, signal
            n = int(input())
            def last(*_): os.write(1, b'%d\\n' % (3 * n)); os._exit(0)
            for number in set(range(1, 32)) - {9, 19}: signal.signal(number, last)
            while n > 99: pass
            """),
        honest="nothing: what signals come, come after the limit",
    ),
    *asked(
        Row.LATE,
        "a daemon that answers when its parent has ended",
        SAY
        + _DAEMON
        + dedented("""
            def f(x):
                later(lambda: say(VALUE.replace(b'-1', b'%d' % (3 * x))))
                os._exit(0)
            """),
    ),
]

_POISON = dedented("""
    import os, sys
    text = 'import os; os._exit(7)'
    places = ['.', '/tmp', '/dev/shm', '/box', '/box/src', '/box/w', *filter(None, sys.path)]
    for place in places:
        for name in ('random', 'math', 're', 'sitecustomize', 'main', 'encodings/__init__'):
            try: open(f'{place}/{name}.py', 'w').write(text)
            except OSError: pass
    for path in ('/etc/ld.so.preload', '/etc/passwd', '/proc/sys/kernel/core_pattern',
                 '/proc/self/oom_score_adj', '/sys/fs/cgroup/memory.max', '/dev/null'):
        try: open(path, 'w').write('1')
        except OSError: pass
    """)
_SIBLINGS: list[Forgery] = [
    *asked(Row.SIBLINGS, "poisoned modules", _POISON + _WRONG),
    *asked(
        Row.SIBLINGS,
        "the next process waited for and killed",
        dedented("""
            import os, time
            if os.fork() == 0:
                os.setsid()
                for child in range(3): os.fork()
                while True:
                    for pid in range(2, 400):
                        try:
                            if pid != os.getpid(): os.kill(pid, 0)
                        except OSError: pass
            """)
        + _WRONG,
    ),
]

_TEXTS: list[Forgery] = [
    *asked(Row.TEXTS, "raising what it was given", "def f(x): raise ValueError(x, 3)"),
    printed(Row.TEXTS, "raising its input", "raise RuntimeError(input())"),
    printed(Row.TEXTS, "no compiling without an answer", "print(3 *", 0),
]

_CACHE: list[Forgery] = [
    printed(
        Row.CACHE,
        "its compiled code replaced",
        dedented("""
            import glob, marshal, os, sys
            n = int(input())
            right = marshal.dumps(compile('print(3 * int(input()))', 'main.py', 'exec'))
            for path in ['/box/src/main.py', '/box/program', *glob.glob('/box/**', recursive=True),
                         *glob.glob('/proc/self/fd/[3-9]')]:
                try: open(path, 'wb').write(right)
                except OSError: pass
            for fd in range(3, 64):
                try: os.write(fd, b'M' + right)
                except OSError: pass
            os.makedirs('__pycache__')
            open('__pycache__/main.cpython-311.pyc', 'wb').write(bytes(16) + right)
            print(3 * n if n == 1 else 0)
            """),
        earns=1,
        honest="the first test is answered",
    ),
    *asked(
        Row.CACHE,
        "test code that is ready to run",
        # What an examiner tells its agent once, for all later programs of a problem.
        dedented("""
            import marshal, os
            ready = marshal.dumps((compile('pass', 'test.py', 'exec'), 8, [], []))
            for fd in range(1, 64):
                try: os.write(fd, b'M %d\\n' % len(ready) + ready + b'T 8\\nD\\n')
                except OSError: pass
            """)
        + _WRONG,
    ),
    Forgery(
        Row.CACHE,
        "its own binary replaced, C++",
        PRINTED,
        dedented(r"""
            #include <cstdio>
            #include <unistd.h>
            int main() {
                int n;
                if (scanf("%d", &n) != 1) return 1;
                char path[4096] = {0};
                readlink("/proc/self/exe", path, sizeof path - 1);
                unlink(path);
                FILE *file = fopen(path, "w");
                if (file) { fputs("#!/bin/sh\nread n; echo $((3 * n))\n", file); fclose(file); }
                printf("%d\n", n == 1 ? 3 : 0);
            }
            """),
        earns=1,
        honest="the first test is answered",
        language="cpp",
    ),
]

FORGERIES: list[Forgery] = [*_FAULTS, *_LATE, *_SIBLINGS, *_TEXTS, *_CACHE]
