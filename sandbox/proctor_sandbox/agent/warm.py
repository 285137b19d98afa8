"""What a zygote does once so that none of its forks has to.

A fork shares the zygote's memory until either writes to it; each page written costs a fault
and a copy, some 2 us. A trivial test took 340 of these, now about 180 (docs/performance.md).
"""

import ctypes
import importlib
import io
import marshal
import mmap
import os
import resource
import sys

from . import asserts, candidate, child, examiner, handles, script
from .spec import Spec

# The interpreter counts a function's first eight calls, and fits its code to what it meets in
# some more: by then it has been written to for the last time.
_ROUNDS = 10
# What test code is made of, and values of the kinds that cross.
_TEST_CODE = """
def check(candidate):
    assert candidate([1, 2.5, "x", None, True]) == [1, 2.5, "x", None, True], "message"
    assert candidate({"k": (1, {2})}, 1.5) != []
    assert not candidate(0)
check(candidate)
"""
_HUGE = 2 * 1024 * 1024
_MREMAP_MAYMOVE, _MREMAP_FIXED = 1, 2
# Of CPython's allocator (pymalloc): sizes up to 512 bytes in steps of 16 have pools of 16 KiB
# each, in which the first block comes after a header of 48 bytes.
_SMALLEST, _LARGEST, _STEP = 48, 512, 16
_POOL_BYTES = 16 * 1024
_POOL_HEADER_BYTES = 48
_MOST_POOLS = 64
# Of the C library's: from what is still no mapping of its own down to the smallest block.
_HEAP_SIZES = [*(1 << power for power in range(16, 10, -1)), *range(1024, 0, -16)]
_MOST_BLOCKS = 2048

# What is allocated only so that nobody else is: never freed.
_ballast: list[bytes] = []


def preload(names: list[str]) -> None:
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


def rehearse(*, python: bool) -> None:
    """Become a program and, where programs are Python's, run one, in this very process: what is
    looked up, fitted or initialised at first use is so in every fork. Changes nothing else."""
    with open("/proc/self/oom_score_adj", "rb") as file:
        oom_score = file.read()
    rlimits = [
        (name, *resource.getrlimit(name)) for name in (resource.RLIMIT_CPU, resource.RLIMIT_NPROC)
    ]
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "representative.py")
    spec = Spec("script" if python else "exec", os.getuid(), os.getcwd(), tuple(rlimits), path=path)
    message = marshal.dumps(spec.fields(), 2)
    streams = [os.dup(number) for number in (0, 1, 2)]
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    os.close(null)
    argv, paths, main = sys.argv, sys.path[:], sys.modules["__main__"]
    for _ in range(_ROUNDS):
        again = Spec(*marshal.loads(message))  # noqa: S302 - our own
        child.confine(again, [0, 1, 2], oom_score)
        if python:
            _rehearse_script(again)
            _rehearse_examination()
    for number in (0, 1, 2):
        os.dup2(streams[number], number)
        os.close(streams[number])
    sys.argv, sys.path[:], sys.modules["__main__"] = argv, paths, main


def _rehearse_script(spec: Spec) -> None:
    code = script.load(spec, [os.open(os.devnull, os.O_WRONLY)])
    namespace = script.main_namespace(spec.path)
    if script.guarded(exec, code, namespace) or script.flush(0):
        raise RuntimeError("the representative program failed")
    namespace.clear()


def _rehearse_examination() -> None:
    """Prepare test code, ask a program what it asks, and answer as the program does."""
    prepared = asserts.prepare(_TEST_CODE)
    code = compile(prepared.tree, "test.py", "exec", dont_inherit=True)
    desk = candidate.Desk({"f": lambda numbers, *_: numbers})
    namespace = {
        "candidate": handles.Function(handles.Program(_Loopback(desk)), "f"),
        asserts.RECORDER: examiner.Recorder(lambda _line: None),
    }
    exec(code, namespace)  # noqa: S102 - our own


class _Loopback:
    """Stands for the socket between an examiner and its candidate."""

    def __init__(self, desk: candidate.Desk) -> None:
        self._desk = desk
        self._answer = io.BytesIO()

    def write(self, message: memoryview) -> int:
        text = bytes(message[candidate.LENGTH.size :])
        self._answer = io.BytesIO()
        candidate.write_message(self._answer, self._desk.reply(text))
        self._answer.seek(0)
        return len(message)

    def read(self, size: int) -> bytes:
        return self._answer.read(size)


def settle() -> None:
    """Put memory in the order that forks are cheapest with: the last thing to do."""
    _put_text_on_huge_pages()
    _fill_heap()
    _fill_pools()


def _fill_pools() -> None:
    """Use up the free blocks that lie scattered over old pools, so that a fork's first objects
    of each size lie at the start of a fresh one, on the page that its header is on."""
    for size in range(_SMALLEST, _LARGEST + 1, _STEP):
        content = size - sys.getsizeof(b"")
        for _ in range(_MOST_POOLS * _POOL_BYTES // size):
            _ballast.append(bytes(content))
            if id(_ballast[-1]) % _POOL_BYTES == _POOL_HEADER_BYTES:
                break


def _fill_heap() -> None:
    """Use up the C library's free blocks, the large ones first, until it takes new ones from
    the end of its heap: there a fork's blocks lie side by side."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype = libc.sbrk.restype = ctypes.c_void_p
    libc.malloc.argtypes = (ctypes.c_size_t,)
    end = libc.sbrk(0)
    for size in _HEAP_SIZES:
        for _ in range(_MOST_BLOCKS):
            block = libc.malloc(size)
            if block + size > end:
                end = block + size
                break


def _put_text_on_huge_pages() -> None:
    """Move the interpreter's code to huge pages, at the same addresses.

    A fork finds them mapped; of the file's small pages it would fault in 50, and unmap 800 at
    its end. Where the kernel gives no huge pages, all stays as it is.
    """
    begin, end = _text()
    begin = -(-begin // _HUGE) * _HUGE
    size = end // _HUGE * _HUGE - begin
    if size <= 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    pointer, length, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    libc.mmap.restype = libc.mremap.restype = pointer
    libc.mmap.argtypes = (pointer, length, number, number, number, ctypes.c_long)
    libc.mremap.argtypes = (pointer, length, length, number, pointer)
    libc.munmap.argtypes = (pointer, length)
    libc.madvise.argtypes = libc.mprotect.argtypes = (pointer, length, number)
    writable = mmap.PROT_READ | mmap.PROT_WRITE
    room = libc.mmap(None, size + _HUGE, writable, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    copy = -(-room // _HUGE) * _HUGE
    libc.munmap(room, copy - room)
    libc.munmap(copy + size, room + _HUGE - copy)
    libc.madvise(copy, size, mmap.MADV_HUGEPAGE)
    ctypes.memmove(copy, begin, size)
    if _huge_bytes(copy) == size and not libc.mprotect(copy, size, mmap.PROT_READ | mmap.PROT_EXEC):
        # From here on this very code runs in its copy.
        libc.mremap(copy, size, size, _MREMAP_MAYMOVE | _MREMAP_FIXED, begin)
    else:
        libc.munmap(copy, size)


def _text() -> tuple[int, int]:
    """Where the interpreter's code and constants lie: its file's mappings around one of its
    functions, as far as they follow on each other and can't be written to."""
    function = ctypes.cast(ctypes.pythonapi.Py_GetVersion, ctypes.c_void_p).value or 0
    begin = end = 0
    of = ""
    with open("/proc/self/maps") as file:
        for line in file:
            where, rights, _offset, _device, _inode, *name = line.split()
            start, stop = (int(address, 16) for address in where.split("-"))
            if "w" in rights or start != end or [of] != name:
                if begin <= function < end:
                    break
                begin, of = start, "".join(name)
            end = stop
    return begin, end


def _huge_bytes(address: int) -> int:
    """How much of the mapping that begins here lies on huge pages."""
    with open("/proc/self/smaps") as file:
        for line in file:
            if line.startswith(f"{address:x}-"):
                break
        for line in file:
            name, value, *_ = line.split()
            if name == "AnonHugePages:":
                return int(value) * 1024
    return 0
