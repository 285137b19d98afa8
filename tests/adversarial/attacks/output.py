"""Attacks on what is read and written: floods, odd bytes, ends of streams, names, statuses."""

from dataclasses import replace

from proctor_sandbox.programs import CallCase, End, StdinCase
from tests.adversarial.attack import SHARED_UID, TIGHT, Attack, Row

_FLOOD = frozenset({End.OUTPUT_LIMIT})
_BUSY = replace(TIGHT, cpu_time_s=1.0, wall_time_s=5.0)
_TEN_MB = (StdinCase(b"x" * 10_000_000),)

ATTACKS = [
    Attack("a flood of stdout", Row.FLOOD, "while True: print('x' * 1000)", _FLOOD, limits=_BUSY),
    Attack(
        "a flood of stderr",
        Row.FLOOD,
        "import sys\nwhile True: sys.stderr.write('x' * 1000)",
        _FLOOD,
        limits=_BUSY,
    ),
    Attack(
        "a flood of both, by turns",
        Row.FLOOD,
        """
        #include <unistd.h>
        static char page[4096];
        int main(void) { for (;;) { write(1, page, sizeof page); write(2, page, sizeof page); } }
        """,
        _FLOOD,
        language="c",
        limits=_BUSY,
    ),
    Attack(
        "a flood at once",
        Row.FLOOD,
        "import os; os.write(1, b'x' * 50_000_000)",
        _FLOOD,
        limits=_BUSY,
    ),
    Attack(
        "a flood of children",
        Row.FLOOD,
        "import os\nfor _ in range(4): os.fork()\nwhile True: os.write(1, b'x' * 4096)",
        _FLOOD,
        limits=_BUSY,
        tolerated=frozenset({End.MEMORY_LIMIT}),
    ),
    Attack(
        "a flood in C++, without a line",
        Row.FLOOD,
        "#include <iostream>\nint main() { for (;;) std::cout << 12345678; }",
        _FLOOD,
        language="cpp",
        limits=_BUSY,
    ),
    Attack(
        "streams closed at once",
        Row.INPUT,
        "import os; os.closerange(0, 3)",
        cases=_TEN_MB,
        stdout=b"",
    ),
    Attack("input that is never read", Row.INPUT, "print('done')", cases=_TEN_MB, stdout=b"done\n"),
    Attack(
        "input closed in the middle",
        Row.INPUT,
        """
        #include <stdio.h>
        #include <unistd.h>
        int main(void) { char c; read(0, &c, 1); close(0); puts("done"); return 0; }
        """,
        language="c",
        cases=_TEN_MB,
        stdout=b"done\n",
        exit_code=0,
    ),
    Attack(
        "input changed while it is read",
        Row.INPUT,
        """
        import os
        for opens in (lambda: open("/dev/stdin", "w"), lambda: open("/proc/self/fd/0", "r+b"),
                      lambda: os.ftruncate(0, 0), lambda: os.fchmod(0, 0o777)):
            try: opens()
            except OSError: print("refused")
        print(len(open(0).read()))
        """,
        cases=_TEN_MB,
        stdout=b"refused\n" * 4 + b"10000000\n",
        skipped={SHARED_UID: "the input is a file of the one uid there, for this test alone"},
    ),
    Attack(
        "reading where there is nothing",
        Row.INPUT,
        "import sys; sys.stdin.close(); print('closed'); input()",
        stdout=b"closed\n",
        exit_code=1,
    ),
    Attack(
        "reading its own output",
        Row.INPUT,
        """
        import os
        print("mine", flush=True)
        pipe = os.open("/proc/self/fd/1", os.O_RDONLY | os.O_NONBLOCK)
        try: os.read(pipe, 100)
        except BlockingIOError: pass  # the agent was quicker
        """,
        exit_code=0,
    ),
    Attack(
        "all bytes there are",
        Row.BYTES,
        "import sys; sys.stdout.buffer.write(bytes(range(256)))",
        stdout=bytes(range(256)),
        exit_code=0,
    ),
    Attack(
        "all bytes there are, from the input, in C",
        Row.BYTES,
        "#include <stdio.h>\nint main(void) { for (int c; (c = getchar()) != EOF;) putchar(c); }",
        language="c",
        cases=(StdinCase(bytes(range(256)) + b"\r\n\x00\xff"),),
        stdout=bytes(range(256)) + b"\r\n\x00\xff",
        exit_code=0,
    ),
    Attack(
        "terminal escapes and carriage returns",
        Row.BYTES,
        r"print('\x1b[2J\x1b]0;owned\x07\r\x9b31m\u202e', end='\r')",
        stdout="\x1b[2J\x1b]0;owned\x07\r\x9b31m\u202e\r".encode(),
        exit_code=0,
    ),
    Attack(
        "invalid UTF-8 and lone surrogates",
        Row.BYTES,
        r"import os; os.write(1, b'\xc0\x80\xed\xa0\x80\xf8'); raise ValueError('\ud800')",
        stdout=b"\xc0\x80\xed\xa0\x80\xf8",
        exit_code=1,
    ),
    Attack(
        "a source of odd characters",
        Row.BYTES,
        "print('\ud800')",
        frozenset({End.COMPILE_ERROR}),
    ),
    Attack(
        "huge arguments and environment",
        Row.NAMES,
        """
        import os
        for argv, environment in ((["true", "x" * (1 << 20)], {}), (["true"] * 10**6, {}),
                                  (["true"], {"x": "y" * (1 << 22)})):
            try: os.execve("/bin/true", argv, environment)
            except OSError as error: print(error.errno)
        """,
        stdout=b"7\n" * 3,
        exit_code=0,
    ),
    Attack(
        "a huge path",
        Row.NAMES,
        """
        for path in ("x" * 300, "/" + "x/" * 3000, "x" * (1 << 20)):
            try: open(path, "w")
            except OSError as error: print(error.errno)
        """,
        stdout=b"36\n" * 3,
        exit_code=0,
    ),
    Attack(
        "names that are no text",
        Row.NAMES,
        r"""
        import os
        for place in (b".", b"/tmp", b"/dev/shm"):
            for name in (b"\xff\xfe", b"\n", b"-rf", b" ", b"\xed\xa0\x80", b"\x1b[m", b"x" * 255):
                os.mkdir(place + b"/" + name)
                open(place + b"/" + name + b"/" + name, "w").close()
        print("left")
        """,
        stdout=b"left\n",
        exit_code=0,
    ),
    Attack(
        "a function of a bad name",
        Row.NAMES,
        "def f(): pass",
        cases=(CallCase("\ud800"), CallCase("__import__('os').abort"), CallCase("x" * 100_000)),
    ),
    Attack("the highest exit code", Row.STATUS, "raise SystemExit(255)", exit_code=255),
    Attack(
        "an exit code that looks like a signal",
        Row.STATUS,
        "import os; os._exit(137)",
        exit_code=137,
        stdout=b"",
    ),
    *(
        Attack(
            f"a death by signal {number}",
            Row.STATUS,
            f"#include <signal.h>\nint main(void) {{ raise({number}); return 7; }}",
            frozenset({End.SIGNALED}),
            language="c",
            signal=number,
        )
        for number in (6, 9, 31)
    ),
    Attack(
        "a death by the signal of a CPU limit",
        Row.STATUS,
        "import os; os.kill(os.getpid(), 24)",
        # To say that it used too much time is its own loss, whichever it is called.
        frozenset({End.SIGNALED, End.CPU_LIMIT}),
        signal=24,
    ),
]
