"""Docker's attach stream: frames of an 8-byte header (stream, length) and their bytes.

The format is that of the engine's "attach to a container" call without a terminal.
"""

_HEADER = 8
_STDERR = 2
# A traceback of the agent, which is all that is ever wanted of its stderr.
_TAIL_BYTES = 8192


class Demultiplexer:
    """Takes the stream apart as it comes: stdout is handed on, the end of stderr is kept."""

    def __init__(self) -> None:
        self._stderr = bytearray()
        self._header = bytearray()
        self._stream = 0
        self._left = 0

    @property
    def stderr(self) -> bytes:
        """The last bytes of stderr."""
        return bytes(self._stderr)

    def feed(self, data: bytes) -> bytes:
        """The bytes of stdout in the next piece of the stream; may be none."""
        parts = []
        view = memoryview(data)
        while view:
            if not self._left:
                missing = _HEADER - len(self._header)
                self._header += view[:missing]
                view = view[missing:]
                if len(self._header) < _HEADER:
                    break
                self._stream = self._header[0]
                self._left = int.from_bytes(self._header[4:], "big")
                self._header.clear()
                continue
            part, view = view[: self._left], view[self._left :]
            self._left -= len(part)
            if self._stream == _STDERR:
                self._stderr += part
                del self._stderr[:-_TAIL_BYTES]
            else:
                parts.append(part)
        return b"".join(parts)
