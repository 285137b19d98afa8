"""Programs that patch whatever may be judging them: modules, builtins, the interpreter itself."""

from tests.integrity.forgery import Forgery, Row, asked, printed

_PATCHES = {
    "no AssertionError": """
        import builtins
        builtins.AssertionError = type('Never', (Exception,), {})
        def f(x): return 0
        """,
    "builtins that agree": """
        import builtins
        builtins.isinstance = builtins.all = builtins.any = lambda *_: True
        builtins.abs = builtins.len = lambda *_: 0
        builtins.type = lambda *_: int
        builtins.sorted = builtins.list = lambda *_: []
        def f(x): return 0
        """,
    "no builtins at all": """
        import builtins
        for name in list(vars(builtins)):
            try: delattr(builtins, name)
            except BaseException: pass
        def f(x): return 0
        """,
    "json": """
        import json
        json.dumps = lambda *_, **__: '["value",-1,{"t":"dict","v":[]}]'
        json.loads = lambda *_, **__: ('truth', 'f', [], {})
        def f(x): return 0
        """,
    "json's encoder": """
        import json.encoder
        json.encoder.JSONEncoder.encode = lambda *_: '["value",-1,{"t":"dict","v":[]}]'
        json.encoder.c_make_encoder = None
        def f(x): return 0
        """,
    "marshal, struct and os.write": """
        import marshal, os, struct
        marshal.loads = marshal.dumps = lambda *_: b''
        struct.Struct = struct.pack = lambda *_: b''
        os.write = lambda *_: 1
        def f(x): return 0
        """,
    "unittest": """
        import unittest
        for name in dir(unittest.TestCase):
            if name.startswith('assert'): setattr(unittest.TestCase, name, lambda *_: None)
        unittest.main = lambda *_, **__: None
        unittest.TestResult.wasSuccessful = lambda self: True
        def f(x): return 0
        """,
    "pytest and its report": """
        import sys, types
        class TestReport:
            outcome = 'passed'
            passed, failed, skipped = True, False, False
        for name in ('pytest', '_pytest', '_pytest.reports', '_pytest.runner'):
            sys.modules[name] = types.ModuleType(name)
            sys.modules[name].TestReport = TestReport
            sys.modules[name].main = lambda *_: 0
        def f(x): return 0
        def run_tests(*_): return True
        check = test = run_tests
        """,
    "conftest and sitecustomize": """
        import os
        text = '''import os
        def pytest_runtest_makereport(item, call): os._exit(0)
        '''
        for place in ('.', '/tmp', '/dev/shm'):
            for name in ('conftest', 'sitecustomize', 'usercustomize', 'pytest', 'math', 'test'):
                try: open(f'{place}/{name}.py', 'w').write(text.strip())
                except OSError: pass
        open('./pytest.ini', 'w').write('[pytest]')
        def f(x): return 0
        """,
    "the judge's own modules": """
        import sys, types
        class Yes(types.ModuleType):
            def __getattr__(self, name): return lambda *_, **__: True
        for name in ('agent', 'agent.values', 'agent.examiner', 'agent.candidate', 'test'):
            sys.modules[name] = Yes(name)
        def f(x): return 0
        """,
    "an import hook": """
        import sys
        class Hook:
            @staticmethod
            def find_spec(name, path=None, target=None): raise SystemExit(0)
        sys.meta_path.insert(0, Hook)
        sys.path_hooks.clear()
        def f(x): return 0
        """,
    "a tracer that leaves": """
        import os, sys, threading
        def trace(frame, event, arg):
            if frame.f_code.co_name in ('check', 'held', 'failed', 'write_message'): os._exit(0)
            return trace
        sys.settrace(trace)
        threading.settrace(trace)
        def f(x): return 0
        """,
    "a profiler that forges": """
        import sys
        def profile(frame, event, arg):
            if event == 'call' and 'failed' in frame.f_code.co_names:
                frame.f_locals['self']._seen.clear()
        sys.setprofile(profile)
        def f(x): return 0
        """,
    "an audit hook": """
        import os, sys
        sys.addaudithook(lambda event, _: os._exit(0) if event == 'object.__getattr__' else None)
        def f(x):
            f.__code__
            return 0
        """,
    "its caller's desk, by its frames": """
        import sys
        def f(x):
            frame = sys._getframe()
            while frame:
                desk = frame.f_locals.get('self')
                if hasattr(type(desk), 'reply'):
                    type(desk).reply = lambda *_: b'["value",true,{"t":"dict","v":[]}]'
                    type(desk)._changed = lambda *_: {0: 3}
                frame = frame.f_back
            return 0
        """,
    "its caller's desk, by the collector": """
        import gc
        for thing in gc.get_objects():
            if type(thing).__name__ == 'Desk': thing._namespace = None
            if type(thing).__name__ == 'function' and thing.__name__ == 'reply':
                thing.__code__ = (lambda self, text: b'["value",[],[]]').__code__
        def f(x): return 0
        """,
    "equal is true, in its interpreter": """
        import ctypes
        number = ctypes.py_object(3)
        ctypes.memset(id(60) + 24, 3, 1)
        ctypes.memset(id(9) + 24, 3, 1)
        def f(x): return 5
        """,
    "true is false, in its interpreter": """
        import ctypes
        size = object.__sizeof__(False) + 8
        ctypes.memmove(id(False), id(True), size)
        def f(x): return 0
        """,
    "its exit patched": """
        import os, sys
        os._exit = sys.exit = lambda *_: None
        def f(x): return 0
        """,
    "its streams replaced": """
        import sys
        class Sink:
            closed = False
            def write(self, text): return len(text)
            def flush(self): raise SystemExit(0)
            fileno = lambda self: 1
        sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = Sink()
        def f(x): return 0
        """,
    "an entry point that is a class": """
        class f:
            def __new__(cls, x): return object.__new__(cls)
            def __eq__(self, other): return True
            def __hash__(self): return 0
        """,
    "an entry point that is a module": """
        import sys, types
        class Everything(types.ModuleType):
            def __call__(self, x): return self
            def __eq__(self, other): return True
            def __hash__(self): return 0
        sys.modules['candidate'] = sys.modules['__main__'] = f = Everything('f')
        """,
    "a namespace that answers": """
        import sys
        def f(x): return 0
        names = sys.modules['candidate'].__dict__
        names.update(check=f, candidate=f, test=f, expected=0, isinstance=f, math=f)
        """,
}

FORGERIES: list[Forgery] = [
    *(one for name, text in _PATCHES.items() for one in asked(Row.HARNESS, name, text)),
    printed(
        Row.HARNESS,
        "print patched to compare",
        """
        import builtins, sys
        builtins.print = lambda *_: None
        builtins.AssertionError = None
        sys.exit = lambda *_: None
        def run_tests(): return True
        """,
    ),
]
