"""Which outputs and values are as good as the expected ones."""

import math
import time
import tracemalloc
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from proctor.types import Comparer
from proctor_server.grading.comparers import same_output
from proctor_server.grading.values import same_value

Name = Literal["exact", "rstrip", "lines", "tokens", "floats"]
NAMES: tuple[Name, ...] = ("exact", "rstrip", "lines", "tokens", "floats")
# Those of others, which are in no order of strictness with ours.
Theirs = Literal["livecodebench", "sandbox_fusion"]
THEIRS: tuple[Theirs, ...] = ("livecodebench", "sandbox_fusion")


@pytest.mark.parametrize(
    ("expected", "actual", "accepting"),
    [
        (b"1\n", b"1\n", "exact rstrip lines tokens floats"),
        (b"", b"", "exact rstrip lines tokens floats"),
        (b"1\n", b"1", "rstrip lines tokens floats"),
        (b"1", b"1\n\n\n", "rstrip lines tokens floats"),
        (b"1\n", b"1 \n", "lines tokens floats"),
        (b"1\n2\n", b"1\r\n2\r\n", "lines tokens floats"),
        (b"1\n2\n", b"1  \n2\t\n \n", "lines tokens floats"),
        (b"", b" \n\n", "lines tokens floats"),
        (b"1\n2\n", b"1 2\n", "tokens floats"),
        (b"1 2\n", b"1  2\n", "tokens floats"),
        (b"1\n", b" 1\n", "tokens floats"),
        (b"1\n2\n", b"1\n\n2\n", "tokens floats"),
        (b"1.0\n", b"1.0000001\n", "floats"),
        (b"x 1.0 y\n", b"x 1 y\n", "floats"),
        (b"1e3\n", b"1000\n", "floats"),
        (b"1000000\n", b"1000000.5\n", "floats"),
        (b"0\n", b"-0.0000005\n", "floats"),
        (b".5\n", b"0.5\n", "floats"),
        (b"+5\n", b"5.\n", "floats"),
        (b"1.0\n", b"1.00001\n", ""),
        (b"1\n", b"2\n", ""),
        (b"1\n", b"", ""),
        (b"", b"1", ""),
        (b"1\n", b"1 1\n", ""),
        (b"1 2\n", b"1\n", ""),
        (b"YES\n", b"yes\n", ""),
        (b"10\n", b"1_0\n", ""),
        (b"1\n", b"0x1\n", ""),
        (b"1\n", b"nan\n", ""),
        (b"1e999\n", b"5\n", ""),
        (b"5\n", b"1e999\n", ""),
        (b"1e999\n", b"1e998\n", ""),
        (b"nan\n", b"nan\n", "exact rstrip lines tokens floats"),
        (b"1\n", b"1\xff\n", ""),
        ("é\n".encode(), "e\u0301\n".encode(), ""),
        (b"1\n", "1\u00a0\n".encode(), ""),  # only ASCII white space is white
        (b"1" * 2000, b"1" * 1999 + b"2", ""),  # as numbers both would be infinite
    ],
)
def test_each_comparer_accepts_what_its_source_does(
    expected: bytes, actual: bytes, accepting: str
) -> None:
    accepted = [name for name in NAMES if same_output(Comparer(name=name), expected, actual)]
    assert " ".join(accepted) == accepting


@pytest.mark.parametrize(
    ("expected", "actual", "accepting"),
    [
        (b"1\n2\n", b"\n 1 \r\n  2\n\n", "livecodebench sandbox_fusion"),
        (b"1\n2\n", b"1 2\n", ""),
        (b"1\n2\n", b"1\n\n2\n", ""),
        (b"1 2\n", b"1  2\n", "livecodebench"),
        (b"1.0 2\n", b"1 2.00\n", "livecodebench"),
        (b"1.5\n", b"1.50\n", "livecodebench sandbox_fusion"),
        (b"1.5\n", b"1.500001\n", "sandbox_fusion"),
        (b"1.5\n", b"1.51\n", ""),
        (b"50000000000000000 1\n", b"50000000000000001 1\n", ""),
        (b"YES\n", b"Yes\n", "sandbox_fusion"),
        (b"1 2\n", b"1 2 3\n", ""),
        (b"nan\n", b"NaN\n", "sandbox_fusion"),  # as text
        (b"1e999999999\n", b"1e999999998\n", ""),
        (b"1" * 2000, b"1" * 1999 + b"2", ""),
    ],
)
def test_the_comparers_of_others_accept_what_theirs_do(
    expected: bytes, actual: bytes, accepting: str
) -> None:
    accepted = [name for name in THEIRS if same_output(Comparer(name=name), expected, actual)]
    assert " ".join(accepted) == accepting


@pytest.mark.parametrize(
    ("rel_tol", "abs_tol", "expected", "actual", "same"),
    [
        (0, 0.01, b"100", b"100.009", True),
        (0, 0.01, b"100", b"100.02", False),
        (0.01, 0, b"100", b"100.9", True),
        (0.01, 0, b"100", b"101.1", False),
        (0.01, 0, b"0", b"0.0001", False),
        (0, 0, b"1", b"1.0", True),
        (0, 0, b"1", b"1.0000000001", False),
    ],
)
def test_floats_takes_the_problems_tolerances(
    rel_tol: float, abs_tol: float, expected: bytes, actual: bytes, same: bool
) -> None:
    comparer = Comparer(name="floats", rel_tol=rel_tol, abs_tol=abs_tol)
    assert same_output(comparer, expected, actual) is same


@given(st.sampled_from(NAMES + THEIRS), st.binary())
def test_every_output_is_as_good_as_itself(name: Name | Theirs, output: bytes) -> None:
    # bytes(bytearray()) so that the two are not one object.
    assert same_output(Comparer(name=name), output, bytes(bytearray(output)))


@given(st.binary(), st.binary())
def test_a_laxer_comparer_accepts_whatever_a_stricter_one_does(one: bytes, other: bytes) -> None:
    accepted = [same_output(Comparer(name=name), one, other) for name in NAMES]
    assert accepted == sorted(accepted)


@pytest.mark.parametrize("name", NAMES + THEIRS)
@pytest.mark.parametrize("flood", [b"1 ", b"1\n", b"\n", b" ", b"9", b"\x00", b"1.0 \n"])
def test_a_flood_of_output_costs_little_time_and_memory(name: Name | Theirs, flood: bytes) -> None:
    output = flood * (16_000_000 // len(flood))
    tracemalloc.start()
    started = time.process_time()
    try:
        assert not same_output(Comparer(name=name), b"1 2 3\n4\n" * 10, output)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert time.process_time() - started < 2
    assert peak_bytes < 3 * len(output)


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        (1, 1, True),
        (1, True, False),
        (True, 1, False),
        (False, 0, False),
        (True, True, True),
        (1, 1.0, True),
        (1.0, 1, True),
        (1, 1.0000001, False),  # an int is exact
        (1.0, 1.0000001, True),
        (1.0, 1.00001, False),
        (0.0, 5e-7, True),
        (1e12, 1e12 + 1e4, True),
        (1.0, 10**400, False),
        (10**400, 10**400, True),
        (1.0, math.nan, False),
        (1, math.nan, False),
        (math.nan, math.nan, False),
        (math.inf, 5.0, False),
        (math.inf, math.inf, True),
        (1.0, math.inf, False),
        (1.0, "1.0", False),
        ("a", "a", True),
        ("a", b"a", False),
        ("", None, False),
        (None, None, True),
        (None, 0, False),
        (None, [], False),
        ([1, 2], (1, 2), True),
        ([1, [2, 3]], [1, (2, 3)], True),
        ([1, 2], [2, 1], False),
        ([1], [1, 2], False),
        ([], (), True),
        ([1, 2], {1, 2}, False),
        ([1.0], [1.0000001], True),
        ([True], [1], False),
        (["a", "b"], "ab", False),
        ({"a": 1.0}, {"a": 1.0000001}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": 1}, {"b": 1}, False),
        ({"1": 1}, {1: 1}, False),
        ({}, [], False),
        (1, 1 + 0j, True),
    ],
)
def test_returned_values_compare_as_the_public_graders_do(
    expected: JsonValue, actual: object, same: bool
) -> None:
    assert same_value(Comparer(), expected, actual) is same


def test_the_floats_and_exact_comparers_set_the_tolerance_of_values() -> None:
    assert same_value(Comparer(name="floats", abs_tol=0.1), [1.0], [1.05])
    assert not same_value(Comparer(name="exact"), [1.0], [1.0000001])


def test_a_deeper_value_than_expected_is_just_different() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert not same_value(Comparer(), [[]], deep)
    while deep:  # taken apart level by level: freeing it at once would recurse as deep
        deep = deep[0]
