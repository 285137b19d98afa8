"""The zygote: a process of its own whose forks are the tests.

It never reads a program's data: it takes a description and descriptors, forks, and tells how
the fork ended. As a subreaper it becomes the parent of whatever a test leaves behind, so
that "no children" (ECHILD) proves that nothing of the test is alive.

`Spawner` is the agent's side of it; `main` is the process.
"""

import array
import gc
import importlib
import json
import marshal
import os
import signal
import socket
import sys
from collections.abc import Sequence

from . import child
from .spec import Spec

_PR_SET_CHILD_SUBREAPER = 36
_SOCKET_FD = 3
_MAX_MESSAGE = 64 * 1024


# How a test's processes ended: wait status of the first, CPU seconds of all, and the peak
# resident bytes of the largest.
Ended = tuple[int, float, int]


class SpawnerDied(Exception):
    """Raised when the zygote is gone."""


class Spawner:
    """Starts processes for the agent. One at a time; `fd` is readable when there is news."""

    def __init__(
        self,
        python: str,
        path: str,
        env: dict[str, str],
        preload: Sequence[str] = (),
        site: Sequence[str] = (),
        warm: bool = True,
    ) -> None:
        self._python = python
        self._path = path
        self._env = env
        self._config = json.dumps({"preload": preload, "site": site, "warm": warm})
        self._started = False
        self.start()

    def start(self) -> None:
        """Start the process, again if need be, and wait until it is ready."""
        self.close()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            argv = [self._python, "-s", "-P", "-X", "utf8", "-c", _BOOT, self._path, self._config]
            # The forks go on using the streams that the interpreter makes for these, so they
            # are of the kind that a test's will be: a file to read, pipes to write to.
            reader, writer = os.pipe()
            actions = [
                (os.POSIX_SPAWN_OPEN, 0, __file__, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, writer, 1),
                (os.POSIX_SPAWN_DUP2, theirs.fileno(), _SOCKET_FD),
            ]
            self.pid = os.posix_spawn(self._python, argv, self._env, file_actions=actions)
            os.close(reader)
            os.close(writer)
        self._socket = ours
        self.fd = ours.fileno()
        self._started = True
        self.news()

    def close(self) -> None:
        """End the process."""
        if self._started:
            self._started = False
            self._socket.close()
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def is_alive(self) -> bool:
        """Whether the process has not ended."""
        if self._started and os.waitpid(self.pid, os.WNOHANG)[0]:
            self._started = False
            self._socket.close()
        return self._started

    def launch(self, spec: Spec, fds: list[int]) -> None:
        """Start one process; `fds` are handed over and stay open here."""
        message = marshal.dumps(spec.fields())
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
        try:
            self._socket.sendmsg([message], rights)
        except OSError as error:
            raise SpawnerDied(str(error)) from None

    def news(self) -> Ended | None:
        """What the zygote has to say: None when the process has ended and others of it live on,
        how it ended once nothing of it is alive."""
        try:
            message = self._socket.recv(_MAX_MESSAGE)
        except OSError:
            message = b""
        if not message:
            raise SpawnerDied("the zygote has ended")
        news: Ended | None = marshal.loads(message)  # noqa: S302 - only the zygote speaks here
        return news


_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); from agent import spawner; "
    "sys.path.pop(0); spawner.main(sys.argv[2])"
)


def main(settings: str) -> None:
    """Become a zygote and serve the agent on descriptor 3."""
    config = json.loads(settings)
    link = socket.socket(fileno=_SOCKET_FD)
    child.libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # Where programs share our uid, this keeps our memory from them.
    child.libc.prctl(child.PR_SET_DUMPABLE, 0, 0, 0, 0)
    if os.geteuid() == 0:
        os.setgroups([])
    child.confine_zygote()
    sys.path.extend(config["site"])
    _preload(config["preload"])
    if config["warm"]:
        _warm_up()
    # What a program would see of us: no module, no argument.
    for name in [name for name in sys.modules if name.partition(".")[0] == "agent"]:
        del sys.modules[name]
    sys.argv = [""]
    gc.collect()
    gc.freeze()
    link.send(marshal.dumps(None))
    serve(link)


def _preload(names: list[str]) -> None:
    """Import what programs import most, `random` in a state that every fork inherits.

    Its fork hook would seed it anew: a program is to behave the same each time. Hooks are
    dear: those of `threading`, which is therefore left out, double the cost of a fork.
    """
    register = os.register_at_fork
    os.register_at_fork = lambda **_hooks: None
    try:
        import random
    finally:
        os.register_at_fork = register
    random.seed(0)
    for name in names:
        importlib.import_module(name)
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed(0)


def serve(link: socket.socket) -> None:
    """Fork for each request until the agent hangs up.

    Every object touched here is a page copied after each fork, so little is done.
    """
    room = socket.CMSG_SPACE(16 * array.array("i").itemsize)
    while True:
        message, rights, _flags, _address = link.recvmsg(_MAX_MESSAGE, room)
        if not message:
            os._exit(0)
        pid = os.fork()
        if pid == 0:
            fds = list(memoryview(rights[0][2]).cast("i"))
            spec = Spec(**marshal.loads(message))  # noqa: S302 - the agent's
            child.become(spec, fds)
        os.closerange(_SOCKET_FD + 1, _SOCKET_FD + 17)
        link.send(_reap(link, pid))


def _reap(link: socket.socket, pid: int) -> bytes:
    """Wait until the process and all that it left are gone; their CPU time adds up."""
    cpu_s = 0.0
    peak_kib = 0
    status = 0
    options = 0
    while True:
        try:
            ended, how, usage = os.wait4(-1, options)
        except ChildProcessError:
            return marshal.dumps((status, cpu_s, peak_kib * 1024))
        if ended == 0:
            link.send(marshal.dumps(None))
            options = 0
            continue
        cpu_s += usage.ru_utime + usage.ru_stime
        peak_kib = max(peak_kib, usage.ru_maxrss)
        if ended == pid:
            status = how
            options = os.WNOHANG


def _warm_up() -> None:
    """Run one program that does what programs do, so that forks find it done.

    Measured in design.md: a test went from 3.5 to 1.6 ms.
    """
    for _ in range(2):
        code = compile(_REPRESENTATIVE, "warm.py", "exec", dont_inherit=True)
        exec(code, {"__name__": "__main__"})  # noqa: S102 - our own text


_REPRESENTATIVE = """
import collections, functools, heapq, io, itertools, math, re, string, sys, traceback
stream = io.TextIOWrapper(io.BufferedReader(io.BytesIO(b"3 4\\n1 2 3\\n")), encoding="utf-8")
out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="surrogateescape")
class Point:
    def __init__(self, x, y=0):
        self.x, self.y = x, y
    def __repr__(self):
        return f"Point({self.x}, {self.y:.2f})"
class Deep(Point, object):
    @property
    def norm(self):
        return math.hypot(self.x, self.y)
@functools.lru_cache(maxsize=None)
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
def gen(n):
    for i in range(n):
        yield i * i
n, m = map(int, stream.readline().split())
rows = [int(word) for word in stream.read().split()]
table = collections.defaultdict(list)
for i, value in enumerate(sorted(rows, key=lambda v: -v)):
    table[value % 2].append((i, str(value), {value}, {"k": [value]}))
heap = list(gen(5)); heapq.heapify(heap); heapq.heappop(heap)
try:
    raise ValueError("x") from KeyError("y")
except ValueError as error:
    text = "".join(traceback.format_exception(error))
try:
    compile("def f(:", "x", "exec")
except SyntaxError as error:
    "".join(traceback.format_exception_only(error))
re.sub(r"(\\\\w+)", lambda match: match.group(1).upper(), "some text")
print(fib(20), Deep(3, 4).norm, repr(Point(1, 2)), *itertools.islice(rows, 2), sep=" ", file=out)
print("{:>5} %s".format(1), 2 ** 100, 1.5e10, b"x", [1, (2,)], {"a": 1}, file=out)
out.flush()
"-".join(string.ascii_lowercase).encode().decode()
"""
