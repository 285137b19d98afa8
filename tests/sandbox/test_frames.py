"""Frames: what one end packs the other decodes, and nothing else passes for a frame."""

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor_sandbox.agent import frames

HEADERS = st.dictionaries(
    st.text().filter(lambda key: key != "blobs"),
    st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers()),
    max_size=4,
)
BLOBS = st.lists(st.binary(max_size=200), max_size=4)


@given(st.lists(st.tuples(HEADERS, BLOBS), max_size=4), st.integers(1, 64))
def test_frames_come_out_as_they_went_in_however_they_are_cut(
    sent: list[tuple[dict[str, object], list[bytes]]], cut: int
) -> None:
    stream = b"".join(frames.pack(header, blobs) for header, blobs in sent)
    decoder = frames.Decoder()
    got = []
    for start in range(0, len(stream), cut):
        decoder.feed(stream[start : start + cut])
        while (frame := decoder.next()) is not None:
            header, blobs = frame
            header.pop("blobs", None)
            got.append((header, blobs))
    assert got == sent


def framed(header: bytes, blobs: bytes = b"") -> bytes:
    return struct.pack("!II", 4 + len(header) + len(blobs), len(header)) + header + blobs


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("!II", frames.MAX_FRAME_BYTES + 1, 2),
        struct.pack("!II", 3, 0),
        struct.pack("!II", 10, 11),
        b"\xff" * 64,
        b"HTTP/1.1 200 OK\r\n\r\n",
        framed(b""),
        framed(b"\xff\xfe"),
        framed(b"not json"),
        framed(b"[1]"),
        framed(b"7"),
        framed(b'{"op":"x"}', b"left over"),
        framed(b'{"blobs":[5]}', b"1234"),
        framed(b'{"blobs":[3]}', b"1234"),
        framed(b'{"blobs":[-1,5]}', b"1234"),
        framed(b'{"blobs":["4"]}', b"1234"),
        framed(b'{"blobs":[4.0]}', b"1234"),
        framed(b'{"blobs":7}'),
        framed(b"[" * 100_000),
        framed(b'{"n":' + b"9" * 5000 + b"}"),
    ],
)
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    decoder = frames.Decoder()
    decoder.feed(data)
    with pytest.raises(frames.FrameError):
        decoder.next()


@given(st.binary(max_size=300))
def test_garbage_is_a_frame_an_error_or_not_whole_yet(data: bytes) -> None:
    decoder = frames.Decoder()
    decoder.feed(data)
    try:
        frame = decoder.next()
    except frames.FrameError:
        return
    assert frame is None or json.dumps(frame[0])


def test_a_frame_that_is_too_long_is_not_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MAX_FRAME_BYTES", 100)
    frames.pack({}, [bytes(50)])
    with pytest.raises(frames.FrameError, match="above 100"):
        frames.pack({}, [bytes(50), bytes(50)])
