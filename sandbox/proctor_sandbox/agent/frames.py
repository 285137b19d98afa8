"""Length-prefixed frames: a JSON header and any number of binary blobs.

frame  = u32 length of the rest | u32 header length | header | blobs
header = JSON object; its key "blobs" lists the blobs' lengths
"""

import json
import struct
from collections.abc import Sequence

TYPE_CHECKING = False  # what typing itself would say, but to import it takes 3 ms
if TYPE_CHECKING:
    from typing import Any

    Header = dict[str, Any]

_LENGTHS = struct.Struct("!II")
_PREFIX = 4

# Above any legal frame: the inputs of one program with all its tests, or its captured output.
MAX_FRAME_BYTES = 512 * 1024 * 1024


class FrameError(ValueError):
    """Raised when bytes are no frame. The stream they came from can't be used any more."""


def pack(header: "Header", blobs: "Sequence[bytes | memoryview]" = ()) -> bytes:
    """One frame as bytes. `header` is a dict without the key "blobs"."""
    return b"".join(parts(header, blobs))


def parts(
    header: "Header", blobs: "Sequence[bytes | memoryview]" = ()
) -> "list[bytes | memoryview]":
    """The same, in pieces: large blobs are not copied."""
    if blobs:
        header = {**header, "blobs": [len(blob) for blob in blobs]}
    head = json.dumps(header, separators=(",", ":")).encode()
    length = _PREFIX + len(head) + sum(map(len, blobs))
    if length > MAX_FRAME_BYTES:
        raise FrameError(f"frame of {length} bytes is above {MAX_FRAME_BYTES}")
    return [_LENGTHS.pack(length, len(head)) + head, *blobs]


class Decoder:
    """Turns a stream of bytes into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def next(self) -> "tuple[Header, list[bytes]] | None":
        """The next whole frame as (header, blobs), or None. Raises FrameError."""
        buffer = self._buffer
        if len(buffer) < _LENGTHS.size:
            return None
        length, head_length = _LENGTHS.unpack_from(buffer)
        if length > MAX_FRAME_BYTES or head_length + _PREFIX > length:
            raise FrameError(f"lengths {length} and {head_length} are no frame's")
        end = _PREFIX + length
        if len(buffer) < end:
            return None
        start = _LENGTHS.size + head_length
        frame = bytes(memoryview(buffer)[:end])
        del buffer[:end]
        try:
            header = json.loads(frame[_LENGTHS.size : start])
            sizes = header.get("blobs", ())
            blobs = []
            for size in sizes:
                if size < 0:
                    raise FrameError("a blob of negative length")
                blobs.append(frame[start : start + size])
                start += size
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise FrameError(f"bad header: {error}") from None
        if start != end:
            raise FrameError("blob lengths do not add up")
        return header, blobs
