"""Programs that end before anything was asked of them, and hope that silence is success."""

from tests.integrity.forgery import Forgery, Row, asked, printed

_LOADED = {
    "sys.exit when loaded": "import sys\nsys.exit(0)",
    "os._exit when loaded": "import os\nos._exit(0)",
    "a thread that exits when loaded": """
        import os, threading, time
        threading.Thread(target=os._exit, args=(0,)).start()
        time.sleep(1)
        """,
    "another program in its place": "import os\nos.execv('/bin/true', ['true'])",
    "SkipTest when loaded": "import unittest\nraise unittest.SkipTest('not today')",
}
_CALLED = {
    "sys.exit when called": "import sys\ndef f(x): sys.exit(0)",
    "os._exit when called": "import os\ndef f(x): os._exit(0)",
    "SystemExit of its own": """
        class Done(SystemExit): code = 0
        def f(x): raise Done(0)
        """,
    "SkipTest when called": "import unittest\ndef f(x): raise unittest.SkipTest('no')",
    "pytest's own skip": """
        class Skipped(BaseException): allow_module_level = True
        Skipped.__module__ = 'builtins'
        def f(x): raise Skipped('not today')
        """,
    "KeyboardInterrupt": "def f(x): raise KeyboardInterrupt",
    "GeneratorExit": "def f(x): raise GeneratorExit",
    "StopIteration": "def f(x): raise StopIteration(3 * x)",
    "StopAsyncIteration": "def f(x): raise StopAsyncIteration(3 * x)",
    "AssertionError": "def f(x): raise AssertionError('all is well')",
    "an exception group": "def f(x): raise ExceptionGroup('many', [ValueError(), SystemExit]) ",
    "exit from a thread when called": """
        import os, threading
        def f(x):
            thread = threading.Thread(target=os._exit, args=(0,))
            thread.start()
            thread.join()
        """,
    "exit from a signal handler": """
        import os, signal
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        def f(x): os.kill(os.getpid(), signal.SIGTERM); return 0
        """,
    "exit when its answer is read": """
        import os
        class Trap(list):
            def __iter__(self): os._exit(0)
            def __len__(self): os._exit(0)
        class Shown:
            def __bool__(self): os._exit(0)
            __len__ = __iter__ = __str__ = __bool__
        def f(x): return [Trap(), Shown()]
        """,
    "exit when its answer is forgotten": """
        import os
        class Last:
            def __del__(self): os._exit(0)
        def f(x):
            Last()
            return 3 * x
        """,
    "an exit handler that exits": """
        import atexit, os, sys
        atexit.register(os._exit, 0)
        def f(x): sys.exit(1)
        """,
    "killed by itself": "import os\ndef f(x): os.kill(os.getpid(), 9)",
    "aborted": "import os\ndef f(x): os.abort()",
}

FORGERIES: list[Forgery] = [
    *(one for name, text in {**_LOADED, **_CALLED}.items() for one in asked(Row.EXIT, name, text)),
    printed(Row.EXIT, "silence and success", "import sys\nsys.exit(0)"),
    printed(
        Row.EXIT,
        "silence where it does not know",
        """
        import os
        n = int(input())
        if n > 1:
            os._exit(0)
        print(3 * n)
        """,
        earns=1,
        honest="the first test is answered",
    ),
    printed(
        Row.EXIT,
        "SkipTest where it does not know",
        """
        import unittest
        n = int(input())
        if n != 20:
            raise unittest.SkipTest("no data")
        print(3 * n)
        """,
        earns=1,
        honest="the second test is answered",
    ),
    printed(
        Row.EXIT,
        "a crash after a right answer",
        "import os\nprint(3 * int(input()), flush=True)\nos.abort()",
        honest="nothing: a program must end well",
    ),
    printed(
        Row.EXIT,
        "an exit handler that exits, printed",
        "import atexit, os\natexit.register(os._exit, 0)\nraise ValueError",
    ),
]
