"""Test code against programs, honest and not; over real backends."""

import textwrap

import pytest

from proctor_sandbox.limits import MIB, Limits
from proctor_sandbox.programs import Assertions, End, ExamineCase, Program, Run, StdinCase, Work
from proctor_sandbox.seam import Sandbox
from tests.contract import conftest as contract

# The contract's sandboxes.
pytest_generate_tests = contract.pytest_generate_tests
backend, pool, sandbox = contract.backend, contract.pool, contract.sandbox
BACKENDS = ("docker-runc", "bubblewrap", "bubblewrap-unprivileged")

LIMITS = Limits(cpu_time_s=0.6, wall_time_s=3.0, memory_bytes=128 * MIB, output_bytes=MIB)


def examine(sandbox: Sandbox, source: str, code: str, entry_point: str | None = "f") -> Run:
    case = ExamineCase(textwrap.dedent(code), entry_point)
    program = Program("python", textwrap.dedent(source))
    (report,) = sandbox.execute([Work(program, (case,), LIMITS)])
    return report.runs[0]


def told(sandbox: Sandbox, source: str, code: str) -> Assertions:
    run = examine(sandbox, source, code)
    assert run.assertions is not None, run
    return run.assertions


THREE = """
    def check(candidate):
        assert candidate(1) == 2
        assert candidate(2) == 3
        assert candidate(3) == 4
    check(candidate)
    """


@pytest.mark.parametrize(
    ("source", "code", "expected"),
    [
        ("def f(x): return x + 1", THREE, Assertions(3, 3, {})),
        ("def f(x): return 2 * x", THREE, Assertions(3, 1, {1: "false", 2: "false"})),
        ("def f(x): return 1 // (x - 2) and x + 1", THREE,
         Assertions(3, 2, {1: "ZeroDivisionError"})),
        ("f = 7", THREE, Assertions(3, 0, dict.fromkeys(range(3), "TypeError"))),
        ("", THREE, Assertions(3, 0, dict.fromkeys(range(3), "NameError"))),
        ("def f(x): return x", "x = candidate(1)", Assertions(1, 1, {})),
        ("def f(x): raise KeyError(x)", "x = candidate(1)\nassert x",
         Assertions(1, 0, {}, "KeyError")),
        ("def f(x): return x", "assert f(1)\nassert 1 / 0\nraise OSError",
         Assertions(2, 1, {1: "ZeroDivisionError"}, "OSError")),
        ("def f(x): return x", "assert f(1)\nimport sys\nsys.exit(0)\nassert f(2)",
         Assertions(2, 1, {}, "SystemExit")),
        ("def f(x): return x",
         "try:\n    f(1) + 'x'\n    assert False\nexcept TypeError:\n    pass",
         Assertions(1, 1, {})),
        ("def f(x): return x", "assert False", Assertions(1, 0, {}, "AssertionError")),
        # The same statement many times is one case, lost by one failure.
        ("def f(x): return x % 5", "for i in range(9):\n    assert f(i) == i",
         Assertions(1, 0, {0: "false"})),
        ("def f(x): return x", "for i in range(3):\n    assert f(i) == i\n    assert f(i) < 2",
         Assertions(2, 1, {1: "false"})),
        ("def f(x): return x", "def check(c): assert c(1)", Assertions(1, 1, {})),
    ],
)  # fmt: skip
def test_each_assert_is_counted(
    sandbox: Sandbox, source: str, code: str, expected: Assertions
) -> None:
    run = examine(sandbox, source, code)
    assert (run.end, run.assertions) == (End.EXITED, expected)


PROGRAM = """
    import re, collections, dataclasses, enum
    class Mine(ValueError):
        def __init__(self, message, extra=0): super().__init__(message)
    class Deep(Mine): pass
    class Odd(KeyError): __module__ = "elsewhere"
    def raises(name): raise globals().get(name) or getattr(__builtins__, name)("no")
    def fails(name):
        kind = globals().get(name) or getattr(__import__("builtins"), name)
        raise kind("no", 2) if name != "Mine" else kind("no")
    class Counter:
        total = 0
        def __init__(self, start=0): self.count = start
        def up(self, by=1):
            self.count += by
            return self
        def value(self): return self.count
        def __iter__(self): return iter(range(self.count))
        def __len__(self): return self.count
        def __getitem__(self, key): return key * 2
        def __str__(self): return f"at {self.count}"
    def counter(start): return Counter(start)
    def read(counter): return counter.count
    def same(thing): return thing
    def sort(items): items.sort()
    def fill(table, items, text): table["k"] = 1; items.add(2); text += b"x"; return len(items)
    def match(pattern, text): return re.match(pattern, text)
    def yields(n):
        for i in range(n): yield i
    def endless():
        while True: yield 1
    def adder(n): return lambda x: x + n
    def twice(function, x): return function(function(x))
    def text(x): return repr(x)
    def many(): return [Counter(1), Counter(2)]
    @dataclasses.dataclass
    class Point:
        x: int
        y: int = 0
    class Colour(enum.Enum): RED = 1
    Pair = collections.namedtuple("Pair", "a b")
    LIMIT = 9
    def sum(a, b): return a * b
    """


@pytest.mark.parametrize(
    "code",
    [
        # Exceptions cross by name, under the nearest built-in one.
        "try:\n    fails('ValueError')\nexcept ValueError as e:\n    seen = e\n"
        "assert seen.args == ('no', 2)",
        "try:\n    fails('Mine')\nexcept ValueError as e:\n    seen = e\nassert str(seen) == 'no'",
        "try:\n    fails('Deep')\nexcept ValueError as e:\n    seen = e\n"
        "assert type(seen).__name__ == 'Deep'",
        "try:\n    fails('Odd')\nexcept KeyError as e:\n    seen = 1\nassert seen",
        "try:\n    fails('StopIteration')\nexcept Exception as e:\n    seen = 1\nassert seen",
        "try:\n    fails('OSError')\nexcept OSError as e:\n    seen = e\nassert seen.strerror == 2",
        "import unittest\nclass T(unittest.TestCase):\n    def runTest(self):\n"
        "        with self.assertRaises(ValueError): fails('Mine')\nT().runTest()\nassert same(1)",
        # Changes to arguments come home, into the very objects.
        "x = [3, 1, 2]\ny = x\nsort(x)\nassert y == [1, 2, 3]",
        "t, s = {}, {1}\nn = fill(t, s, bytearray(b'a'))\n"
        "assert (t, s, n) == ({'k': 1}, {1, 2}, 2)",
        "x = [[1], 2]\nassert same(x) == x\nassert same(x) is not x",
        # What is no plain value is asked where it is.
        "assert match('a', 'abc')",
        "assert not match('b', 'abc')",
        "assert match('(a)', 'abc').group(1) == 'a'",
        "assert match('(a)', 'abc')[1] == 'a'",
        "assert match('b', 'abc') is None",
        "assert list(yields(3)) == [0, 1, 2]",
        "assert sorted(yields(3), reverse=True) == [2, 1, 0]",
        "g = yields(2)\nassert next(g) == 0\nassert next(g) == 1\nassert next(g, 'end') == 'end'",
        "import itertools\nassert list(itertools.islice(endless(), 3)) == [1, 1, 1]",
        "assert [x for x in counter(3)] == [0, 1, 2]",
        "assert len(counter(3)) == 3",
        "assert counter(3)[4] == 8",
        "assert str(counter(3)) == 'at 3'",
        "assert counter(3).count == 3",
        "assert counter(3).up(2).value() == 5",
        "c = counter(1)\nc.up()\nc.up(by=3)\nassert c.count == 5",
        "c = Counter(4)\nassert c.value() == 4",
        "assert Counter().value() == 0",
        "assert read(counter(6)) == 6",
        "assert read(same(counter(6))) == 6",
        "assert [c.count for c in many()] == [1, 2]",
        "assert adder(2)(3) == 5",
        "assert twice(adder(2), 3) == 7",
        "assert Point(1, 2).x == 1",
        "assert Colour.RED.value == 1",
        "assert Pair(1, 2) == (1, 2)",
        "assert max(map(len, many())) == 2",
        # Named by the problem's author, a built-in's name is the program's.
        "assert abs(same(-1.5)) == 1.5 and math.isclose(same(0.1) + 0.2, 0.3)",
    ],
)
def test_test_code_works_as_if_the_program_were_beside_it(sandbox: Sandbox, code: str) -> None:
    run = examine(sandbox, PROGRAM, code, entry_point=None)
    assert run.assertions is not None
    assert (run.assertions.failures, run.assertions.broken) == ({}, None)
    assert run.assertions.passed == run.assertions.total


def test_the_entry_point_is_the_programs_whatever_its_name(sandbox: Sandbox) -> None:
    run = examine(sandbox, PROGRAM, "assert sum(3, 4) == 12", entry_point="sum")
    assert run.assertions == Assertions(1, 1, {})


@pytest.mark.parametrize(
    "value",
    ["[1, (2, {3}), {'k': None, 4: b'x'}]", "float('inf')", "10 ** 5000", "-0.0", "1 + 2j",
     "'\\ud800'", "''", "True", "range(3)", "frozenset({1})", "{1: True}", "bytearray(b'x')"],
)  # fmt: skip
def test_values_cross_both_ways_exactly(sandbox: Sandbox, value: str) -> None:
    code = f"""
        value = {value}
        back = candidate(value)
        assert back == value
        assert type(back) is type(value)
        """
    assert told(sandbox, "def f(x): return x", code).passed == 2


# An object that agrees with everything.
YES = """
    class Yes(*bases):
        def _yes(self, *args, **kwargs): return True
        __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __contains__ = _yes
        def _me(self, *args, **kwargs): return self
        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __abs__ = __round__ = _me
        __call__ = __getattr__ = __getitem__ = __neg__ = __truediv__ = __rtruediv__ = _me
        __enter__ = __mod__ = __rmod__ = _me
        def __hash__(self): return 2
        def __len__(self): return 1
        def __iter__(self): return iter(())
        def __instancecheck__(self, other): return True
        def __class__(self): return int
        def __index__(self): return 2
        def __float__(self): return 2.0
        def __exit__(self, *args): return True
    """

_ATTACKS = {
    "an object that agrees": textwrap.dedent(YES).replace("*bases", "object")
    + "def f(x): return Yes()",
    "an int that agrees": textwrap.dedent(YES).replace("*bases", "int") + "def f(x): return Yes(9)",
    "a float that agrees": textwrap.dedent(YES).replace("*bases", "float")
    + "def f(x): return Yes(9)",
    "a list that agrees": textwrap.dedent(YES).replace("*bases", "list") + "def f(x): return Yes()",
    "a str that agrees": textwrap.dedent(YES).replace("*bases", "str") + "def f(x): return Yes('')",
    "the class that agrees": textwrap.dedent(YES).replace("*bases", "type")
    + "def f(x): return Yes('x', (), {})",
    "a mock": "from unittest.mock import MagicMock\ndef f(x):\n    m = MagicMock()\n"
    "    m.__eq__ = lambda *a: True\n    return m",
    "mock.ANY": "from unittest.mock import ANY\ndef f(x): return ANY",
    "exit when loaded": "import sys; sys.exit(0)",
    "os._exit when loaded": "import os; os._exit(0)",
    "exit when called": "import sys\ndef f(x): sys.exit(0)",
    "os._exit when called": "import os\ndef f(x): os._exit(0)",
    "killing itself": "import os\ndef f(x): os.kill(os.getpid(), 9)",
    "killing all": "import os\ndef f(x):\n    os.kill(-1, 9)\n    return x + 2",
    "killing the group": "import os\ndef f(x):\n    os.killpg(0, 9)",
    "SystemExit from a thread": "import threading, os\n"
    "threading.Thread(target=lambda: os._exit(0)).start()\ndef f(x): return 0",
    "a patched assert": "import builtins\nbuiltins.AssertionError = ValueError\ndef f(x): return 0",
    "patched builtins": "import builtins\nbuiltins.isinstance = lambda *a: True\n"
    "builtins.len = lambda *a: 0\nbuiltins.type = lambda *a: int\nbuiltins.str = lambda *a: ''\n"
    "def f(x): return 0",
    "patched json": "import json\njson.dumps = lambda *a, **k: '[\"value\",2,{}]'\n"
    "json.loads = lambda *a, **k: ['fetch', 'f', (), {}]\ndef f(x): return 0",
    "patched struct and os.write": "import os, struct\nos.write = lambda *a: 1\n"
    "struct.Struct.pack = lambda *a: b''\ndef f(x): return 0",
    "garbage on every descriptor": "import os\ndef f(x):\n    for fd in range(3, 64):\n"
    "        try: os.write(fd, os.urandom(4096))\n        except OSError: pass\n    return 0",
    "lines of the examiner on every descriptor": "import os\n"
    "for fd in range(64):\n"
    "    try: os.write(fd, b'T 3\\nH 0\\nH 1\\nH 2\\nD\\n')\n    except OSError: pass\n"
    "def f(x): return 0",
    "a huge length": "import os\ndef f(x):\n    for fd in range(3, 64):\n"
    "        try: os.write(fd, b'\\xff\\xff\\xff\\xff')\n"
    "        except OSError: pass\n    return 0",
    "closing every descriptor": "import os\ndef f(x): os.closerange(0, 64); return 0",
    "a name that forges lines": "def f(x):\n"
    "    raise type('E\\nH 0\\nH 1\\nH 2\\nD', (ValueError,), {})('no')",
    "a name that forges lines with other ends": "def f(x):\n"
    "    raise type('E\\r\\u2028\\x85\\x0bH 0\\x0cD', (ValueError,), {})('no')",
    "an exception of the asserts": "def f(x): raise AssertionError",
    "StopIteration": "def f(x): raise StopIteration",
    "GeneratorExit": "def f(x): raise GeneratorExit",
    "KeyboardInterrupt": "def f(x): raise KeyboardInterrupt",
    "BaseException": "class E(BaseException): pass\ndef f(x): raise E",
    "an exception whose text fails": "class E(Exception):\n"
    "    def __str__(self): raise E\n    args = property(lambda self: 1 / 0)\ndef f(x): raise E",
    "RecursionError": "def f(x): return f(x)",
    "a generator without end": "def f(x):\n    while True: yield x + 1",
    "a result without end": "def f(x):\n    y = []; y.append(y); return y",
    "a deep result": "def f(x):\n    for _ in range(100_000): x = [x]\n    return x",
    "a lazy result": "import collections\ndef f(x): return collections.UserList([x])",
    "numbers that are not": "def f(x): return float('nan')",
    "truth": "def f(x): return True if x == 7 else not None",
    "stack inspection": "import sys, gc\ndef f(x):\n    frame = sys._getframe()\n"
    "    while frame:\n        for name, value in frame.f_locals.items():\n"
    "            if 'expected' in name: return value\n        frame = frame.f_back\n"
    "    for thing in gc.get_objects():\n"
    "        if isinstance(thing, dict) and 'check' in thing: return thing\n    return 0",
    "reading the test": "import glob, os\nsought = b'candidate(' + b'7)'\ndef f(x):\n"
    "    for path in glob.glob('/box/**', recursive=True) + glob.glob('/proc/[0-9]*/fd/*'):\n"
    "        if f'/{os.getpid()}/' in path: continue\n"
    "        try:\n            if sought in open(path, 'rb').read(1 << 20): return x + 1\n"
    "        except OSError: pass\n    return 0",
    "reading the examiner's memory": "import os\nheld = set()\n"
    "def look():\n"
    "    for pid in filter(str.isdigit, os.listdir('/proc')):\n"
    "        if int(pid) != os.getpid():\n"
    "            try: held.add(open(f'/proc/{pid}/mem', 'rb'))\n"
    "            except OSError: pass\n"
    "for _ in range(200): look()\n"
    "def f(x):\n    look()\n    return x + 1 if held else 0",
    "importing the test": "def f(x):\n    import test\n    return test.check(lambda y: y)",
    "a poisoned module for the examiner": "import os\n"
    "for place in ('/tmp', '/dev/shm', '.'):\n"
    "    for name in ('math', 're', 'test', 'unittest', 'sitecustomize'):\n"
    "        open(f'{place}/{name}.py', 'w').write('import os; os._exit(0)')\ndef f(x): return 0",
    "more than was asked": "import sys\ndef f(x):\n    print('AC ' * 1000)\n    return 0",
}


@pytest.mark.parametrize("name", _ATTACKS)
def test_a_program_can_not_pass_but_by_being_right(sandbox: Sandbox, name: str) -> None:
    code = """
        import math
        def check(candidate):
            assert candidate(7) == 8
            expected = 3
            assert abs(candidate(2) - 3) < 1e-6
            assert expected == candidate(2) and isinstance(candidate(2), int)
            assert candidate([1, 2]) in ([2, 3], 4)
            assert all(candidate(i) == i + 1 for i in range(3))
            assert all(x == 5 for x in map(candidate, [4, 4]))
            assert math.isclose(candidate(3), 4)
        check(candidate)
        """
    run = examine(sandbox, _ATTACKS[name], code)
    heard = run.assertions
    assert heard is not None
    assert heard.total == 7 or (heard.total, run.exit_code, heard.broken) == (0, 0, "stopped")
    assert heard.passed == 0, run
    (after,) = sandbox.execute([Work(Program("python", "print(1)"), (StdinCase(b""),), LIMITS)])
    assert after.runs[0].stdout == b"1\n"


@pytest.mark.parametrize(
    ("source", "end"),
    [
        ("def f(x):\n    while True: pass", End.CPU_LIMIT),
        ("while True: pass", End.CPU_LIMIT),
        ("x = []\ndef f(_):\n    while True: x.append(bytearray(1 << 20))", End.MEMORY_LIMIT),
        ("def f(x):\n    while True: print('x' * 1000)", End.OUTPUT_LIMIT),
        ("def f(x):\n    return 'x' * 40_000_000", None),
        ("import itertools\ndef f(x): return itertools.count()", End.CPU_LIMIT),
        ("def f(x): return {i for i in range(10**7)}", None),
    ],
)
def test_limits_hold_for_the_program_and_its_examiner_together(
    sandbox: Sandbox, source: str, end: End | None
) -> None:
    run = examine(sandbox, source, "assert list(candidate(1)) == [1]\nassert f(1) == 2")
    if end is not None:
        assert run.end is end
    assert run.assertions is not None
    assert run.assertions.passed == 0
    assert told(sandbox, "def f(x): return x + 1", THREE).passed == 3


def test_a_program_that_does_not_compile_is_not_examined(sandbox: Sandbox) -> None:
    run = examine(sandbox, "def f(:", THREE)
    assert run.end is End.COMPILE_ERROR
    assert b"SyntaxError" in run.stderr


def test_what_the_program_prints_is_not_what_the_examiner_tells(sandbox: Sandbox) -> None:
    run = examine(sandbox, "print('T 1')\ndef f(x):\n    print('D')\n    return x + 1", THREE)
    assert run.stdout == b"T 1\nD\nD\nD\n"
    assert run.assertions == Assertions(3, 3, {})


def test_the_main_block_is_not_run(sandbox: Sandbox) -> None:
    source = "def f(x): return x + 1\nif __name__ == '__main__':\n    print(f(int(input())))"
    run = examine(sandbox, source, THREE)
    assert (run.stdout, run.assertions) == (b"", Assertions(3, 3, {}))


def test_test_code_that_raises_at_once_asks_the_program_nothing(sandbox: Sandbox) -> None:
    run = examine(sandbox, "print('loaded')\ndef f(x): return x", "import nowhere\nassert f(1)")
    assert run.assertions == Assertions(1, 0, {}, "ModuleNotFoundError")


def test_the_examiner_has_none_of_the_programs_rights(sandbox: Sandbox) -> None:
    run = examine(
        sandbox,
        "import os\ndef f(x): return os.getuid()",
        """
        import os
        assert os.getuid() != f(1)
        assert os.environ["HOME"] != ""
        assert sorted(os.listdir("/proc/self/fd"))[:3] == ["0", "1", "2"]
        """,
    )
    shares = sandbox.info.backend == "bubblewrap" and sandbox.info.memory_meter == "watch"
    assert run.assertions is not None
    assert run.assertions.failures == ({0: "false"} if shares else {})


def test_the_same_test_code_is_prepared_once_and_told_apart_from_other(sandbox: Sandbox) -> None:
    source = "def f(x): return x + 1\ndef g(x): return x"
    works = [
        Work(Program("python", source), (ExamineCase("assert candidate(1) == 2", entry),), LIMITS)
        for entry in ("f", "g", "f", "g")
    ]
    heard = [report.runs[0].assertions for report in sandbox.execute(works)]
    assert [one and one.passed for one in heard] == [1, 0, 1, 0]
