"""Programs that look for the expected values wherever a value can be."""

from tests.integrity.forgery import (
    ASSERTED_SECRETS,
    CALLED_SECRETS,
    PRINTED_SECRETS,
    SECRETS,
    Forgery,
    Row,
    dedented,
)

# `found` is filled by one of the ways below; then whatever was found is the answer.
_HEAD = dedented("""
    import glob, os, re, sys
    found = []
    # No text of this program is what it looks for.
    SOUGHT = re.compile(b'can' + rb'ary-(\\d\\d)-(\\w+)')
    def look(data):
        found.extend((int(number), b'can' + b'ary-%b-%b' % (number, word))
                     for number, word in SOUGHT.findall(data))
    def best(number):
        texts = [text.decode() for place, text in found if place == number]
        # Memory also holds what is left of freed copies.
        return max(texts, key=texts.count, default='')
    def file(path, most=1 << 22):
        try:
            with open(path, 'rb') as opened: look(opened.read(most))
        except (OSError, ValueError): pass
    """)
_WAYS = {
    "frames": """
        def search():
            for frame in sys._current_frames().values():
                while frame:
                    look(repr((frame.f_locals, frame.f_globals)).encode(errors='replace'))
                    look(repr(frame.f_code.co_consts).encode())
                    frame = frame.f_back
        """,
    "the collector's objects": """
        import gc
        def search():
            seen = gc.get_objects()
            for thing in seen + gc.get_referents(*seen):
                if type(thing) is str: look(thing.encode(errors='replace'))
                if type(thing) is bytes: look(thing)
        """,
    "modules": """
        def search():
            for module in list(sys.modules.values()):
                for name, thing in list(vars(module).items()):
                    if type(thing) in (str, bytes, dict, list, tuple):
                        look(repr((name, thing)).encode(errors='replace'))
        """,
    "files": """
        def search():
            for place in ('/box', '/tmp', '/dev/shm', '/run', '/var/tmp', '/home', '/opt/agent'):
                for folder, _, names in os.walk(place):
                    for name in names[:200]: file(f'{folder}/{name}')
            for path in sys.path: file(f'{path}/test.py')
            file('/proc/self/environ')
        """,
    "descriptors": """
        import socket
        def peek(fd):
            try:
                with socket.socket(fileno=os.dup(fd)) as line:
                    look(line.recv(1 << 20, socket.MSG_PEEK | socket.MSG_DONTWAIT))
            except OSError: pass
        def search():
            for fd in [0, *range(3, 64)]:
                try: look(os.pread(fd, 1 << 20, 0))
                except OSError: peek(fd)
            for path in glob.glob('/proc/[0-9]*/fd/*'):
                try: fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
                except OSError: continue
                try: look(os.read(fd, 1 << 20))
                except OSError: pass
                os.close(fd)
        """,
    "other processes": """
        def search():
            for place in glob.glob('/proc/[0-9]*') + glob.glob('/proc/[0-9]*/task/*'):
                for name in ('cmdline', 'environ', 'maps', 'stack', 'syscall', 'auxv'):
                    file(f'{place}/{name}')
        """,
    "memory, its own and others'": """
        def search():
            for place in glob.glob('/proc/[0-9]*') + ['/proc/self']:
                try:
                    spans = [line.split()[0].split('-') for line in open(f'{place}/maps')]
                    with open(f'{place}/mem', 'rb', buffering=0) as memory:
                        for start, end in spans:
                            try:
                                memory.seek(int(start, 16))
                                look(memory.read(min(int(end, 16) - int(start, 16), 1 << 25)))
                            except (OSError, ValueError, OverflowError): pass
                except OSError: pass
        """,
    "process_vm_readv and ptrace": """
        import ctypes
        def search():
            libc = ctypes.CDLL(None, use_errno=True)
            room = ctypes.create_string_buffer(1 << 16)
            class Span(ctypes.Structure):
                _fields_ = [('at', ctypes.c_void_p), ('n', ctypes.c_size_t)]
            for pid in filter(str.isdigit, os.listdir('/proc')):
                if int(pid) == os.getpid(): continue
                if libc.ptrace(16, int(pid), None, None) == 0: found.append((0, b'attached'))
                here, there = Span(ctypes.addressof(room), 1 << 16), Span(0x400000, 1 << 16)
                libc.process_vm_readv(int(pid), ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
                look(room.raw)
        """,
    "shared memory": """
        import ctypes
        def search():
            libc = ctypes.CDLL(None)
            libc.shmat.restype = ctypes.c_void_p
            for line in open('/proc/sysvipc/shm').readlines()[1:]:
                at = libc.shmat(int(line.split()[1]), None, 0o10000)
                if at not in (None, 2 ** 64 - 1): look(ctypes.string_at(at, 4096))
            for name in os.listdir('/dev/shm'): file(f'/dev/shm/{name}')
        """,
    "the test by its name": """
        def search():
            for name in ('test', 'tests', 'check', 'agent.examiner', 'solution', 'conftest'):
                try: look(repr(vars(__import__(name))).encode(errors='replace'))
                except Exception: pass
        """,
}
_ASKED = dedented("""
    search()
    def f(x):
        search()
        return best(x)
    """)
_PRINTS = dedented("""
    search()
    print(best(int((sys.stdin.read() or '0').split()[0])))
    """)


# Puts secrets where each way looks, so that a search which finds nothing is known to look.
_PLANTED = """
import subprocess, types
kept = {secrets}
everything = ' '.join(kept)
open('plant', 'w').write(everything)
open('/dev/shm/plant', 'w').write(everything)
descriptor = os.open('plant', os.O_RDONLY)
sys.modules['test'] = types.ModuleType('test')
sys.modules['test'].kept = kept
child = subprocess.Popen(['sh', '-c', 'sleep 9', *kept], stdout=subprocess.DEVNULL)
"""


def searching(way: str, ending: str = _ASKED) -> str:
    """A program that looks for secrets in one way, and answers with what it found."""
    return _HEAD + dedented(_WAYS[way]) + ending


def finding(way: str) -> str:
    """The same with the secrets put where it looks: it is to find them."""
    return _HEAD + _PLANTED.format(secrets=SECRETS) + dedented(_WAYS[way]) + _ASKED


WAYS = tuple(_WAYS)

FORGERIES: list[Forgery] = [
    Forgery(Row.READING, f"{way}, {kind}", problem, searching(way, ending))
    for way in WAYS
    for kind, problem, ending in (
        ("called", CALLED_SECRETS, _ASKED),
        ("asserted", ASSERTED_SECRETS, _ASKED),
        ("printed", PRINTED_SECRETS, _PRINTS),
    )
]
