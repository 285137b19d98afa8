"""open-instruct's tests: what is read, and what is refused without being carried out."""

import base64
import json
import os
import pickle
import tracemalloc
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor_server.api.compat.encoded_tests import decoded
from proctor_server.errors import BadRequest

MOST = 1_000_000
ASSERTS = ["assert add(1, 2) == 3", "assert add(-1, 1) == 0"]
STDIO = [{"input": "1\n", "output": "2\n"}, {"input": "é", "output": "☃"}]


def packed(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data)).decode()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "tests", [ASSERTS, STDIO, [], [1, -(2**70), 1.5, None, True, [["x"]], {"a": {"b": []}}]]
)
def test_plain_lists_are_read_in_every_form(tests: list[Any], protocol: int) -> None:
    assert decoded(tests, MOST) == tests
    assert decoded(json.dumps(tests), MOST) == tests
    assert decoded(packed(pickle.dumps(tests, protocol)), MOST) == tests


def test_no_tests_are_an_empty_list() -> None:
    assert decoded(None, MOST) == decoded("", MOST) == decoded([], MOST) == []


def test_tuples_are_read_as_lists() -> None:
    assert decoded(packed(pickle.dumps([("1", "2")])), MOST) == [["1", "2"]]


class Runs:
    """Its pickle is a program."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (self.path,)


def billion_laughs() -> bytes:
    value: Any = ["ha"]
    for _ in range(30):
        value = [value] * 30
    return pickle.dumps(value)


def without_end() -> bytes:
    value: list[Any] = []
    value.append(value)
    return pickle.dumps(value)


def deep() -> bytes:
    return b"]" * 10_000 + b"a" * 9_999 + b"."


@pytest.mark.parametrize(
    ("pickled", "reason"),
    [
        (billion_laughs(), "too many values"),
        (without_end(), "nested too deeply"),
        (deep(), "nested too deeply"),
        (pickle.dumps([b"bytes"]), "no pickle of plain values"),
        (pickle.dumps([{1, 2}]), "no pickle of plain values"),
        (pickle.dumps([1 + 2j]), "no pickle of plain values"),
        (pickle.dumps({"a": 1}), "is no list"),
        # Room for 4 GiB of memo, and text of 2^62 bytes that is not there.
        (b"]r\xff\xff\xff\xff.", "no pickle of plain values"),
        (b"\x80\x04\x8d" + (2**62).to_bytes(8, "little") + b"x.", "no pickle of plain values"),
        (b"\x80\x04\x95" + (2**62).to_bytes(8, "little") + b"].", "no pickle of plain values"),
        (b"", "no pickle of plain values"),
        (b"(.", "no pickle of plain values"),
        (b"P1\n.", "no pickle of plain values"),
        (b"N" * 100_001 + b".", "no pickle of plain values"),
    ],
)
def test_what_is_not_plain_is_refused_cheaply(pickled: bytes, reason: str) -> None:
    text = packed(pickled)
    tracemalloc.start()
    try:
        with pytest.raises(BadRequest, match=reason):
            decoded(text, MOST)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 50_000_000


def test_no_code_of_a_pickle_is_run(tmp_path: Any) -> None:
    victim = str(tmp_path / "made")
    with pytest.raises(BadRequest, match="no pickle of plain values"):
        decoded(packed(pickle.dumps([Runs(victim)])), MOST)
    assert not os.path.exists(victim)


def test_a_bomb_is_told_of_and_never_held() -> None:
    bomb = packed(pickle.dumps(["0" * 20_000_000]))
    tracemalloc.start()
    try:
        with pytest.raises(BadRequest, match="more than 1000000 bytes when decompressed"):
            decoded(bomb, MOST)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 10_000_000


@pytest.mark.parametrize(
    "text", ["hidden words", "eJw=", packed(b"x")[:-4], base64.b64encode(b"hidden").decode()]
)
def test_text_that_is_nothing_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        decoded(text, MOST)
    assert text not in str(refused.value)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_list_or_refused(data: bytes) -> None:
    try:
        found = decoded(packed(data), MOST)
    except BadRequest:
        return
    assert isinstance(found, list)
