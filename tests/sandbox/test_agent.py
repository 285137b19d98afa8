"""What the agent does with programs that end in every way there is. Over real backends."""

import textwrap
from collections.abc import Iterable
from dataclasses import replace

import pytest

from proctor_sandbox.errors import SandboxLost
from proctor_sandbox.languages import RUNNABLE, Language
from proctor_sandbox.limits import MIB, Limits
from proctor_sandbox.programs import (
    Answer,
    CallCase,
    Case,
    End,
    Program,
    Report,
    Run,
    StdinCase,
    Work,
)
from proctor_sandbox.seam import Backend, Sandbox
from tests.contract import conftest as contract

# The contract's sandboxes.
pytest_generate_tests = contract.pytest_generate_tests
backend, pool, sandbox = contract.backend, contract.pool, contract.sandbox
BACKENDS = ("docker-runc", "bubblewrap", "bubblewrap-unprivileged")

LIMITS = Limits(cpu_time_s=2.0, wall_time_s=20.0, memory_bytes=256 * MIB, output_bytes=16 * MIB)
# For what is to be stopped: soon, but not before a busy machine has started it.
TIGHT = Limits(cpu_time_s=0.3, wall_time_s=6.0, memory_bytes=96 * MIB, output_bytes=256 * 1024)


def work(source: str, *cases: Case, limits: Limits = LIMITS) -> Work:
    return Work(Program("python", textwrap.dedent(source)), cases or (StdinCase(b""),), limits)


def runs(sandbox: Sandbox, *works: Work) -> list[Run]:
    """The first run of each work."""
    return [report.runs[0] for report in sandbox.execute(works)]


def run(sandbox: Sandbox, source: str, stdin: bytes = b"", limits: Limits = LIMITS) -> Run:
    (report,) = sandbox.execute([work(source, StdinCase(stdin), limits=limits)])
    return report.runs[0]


def well(sandbox: Sandbox) -> None:
    """The sandbox runs programs as if nothing had been."""
    for one in runs(sandbox, *[work("print(input())", StdinCase(b"well"))] * 3):
        assert (one.end, one.stdout, one.stderr) == (End.EXITED, b"well\n", b"")


def has_one_uid(sandbox: Sandbox) -> bool:
    """Whether programs share the agent's uid, and nobody but the agent meters memory."""
    return sandbox.info.backend == "bubblewrap" and sandbox.info.memory_meter == "watch"


# Exit status, stdout, and how the last line of stderr begins.
_ENDS = {
    "nothing": ("", 0, "", ""),
    "sys.exit()": ("import sys; sys.exit()", 0, "", ""),
    "sys.exit(None)": ("import sys; sys.exit(None)", 0, "", ""),
    "sys.exit(7)": ("import sys; sys.exit(7)", 7, "", ""),
    "sys.exit(True)": ("import sys; sys.exit(True)", 1, "", ""),
    "sys.exit(256)": ("import sys; sys.exit(256)", 0, "", ""),
    "sys.exit(-1)": ("import sys; sys.exit(-1)", 255, "", ""),
    "sys.exit(text)": ("import sys; sys.exit('bad end')", 1, "", "bad end"),
    "exit() of site": ("exit(3)", 3, "", ""),
    "os._exit": ("import os; print('lost'); os._exit(4)", 4, "", ""),
    "raise SystemExit": ("raise SystemExit(5)", 5, "", ""),
    "an exception": ("print('so far'); 1 / 0", 1, "so far\n", "ZeroDivisionError"),
    "an exception of its own": ("class E(Exception): pass\nraise E('x')", 1, "", "E: x"),
    "an exception caused by another": (
        "try:\n    1 / 0\nexcept Exception as e:\n    raise KeyError('k') from e", 1, "", "KeyError"
    ),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", 1, "", "KeyboardInterrupt"),
    "a missing module": ("import requests", 1, "", "ModuleNotFoundError"),
    "no input left": ("input()", 1, "", "EOFError"),
    "recursion": ("def f(n): return f(n + 1)\nf(0)", 1, "", "RecursionError"),
    "deep recursion": (
        "import sys; sys.setrecursionlimit(10**6)\n"
        "def f(n): return 0 if n == 0 else 1 + f(n - 1)\nprint(f(50_000))", 0, "50000\n", ""
    ),
    "output not flushed": ("open(1, 'w', closefd=False).write('kept')", 0, "kept", ""),
    "a file left open": ("f = open('/dev/stdout', 'w'); f.write('kept')", 0, "kept", ""),
    "print without a newline": ("print('kept', end='')", 0, "kept", ""),
    "atexit": ("import atexit; atexit.register(print, 'last'); print('first')", 0,
               "first\nlast\n", ""),
    "atexit after an exception": ("import atexit; atexit.register(print, 'last'); 1 / 0", 1,
                                  "last\n", "ZeroDivisionError"),
    "a thread that goes on": (
        "import threading, time\nprint('main')\n"
        "threading.Thread(target=lambda: (time.sleep(0.05), print('thread'))).start()", 0,
        "main\nthread\n", ""
    ),
    "a daemon thread that goes on": (
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()", 0, "", ""
    ),
    "a pool of processes": (
        "import multiprocessing\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.Pool(2) as pool: print(pool.map(abs, [-1, -2]))", 0,
        "[1, 2]\n", ""
    ),
    "a child that fails": ("import os\nif os.fork() == 0: os._exit(9)\nos.wait()", 0, "", ""),
    "stdout closed": ("import sys; print('x'); sys.stdout.close()", 0, "x\n", ""),
    "stdout replaced": ("import io, sys; sys.stdout = io.StringIO(); print('x')", 0, "", ""),
    "descriptors closed": ("import os; os.closerange(0, 3)", 0, "", ""),
    "its own excepthook": (
        "import sys; sys.excepthook = lambda *_: print('mine'); 1 / 0", 1, "mine\n", ""
    ),
    "binary output": ("import sys; sys.stdout.buffer.write(bytes(range(256)))", 0,
                      bytes(range(256)).decode("latin-1"), ""),
    "a coding cookie": ("# -*- coding: latin-1 -*-\nprint(len('\u00e9'))", 0, "2\n", ""),
    "windows line ends": ("print(1)\r\nif 1:\r\n    print(2)\r\n", 0, "1\n2\n", ""),
    "a byte order mark": ("\ufeffprint(1)", 0, "1\n", ""),
    "its name": ("print(__name__, __file__.rpartition('/')[2])", 0, "__main__ main.py\n", ""),
    "pickling its own class": (
        "import pickle\nclass P: pass\nprint(type(pickle.loads(pickle.dumps(P()))).__name__)", 0,
        "P\n", ""
    ),
    "a dataclass": (
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\nprint(P(1))", 0,
        "P(x=1)\n", ""
    ),
    "importing itself": ("import main", 0, "", ""),
    "stack inspection": (
        "import sys\nf = sys._getframe()\nwhile f: print(f.f_code.co_name); f = f.f_back", 0,
        None, ""
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", _ENDS)
def test_a_program_ends_as_under_the_plain_interpreter(sandbox: Sandbox, name: str) -> None:
    source, code, stdout, last = _ENDS[name]
    one = run(sandbox, source)
    assert (one.end, one.exit_code, one.signal) == (End.EXITED, code, None), one.stderr
    if stdout is not None:
        assert one.stdout == stdout.encode("latin-1")
    lines = one.stderr.decode().splitlines() or [""]
    assert lines[-1].startswith(last)
    assert bool(last) == bool(one.stderr), one.stderr


@pytest.mark.parametrize(
    ("source", "number"),
    [
        ("import ctypes; ctypes.string_at(0)", 11),
        ("import os; os.abort()", 6),
        ("import os; os.kill(os.getpid(), 9)", 9),
        ("import os; os.kill(0, 15)", 15),
        ("import signal, os; os.kill(os.getpid(), signal.SIGFPE)", 8),
        ("import faulthandler; faulthandler._sigsegv()", 11),
    ],
)
def test_a_signal_is_told(sandbox: Sandbox, source: str, number: int) -> None:
    one = run(sandbox, "print('lost')\n" + source)
    assert (one.end, one.exit_code, one.signal) == (End.SIGNALED, None, number)
    well(sandbox)


def test_a_traceback_shows_no_frame_of_ours(sandbox: Sandbox) -> None:
    lines = run(sandbox, "def f():\n    1 / 0\nf()").stderr.decode().splitlines()
    files = [line for line in lines if line.startswith("  File")]
    assert len(files) == 2
    assert all("main.py" in line for line in files)
    handled = "import traceback\ntry:\n    1 / 0\nexcept Exception:\n    traceback.print_exc()"
    assert b"agent" not in run(sandbox, handled).stderr


@pytest.mark.parametrize("command", ["compile", "run"])
def test_a_command_that_an_image_lacks_is_no_fault_of_the_programs(
    command: str, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = {command: ("no-such-tool", "{source}")}
    language = Language("odd", "python", "main.odd", **commands)  # type: ignore[arg-type]
    monkeypatch.setitem(RUNNABLE, "odd", language)
    sandbox = backend.start("python")
    try:
        with pytest.raises(SandboxLost, match="this sandbox has no no-such-tool"):
            runs(sandbox, Work(Program("odd", "x"), [StdinCase(b"")], LIMITS))
    finally:
        sandbox.close()


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("def f(:", "SyntaxError"),
        ("if True:\nprint(1)", "IndentationError"),
        ("print('a\x00b')", "null byte"),
        ("return 1", "SyntaxError"),
        ("\udcff = 1", "SyntaxError"),
        ("# -*- coding: klingon -*-", "SyntaxError"),
        ("x = " + "(" * 3000 + ")" * 3000, "SyntaxError"),
        ("x = " + "-" * 200_000 + "1", "Error"),
    ],
)
def test_a_source_that_does_not_compile_is_told(sandbox: Sandbox, source: str, word: str) -> None:
    one = run(sandbox, source)
    assert one.end is End.COMPILE_ERROR
    assert word in one.stderr.decode()
    assert b"agent" not in one.stderr
    well(sandbox)


_STOPPED = {
    "a loop": ("while True: pass", {End.CPU_LIMIT}),
    "a loop in a child": (
        "import os\nif os.fork() == 0:\n    while True: pass\nos.wait()", {End.CPU_LIMIT}
    ),
    "loops in threads": (
        "import threading\n"
        "def spin():\n"
        "    while True: pass\n"
        "for _ in range(3): threading.Thread(target=spin).start()",
        {End.CPU_LIMIT},
    ),
    "a loop that ignores signals": (
        "import signal\n"
        "for n in (15, 24, 1, 2): signal.signal(n, signal.SIG_IGN)\n"
        "while True: pass",
        {End.CPU_LIMIT},
    ),
    "children that take turns": (
        "import os\n"
        "while True:\n"
        "    if os.fork() == 0:\n"
        "        for _ in range(200_000): pass\n"
        "        os._exit(0)\n"
        "    os.wait()", {End.CPU_LIMIT}
    ),
    "hoarding": ("x = []\nwhile True: x.append(bytearray(1 << 20))", {End.MEMORY_LIMIT}),
    "hoarding at once": ("x = b'x' * (180 << 20)", {End.MEMORY_LIMIT}),
    "hoarding in children": (
        "import os, time\n"
        "for _ in range(6):\n"
        "    if os.fork() == 0:\n"
        "        x = b'x' * (30 << 20)\n"
        "        time.sleep(60)\n"
        "time.sleep(60)", {End.MEMORY_LIMIT}
    ),
    "hoarding in many children": (
        "import os, time\n"
        "for _ in range(50):\n"
        "    if os.fork() == 0:\n"
        "        x = b'x' * (4 << 20)\n"
        "        time.sleep(60)\n"
        "time.sleep(60)", {End.MEMORY_LIMIT}
    ),
    "hoarding and holding on": (
        "import os\n"
        "while True:\n"
        "    if os.fork() == 0:\n"
        "        x = []\n"
        "        while True: x.append(bytearray(1 << 20))\n"
        "    os.wait()", {End.MEMORY_LIMIT}
    ),
    "a fork bomb": (
        "import os\n"
        "while True:\n"
        "    try: os.fork()\n"
        "    except OSError: pass", {End.CPU_LIMIT, End.MEMORY_LIMIT, End.WALL_LIMIT}
    ),
    "a fork bomb that flees": (
        "import os\n"
        "while True:\n"
        "    try:\n"
        "        if os.fork(): os._exit(0)\n"
        "        os.setsid()\n"
        "    except OSError: pass", {End.CPU_LIMIT, End.MEMORY_LIMIT, End.WALL_LIMIT, End.EXITED}
    ),
    "a flood of stdout": ("while True: print('x' * 1000)", {End.OUTPUT_LIMIT}),
    "a flood of stderr": (
        "import sys\nwhile True: print('x' * 1000, file=sys.stderr)", {End.OUTPUT_LIMIT}
    ),
    "a flood at once": ("print('x' * 10_000_000)", {End.OUTPUT_LIMIT}),
    "a flood of children": (
        "import os\nfor _ in range(5): os.fork()\nwhile True: os.write(1, b'x' * 4096)",
        # Without a cgroup, what forks share counts for each of them.
        {End.OUTPUT_LIMIT, End.MEMORY_LIMIT},
    ),
    "a flood in small writes": ("import os\nwhile True: os.write(2, b'x')",
                                {End.OUTPUT_LIMIT, End.CPU_LIMIT}),
}  # fmt: skip


@pytest.mark.parametrize("name", _STOPPED)
def test_a_program_beyond_a_limit_is_stopped(sandbox: Sandbox, name: str) -> None:
    source, ends = _STOPPED[name]
    one = run(sandbox, source, limits=TIGHT)
    assert one.end in ends
    assert len(one.stdout) + len(one.stderr) <= TIGHT.output_bytes
    well(sandbox)


def test_a_sleeper_is_woken_by_the_wall_limit(sandbox: Sandbox) -> None:
    one = run(sandbox, "import time; time.sleep(60)", limits=replace(TIGHT, wall_time_s=0.3))
    assert one.end is End.WALL_LIMIT
    assert 0.3 <= one.wall_time_s < 5
    assert one.cpu_time_s < 0.2


def test_files_count_as_memory(sandbox: Sandbox) -> None:
    if has_one_uid(sandbox):
        pytest.skip("without a cgroup, files are bounded by the size of their tmpfs alone")
    source = """
        for place in ("/dev/shm", "/tmp", "."):
            with open(place + "/file", "wb") as file:
                for _ in range(50):
                    file.write(bytes(1 << 20))
        print("kept")
        """
    assert run(sandbox, source, limits=TIGHT).end is End.MEMORY_LIMIT
    well(sandbox)


def test_a_thread_bomb_finds_its_end(sandbox: Sandbox) -> None:
    source = """
        import threading, time
        started = 0
        try:
            while True:
                threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
                started += 1
        except RuntimeError as error:
            print(started)
        """
    one = run(sandbox, source)
    assert one.end is End.EXITED
    assert 30 < int(one.stdout) < 80
    well(sandbox)


def test_a_program_a_little_over_its_cpu_limit_is_measured_to_its_end(sandbox: Sandbox) -> None:
    source = """
        import time
        while time.process_time() < 0.44: pass
        print("done")
        """
    one = run(sandbox, source, limits=replace(TIGHT, cpu_time_s=0.4))
    assert (one.end, one.stdout) == (End.EXITED, b"done\n")
    assert 0.4 < one.cpu_time_s < 0.48


def test_cpu_time_is_that_of_all_processes(sandbox: Sandbox) -> None:
    source = """
        import os, time
        for _ in range(3):
            if os.fork() == 0:
                while time.process_time() < 0.1: pass
                os._exit(0)
        for _ in range(3): os.wait()
        """
    one = run(sandbox, source)
    assert one.end is End.EXITED
    assert 0.25 < one.cpu_time_s < 0.6


def test_memory_is_the_peak_of_the_largest_process(sandbox: Sandbox) -> None:
    small, large = runs(sandbox, work("pass"), work("x = b'x' * (100 << 20); del x"))
    assert small.memory_bytes < 60 * MIB
    assert 100 * MIB < large.memory_bytes < 160 * MIB


def test_a_daemon_does_not_outlive_its_test(sandbox: Sandbox) -> None:
    daemon = """
        import os, signal, time
        for number in range(1, 65):
            if number not in (9, 17, 19, 32, 33):
                signal.signal(number, signal.SIG_IGN)
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.closerange(0, 256)
                os.chdir("/tmp")
                while True:
                    time.sleep(0.01)
            os._exit(0)
        os.wait()
        print("gone")
        """
    look = """
        import os
        print(sum(name.isdigit() for name in os.listdir("/proc")))
        """
    alone, left, after = runs(sandbox, work(look), work(daemon), work(look))
    assert left.stdout == b"gone\n"
    assert left.end is End.EXITED
    assert left.wall_time_s < 5
    assert after.stdout == alone.stdout


_LEAVE_DEEP = """
    import os
    for place in (".", "/tmp", "/dev/shm"):
        os.chdir(place)
        for _ in range(3000 if place == "." else 50):
            os.mkdir("d")
            os.chdir("d")
        for _ in range(3000 if place == "." else 50):
            os.chdir("..")
            os.chmod("d", 0)
        home = os.getcwd()
    print("deep")
    """
_LEAVE_ODD = r"""
    import os, socket
    for place in (".", "/tmp", "/dev/shm"):
        os.chdir(place)
        os.mkfifo("fifo")
        os.symlink("/etc/passwd", "link")
        os.symlink("/opt/proctor", "folder-link")
        socket.socket(socket.AF_UNIX).bind("socket")
        open(b"\xff\n name", "w").close()
        open(".hidden", "w").close()
        os.makedirs("a/b/c")
        open("a/b/c/file", "w").write("x")
        os.link("a/b/c/file", "hard")
        os.chmod("a/b", 0)
        os.chmod("hard", 0)
    os.chdir(os.path.expanduser("~"))
    os.chmod(".", 0)
    print("odd")
    """
_LEAVE_MANY = """
    for place in ("/tmp", "/dev/shm"):
        for number in range(1000):
            open(f"{place}/{number}", "w").close()
    print("many")
    """
_LEAVE_IPC = """
    import ctypes, mmap
    libc = ctypes.CDLL(None)
    made = [libc.shmget(0x5ec, 4096, 0o1600), libc.semget(0x5ec, 1, 0o1600),
            libc.msgget(0x5ec, 0o1600), libc.shmget(0, 4096, 0o1600)]
    libc.mq_open(b"/queue", 0o102, 0o600, None)
    print("ipc")
    """
_LOOK = """
    import os
    found = [name for place in (".", "/tmp", "/dev/shm") for name in os.listdir(place)]
    for table in ("shm", "sem", "msg"):
        found += open("/proc/sysvipc/" + table).read().splitlines()[1:]
    found += os.listdir("/dev/mqueue") if os.path.exists("/dev/mqueue") else []
    print(found)
    open("mine", "w").close()
    """


@pytest.mark.parametrize(
    ("leave", "word"),
    [(_LEAVE_DEEP, b"deep"), (_LEAVE_ODD, b"odd"), (_LEAVE_MANY, b"many"), (_LEAVE_IPC, b"ipc")],
)
def test_nothing_that_a_program_left_is_there_for_the_next(
    sandbox: Sandbox, leave: str, word: bytes
) -> None:
    for pair in (runs(sandbox, work(leave), work(_LOOK)), _two_tests(sandbox, leave, _LOOK)):
        assert [one.stdout for one in pair] == [word + b"\n", b"[]\n"], pair
    well(sandbox)


def _two_tests(sandbox: Sandbox, first: str, second: str) -> Iterable[Run]:
    """Two sources as two tests of one program."""
    sources = (textwrap.dedent(first), textwrap.dedent(second))
    cases = [StdinCase(source.encode()) for source in sources]
    (report,) = sandbox.execute([work("import sys; exec(sys.stdin.read())", *cases)])
    return report.runs


def test_state_does_not_cross_from_test_to_test(sandbox: Sandbox) -> None:
    source = """
        import builtins, os, sys, random, re
        print(getattr(builtins, "mark", None), os.environ.get("mark"), sys.getrecursionlimit(),
              random.random(), re.compile is getattr(builtins, "patched", None), sys.argv[1:],
              os.getcwd() == os.path.expanduser("~"), os.umask(0), sys.path.count("mark"))
        builtins.mark = os.environ["mark"] = "here"
        builtins.patched = re.compile = lambda *_: None
        sys.setrecursionlimit(5000)
        sys.path.append("mark")
        sys.argv.append("mark")
        os.chdir("/tmp")
        """
    (report,) = sandbox.execute([work(source, *[StdinCase(b"")] * 3)])
    first, *rest = [one.stdout for one in report.runs]
    assert first.startswith(b"None None 1000 0.")
    assert rest == [first, first]


def test_a_program_behaves_the_same_each_time(sandbox: Sandbox) -> None:
    source = """
        import random
        import numpy
        print(hash("text"), random.random(), numpy.random.rand(), list({"a", "b", "c", "d"}))
        """
    cases = [StdinCase(b"")] * 2
    outputs = {one.stdout for report in sandbox.execute([work(source, *cases)] * 2)
               for one in report.runs}  # fmt: skip
    assert len(outputs) == 1


def test_what_a_program_is(sandbox: Sandbox) -> None:
    source = """
        import os, resource, sys
        status = dict(line.split(":", 1) for line in open("/proc/self/status"))
        print([status[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")])
        print(status["NoNewPrivs"].strip(), status["Seccomp"].strip())
        print(status["Groups"].split(), len(set(status["Uid"].split() + status["Gid"].split())))
        print(sorted(os.listdir("/proc/self/fd"))[:-1])
        print(os.getsid(0) == os.getpid(), os.getcwd(), os.listdir("."))
        print(resource.getrlimit(resource.RLIMIT_CORE), resource.getrlimit(resource.RLIMIT_NPROC))
        print(sys.argv == [__file__], [name for name in sys.modules if "agent" in name])
        print(os.getuid())
        """
    first, second = runs(sandbox, work(source), work(source))
    lines = first.stdout.decode().splitlines()
    assert first.stderr == b""
    assert lines[0] == str(["0000000000000000"] * 4)
    assert lines[1] == "1 2"
    assert lines[3] == "['0', '1', '2']"
    assert lines[4] == "True /box/w/d []"
    assert lines[5].startswith("(0, 0) (")
    assert lines[6] == "True []"
    if has_one_uid(sandbox):
        return
    assert lines[2] == "[] 1"
    uids = [int(one.stdout.split()[-1]) for one in (first, second)]
    assert len(set(uids)) == 2
    assert min(uids) > 65536


def test_the_environment_is_small_and_known(sandbox: Sandbox) -> None:
    one = run(sandbox, "import os, json; print(json.dumps(dict(os.environ), sort_keys=True))")
    assert one.stdout.decode().strip() == (
        '{"HOME": "/box/w/d", "LANG": "C.UTF-8", "MKL_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", '
        '"OPENBLAS_NUM_THREADS": "1", "PATH": "/usr/local/bin:/usr/bin:/bin", '
        '"PYTHONHASHSEED": "0"}'
    )


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("print(open('/dev/stdin').read())", b"in\n"),
        ("print(open(0).read())", b"in\n"),
        ("open('/dev/stdout', 'w').write('out')", b"out"),
        ("open('/proc/self/fd/1', 'w').write('out')", b"out"),
        ("import os; os.write(1, b'o'); print('ut')", b"out\n"),
        ("import subprocess; print(subprocess.run(['cat'], capture_output=True).stdout)",
         b"b'in'\n"),
        ("import subprocess; subprocess.run(['echo', 'out'])", b"out\n"),
        ("import sys; print(sys.stdin.readline(), sys.stdin.read())", b"in \n"),
        ("import sys; s = sys.stdin; print(s.tell(), s.readline(), s.tell(), s.seek(0), s.read())",
         b"0 in 2 0 in\n"),
        ("print(input())", b"in\n"),
        ("import sys; print(sys.stdin.encoding, sys.stdin.isatty(), sys.stdout.isatty())",
         b"utf-8 False False\n"),
        ("import os; os.lseek(0, 0, 2); print(repr(input()) if 0 else 'end')", b"end\n"),
        ("open('/dev/stdin', 'w')", b""),
    ],
)  # fmt: skip
def test_standard_streams_are_what_a_shell_gives(
    sandbox: Sandbox, source: str, expected: bytes
) -> None:
    assert run(sandbox, source, b"in").stdout == expected


def test_stderr_can_be_opened(sandbox: Sandbox) -> None:
    assert run(sandbox, "open('/dev/stderr', 'w').write('err')").stderr == b"err"


def test_input_that_is_never_read_does_no_harm(sandbox: Sandbox) -> None:
    one = run(sandbox, "print('done')", b"x" * 5_000_000)
    assert (one.end, one.stdout) == (End.EXITED, b"done\n")


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 5_000_000])
def test_output_arrives_whole(sandbox: Sandbox, size: int) -> None:
    stdin = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    source = """
        import sys
        data = sys.stdin.buffer.read()
        sys.stdout.buffer.write(data)
        sys.stderr.buffer.write(data[::-1])
        """
    one = run(sandbox, source, stdin)
    assert (one.end, one.stdout, one.stderr) == (End.EXITED, stdin, stdin[::-1])


def test_output_up_to_the_limit_is_no_flood(sandbox: Sandbox) -> None:
    exactly, over = runs(
        sandbox,
        *(work(f"print('x' * {TIGHT.output_bytes - 1 + more})", limits=TIGHT) for more in (0, 1)),
    )
    assert (exactly.end, len(exactly.stdout)) == (End.EXITED, TIGHT.output_bytes)
    assert (over.end, len(over.stdout)) == (End.OUTPUT_LIMIT, TIGHT.output_bytes)


def test_text_is_utf_8_whatever_the_host_speaks(sandbox: Sandbox) -> None:
    text = "h\u00e9llo \u4e16\u754c \U0001f600".encode()
    assert run(sandbox, "print(input())", text).stdout == text + b"\n"
    one = run(sandbox, "print(input())", b"\xff\xfe")
    assert (one.exit_code, b"UnicodeDecodeError" in one.stderr) in ((1, True), (0, False))


def test_many_tests_of_one_program(sandbox: Sandbox) -> None:
    cases = [StdinCase(b"%d\n" % n) for n in range(100)]
    (report,) = sandbox.execute([work("print(int(input()) ** 2)", *cases)])
    assert [int(one.stdout) for one in report.runs] == [n * n for n in range(100)]


def test_the_zygote_survives_what_the_kernel_does_to_its_forks(sandbox: Sandbox) -> None:
    hungry = """
        import mmap, os, time
        shared = mmap.mmap(-1, 80 << 20)
        for _ in range(40):
            if os.fork() == 0:
                shared.write(b"x" * (80 << 20))
                x = b"x" * (20 << 20)
                time.sleep(60)
        while True: x = [bytearray(1 << 20) for _ in range(200)]
        """
    for _ in range(3):
        assert run(sandbox, hungry, limits=TIGHT).end is End.MEMORY_LIMIT
        well(sandbox)


_CALLED = """
    import re, sys, time
    class Mine(ValueError): pass
    class Solution:
        def twice(self, x): return 2 * x
    class Thing: pass
    def value(x): return x
    def kinds(): return {"a": (1, 2.5), 3: {True}, None: b"x", "n": float("nan")}
    def named(a, *, b=2): return [a, b]
    def fails(): raise Mine("no")
    def stops(): raise StopIteration
    def leaves(): sys.exit(0)
    def thing(): return Thing()
    def match(): return [re.match("a", "a")]
    def yields(): yield 1
    def prints(): print("out"); print("err", file=sys.stderr); return 1
    def itself():
        x = []; x.append(x); return x
    def huge(): return 10 ** 5000
    def big(): return "x" * 5_000_000
    def lambda_(): return lambda: 1
    number = 7
    if __name__ == "__main__": print("main ran")
    """


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "value", "error"),
    [
        ("value", [[1, (2, "\ud800")]], {}, [1, (2, "\ud800")], None),
        ("value", [], {"x": {"k": None}}, {"k": None}, None),
        ("named", [1], {"b": 3}, [1, 3], None),
        ("Solution.twice", [4], {}, 8, None),
        ("Solution().twice", [4], {}, 8, None),
        ("big", [], {}, "x" * 5_000_000, None),
        ("prints", [], {}, 1, None),
        ("fails", [], {}, None, "Mine"),
        ("stops", [], {}, None, "StopIteration"),
        ("value", [], {}, None, "TypeError"),
        ("missing", [], {}, None, "NameError"),
        ("Solution.missing", [], {}, None, "AttributeError"),
        ("number", [], {}, None, "TypeError"),
    ],
)
def test_a_call_is_answered(
    sandbox: Sandbox,
    function: str,
    args: list[object],
    kwargs: dict[str, object],
    value: object,
    error: str | None,
) -> None:
    (report,) = sandbox.execute([work(_CALLED, CallCase(function, args, kwargs))])
    (one,) = report.runs
    assert one.answer is not None, one
    assert (one.answer.error, one.answer.plain) == (error, True)
    if error is None:
        assert one.answer.value == value
    assert b"main ran" not in one.stdout


def test_an_int_of_any_size_is_answered(sandbox: Sandbox) -> None:
    (report,) = sandbox.execute([work(_CALLED, CallCase("huge"))])
    assert report.runs[0].answer == Answer(value=10**5000)


def test_what_a_function_prints_is_not_what_it_returns(sandbox: Sandbox) -> None:
    (report,) = sandbox.execute([work(_CALLED, CallCase("prints"))])
    (one,) = report.runs
    assert (one.stdout, one.stderr) == (b"out\n", b"err\n")


@pytest.mark.parametrize("function", ["thing", "match", "yields", "lambda_"])
def test_a_result_that_is_no_value_is_told_apart(sandbox: Sandbox, function: str) -> None:
    (report,) = sandbox.execute([work(_CALLED, CallCase(function))])
    answer = report.runs[0].answer
    assert answer is not None
    assert not answer.plain


@pytest.mark.parametrize("function", ["leaves", "itself"])
def test_a_call_without_a_result_has_no_value(sandbox: Sandbox, function: str) -> None:
    (report,) = sandbox.execute([work(_CALLED, CallCase(function))])
    answer = report.runs[0].answer
    assert answer is None or answer.error


def test_a_program_can_not_answer_twice_or_garbage(sandbox: Sandbox) -> None:
    source = """
        import os
        def f():
            for fd in range(3, 64):
                try: os.write(fd, b'["value",42,{"t":"dict","v":[]}]')
                except OSError: pass
            return 41
        """
    (report,) = sandbox.execute([work(source, CallCase("f"))])
    assert report.runs[0].answer is None


def test_calls_of_one_program_share_nothing(sandbox: Sandbox) -> None:
    source = "seen = []\ndef f(x):\n    seen.append(x)\n    return seen"
    (report,) = sandbox.execute([work(source, *(CallCase("f", [n]) for n in range(3)))])
    assert [one.answer and one.answer.value for one in report.runs] == [[0], [1], [2]]


def test_a_program_that_fails_when_it_is_loaded_has_no_answer(sandbox: Sandbox) -> None:
    reports: list[Report] = list(
        sandbox.execute([work("1 / 0\ndef f(): return 1", CallCase("f")),
                         work("def f(:", CallCase("f"), CallCase("f")),
                         work("def f(): return 1", CallCase("f"))])
    )  # fmt: skip
    failed, broken, good = (report.runs[0] for report in reports)
    assert (failed.answer, failed.exit_code) == (None, 1)
    assert b"ZeroDivisionError" in failed.stderr
    assert broken.end is End.COMPILE_ERROR
    assert good.answer is not None
    assert good.answer.value == 1
