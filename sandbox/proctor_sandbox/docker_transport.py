"""The connection to an agent in a container, and the end of both."""

import contextlib
import socket
from typing import Any

import docker
from docker.errors import DockerException, NotFound
from requests.exceptions import RequestException

from proctor_sandbox.docker_stream import Demultiplexer
from proctor_sandbox.errors import SandboxLost

_READ_BYTES = 256 * 1024


class ContainerTransport:
    """The attach stream of one container."""

    def __init__(
        self, api: docker.APIClient, container: str, stream: Any, memory_bytes: int
    ) -> None:
        self._api = api
        self._container = container
        # docker gives an io wrapper whose socket is the connection; it must stay referenced.
        self._stream = stream
        self._socket: socket.socket = getattr(stream, "_sock", stream)
        self._socket.setblocking(False)
        self._demultiplexer = Demultiplexer()
        self._memory_bytes = memory_bytes
        self._closed = False

    @property
    def read_fd(self) -> int:
        return self._socket.fileno()

    @property
    def write_fd(self) -> int:
        return self._socket.fileno()

    def read(self) -> bytes | None:
        """Bytes of the agent's stdout; None when there are none yet, b"" when it has ended."""
        while True:
            try:
                data = self._socket.recv(_READ_BYTES)
            except BlockingIOError:
                return None
            except OSError:
                return b""
            if not data:
                return b""
            stdout = self._demultiplexer.feed(data)
            if stdout:
                return stdout

    def write(self, data: memoryview) -> int:
        """Bytes taken, 0 for not now. Raises SandboxLost when the stream is closed."""
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise SandboxLost(f"the container's stdin is closed: {self.autopsy()}") from error

    def memory_limit(self, memory_bytes: int) -> None:
        """Set the container's memory limit, swap included. Raises SandboxLost."""
        if memory_bytes == self._memory_bytes:
            return
        try:
            self._api.update_container(
                self._container, mem_limit=memory_bytes, memswap_limit=memory_bytes
            )
        except (DockerException, RequestException) as error:
            raise SandboxLost(f"cannot set the memory limit: {words(error)}") from error
        self._memory_bytes = memory_bytes

    def autopsy(self) -> str:
        """What the engine knows of the container's end, and the end of the agent's stderr."""
        if self._closed:
            return "the sandbox was closed"
        try:
            # The stream ends a moment before the engine has taken note of the exit.
            with contextlib.suppress(RequestException):
                self._api.wait(self._container, timeout=2)
            state = self._api.inspect_container(self._container)["State"]
        except NotFound:
            return "the container was removed by somebody else"
        except (DockerException, RequestException) as error:
            return f"the Docker engine does not answer: {words(error)}"
        if state["Running"]:
            return "the connection ended while the container runs"
        found = f"the container ended with exit code {state['ExitCode']}"
        if state.get("OOMKilled"):
            found += ", the kernel having killed in it for memory"
        if state.get("Error"):
            found += f", engine error: {state['Error']}"
        stderr = self._demultiplexer.stderr.decode(errors="replace").strip()
        return f"{found}; agent's stderr: {stderr}" if stderr else found

    def close(self) -> None:
        """Kill and remove the container. May be called twice.

        An engine that does not answer keeps it until `reap`; its programs end with the stream.
        """
        if self._closed:
            return
        self._closed = True
        close_stream(self._stream)
        with contextlib.suppress(DockerException, RequestException):
            self._api.remove_container(self._container, force=True, v=True)


def close_stream(stream: Any) -> None:
    """Close an attach stream: the io wrapper that docker gives, and the socket in it."""
    getattr(stream, "_sock", stream).close()
    stream.close()


def words(error: Exception) -> str:
    """An error's own words, on one line."""
    explanation = getattr(error, "explanation", None)
    return " ".join(str(explanation or error).split())
