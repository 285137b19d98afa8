"""Probes: programs that solve nothing, which a problem worth training on does not reward."""

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from proctor.content import Content
from proctor.types import AssertionTest, CallTest, Problem, PytestTest, StdinTest

# Equal to whatever it is compared with. It has no truth: an honest guess may be true.
_ALWAYS_EQUAL = """\
class Always:
    def __eq__(self, other): return True
    __ne__ = __lt__ = __gt__ = __le__ = __ge__ = __contains__ = lambda self, other: True
    def __bool__(self): raise TypeError
    __sub__ = __rsub__ = __abs__ = lambda self, other=None: 0
    __hash__ = None


"""
# What functions return that nobody thought about.
_CONSTANTS = ("None", "True", "False", "0", "''", "[]")


@dataclass(frozen=True, slots=True)
class Probe:
    """A program that solves nothing.

    Attributes:
        name: what it does.
        source: of the program, in Python.
        guesses: whether a test may pass honestly, since an answer can be guessed; else no test
            may, as nothing is answered.
        files: beside the source: a project's modules.
    """

    name: str
    source: str
    guesses: bool
    files: dict[str, Content] = field(default_factory=dict)


def probes(problem: Problem) -> Iterator[Probe]:
    """The probes for a problem, each with a name of its own.

    Test code without an entry point calls what it likes: then there are only those two that are
    for every problem.
    """
    yield Probe("empty", "pass\n", guesses=False)
    yield Probe("exit(0)", "raise SystemExit(0)\n", guesses=False)
    outputs = Counter(test.output for test in problem.tests if isinstance(test, StdinTest))
    if outputs:
        commonest = outputs.most_common(1)[0][0]
        yield Probe("prints a constant", f"print({commonest!r}, end='')\n", guesses=True)
        yield Probe("echo", "import sys\nprint(sys.stdin.read(), end='')\n", guesses=True)
    names, modules = _functions(problem), _modules(problem)
    if not names and not modules:
        return

    def probe(name: str, value: str, *, guesses: bool, before: str = "") -> Probe:
        lines = f"{before}def __getattr__(name): return lambda *args, **kwargs: {value}\n"
        files: dict[str, Content] = dict.fromkeys(modules, lines)
        return Probe(name, before + _returning(value, names), guesses, files)

    yield probe("always equal", "Always()", guesses=False, before=_ALWAYS_EQUAL)
    # Of a method the first is the instance.
    yield probe("returns its argument", "(args or (None,))[-1]", guesses=True)
    for constant in _CONSTANTS:
        yield probe(f"returns {constant}", constant, guesses=True)
    expected = Counter(repr(test.expected) for test in problem.tests if isinstance(test, CallTest))
    if expected:
        # Named without its value, which is hidden.
        constant = expected.most_common(1)[0][0]
        yield probe("returns a constant", constant, guesses=True)


# -- helpers ----------------------------------------------------------------------------------


def _functions(problem: Problem) -> list[str]:
    """The names that the tests call, `function` or `Class.method`."""
    names: dict[str, None] = {}
    for test in problem.tests:
        match test:
            case CallTest(function=name):
                names[name] = None
            case AssertionTest(entry_point=name) if name or problem.entry_point:
                names[name or problem.entry_point or ""] = None
            case _:
                pass
    return list(names)


def _modules(problem: Problem) -> list[str]:
    """Files for the modules that pytest files import and that are nobody else's."""
    files: dict[str, None] = {}
    for test in problem.tests:
        if isinstance(test, PytestTest):
            own = {PurePosixPath(path).stem for path in test.files}
            for name in _imported(test):
                top = name.partition(".")[0]
                known = top in own or top in sys.stdlib_module_names or top == "pytest"
                if top in test.modules or not known:
                    files[f"{name.replace('.', '/')}/__init__.py"] = None
    return list(files)


def _imported(test: PytestTest) -> Iterator[str]:
    for path, content in test.files.items():
        if path.endswith(".py") and isinstance(content, str):
            for node in ast.walk(ast.parse(content)):
                if isinstance(node, ast.Import):
                    yield from (alias.name for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    yield node.module


def _returning(value: str, names: list[str]) -> str:
    function = f"def {{name}}(*args, **kwargs): return {value}\n"
    lines = []
    for name in names:
        owner, _, method = name.rpartition(".")
        if owner:
            lines.append(f"class {owner}:\n    {function.format(name=method)}")
        else:
            lines.append(function.format(name=name))
    return "".join(lines)
