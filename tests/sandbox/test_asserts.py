"""Asserts: counted by the text of the test code alone, and noted one by one when it runs."""

import builtins
import textwrap

import pytest

from proctor_sandbox.agent import asserts


class Recorder:
    """What the examiner's does, in memory."""

    Caught = Exception

    def __init__(self) -> None:
        self.seen: list[tuple[int, str]] = []

    def held(self, ordinal: int) -> None:
        self.seen.append((ordinal, "held"))

    def failed(self, ordinal: int) -> None:
        self.seen.append((ordinal, "failed"))

    def raised(self, ordinal: int, error: Exception) -> None:
        self.seen.append((ordinal, type(error).__name__))


def noted(code: str, **names: object) -> list[tuple[int, str]]:
    """What running prepared test code notes."""
    recorder = Recorder()
    tree = asserts.prepare(textwrap.dedent(code)).tree
    names |= {asserts.RECORDER: recorder, "__builtins__": builtins}
    exec(compile(tree, "test.py", "exec"), names)  # noqa: S102 - test code is run
    return recorder.seen


@pytest.mark.parametrize(
    ("code", "total"),
    [
        ("", 1),
        ("x = 1", 1),
        ("check(candidate)", 1),
        ("assert f(1) == 2", 1),
        ("assert f(1) == 2\nassert f(2) == 3", 2),
        ("assert f(1) == 2; assert f(2) == 3, 'message'", 2),
        ("for i in range(100):\n    assert f(i)", 1),
        ("if False:\n    assert f(1)\nelse:\n    assert f(2)", 2),
        ("def check(c):\n    assert c(1)\n    def inner():\n        assert c(2)\n", 2),
        ("class T:\n    def test(self):\n        assert f(1)", 1),
        ("async def check():\n    assert f(1)", 1),
        ("match f(1):\n    case 1:\n        assert f(2)", 1),
        ("with f(1):\n    assert f(2)\nwhile f(3):\n    assert f(4)\nelse:\n    assert f(5)", 3),
        # A constant is no test of the program: `assert True` is HumanEval's padding.
        ("assert True, 'padding'", 1),
        ("assert True\nassert f(1)", 1),
        ("assert 1\nassert 'text'\nassert f(1)", 1),
        # Never to be reached: reaching the end counts as a case of its own.
        ("assert False, 'unreachable'", 1),
        ("if f(1):\n    assert False\nassert f(2)", 2),
        # The test code may want to catch what these raise.
        ("try:\n    assert f(1)\nexcept ValueError:\n    pass", 1),
        ("try:\n    assert f(1)\nexcept ValueError:\n    pass\nassert f(2)", 2),
        ("try:\n    f(1)\n    assert False\nexcept ValueError:\n    assert f(2)", 2),
        ("try:\n    f(1)\nexcept ValueError:\n    pass\nelse:\n    assert f(2)", 1),
        ("try:\n    assert f(1)\nfinally:\n    assert f(2)", 2),
        ("try:\n    if f(0):\n        assert f(1)\nexcept E:\n    pass\nassert f(2)", 2),
        ("try:\n    assert f(1)\nexcept* ValueError:\n    pass\nassert f(2)", 2),
        ("try:\n    try:\n        assert f(1)\n    finally:\n        pass\nexcept E:\n    pass", 1),
    ],
)
def test_total_is_a_property_of_the_text(code: str, total: int) -> None:
    assert asserts.count(code) == total


@pytest.mark.parametrize(
    "code",
    ["def f(:", "assert", "return 1", "x = 1\n  y = 2", "(" * 5000 + ")" * 5000, "a\x00b", "break",
     "nonlocal x", "assert " + "-" * 100_000 + "1"],
)  # fmt: skip
def test_text_that_is_no_python_is_refused(code: str) -> None:
    with pytest.raises((SyntaxError, ValueError)):
        compile(asserts.prepare(code).tree, "test.py", "exec")


def test_an_assert_that_fails_does_not_end_the_test_code() -> None:
    assert noted(
        """
        def check(candidate):
            assert candidate(1) == 1
            assert candidate(2) == 3, "not three"
            assert candidate("x") + 1
            for i in range(2):
                assert candidate(i) == 0
        check(lambda x: x)
        """
    ) == [(0, "held"), (1, "failed"), (2, "TypeError"), (3, "held"), (3, "failed")]


def test_what_an_assert_says_is_not_worked_out() -> None:
    assert noted("assert 1 - 1, 1 / 0") == [(0, "failed")]


@pytest.mark.parametrize("ending", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_what_ends_a_program_ends_the_test_code(ending: type[BaseException]) -> None:
    def leave() -> None:
        raise ending

    with pytest.raises(ending):
        noted("assert leave()", leave=leave)


@pytest.mark.parametrize("code", ["assert False", "assert None, 'x'", "assert 0", "assert ''"])
def test_an_assert_of_a_false_constant_raises(code: str) -> None:
    with pytest.raises(AssertionError):
        noted(code)


def test_a_guarded_assert_raises_for_its_handler() -> None:
    assert noted(
        """
            caught = []
            try:
                assert len(caught) == 1
            except AssertionError:
                caught.append(1)
            assert caught
            """
    ) == [(0, "held")]


def test_asserts_of_handlers_and_of_functions_in_a_try_are_told_apart() -> None:
    assert noted(
        """
            try:
                raise KeyError
            except KeyError:
                assert 1 + 1 == 3
            else:
                assert 1 + 1 == 4
            finally:
                assert 1 + 1 == 5
            """
    ) == [(0, "failed"), (2, "failed")]


def test_variables_of_the_test_code_are_its_own() -> None:
    with pytest.raises(NameError):
        noted("def f():\n    assert 1 / 0\n    __proctor_error__\nf()")


@pytest.mark.parametrize(
    ("code", "remote", "modules"),
    [
        ("assert f(1) == g(2)", ["f", "g"], []),
        ("def check(c):\n    return c(helper())\ncheck(f)", ["f", "helper"], []),
        ("import math\nassert f(1) == math.pi", ["f"], []),
        ("from m import f\nassert f(1)", [], []),
        ("import a.b as c, d.e\nc.x, d.y", [], []),
        ("assert abs(f(1)) < len('x')", ["f"], []),
        ("x = 1\ndef check():\n    assert f(x)", ["f"], []),
        ("def check():\n    x = 1\n    def inner():\n        return f(x)\n", ["f"], []),
        ("def check():\n    global g\n    g = 1\ng", [], []),
        ("[f(x) for x in y]", ["f", "y"], []),
        ("lambda a, *b, c=d: f(a, b, c)", ["d", "f"], []),
        (
            "class T(Base):\n    x = 1\n    def t(self):\n        return f(self.x)",
            ["Base", "f"],
            [],
        ),
        ("for i in range(3):\n    assert f(i)", ["f"], []),
        ("with open('x') as g:\n    f(g)", ["f"], []),
        ("try:\n    f()\nexcept Wrong as error:\n    print(error)", ["Wrong", "f"], []),
        ("(y := f(1)) + y", ["f"], []),
        ("def f(): pass\nassert f()", [], []),
        ("f = 1\nf", [], []),
        ("del f", [], []),
        ("def check(f: Hint) -> Back: pass", ["Back", "Hint"], []),
        # A standard module that the test code forgot to import, unless it is called as a function.
        ("assert math.isclose(f(1), 2)", ["f"], ["math"]),
        ("assert bisect([1], 1)", ["bisect"], []),
        ("assert random.choice(f) and random(1)", ["f"], ["random"]),
        ("assert solution.solve(1)", ["solution"], []),
    ],
)
def test_names_that_nothing_binds_are_the_programs(
    code: str, remote: list[str], modules: list[str]
) -> None:
    prepared = asserts.prepare(code)
    assert (prepared.remote, prepared.modules) == (remote, modules)
