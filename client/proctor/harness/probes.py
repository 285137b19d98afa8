"""Probes: programs that solve nothing, which a problem worth training on does not reward."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from proctor.types import AssertionTest, CallTest, Problem, StdinTest

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
    """

    name: str
    source: str
    guesses: bool


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
    names = _functions(problem)
    if not names:
        return
    yield Probe("always equal", _ALWAYS_EQUAL + _returning("Always()", names), guesses=False)
    first = "(args or (None,))[-1]"  # of a method the first is the instance
    yield Probe("returns its argument", _returning(first, names), guesses=True)
    for constant in _CONSTANTS:
        yield Probe(f"returns {constant}", _returning(constant, names), guesses=True)
    expected = Counter(repr(test.expected) for test in problem.tests if isinstance(test, CallTest))
    if expected:
        # Named without its value, which is hidden.
        constant = expected.most_common(1)[0][0]
        yield Probe("returns a constant", _returning(constant, names), guesses=True)


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
