"""What tasks are made of: pieces, which are said, written, and got wrong together.

A level is a function that draws the pieces of one task and says how its inputs are drawn.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a task.

    Attributes:
        words: how the statement says it.
        code: how it is written: one line or more.
        slips: how it is written by mistake.
    """

    words: str
    code: str
    slips: tuple[str, ...] = ()


MakeInput: TypeAlias = Callable[[random.Random], str]
Maker: TypeAlias = Callable[[random.Random], tuple[Sequence[Piece], MakeInput]]


@dataclass(frozen=True, slots=True)
class _Value:
    """An expression: its name in words, its code, and what is written for it by mistake."""

    words: str
    code: str
    slips: tuple[str, ...]


# -- level 1: an expression of some integers ---------------------------------------------------


def expression(rng: random.Random) -> tuple[Sequence[Piece], MakeInput]:
    """Read one to three integers, print an expression of them."""
    names = ["a", "b", "c"][: rng.randint(1, 3)]
    value = _combined(names, rng)
    if rng.random() < 0.6:
        value = _wrapped(value, rng)
    printed = Piece(f"Print {value.words}.", f"print({value.code})", _each("print({})", value))
    return [_read(names), printed], _integers(len(names), -20, 40)


def _read(names: Sequence[str]) -> Piece:
    if len(names) == 1:
        name = names[0]
        return Piece(
            f"Read an integer {name}.",
            f"{name} = int(input())",
            (f"{name} = input()", f"{name} = int(input)", f"{name} = float(input())"),
        )
    listed = ", ".join(names)
    return Piece(
        f"Read integers {' and '.join(names)}.",
        f"{listed} = map(int, input().split())",
        (
            f"{listed} = input().split()",
            f"{listed} = map(int, input())",
            f"{listed} = int(input().split())",
        ),
    )


def _flawless(piece: Piece) -> Piece:
    """A piece that nobody gets wrong, where there is enough else to get wrong."""
    return Piece(piece.words, piece.code)


def _combined(names: Sequence[str], rng: random.Random) -> _Value:
    """An expression in which every name occurs once."""
    operands = [*names] if len(names) > 1 else [names[0], str(rng.randint(2, 9))]
    rng.shuffle(operands)
    first, second, *rest = operands
    kinds = {
        "sum": (f"{first} + {second}", (f"{first} - {second}", f"{first} * {second}")),
        "product": (f"{first} * {second}", (f"{first} + {second}", f"{first} ** {second}")),
        "difference": (f"{first} - {second}", (f"{second} - {first}", f"{first} + {second}")),
        "maximum": (f"max({first}, {second})", (f"min({first}, {second})", f"max({first})")),
        "minimum": (f"min({first}, {second})", (f"max({first}, {second})", f"min({second})")),
    }
    name = rng.choice(list(kinds))
    code, slips = kinds[name]
    value = _Value(f"the {name} of {first} and {second}", code, slips)
    for other in rest:
        if rng.random() < 0.5:
            value = _Value(
                f"{value.words} plus {other}",
                f"{value.code} + {other}",
                (f"{value.code} - {other}", value.code, f"{value.slips[0]} + {other}"),
            )
        else:
            value = _Value(
                f"{value.words} minus {other}",
                f"{value.code} - {other}",
                (f"{value.code} + {other}", value.code, f"{value.slips[0]} - {other}"),
            )
    return value


def _wrapped(value: _Value, rng: random.Random) -> _Value:
    k = rng.randint(2, 9)
    words, code, slips = rng.choice(
        [
            (f"{k} times {{}}", f"{k} * ({{}})", (f"{k} + ({{}})", f"{k + 1} * ({{}})")),
            ("the square of {}", "({}) ** 2", ("({}) * 2", "({}) ** 3")),
            ("the absolute value of {}", "abs({})", ("-({})", "int({})")),
            (f"{{}} modulo {k}", f"({{}}) % {k}", (f"({{}}) // {k}", f"({{}}) % {k + 1}")),
            (f"{{}} divided by {k} rounded down", f"({{}}) // {k}", (f"({{}}) % {k}",)),
        ]
    )
    return _Value(
        words.format(value.words),
        code.format(value.code),
        (*(slip.format(value.code) for slip in slips), code.format(value.slips[0])),
    )


# -- level 2: a condition ----------------------------------------------------------------------


def condition(rng: random.Random) -> tuple[Sequence[Piece], MakeInput]:
    """Read two integers, print one thing or another."""
    names = ["a", "b"]
    rng.shuffle(names)
    x, y = names
    k = rng.randint(2, 5)
    asked = rng.choice(
        [
            _Value(f"{x} is greater than {y}", f"{x} > {y}", (f"{x} < {y}", f"{x} == {y}")),
            _Value(f"{x} is less than {y}", f"{x} < {y}", (f"{x} > {y}", f"{x} == {y}")),
            _Value(f"{x} is even", f"{x} % 2 == 0", (f"{x} % 2 == 1", f"{x} / 2 == 0")),
            _Value(f"{x} is odd", f"{x} % 2 == 1", (f"{x} % 2 == 0", f"{y} % 2 == 1")),
            _Value(f"{x} is divisible by {k}", f"{x} % {k} == 0", (f"{x} // {k} == 0",)),
            _Value(f"{x} is negative", f"{x} < 0", (f"{x} > 0", f"{y} < 0")),
            _Value(
                f"{x} plus {y} is greater than {k}",
                f"{x} + {y} > {k}",
                (f"{x} + {y} < {k}", f"{x} > {k}"),
            ),
        ]
    )
    yes, no = _combined(["a", "b"], rng), _combined([rng.choice(["a", "b"])], rng)
    if rng.random() < 0.3:
        yes, no = _literal("yes"), _literal("no")
    test = Piece(
        f"If {asked.words}",
        f"if {asked.code}:",
        (*(f"if {slip}:" for slip in asked.slips), f"if {asked.code}"),
    )
    then = Piece(f"print {yes.words}", f"    print({yes.code})", _each("    print({})", yes))
    other = Piece(
        f"otherwise print {no.words}.",
        f"else:\n    print({no.code})",
        _each("else:\n    print({})", no),
    )
    return [_flawless(_read(["a", "b"])), test, then, other], _integers(2, -20, 40)


def _literal(text: str) -> _Value:
    return _Value(text, f'"{text}"', (f"{text}", f'"{text.upper()}"'))


# -- level 3: a word ---------------------------------------------------------------------------


def word(rng: random.Random) -> tuple[Sequence[Piece], MakeInput]:
    """Read a word, change it, print it or something about it."""
    read = Piece("Read a word.", "s = input()", ("s = int(input())", "s = input().split()"))
    changes = rng.sample(_WORD_CHANGES, rng.randint(1, 2))
    steps = [change(rng) for change in changes]
    letter = rng.choice("aeinrst")
    last = rng.choice(
        [
            Piece("Print it.", "print(s)", ("print(len(s))", 'print("s")')),
            Piece("Print its length.", "print(len(s))", ("print(s)", "print(s.len())")),
            Piece(
                f'Print how many "{letter}" are in it.',
                f'print(s.count("{letter}"))',
                (f'print(s.find("{letter}"))', f"print(s.count({letter}))"),
            ),
            Piece("Print its letters sorted.", 'print("".join(sorted(s)))', ("print(sorted(s))",)),
            Piece("Print its last letter.", "print(s[-1])", ("print(s[0])", "print(s[1])")),
        ]
    )
    return [read, *steps, last], _word


def _word(rng: random.Random) -> str:
    # Few letters, so that counts and replacements find something.
    return "".join(rng.choice("aaeeinrstAEINRST") for _ in range(rng.randint(6, 11)))


def _reversed(_: random.Random) -> Piece:
    return Piece("Reverse it.", "s = s[::-1]", ("s = s.reverse()", "s = s[-1]"))


def _upper(_: random.Random) -> Piece:
    return Piece("Make it upper case.", "s = s.upper()", ("s = s.lower()", "s.upper()"))


def _lower(_: random.Random) -> Piece:
    return Piece("Make it lower case.", "s = s.lower()", ("s = s.upper()", "s.lower()"))


def _dropped(rng: random.Random) -> Piece:
    k = rng.randint(2, 4)
    return Piece(f"Drop its first {k} letters.", f"s = s[{k}:]", (f"s = s[:{k}]", f"s = s[{k}]"))


def _kept(rng: random.Random) -> Piece:
    k = rng.randint(2, 5)
    return Piece(f"Keep its first {k} letters.", f"s = s[:{k}]", (f"s = s[{k}:]", f"s = s[{k}]"))


def _repeated(rng: random.Random) -> Piece:
    k = rng.randint(2, 4)
    return Piece(f"Repeat it {k} times.", f"s = s * {k}", (f"s = s + {k}", f"s = s * {k + 1}"))


def _replaced(rng: random.Random) -> Piece:
    old, new = rng.sample("aeinrst", 2)
    return Piece(
        f'Replace every "{old}" by "{new}".',
        f's = s.replace("{old}", "{new}")',
        (f's = s.replace("{new}", "{old}")', f's.replace("{old}", "{new}")'),
    )


_WORD_CHANGES = (_reversed, _upper, _lower, _dropped, _kept, _repeated, _replaced)


# -- level 4: a list ---------------------------------------------------------------------------


def numbers(rng: random.Random) -> tuple[Sequence[Piece], MakeInput]:
    """Read integers, keep some of them, change each, print what they come to."""
    read = Piece("Read a line of integers.", "x = [int(i) for i in input().split()]")
    k = rng.randint(2, 9)
    kept = rng.choice(
        [
            _kept_if("even ones", "i % 2 == 0", "i % 2 == 1", "i / 2 == 0"),
            _kept_if("odd ones", "i % 2 == 1", "i % 2 == 0", "i == 1"),
            _kept_if("positive ones", "i > 0", "i < 0", "x > 0"),
            _kept_if(f"ones greater than {k}", f"i > {k}", f"i < {k}", f"i == {k}"),
            _kept_if(f"ones less than {k}", f"i < {k}", f"i > {k}", f"x < {k}"),
            _kept_if(f"ones not divisible by {k}", f"i % {k} != 0", f"i % {k} == 0"),
        ]
    )
    m = rng.randint(2, 9)
    changed = rng.choice(
        [
            _each_one(f"Add {m} to each.", f"i + {m}", f"i - {m}", f"i * {m}"),
            _each_one(f"Subtract {m} from each.", f"i - {m}", f"{m} - i", f"i + {m}"),
            _each_one(f"Multiply each by {m}.", f"i * {m}", f"i + {m}", f"i * {m + 1}"),
            _each_one("Square each.", "i * i", "i * 2", "i + i"),
            _each_one(f"Take each modulo {m}.", f"i % {m}", f"i // {m}", f"i % {m + 1}"),
            _each_one("Take the absolute value of each.", "abs(i)", "-i", "int(i)"),
        ]
    )
    last = rng.choice(
        [
            Piece("Print their sum.", "print(sum(x))", ("print(len(x))", "print(x.sum())")),
            Piece(
                "Print the largest or 0.",
                "print(max(x, default=0))",
                ("print(min(x, default=0))", "print(max(x[0]))"),
            ),
            Piece(
                "Print the smallest or 0.",
                "print(min(x, default=0))",
                ("print(max(x, default=0))", "print(x.min())"),
            ),
            Piece("Print them sorted.", "print(*sorted(x))", ("print(*x)", "print(sorted(x))")),
            Piece("Print them reversed.", "print(*x[::-1])", ("print(*x)", "print(x[::-1])")),
            Piece("Print the sum of all but the first.", "print(sum(x[1:]))", ("print(sum(x))",)),
            Piece(
                "Print how many distinct ones there are.",
                "print(len(set(x)))",
                ("print(len(x))", "print(set(x))"),
            ),
        ]
    )
    steps = [kept, changed] if rng.random() < 0.6 else [rng.choice([kept, changed])]
    return [read, *steps, last], _line


def _kept_if(words: str, code: str, *slips: str) -> Piece:
    form = "x = [i for i in x if {}]"
    return Piece(f"Keep the {words}.", form.format(code), tuple(map(form.format, slips)))


def _each_one(words: str, code: str, *slips: str) -> Piece:
    form = "x = [{} for i in x]"
    return Piece(words, form.format(code), tuple(map(form.format, slips)))


def _line(rng: random.Random) -> str:
    return " ".join(str(rng.randint(-15, 25)) for _ in range(rng.randint(6, 10)))


# -- level 5: a loop ---------------------------------------------------------------------------


def loop(rng: random.Random) -> tuple[Sequence[Piece], MakeInput]:
    """Read an integer, go from 1 to it, print or add up something of each number."""
    k, m = rng.randint(2, 9), rng.randint(2, 4)
    each = rng.choice(
        [
            _Value("i", "i", ("n", "i + 1")),
            _Value(f"i plus {k}", f"i + {k}", (f"i - {k}", f"n + {k}")),
            _Value(f"i times {k}", f"i * {k}", (f"i + {k}", f"i * {k + 1}")),
            _Value("the square of i", "i * i", ("i * 2", "i + i")),
            _Value(f"i modulo {m}", f"i % {m}", (f"i // {m}", f"i % {m + 1}")),
            _Value(f"{k} minus i", f"{k} - i", (f"i - {k}", f"{k} + i")),
            _Value("n minus i", "n - i", ("i - n", "n + i")),
        ]
    )
    read = _flawless(_read(["n"]))
    span = Piece(
        "For each i from 1 to n",
        "for i in range(1, n + 1):",
        ("for i in range(n):", "for i in range(1, n):", "for i in n:"),
    )
    some: list[Piece] = []
    indent = "    "
    if rng.random() < 0.6:
        asked = rng.choice(
            [
                _Value(f"divisible by {m}", f"i % {m} == 0", (f"i // {m} == 0", f"i % {m} == 1")),
                _Value(f"not divisible by {m}", f"i % {m} != 0", (f"i % {m} == 0",)),
                _Value(f"greater than {m}", f"i > {m}", (f"i < {m}", f"i == {m}")),
            ]
        )
        some = [
            Piece(f"that is {asked.words}", f"    if {asked.code}:", _each("    if {}:", asked))
        ]
        indent = "        "
    if rng.random() < 0.5:
        form = f"{indent}print({{}})"
        body = [Piece(f"print {each.words}.", form.format(each.code), _each(form, each))]
        return [read, span, *some, *body], _count
    form = f"{indent}t += {{}}"
    start = Piece("", "t = 0")
    added = Piece(f"add {each.words} to a total.", form.format(each.code), _each(form, each))
    said = Piece("Print the total.", "print(t)", ("print(n)", f"{indent}print(t)"))
    return [read, start, span, *some, added, said], _count


def _count(rng: random.Random) -> str:
    return str(rng.randint(4, 25))


# -- helpers ----------------------------------------------------------------------------------


def _integers(count: int, low: int, high: int) -> MakeInput:
    return lambda rng: " ".join(str(rng.randint(low, high)) for _ in range(count))


def _each(form: str, value: _Value) -> tuple[str, ...]:
    return tuple(form.format(slip) for slip in value.slips)


LEVELS: Mapping[int, Maker] = MappingProxyType(
    {1: expression, 2: condition, 3: word, 4: numbers, 5: loop}
)
