"""What a backend gives a channel: a duplex byte stream to an agent, and what lies around it."""

from typing import Protocol


class Transport(Protocol):
    """Bytes to and from one agent. Both descriptors are non-blocking."""

    @property
    def read_fd(self) -> int:
        """Descriptor to select on for reading."""

    @property
    def write_fd(self) -> int:
        """Descriptor to select on for writing; may be the same."""

    def read(self) -> bytes | None:
        """Bytes of the agent's stdout; None when there are none yet, b"" when it has ended."""

    def write(self, data: memoryview) -> int:
        """Write to the agent's stdin; returns how many bytes were taken, 0 for not now.

        Raises SandboxLost when the stream is closed.
        """

    def memory_limit(self, memory_bytes: int) -> None:
        """Set how much memory the whole sandbox may use. Cheap when it is set already."""

    def autopsy(self) -> str:
        """Why the stream ended, from evidence outside the sandbox."""

    def close(self) -> None:
        """End the sandbox and everything in it. May be called twice."""
