"""Values: is what a function returned the expected value?

The graders of APPS, TACO and LiveCodeBench compare with a plain ==, after making lists of
tuples; EvalPlus compares floats with numpy's allclose (rtol 1e-7, atol 1e-6). Both at once is
what is done here, but a bool is never a number: True == 1 would let a wrong type pass.
"""

import math

from pydantic import JsonValue

from proctor.types import Comparer

# EvalPlus' tolerances, where the problem's comparer is not `floats` with its own.
EVALPLUS_REL_TOL = 1e-7
EVALPLUS_ABS_TOL = 1e-6


def same_value(comparer: Comparer, expected: JsonValue, actual: object) -> bool:
    """Whether `actual`, a plain value out of a sandbox, is the expected JSON value.

    Tuples and lists are the same, ints and floats compare as numbers, NaN equals nothing.
    Floats match within `comparer`'s tolerances if it is `floats`, exactly if it is `exact`,
    else within EvalPlus'. Recursion is as deep as `expected`, whatever the program returned.
    """
    match comparer.name:
        case "floats":
            return _same(expected, actual, comparer.rel_tol, comparer.abs_tol)
        case "exact":
            return _same(expected, actual, 0.0, 0.0)
        case _:
            return _same(expected, actual, EVALPLUS_REL_TOL, EVALPLUS_ABS_TOL)


def _same(expected: object, actual: object, rel_tol: float, abs_tol: float) -> bool:
    if isinstance(expected, list):
        return (
            isinstance(actual, list | tuple)
            and len(expected) == len(actual)
            and all(
                _same(one, other, rel_tol, abs_tol)
                for one, other in zip(expected, actual, strict=True)
            )
        )
    if isinstance(expected, dict):
        return (
            isinstance(actual, dict)
            and expected.keys() == actual.keys()
            and all(_same(one, actual[key], rel_tol, abs_tol) for key, one in expected.items())
        )
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    if isinstance(expected, float) and isinstance(actual, int | float):
        return expected == actual or _close(expected, actual, rel_tol, abs_tol)
    return expected == actual


def _close(expected: float, actual: float, rel_tol: float, abs_tol: float) -> bool:
    try:
        other = float(actual)
    except OverflowError:  # an int beyond every float
        return False
    # An infinite expected value would make the tolerance infinite as well.
    return math.isfinite(expected) and abs(expected - other) <= abs_tol + rel_tol * abs(expected)
