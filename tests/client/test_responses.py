"""Reading answers: lines out of chunks, results apart from a stream's end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor import BadAnswer
from proctor._responses import Lines, read_line
from proctor.types import Result, StreamEnd

END = b'{"cursor":3,"state":"done"}'


@given(
    st.lists(st.binary(min_size=1).map(lambda line: line.replace(b"\n", b"n"))),
    st.data(),
)
def test_lines_are_the_same_however_the_bytes_are_cut(
    lines: list[bytes], data: st.DataObject
) -> None:
    whole = b"".join(line + b"\n" for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=10)))
    found: list[bytes] = []
    reader = Lines()
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        found += reader.feed(whole[start:end])
    assert found == [line for line in lines if line.strip()]


def test_half_a_line_is_no_line() -> None:
    reader = Lines()
    assert list(reader.feed(b"whole\nhal")) == [b"whole"]
    assert list(reader.feed(b"f\n")) == [b"half"]


@pytest.mark.parametrize(
    "line", [END, b'{"state": "done", "cursor": 3}', b' {"cursor":3,"state":"done"}']
)
def test_an_end_is_known_however_it_is_written(line: bytes) -> None:
    assert read_line(line) == StreamEnd(cursor=3, state="done")


def test_a_newer_servers_fields_are_ignored() -> None:
    found = read_line(
        b'{"index":0,"submission_id":"s","problem_id":"p","language":"python","verdict":"AC",'
        b'"pass_rate":1.0,"reward":1.0,"passed":1,"total":1,"mood":"good"}'
    )
    assert isinstance(found, Result)


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"null", b'{"index":0}', b"\xff"])
def test_what_is_neither_is_said_to_be_no_proctor(line: bytes) -> None:
    with pytest.raises(BadAnswer, match="is this a Proctor server"):
        read_line(line)
