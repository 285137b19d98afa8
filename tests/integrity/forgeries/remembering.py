"""Programs that want to know, in one test, that there was an earlier one.

Each answers the first test; the others only if something of the first is still there. Its
honest part is one test of three, whatever it tries.
"""

from tests.integrity.forgery import CALLED, PRINTED, Forgery, Row, dedented

# `recall()` is true if an earlier test left something; `leave()` leaves it.
_MEMORIES = {
    "a global": """
        import builtins, sys
        def recall(): return hasattr(builtins, 'seen') or hasattr(sys, 'seen')
        def leave(): builtins.seen = sys.seen = True
        """,
    "a module": """
        import json, sys
        def recall(): return 'seen' in sys.modules or getattr(json, 'seen', 0)
        def leave(): sys.modules['seen'] = json; json.seen = 1
        """,
    "a default argument": """
        def recall(seen=[]): return len(seen) > 0
        def leave(): recall.__defaults__[0].append(1)
        """,
    "the environment": """
        import os
        def recall(): return 'SEEN' in os.environ
        def leave(): os.environ['SEEN'] = '1'; os.putenv('SEEN', '1')
        """,
    "a file in its folder": """
        import os
        def recall(): return os.path.exists('seen')
        def leave(): open('seen', 'w').close()
        """,
    "a file anywhere": """
        import os, sys
        PLACES = ('/tmp', '/dev/shm', '/var/tmp', '/run', '/dev', '/box', '/box/in', '/box/src',
                  '/box/w', '/home', '/etc', '/proc/self', '/sys/fs/cgroup', '/dev/mqueue',
                  os.path.expanduser('~'), *filter(None, sys.path))
        def recall(): return any(os.path.exists(f'{place}/seen') for place in PLACES)
        def leave():
            for place in PLACES:
                try: open(f'{place}/seen', 'w').close()
                except OSError: pass
        """,
    "a hidden folder": """
        import os
        def recall(): return os.path.isdir('/tmp/.seen/a') or os.path.islink('.seen')
        def leave():
            os.makedirs('/tmp/.seen/a', mode=0o000)
            os.symlink('/nowhere', '.seen')
        """,
    "the time of its folder": """
        import os
        def recall(): return 12345 in (os.stat('.').st_mtime_ns, os.stat('.').st_atime_ns)
        def leave(): os.utime('.', ns=(12345, 12345))
        """,
    "the mode of its folder": """
        import os
        def recall(): return os.stat('.').st_mode & 0o022
        def leave(): os.chmod('.', 0o777)
        """,
    "the number of its folder's changes": """
        import os
        def recall(): return os.stat('.').st_size > 40 or os.stat('.').st_nlink > 2
        def leave(): os.makedirs('./a/b')
        """,
    "an attribute of its folder": """
        import os
        def recall():
            try: return os.listxattr('.')
            except OSError: return False
        def leave():
            try: os.setxattr('.', 'user.seen', b'1')
            except OSError: pass
        """,
    "the time of /tmp": """
        import os, time
        PLACES = ('/tmp', '/dev/shm')
        def recall(): return max(os.stat(place).st_mtime for place in PLACES) > time.time() - 1
        def leave():
            for place in PLACES:
                open(f'{place}/seen', 'w').close()
                os.unlink(f'{place}/seen')
        """,
    "its own source": """
        import os
        def recall(): return os.access('/box/src/main.py', os.W_OK) or b'SE' + b'EN' in open(
            '/box/src/main.py', 'rb').read()
        def leave():
            for path in ('/box/src/main.py', __file__):
                try:
                    os.chmod(path, 0o666)
                    open(path, 'a').write('# SE' + 'EN')
                except OSError: pass
        """,
    "its own code": """
        import ctypes
        mark = b'unseen'
        def recall(): return mark[0] == 83
        def leave(): ctypes.memset(id(mark) + bytes.__basicsize__ - 1, 83, 1)
        """,
    "System V shared memory": """
        import ctypes
        libc = ctypes.CDLL(None)
        def recall(): return libc.shmget(4711, 64, 0o666) >= 0
        def leave(): libc.shmget(4711, 64, 0o1666)
        """,
    "a System V semaphore": """
        import ctypes
        libc = ctypes.CDLL(None)
        def recall(): return libc.semget(4711, 1, 0o666) >= 0 or libc.msgget(4711, 0o666) >= 0
        def leave(): libc.semget(4711, 1, 0o1666); libc.msgget(4711, 0o1666)
        """,
    "a POSIX message queue": """
        import ctypes, os
        libc = ctypes.CDLL(None)
        def recall(): return libc.mq_open(b'/seen', os.O_RDONLY) >= 0
        def leave(): libc.mq_open(b'/seen', os.O_RDWR | os.O_CREAT, 0o666, None)
        """,
    "a keyring": """
        import ctypes
        libc = ctypes.CDLL(None)
        def recall(): return libc.syscall(249, b'user', b'seen', None, -4) > 0
        def leave(): libc.syscall(248, b'user', b'seen', b'1', 1, -4)
        """,
    "an abstract socket of a daemon": """
        import os, socket, time
        def recall():
            with socket.socket(socket.AF_UNIX) as line:
                try: line.connect('\\0seen')
                except OSError: return False
            return True
        def leave():
            if os.fork(): return
            os.setsid()
            if os.fork(): os._exit(0)
            line = socket.socket(socket.AF_UNIX)
            line.bind('\\0seen')
            line.listen()
            time.sleep(60)
        """,
    "a daemon": """
        import glob, os, time
        def recall():
            for path in glob.glob('/proc/[0-9]*/comm'):
                try:
                    if open(path).read() == 'seen\\n': return True
                except OSError: pass
            return False
        def leave():
            if os.fork(): return
            os.setsid()
            open('/proc/self/comm', 'w').write('seen')
            time.sleep(60)
        """,
    "a lock": """
        import fcntl, os
        file = open('/etc/passwd')
        def recall():
            try: fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError: return True
            return False
        def leave(): fcntl.flock(file, fcntl.LOCK_EX)
        """,
    "a limit, a mask and a nice value": """
        import os, resource
        def recall(): return os.nice(0) > 4 or resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 77
        def leave():
            os.nice(5)
            os.umask(0o777)
            resource.setrlimit(resource.RLIMIT_NOFILE, (77, 77))
        """,
    "the input's own place": """
        import os
        def recall():
            try: return os.lseek(0, 0, os.SEEK_CUR) > 9
            except OSError: return False
        def leave():
            try: os.lseek(0, 4096, os.SEEK_SET); os.set_blocking(0, False)
            except OSError: pass
        """,
    "how often it was called": """
        calls = 0
        def recall(): return calls > 0
        def leave(): global calls; calls += 1
        """,
}
_PRINTS = dedented("""
    n = int(input())
    known = n == 1 or recall()
    leave()
    print(3 * n if known else '?')
    """)
_RETURNS = dedented("""
    def f(x):
        known = x == 1 or recall()
        leave()
        return 3 * x if known else '?'
    """)

# Where all share one uid, a program may write beside its source, and to it.
_SHARED = ("a file anywhere", "its own source")

FORGERIES: list[Forgery] = [
    Forgery(
        Row.REMEMBERING,
        f"{memory}, {kind}",
        problem,
        dedented(text) + ending,
        earns=1,
        honest="the first test of three",
        unprivileged=memory not in _SHARED,
    )
    for memory, text in _MEMORIES.items()
    for kind, problem, ending in (("printed", PRINTED, _PRINTS), ("called", CALLED, _RETURNS))
]

# Of one program for another: the first leaves what it can, the second looks for it.
BETWEEN = {
    memory: (
        dedented(text) + _PRINTS,
        dedented(text) + "n = int(input())\nprint(3 * n if recall() else '?')\n",
    )
    for memory, text in _MEMORIES.items()
    if memory not in _SHARED
}
