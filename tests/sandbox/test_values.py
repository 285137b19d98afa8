"""Values: plain built-in values cross exactly, and nothing else crosses at all."""

import collections
import contextlib
import datetime
import decimal
import enum
import fractions
import json
import math
import re
import time
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proctor_sandbox.agent import values

# Two surrogates that make a pair become the one character they stand for: JSON can't tell.
TEXT = st.text(st.characters(codec="utf-8")) | st.text("\ud800a\n\x00", max_size=3)
HASHABLE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**200), 2**200)
    | st.floats()
    | TEXT
    | st.binary(max_size=20)
    | st.complex_numbers()
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.dates()
    | st.datetimes().map(lambda moment: moment.replace(fold=0))
    | st.timedeltas()
    | st.builds(range, st.integers(), st.integers(), st.integers(1)),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=6,
)
PLAIN = st.recursive(
    HASHABLE | st.binary(max_size=20).map(bytearray),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(HASHABLE, inner, max_size=3)
        | st.sets(HASHABLE, max_size=3)
    ),
    max_leaves=12,
)


def told_apart(value: object) -> object:
    """A value as nested lists of texts that differ where type, order, NaN or sign differ."""
    kind = type(value).__name__
    if isinstance(value, list | tuple | collections.deque):
        return [kind, *map(told_apart, value)]
    if isinstance(value, set | frozenset):
        return [kind, *sorted(json.dumps(told_apart(item)) for item in value)]
    if isinstance(value, dict):
        return [kind, *([told_apart(key), told_apart(item)] for key, item in value.items())]
    if isinstance(value, int):
        return [kind, hex(value)]
    if isinstance(value, range):
        return [kind, hex(value.start), hex(value.stop), hex(value.step)]
    if isinstance(value, fractions.Fraction):
        return [kind, hex(value.numerator), hex(value.denominator)]
    return [kind, repr(value)]


def crossed(value: object) -> Any:
    return values.loads(values.dumps(value))


@settings(deadline=None)
@given(PLAIN)
@example(10**6000)
@example([math.nan, math.inf, -math.inf, -0.0, 5e-324])
@example({1: True, 2.5: 2} | {0.0: None})
@example([True, 1, 1.0, "1", b"1"])
@example("\ud800 alone, \udfff too, \x00 and \U0001f600")
@example({"t": "tuple", "v": [1]})
@example({"t": [], "v": {"t": "set"}})
@example([[], (), {}, set(), frozenset(), "", b"", bytearray(), range(0), collections.deque()])
def test_values_arrive_as_they_left(value: object) -> None:
    assert told_apart(crossed(value)) == told_apart(value)


class Liar:
    """Says yes to whatever it is asked."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 1

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        return 3

    def __iter__(self) -> Iterator[object]:
        return iter((1, 2, 3))

    def __repr__(self) -> str:
        return "[1, 2, 3]"

    def __getattribute__(self, name: str) -> Any:
        return object.__getattribute__(self, name)


def _lying(base: type, *args: object) -> object:
    kind: Any = type(f"Lying{base.__name__}", (Liar, base), {})
    return kind(*args)


class Point(NamedTuple):
    x: int
    y: int


class Colour(enum.IntEnum):
    RED = 1


class Word(enum.StrEnum):
    YES = "yes"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (_lying(int, 7), 7),
        (_lying(int, 10**30), 10**30),
        (_lying(float, 2.5), 2.5),
        (_lying(str, "x"), "x"),
        (_lying(bytes, b"x"), b"x"),
        (_lying(bytearray, b"x"), bytearray(b"x")),
        (_lying(list, [9]), [9]),
        (_lying(tuple, (9,)), (9,)),
        (_lying(set, {9}), {9}),
        (_lying(frozenset, {9}), frozenset({9})),
        (_lying(dict, {"k": 9}), {"k": 9}),
        (_lying(collections.deque, [9]), collections.deque([9])),
        ([_lying(int, 7), (_lying(str, "x"),)], [7, ("x",)]),
        ({_lying(str, "k"): _lying(list, [9])}, {"k": [9]}),
        (Colour.RED, 1),
        (Word.YES, "yes"),
        (collections.Counter("aab"), {"a": 2, "b": 1}),
        (collections.OrderedDict(a=1), {"a": 1}),
        (collections.defaultdict(list, a=[1]), {"a": [1]}),
        (Point(1, 2), (1, 2)),
    ],
)  # fmt: skip
def test_an_instance_of_a_subclass_arrives_as_the_built_in_value(
    value: object, expected: object
) -> None:
    arrived = crossed(value)
    assert type(arrived) is type(expected)
    assert told_apart(arrived) == told_apart(expected)


class NoSay(list[int]):
    """A list that may not be asked anything."""

    def _no(self, *_args: object) -> NoReturn:
        raise AssertionError("asked")

    __iter__ = __len__ = __eq__ = __hash__ = __bool__ = __repr__ = __getitem__ = _no  # type: ignore[assignment]


def test_what_a_subclass_overrides_has_no_say() -> None:
    assert crossed(NoSay([1, 2])) == [1, 2]


@pytest.mark.parametrize(
    "value",
    [object(), Liar(), len, int, (n for n in [1]), re.match("a", "a"), [1, {2: object()}], {Liar()},
     ValueError("x"), iter([]), memoryview(b"x"), datetime.time(1)],
)  # fmt: skip
def test_what_is_not_plain_does_not_cross(value: object) -> None:
    with pytest.raises(values.NotPlain):
        values.dumps(value)


def test_a_handle_stands_for_what_is_not_plain() -> None:
    kept: list[object] = []

    def keep(value: object) -> int:
        kept.append(value)
        return len(kept) - 1

    thing = Liar()
    text = values.dumps([1, thing, {"k": (thing,)}], keep)
    assert kept == [thing, thing]
    assert values.loads(text, lambda number, name: (number, name)) == [
        1,
        (0, "Liar"),
        {"k": ((1, "Liar"),)},
    ]
    with pytest.raises(values.BadValue):
        values.loads(text)


def _itself() -> list[object]:
    value: list[object] = []
    value.append(value)
    return value


def _deep(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


def _dict_in_itself() -> dict[str, object]:
    value: dict[str, object] = {}
    value["self"] = (value,)
    return value


@pytest.mark.parametrize("value", [_itself(), _dict_in_itself(), _deep(100_000)])
def test_a_value_without_end_does_not_cross(value: object) -> None:
    with pytest.raises(values.NotPlain, match="deep"):
        values.dumps(value)


@pytest.mark.parametrize(
    "text",
    [
        b"", b"nonsense", b"\xff\xfe", b"NaN", b"Infinity", b"-Infinity", b"[1", b"{}",
        b'{"t":"tuple"}', b'{"v":[1]}', b'{"t":"tuple","v":[1],"w":1}', b'{"t":"tuple","v":1}',
        b'{"t":"os.system","v":"ls"}', b'{"t":["set"],"v":[]}', b'{"t":{"t":"set","v":[]},"v":[]}',
        b'{"t":"set","v":[[1]]}', b'{"t":"frozenset","v":[[]]}', b'{"t":"set","v":1}',
        b'{"t":"dict","v":[[[],1]]}', b'{"t":"dict","v":[[1,2,3]]}', b'{"t":"dict","v":[1]}',
        b'{"t":"int","v":"zz"}', b'{"t":"int","v":7}', b'{"t":"int","v":null}',
        b'{"t":"float","v":"1.5"}', b'{"t":"float","v":[]}', b'{"t":"bytes","v":"0"}',
        b'{"t":"bytes","v":[1]}', b'{"t":"bytearray","v":10}', b'{"t":"range","v":[]}',
        b'{"t":"range","v":["0","1","0"]}', b'{"t":"range","v":[0,1,1]}',
        b'{"t":"decimal","v":"x"}', b'{"t":"decimal","v":"sNaN"}', b'{"t":"decimal","v":[0]}',
        b'{"t":"fraction","v":["1","0"]}', b'{"t":"fraction","v":["1"]}',
        b'{"t":"date","v":"yesterday"}', b'{"t":"date","v":7}', b'{"t":"datetime","v":""}',
        b'{"t":"timedelta","v":[99999999999,0,0]}', b'{"t":"timedelta","v":["x"]}',
        b'{"t":"complex","v":["1"]}', b'{"t":"complex","v":["x","y"]}',
        b'{"t":"handle","v":[0,"x"]}', b'{"t":"handle","v":[]}',
        b"[" * 100_000, b'{"t":"tuple","v":[' * 50_000, b"1" * 5000,
        b'{"t":"fraction","v":["1' + b"0" * 50_000 + b'","3"]}',
    ],
)  # fmt: skip
def test_text_that_is_no_value_is_refused(text: bytes) -> None:
    with pytest.raises(values.BadValue):
        values.loads(text)


TAGS = st.sampled_from(
    ["int", "float", "tuple", "dict", "set", "frozenset", "bytes", "bytearray", "complex", "range",
     "decimal", "fraction", "datetime", "date", "timedelta", "deque", "handle", "exec", "t", ""]
)  # fmt: skip
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.integers().map(hex) | st.sampled_from(["nan", "inf", "sNaN", "1e999999999", "2020-01-01"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.builds(lambda tag, content: {"t": tag, "v": content}, TAGS, inner)
        | st.dictionaries(st.sampled_from("tvx"), inner, max_size=3)
    ),
    max_leaves=20,
)  # fmt: skip


@settings(deadline=None)
@given(JUNK)
def test_hostile_text_is_a_value_or_refused(junk: object) -> None:
    with contextlib.suppress(values.BadValue):
        values.loads(json.dumps(junk), lambda number, name: (number, name))


@given(st.binary(max_size=60))
def test_hostile_bytes_are_a_value_or_refused(text: bytes) -> None:
    with contextlib.suppress(values.BadValue):
        values.loads(text)


def test_more_keys_than_asked_for_are_refused() -> None:
    text = values.dumps([{1, 2, 3}, {4: 5}, frozenset({6})])
    assert values.loads(text, most_keys=5) == [{1, 2, 3}, {4: 5}, {6}]
    with pytest.raises(values.BadValue, match="keys"):
        values.loads(text, most_keys=4)


def test_what_is_made_to_collide_costs_no_time() -> None:
    modulus = 2**61 - 1  # of CPython's hash of numbers
    members = [{"t": "int", "v": hex(n * modulus)} for n in range(5, 100_000)]
    text = json.dumps({"t": "set", "v": members})
    started = time.process_time()
    with pytest.raises(values.BadValue, match="keys"):
        values.loads(text, most_keys=10_000)
    assert time.process_time() - started < 3


def test_numpy_values_arrive_as_numbers_and_lists() -> None:
    numpy = pytest.importorskip("numpy")
    assert told_apart(crossed(numpy.float64(2.5))) == ["float", "2.5"]
    assert crossed(numpy.arange(4).reshape(2, 2)) == [[0, 1], [2, 3]]
    assert crossed([numpy.int64(1), numpy.bool_(True)]) == [1, True]


def test_decimals_that_can_not_be_compared_do_not_arrive() -> None:
    with pytest.raises(values.BadValue):
        crossed(decimal.Decimal("sNaN"))
    assert crossed(decimal.Decimal("NaN")).is_qnan()
