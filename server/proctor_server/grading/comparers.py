"""Comparers: is this output the expected one?

======  =====================================================================================
exact   Byte for byte.
rstrip  Newlines at the very end do not count (verl's sandbox_fusion: both sides rstrip("\\n")).
lines   White space at the end of a line and blank lines at the end do not count (what contest
        judges ignore by default; the right one where layout matters, and ours by default).
tokens  The words between white space are the same, in order (testlib's wcmp, which most of
        CodeContests and Codeforces is judged by; Kattis' default validator, case_sensitive).
floats  As tokens, but two decimal numbers also match within abs_tol or rel_tol of the expected
        one (Kattis' float_tolerance, testlib's doubleCompare). NaN and inf match as text only.
======  =====================================================================================

Two more are those of others, for tests that were made for them. White space at both ends of the
output and of each line does not count, and

livecodebench   lines also match whose words are the same numbers (open-instruct, NeMo Gym).
sandbox_fusion  case does not count (ASCII), and a line that is one number may be 1e-5 off.

All work on bytes, with ASCII white space: an output that is no UTF-8 simply differs. None of
them makes more parts of a hostile output than the expected one has, plus one.
"""

import math
import re
from collections.abc import Callable
from decimal import Decimal

from proctor.types import Comparer

# What C's strtod reads as a decimal number; Python's float() would take "1_0" and "infinity" too.
_NUMBER = re.compile(rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
# Longer ones are compared as text: no double needs as many digits to be written exactly.
_LONGEST_NUMBER = 1100
# SandboxFusion's own tolerance, relative to the expected number.
_NEARLY = 1e-5


def same_output(comparer: Comparer, expected: bytes, actual: bytes) -> bool:
    """Whether `actual` is as good as `expected` under a comparer."""
    return expected == actual or _COMPARERS[comparer.name](comparer, expected, actual)


def _exact(_: Comparer, expected: bytes, actual: bytes) -> bool:
    return expected == actual


def _rstrip(_: Comparer, expected: bytes, actual: bytes) -> bool:
    return expected.rstrip(b"\n") == actual.rstrip(b"\n")


def _lines(_: Comparer, expected: bytes, actual: bytes) -> bool:
    expected, actual = expected.rstrip(), actual.rstrip()
    if expected == actual:
        return True
    if expected.count(b"\n") != actual.count(b"\n"):
        return False
    pairs = zip(expected.split(b"\n"), actual.split(b"\n"), strict=True)
    return all(one.rstrip() == other.rstrip() for one, other in pairs)


def _tokens(_: Comparer, expected: bytes, actual: bytes) -> bool:
    wanted = expected.split()
    return wanted == actual.split(None, len(wanted))


def _floats(comparer: Comparer, expected: bytes, actual: bytes) -> bool:
    wanted = expected.split()
    got = actual.split(None, len(wanted))
    if len(wanted) != len(got):
        return False
    return all(
        one == other or _close(comparer, one, other) for one, other in zip(wanted, got, strict=True)
    )


def _close(comparer: Comparer, expected: bytes, actual: bytes) -> bool:
    one, other = _number(expected), _number(actual)
    if one is None or other is None:
        return False
    return abs(one - other) <= max(comparer.abs_tol, comparer.rel_tol * abs(one))


def _livecodebench(_: Comparer, expected: bytes, actual: bytes) -> bool:
    return _line_by_line(expected, actual, _same_numbers)


def _same_numbers(expected: bytes, actual: bytes) -> bool:
    wanted = expected.split()
    words = [*wanted, *actual.split(None, len(wanted))]
    if not all(len(word) <= _LONGEST_NUMBER and _NUMBER.fullmatch(word) for word in words):
        return False
    # Exact, where doubles of long whole numbers would be the same.
    numbers = [Decimal(word.decode()) for word in words]
    return numbers[: len(wanted)] == numbers[len(wanted) :]


def _sandbox_fusion(_: Comparer, expected: bytes, actual: bytes) -> bool:
    return _line_by_line(expected.lower(), actual.lower(), _nearly)


def _nearly(expected: bytes, actual: bytes) -> bool:
    one, other = _number(expected), _number(actual)
    if one is None or other is None:
        return False
    return abs(one - other) < _NEARLY * max(abs(one), 1e-10)


def _line_by_line(expected: bytes, actual: bytes, alike: Callable[[bytes, bytes], bool]) -> bool:
    expected, actual = expected.strip(), actual.strip()
    if expected.count(b"\n") != actual.count(b"\n"):
        return False
    pairs = zip(expected.split(b"\n"), actual.split(b"\n"), strict=True)
    stripped = ((one.strip(), other.strip()) for one, other in pairs)
    return all(one == other or alike(one, other) for one, other in stripped)


def _number(token: bytes) -> float | None:
    if len(token) > _LONGEST_NUMBER or not _NUMBER.fullmatch(token):
        return None
    number = float(token)
    return number if math.isfinite(number) else None  # 1e999


_COMPARERS: dict[str, Callable[[Comparer, bytes, bytes], bool]] = {
    "exact": _exact,
    "rstrip": _rstrip,
    "lines": _lines,
    "tokens": _tokens,
    "floats": _floats,
    "livecodebench": _livecodebench,
    "sandbox_fusion": _sandbox_fusion,
}
