"""Plain built-in values as JSON text, rebuilt exactly on arrival.

Only exact built-in values cross: an instance of a subclass crosses as the built-in value
underneath, read by the built-in type's own methods, so that nothing the program overrode
(`__eq__`, `__hash__`, `__iter__`) has a say. Whatever else a program returns is kept on its
side; a handle, a number that stands for it, crosses instead.

JSON's own null, true, false, numbers, strings and arrays stand for themselves; every JSON
object is a tagged value {"t": tag, "v": content}.
"""

import collections
import datetime
import decimal
import fractions
import json
import math
from collections.abc import Callable, Iterable

TYPE_CHECKING = False  # what typing itself would say, but to import it takes 3 ms
if TYPE_CHECKING:
    from typing import Any

    Encoder = Callable[[Any, "Keep | None"], object]

# `handle(value)` numbers what is not plain.
Keep = Callable[[object], int]

_ATOMS = frozenset({type(None), bool, str})
_LONG_FRACTION = 20_000  # hex digits
_FINE_INT = 1 << 63  # above this, digits: Python refuses to parse over 4,300 of them


class NotPlain(TypeError):
    """Raised when a value can't cross and no handle may stand for it."""


class BadValue(ValueError):
    """Raised when text is no encoded value."""


def dumps(value: object, handle: "Keep | None" = None) -> bytes:
    """Encode a value as bytes. `handle(value) -> int` numbers what is not plain."""
    try:
        return json.dumps(_encode(value, handle), separators=(",", ":")).encode()
    except RecursionError:
        raise NotPlain("nested too deeply, or contains itself") from None


def loads(
    text: bytes | str,
    handle: Callable[[int, str], object] | None = None,
    most_keys: float = math.inf,
) -> "Any":
    """Decode bytes. `handle(number, type_name)` stands in for what is not plain.

    Raises BadValue for anything that `dumps` can't have made, and for more than `most_keys`
    members of sets and keys of dicts: numbers can be made to collide, and a million of them
    cost a reader hours. Never executes anything.
    """
    keys = 0
    builders = _BUILDERS
    if handle is not None:
        builders = {**builders, "handle": lambda content: handle(int(content[0]), str(content[1]))}

    def build(tagged: "dict[str, Any]") -> object:
        if tagged.keys() != {"t", "v"}:
            raise BadValue("not a tagged value")
        if tagged["t"] in _HASHED:
            nonlocal keys
            keys += len(tagged["v"])
            if keys > most_keys:
                raise BadValue(f"more than {most_keys} keys")
        return builders[tagged["t"]](tagged["v"])

    try:
        return json.loads(text, object_hook=build, parse_constant=_refuse)
    except (
        ValueError,
        TypeError,
        LookupError,
        OverflowError,
        ArithmeticError,
        RecursionError,
    ) as error:
        raise BadValue(str(error)[:200]) from None


def _refuse(constant: str) -> None:
    raise BadValue(f"{constant} is no JSON")


def _encode(value: object, handle: "Keep | None") -> object:
    kind = type(value)
    if kind in _ATOMS:
        return value
    encoder = _ENCODERS.get(kind)
    if encoder is not None:
        return encoder(value, handle)
    for base, encoder in _BASES:
        if isinstance(value, base):
            return encoder(value, handle)
    plain = _from_numpy(value)
    if plain is not value:
        return _encode(plain, handle)
    if handle is None:
        raise NotPlain(f"{kind.__name__} is no plain value")
    return {"t": "handle", "v": [handle(value), kind.__name__]}


def _from_numpy(value: object) -> object:
    """numpy scalars and arrays as the numbers and lists they hold."""
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return value.tolist()
    return value


def _encode_int(value: int, _handle: object) -> object:
    value = int.__pos__(value)
    return value if -_FINE_INT < value < _FINE_INT else {"t": "int", "v": hex(value)}


def _encode_float(value: float, _handle: object) -> object:
    value = float.__pos__(value)
    return value if math.isfinite(value) else {"t": "float", "v": repr(value)}


def _encode_items(items: list[object], handle: "Keep | None") -> list[object]:
    # Most lists hold atoms only; their types are looked at without a Python-level loop.
    if set(map(type, items)) <= _ATOMS:
        return items
    return [_encode(item, handle) for item in items]


def _encode_list(value: list[object], handle: "Keep | None") -> list[object]:
    return _encode_items(list(list.__iter__(value)), handle)


def _tagged(tag: str, items_of: "Callable[[Any], Iterable[object]]") -> "Encoder":
    return lambda value, handle: {"t": tag, "v": _encode_items(list(items_of(value)), handle)}


def _encode_dict(value: dict[object, object], handle: "Keep | None") -> object:
    pairs = [[_encode(key, handle), _encode(item, handle)] for key, item in list(dict.items(value))]
    return {"t": "dict", "v": pairs}


def _encode_bytes(value: bytes | bytearray, _handle: object) -> dict[str, object]:
    return {"t": "bytes", "v": bytes(memoryview(value)).hex()}


_ENCODERS: "dict[type, Encoder]" = {
    int: _encode_int,
    float: _encode_float,
    list: _encode_list,
    tuple: _tagged("tuple", tuple.__iter__),
    dict: _encode_dict,
    set: _tagged("set", set.__iter__),
    frozenset: _tagged("frozenset", frozenset.__iter__),
    bytes: _encode_bytes,
    bytearray: lambda value, handle: {"t": "bytearray", "v": _encode_bytes(value, handle)["v"]},
    complex: lambda value, _: {"t": "complex", "v": [repr(value.real), repr(value.imag)]},
    range: lambda value, _: {
        "t": "range",
        "v": [hex(value.start), hex(value.stop), hex(value.step)],
    },
    decimal.Decimal: lambda value, _: {"t": "decimal", "v": str(value)},
    fractions.Fraction: lambda value, _: {
        "t": "fraction",
        "v": [hex(value.numerator), hex(value.denominator)],
    },
    datetime.datetime: lambda value, _: {"t": "datetime", "v": value.isoformat()},
    datetime.date: lambda value, _: {"t": "date", "v": value.isoformat()},
    datetime.timedelta: lambda value, _: {
        "t": "timedelta",
        "v": [value.days, value.seconds, value.microseconds],
    },
    # A deque has nothing that a list lacks, once it has arrived.
    collections.deque: _tagged("deque", collections.deque.__iter__),
}

# Subclasses cross as their base; bool can't be subclassed, and str has no shortcut of its own.
_BASES: "list[tuple[type, Encoder]]" = [
    (str, lambda value, _: str.__str__(value)),
    *(
        (base, _ENCODERS[base])
        for base in (int, float, list, tuple, dict, set, frozenset, bytes, bytearray)
    ),
    (collections.deque, _ENCODERS[collections.deque]),
]


def _integer(text: str) -> int:
    return int(text, 16)


def _decimal(text: str) -> decimal.Decimal:
    value = decimal.Decimal(text)
    if value.is_snan():
        raise BadValue("a signalling NaN can't be compared")
    return value


def _fraction(parts: list[str]) -> fractions.Fraction:
    if len(parts[0]) + len(parts[1]) > _LONG_FRACTION:
        raise BadValue("too long a fraction")  # its gcd takes quadratic time
    return fractions.Fraction(_integer(parts[0]), _integer(parts[1]))


_HASHED = frozenset({"dict", "set", "frozenset"})
_BUILDERS: "dict[str, Callable[[Any], object]]" = {
    "int": _integer,
    "float": lambda text: {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[text],
    "tuple": tuple,
    "dict": dict,
    "set": set,
    "frozenset": frozenset,
    "bytes": bytes.fromhex,
    "bytearray": bytearray.fromhex,
    "complex": lambda parts: complex(float(parts[0]), float(parts[1])),
    "range": lambda parts: range(*map(_integer, parts)),
    "decimal": _decimal,
    "fraction": _fraction,
    "datetime": datetime.datetime.fromisoformat,
    "date": datetime.date.fromisoformat,
    "timedelta": lambda parts: datetime.timedelta(*parts),
    "deque": collections.deque,
}
