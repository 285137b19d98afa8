"""The seam between those who have programs run and those who run them.

Three backends stand behind it: Docker, bubblewrap, and an in-memory fake for users' tests.
One contract suite (tests/contract) holds them all to what is written here.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from proctor_sandbox.programs import Report, Work


@dataclass(frozen=True, slots=True)
class SandboxInfo:
    """What an operator wants to know of a sandbox."""

    backend: str  # "docker", "bubblewrap" or "fake"
    image: str  # image family: "python", "native", "jvm", ...
    name: str  # container name, or the like
    runtime: str  # "runc", "crun", ...; "bwrap" for bubblewrap
    memory_meter: str  # "cgroup1", "cgroup2" or "watch": who tells that memory ran out


class Sandbox(Protocol):
    """A place where one program runs at a time, kept warm between programs."""

    @property
    def info(self) -> SandboxInfo: ...

    @property
    def programs_run(self) -> int:
        """How many programs have been run in this sandbox so far."""

    def execute(self, works: Iterable[Work]) -> Iterator[Report]:
        """Run each work in order and yield its report as soon as it is whole.

        `works` is read a little ahead, so that the sandbox never waits for its next program.
        Raises SandboxLost when the sandbox can no longer be used; every report yielded before
        stands, every work read and not yet reported must be run again elsewhere. The first of
        these is the one that was running.
        """

    def close(self) -> None:
        """End the sandbox and everything in it. May be called twice."""


class Backend(Protocol):
    """Starts sandboxes of one kind."""

    name: str

    def languages(self) -> dict[str, str]:
        """Languages and modes that can be run here, each with the image family that holds it."""

    def versions(self) -> dict[str, str]:
        """What the tools of these languages say that they are, as far as they were asked."""

    def start(self, image: str) -> Sandbox:
        """Start a warm sandbox of an image family. Raises SandboxUnavailable."""

    def reap(self) -> int:
        """Remove what a former owner left behind; returns how many were removed."""
