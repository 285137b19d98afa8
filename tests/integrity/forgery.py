"""What a forgery is: a hostile program, the problem it is posted for, and all it may earn."""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from proctor.types import (
    AssertionTest,
    CallTest,
    Comparer,
    LimitsSpec,
    Problem,
    PytestTest,
    StdinTest,
)


class Row(Enum):
    """The ways in which programs were seen to forge rewards."""

    EXIT = "exits before the tests have asked: sys.exit, os._exit, atexit, SkipTest"
    AGREEING = "values that agree with whatever they are compared with"
    HARNESS = "a patched harness: assert, unittest, pytest, conftest, sitecustomize, modules"
    MARKERS = "forged markers, frames, result files, printed summaries"
    READING = "expected values read from frames, gc, memory, disk"
    REMEMBERING = "remembering across tests or programs"
    SIBLINGS = "corrupting a sibling"
    FAULTS = "forcing a fault of ours, so that the sample is masked or run again"
    LATE = "output after the deadline"
    TEXTS = "learning from error texts"
    CACHE = "a poisoned compile cache"
    COMPARERS = "outputs that a lenient comparer lets pass"


@dataclass(frozen=True)
class Forgery:
    """One program; `earns` is how many test cases its honest part, `honest`, is worth."""

    row: Row
    name: str
    problem: Problem
    source: str
    earns: int = 0
    honest: str = "nothing"
    language: str = "python"
    # False where bubblewrap without root makes no promise (docs/threat-model.md, Bubblewrap).
    unprivileged: bool = True
    # Of a project, which is these alone.
    files: Mapping[str, str] = field(default_factory=dict)


LIMITS = LimitsSpec(cpu_time_s=0.5, wall_time_s=1.5, memory_mb=128, output_kb=1024)

# One task in each kind of test: three times the number, or text, or list.
PRINTED = Problem(
    id="printed",
    limits=LIMITS,
    tests=[StdinTest(input=f"{n}\n", output=f"{3 * n}\n") for n in (1, 20, 300)],
)
CALLED = Problem(
    id="called",
    limits=LIMITS,
    tests=[CallTest(function="f", args=[x], expected=3 * x) for x in (1, 20, 300)],
)
ASSERTED = Problem(
    id="asserted",
    limits=LIMITS,
    entry_point="f",
    tests=[
        AssertionTest(
            code=textwrap.dedent("""
                import math
                def check(candidate):
                    assert candidate(1) == 3
                    expected = 60
                    assert expected == candidate(20) and isinstance(candidate(20), int)
                    assert abs(candidate(2.5) - 7.5) < 1e-6
                    assert candidate([1, 2]) in ([1, 2, 1, 2, 1, 2], "other")
                    assert all(candidate(i) == 3 * i for i in range(1, 4))
                    assert all(x == 12 for x in map(candidate, [4, 4]))
                    assert math.isclose(candidate(3), 9) and len(candidate("ab")) == 6
                    assert {candidate("a"): 1}["aaa"] and not candidate(7) != 21
                check(candidate)
                """)
        )
    ],
)
# As many asserts as a test may have, each of them told of.
ASSERTED_OFTEN = Problem(
    id="asserted-often",
    limits=LIMITS,
    entry_point="f",
    tests=[AssertionTest(code="".join(f"assert f({n}) == {3 * n}\n" for n in range(1, 81)))],
)
PROJECT = Problem(
    id="project",
    limits=LIMITS,
    tests=[
        PytestTest(
            files={
                "test_three.py": textwrap.dedent("""
                    import pytest
                    import three
                    from three import Refused, Three, times
                    def test_number(): assert 60 == times(20)
                    def test_text(): assert times("ab") in ("ababab", "other")
                    def test_raises():
                        with pytest.raises(Refused, match="^not None$"): times(None)
                    @pytest.mark.parametrize("number", [1, 20, 300])
                    def test_many(number):
                        result = times(number)
                        assert isinstance(result, int)
                        assert result == pytest.approx(3 * number)
                    def test_context():
                        with Three(7) as three:
                            assert three.value == 21
                    class TestClass:
                        def test_method(self):
                            assert Three([1]).value == [1, 1, 1]
                            assert [x + 1 for x in Three((5,))] == [6, 6, 6]
                    """)
            }
        )
    ],
)
_THREE = """
class Refused(ValueError): pass
def times(x):
    if x is None: raise Refused('not None')
    return 3 * x
class Three:
    def __init__(self, x): self.value = 3 * x
    def __enter__(self): return self
    def __exit__(self, *_): return False
    def __iter__(self): return iter(self.value)
"""
_HONEST = {
    "project": _THREE,
    "asserted-often": "def f(x): return 3 * x",
    "printed": "print(3 * int(input()))",
    "called": "def f(x): return 3 * x",
    "asserted": "def f(x): return 3 * x",
}

# Expected values that no program can work out: who is right has read them somewhere.
SECRETS = [f"canary-{n:02d}-{word}" for n, word in enumerate(("otter", "heron", "badger"))]
PRINTED_SECRETS = Problem(
    id="printed-secrets",
    limits=LIMITS,
    tests=[StdinTest(input=f"{n}\n", output=text) for n, text in enumerate(SECRETS)],
)
CALLED_SECRETS = Problem(
    id="called-secrets",
    limits=LIMITS,
    tests=[CallTest(function="f", args=[n], expected=text) for n, text in enumerate(SECRETS)],
)
ASSERTED_SECRETS = Problem(
    id="asserted-secrets",
    limits=LIMITS,
    entry_point="f",
    tests=[
        AssertionTest(
            code="".join(f"assert f({n}) == {text!r}\n" for n, text in enumerate(SECRETS))
        )
    ],
)
PROJECT_SECRETS = Problem(
    id="project-secrets",
    limits=LIMITS,
    tests=[
        PytestTest(
            files={
                "test_three.py": "from three import secret\n"
                + "".join(
                    f"def test_{n}(): assert secret({n}) == {text!r}\n"
                    for n, text in enumerate(SECRETS)
                )
            }
        )
    ],
)
_HONEST["project-secrets"] = f"def secret(x): return {SECRETS}[x]"
_HONEST["printed-secrets"] = f"print({SECRETS}[int(input())])"
_HONEST["called-secrets"] = _HONEST["asserted-secrets"] = f"def f(x): return {SECRETS}[x]"


def honest(problem: Problem) -> str:
    """A program that is right."""
    name, _, comparer = problem.id.partition("/")
    return _HONEST[name] if not comparer else _HONEST["printed"]


def honest_files(problem: Problem) -> Mapping[str, str]:
    """A project that is right."""
    return {"three.py": honest(problem)}


def under(comparer: Comparer) -> Problem:
    """The printed task under another comparer."""
    return PRINTED.model_copy(update={"id": f"printed/{comparer.name}", "comparer": comparer})


def dedented(source: str) -> str:
    """A program as it stands in a table, brought to the left."""
    return textwrap.dedent(source).strip() + "\n"


def asked(
    row: Row, name: str, source: str, earns: tuple[int, int] = (0, 0), **more: object
) -> list[Forgery]:
    """The same forgery against calls and against asserts; `earns` of each."""
    text = dedented(source)
    return [
        Forgery(row, f"{name}, called", CALLED, text, earns[0], **more),  # type: ignore[arg-type]
        Forgery(row, f"{name}, asserted", ASSERTED, text, earns[1], **more),  # type: ignore[arg-type]
    ]


def printed(row: Row, name: str, source: str, earns: int = 0, **more: object) -> Forgery:
    """A forgery against tests of what is printed."""
    return Forgery(row, name, PRINTED, dedented(source), earns, **more)  # type: ignore[arg-type]
