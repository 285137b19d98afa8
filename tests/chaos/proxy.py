"""A TCP proxy in front of the API, whose connections can be cut."""

import asyncio
import contextlib
import socket
import struct
import threading

_READ_BYTES = 64 * 1024
# A close that throws away what is under way: the other side gets a reset.
_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Passes bytes between its own port and another one of this machine."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._open: set[asyncio.StreamWriter] = set()
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="proxy")
        self._thread.start()
        self._started.wait()

    @property
    def url(self) -> str:
        """Where clients find the API."""
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> int:
        """Reset every connection; returns how many there were."""
        return asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result()

    def close(self) -> None:
        """Stop, with every connection."""
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self.port: int = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._ended.wait()
        server.close()

    async def _cut(self) -> int:
        writers = list(self._open)
        for writer in writers:
            _reset(writer)
        return len(writers) // 2

    async def _pass_on(self, near: asyncio.StreamReader, out: asyncio.StreamWriter) -> None:
        try:
            far, back = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:  # the API is away: so it looks from outside, too
            _reset(out)
            return
        self._open |= {out, back}
        try:
            await asyncio.gather(_pump(near, back), _pump(far, out))
        finally:
            self._open -= {out, back}
            out.close()
            back.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(_READ_BYTES):
            sink.write(data)
            await sink.drain()
    # Whoever ends first ends both: neither side of HTTP half-closes.
    sink.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    connection: socket.socket = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
