"""open-instruct's tests: a list, JSON text of one, or base64 of zlib of a pickle of one.

A pickle is a program. Of this one only what builds text, numbers, None, lists and dicts is
carried out, and nothing in it may be larger than was allowed for.
"""

import io
import json
import pickle
import pickletools
from typing import NoReturn

from proctor_server.api.compat.packed import unpacked
from proctor_server.faults import refuse

# Those that pickle.dumps writes for plain values, whatever its protocol. None calls anything.
# fmt: off
_PLAIN = frozenset({
    "PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK",
    "MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT", "GET", "BINGET", "LONG_BINGET",
    "NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4",
    "FLOAT", "BINFLOAT", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
    "EMPTY_LIST", "APPEND", "APPENDS", "LIST", "EMPTY_DICT", "SETITEM", "SETITEMS", "DICT",
    "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3",
})
# fmt: on
_MEMO = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
# Of one list of tests: a test has a few, and a problem 2,000 tests at most.
_MOST_STEPS = 100_000
_MOST_VALUES = 100_000
_DEEPEST = 32
_REMEDY = "send a list, JSON text, or base64(zlib(pickle)) of a list of text and plain values"


def decoded(tests: object, most_bytes: int) -> list[object]:
    """The list of tests. Raises BadRequest, which quotes nothing of it.

    `most_bytes` bounds what compressed tests may come to.
    """
    if isinstance(tests, str):
        tests = _from_text(tests, most_bytes)
    if tests is None:
        return []
    if not isinstance(tests, list):
        _refuse("is no list")
    return tests


def _from_text(text: str, most_bytes: int) -> object:
    if not text:
        return []
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        return _unpickled(unpacked(text, most_bytes, "tests"))


class _Plain(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError("is not plain")


def _unpickled(data: bytes) -> object:
    try:
        _check_steps(data)
        value = _Plain(io.BytesIO(data), encoding="utf-8").load()
    except Exception:
        _refuse("is no pickle of plain values")
    return _plain(value)


def _check_steps(data: bytes) -> None:
    """Raise ValueError for a pickle that does more than build plain values, or reserves room
    for what is not in it."""
    for count, (step, argument, _) in enumerate(pickletools.genops(data)):
        if step.name not in _PLAIN or count >= _MOST_STEPS:
            raise ValueError
        # The unpickler makes its memo as long as this number says.
        if step.name in _MEMO and int(argument or 0) >= _MOST_STEPS:
            raise ValueError


def _plain(value: object) -> object:
    """A value with tuples as lists. A pickle can hold one list a billion times in a few bytes."""
    left = _MOST_VALUES

    def copied(value: object, depth: int) -> object:
        nonlocal left
        left -= 1
        if left < 0 or depth > _DEEPEST:
            _refuse("has too many values, or is nested too deeply")
        if isinstance(value, list | tuple):
            return [copied(one, depth + 1) for one in value]
        if isinstance(value, dict):
            return {
                key if isinstance(key, str) else str(key): copied(one, depth + 1)
                for key, one in value.items()
            }
        return value

    return copied(value, 0)


def _refuse(reason: str) -> NoReturn:
    refuse("tests", reason, _REMEDY)
