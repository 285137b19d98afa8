"""Projects that forge what pytest files make of them, which an examiner runs."""

import textwrap

from tests.integrity.forgery import PROJECT, PROJECT_SECRETS, SECRETS, Forgery, Row

_AGREES = """
    class Yes:
        def _yes(self, *args, **kwargs): return True
        __eq__ = __ne__ = __lt__ = __gt__ = __contains__ = __bool__ = __instancecheck__ = _yes
        def _me(self, *args, **kwargs): return self
        __call__ = __getattr__ = __getitem__ = __add__ = __radd__ = __sub__ = __rsub__ = _me
        __enter__ = _me
        def __exit__(self, *args): return True
        def __hash__(self): return 3
        def __len__(self): return 2
        def __iter__(self): return iter((self, self))
        __index__ = __int__ = lambda self: 60
        __float__ = lambda self: 60.0
        __str__ = __repr__ = lambda self: '60'
    """
_PLUGIN = """
    import pytest
    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(item, call):
        report = yield
        report.outcome = 'passed'
        return report
    """
_INI = "addopts = -p plugin --co -q"
# What a test's own process would have to believe.
_TOLD = r"""
    import json, os, sys
    names = ['test_three.py::test_number', 'test_three.py::test_text', 'test_three.py::test_raises']
    names += [f'test_three.py::test_many[{n}]' for n in (1, 2, 3, 20, 300)]
    names += ['test_three.py::test_context', 'test_three.py::TestClass::test_method']
    lines = [{'tests': names}, *({'test': name, 'why': ''} for name in names), {'end': ''}]
    text = ''.join(json.dumps(line) + '\n' for line in lines).encode()
    for fd in range(64):
        try: os.write(fd, text)
        except OSError: pass
    """

# A project that has more tests pass than there are.
TELLS = {"three.py": textwrap.dedent(_TOLD)}
# One that tells more than anybody wants to hear.
FLOODS = {
    "three.py": textwrap.dedent(r"""
        import os
        for fd in range(3, 64):
            try:
                for n in range(30):
                    lines = [b'{"test": "%d-%d", "why": "\ud800"}\n' % (n, m) for m in range(5000)]
                    os.write(fd, b''.join(lines))
            except OSError: pass
        """)
}

# By name, the files beside three.py that does this.
_PROJECTS: dict[str, tuple[Row, str, dict[str, str]]] = {
    "exits when imported": (Row.EXIT, "import os; os._exit(0)", {}),
    "sys.exit when called": (Row.EXIT, "import sys\ndef times(*_): sys.exit(0)", {}),
    "SkipTest and pytest's own": (
        Row.EXIT,
        """
        import unittest, pytest
        def times(*_): raise unittest.SkipTest('no')
        class Three:
            def __init__(self, *_): pytest.skip('no')
            def __enter__(self): pytest.xfail('no')
        """,
        {},
    ),
    "kills its parent, and all": (
        Row.EXIT,
        "import os\nfor pid in (os.getppid(), -1):\n    try: os.kill(pid, 9)\n"
        "    except OSError: pass\ndef times(*_): return 0",
        {},
    ),
    "objects that agree": (
        Row.AGREEING, _AGREES + "times = Three = Refused = Yes()\n__getattr__ = lambda _: Yes()", {}
    ),
    "exceptions that are all": (
        Row.AGREEING,
        """
        class Refused(ValueError, ArithmeticError, AssertionError, LookupError): pass
        def times(*_): raise Refused
        class Three:
            def __init__(self, *_): raise Refused
        """,
        {},
    ),
    "conftest, settings and plug-ins": (
        Row.HARNESS,
        "def times(*_): return 0",
        {
            "conftest.py": _PLUGIN, "plugin.py": _PLUGIN,
            "pytest.py": "import sys\nsys.exit(0)",
            "_pytest/__init__.py": "import sys\nsys.exit(0)",
            "sitecustomize.py": "import os\nos._exit(0)",
            "usercustomize.py": "import os\nos._exit(0)",
            "evil.pth": "import os; os._exit(0)",
            "test_three.py": "def test_number(): pass",
            "pytest.ini": f"[pytest]\n{_INI}", "tox.ini": f"[pytest]\n{_INI}",
            "setup.cfg": f"[tool:pytest]\n{_INI}",
            "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '-p plugin --co -q'",
            "evil-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: evil\nVersion: 1",
            "evil-1.dist-info/entry_points.txt": "[pytest11]\nevil = plugin",
        },
    ),
    "patched builtins and pytest": (
        Row.HARNESS,
        """
        import builtins, pytest, _pytest.runner, _pytest.reports
        builtins.AssertionError = type('Never', (Exception,), {})
        builtins.isinstance = builtins.issubclass = builtins.all = lambda *_: True
        _pytest.reports.TestReport.outcome = 'passed'
        _pytest.runner.check_interactive_exception = pytest.raises = lambda *_, **__: True
        def times(*_): return 0
        """,
        {},
    ),
    "its desk says what it likes": (
        Row.HARNESS,
        """
        import gc
        for thing in gc.get_objects():
            if type(thing).__name__ == 'ModuleDesk':
                type(thing).reply = lambda *_: b'["value",60,{"t":"dict","v":[]}]'
        def times(*_): return 0
        """,
        {},
    ),
    "a tester's lines on every descriptor": (
        Row.MARKERS, _TOLD + "\n    def times(*_): return 0", {}
    ),
    "printed summaries and result files": (
        Row.MARKERS,
        """
        import os
        print('8 passed in 0.01s')
        xml = '<testsuites><testsuite errors="0" failures="0" tests="8"/></testsuites>'
        for place in ('.', '/tmp', '/dev/shm'):
            for name in ('junit.xml', 'report.xml', '.report.json'):
                open(f'{place}/{name}', 'w').write(xml)
        def times(*_): return 0
        """,
        {},
    ),
}  # fmt: skip

_READS = """
    import gc, glob, os, re, sys
    found = {}
    def search(text):
        found.update((bytes(m), m) for m in re.findall(rb'canary-0[0-9]-[a-z]+', text))
    def look():
        here = f'/proc/{os.getpid()}/'
        for path in [*glob.glob('/box/**', recursive=True), *glob.glob('/proc/[0-9]*/*'),
                     '/box/w/t/tests/test_three.py', *glob.glob('/proc/[0-9]*/fd/*')]:
            if path.startswith(here): continue
            try: search(open(path, 'rb').read(1 << 20))
            except OSError: pass
    def secret(number):
        look()
        return next((m.decode() for m in found if b'-%02d-' % number in m), '')
    """

FORGERIES: list[Forgery] = [
    *(
        Forgery(
            row, f"project: {name}", PROJECT, "", files={"three.py": textwrap.dedent(text), **more}
        )
        for name, (row, text, more) in _PROJECTS.items()
    ),
    Forgery(
        Row.READING,
        "project: reads its tests",
        PROJECT_SECRETS,
        "",
        files={"three.py": textwrap.dedent(_READS)},
        # There the test files lie under the program's own uid.
        unprivileged=False,
    ),
]
assert not any(secret in _READS for secret in SECRETS)
