"""A TCP proxy in front of the API, whose connections can be cut."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

_READ_BYTES = 64 * 1024
# A close that throws away what is under way: the other side gets a reset.
_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Passes bytes between its own port and another one of this machine."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self.port = 0

    @property
    def url(self) -> str:
        """Where clients find the API."""
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> int:
        """Reset every connection; returns how many there were."""
        return asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result()

    async def serve(self, started: threading.Event) -> None:
        """Accept connections until cancelled."""
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        async with server:
            await server.serve_forever()

    def run(self, started: threading.Event) -> None:
        """Serve in this thread until `stop`."""
        self._serving = self._loop.create_task(self.serve(started))
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._serving)
        rest = asyncio.all_tasks(self._loop)
        for task in rest:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
        self._loop.close()

    def stop(self) -> None:
        """End `run`, from another thread."""
        self._loop.call_soon_threadsafe(self._serving.cancel)

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


@contextlib.contextmanager
def proxy(port: int) -> Iterator[Proxy]:
    """A proxy to a port of this machine."""
    made = Proxy(port)
    started = threading.Event()
    thread = threading.Thread(target=made.run, args=(started,), name="proxy")
    thread.start()
    started.wait()
    try:
        yield made
    finally:
        made.stop()
        thread.join()
