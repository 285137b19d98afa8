"""Which kind of sandbox is used here, and in words what that means."""

import os
from collections.abc import Mapping
from typing import Literal

from proctor_sandbox.errors import SandboxUnavailable
from proctor_sandbox.launch import Ceiling
from proctor_sandbox.seam import Backend

SandboxKind = Literal["auto", "docker", "bubblewrap"]

MEANING = {
    "docker": "programs run in hardened containers of the Docker engine",
    "bubblewrap": "for development: programs see this machine's own /usr, read-only, instead of "
    "an image",
}
# Without root there are no cgroups and no uids to give away.
UNPRIVILEGED = "; as an ordinary user, without cgroups, memory is only watched"


def open_backend(
    sandbox: SandboxKind,
    runtime: str | None = None,
    core: int | None = None,
    images: Mapping[str, str] | None = None,
) -> tuple[Backend, str]:
    """The backend for a kind of sandbox, and one line that says which it is and why.

    Its sandboxes are kept on one core of the engine's machine where one is named. `images`, by
    family, take the place of Proctor's own.

    With "auto" that is the first of Docker and bubblewrap in which a sandbox really starts.
    Raises SandboxUnavailable, with what to do about it.
    """
    if sandbox == "docker":
        return _docker(runtime, core, images), f"docker: {MEANING['docker']}"
    if sandbox == "bubblewrap":
        return _bubblewrap(core), _bubblewrap_line()
    no_docker = "no Docker engine answers"
    try:
        docker = _docker(runtime, core, images)
        no_docker = "Docker answers, but starts no sandbox"
        docker.start("python").close()
    except SandboxUnavailable as why_no_docker:
        try:
            bubblewrap = _bubblewrap(core)
            bubblewrap.start("python").close()
        except SandboxUnavailable as why_no_bubblewrap:
            raise SandboxUnavailable(
                f"no kind of sandbox works here. Docker: {why_no_docker}. "
                f"Bubblewrap: {why_no_bubblewrap}"
            ) from why_no_bubblewrap
        return bubblewrap, f"{_bubblewrap_line()} ({no_docker}; see proctor doctor)"
    return docker, f"docker: {MEANING['docker']}"


def _bubblewrap_line() -> str:
    return f"bubblewrap: {MEANING['bubblewrap']}{UNPRIVILEGED if os.geteuid() else ''}"


# The docker package takes 0.2 s to import, so it is left to those who use an engine.
def _docker(runtime: str | None, core: int | None, images: Mapping[str, str] | None) -> Backend:
    from proctor_sandbox.docker_backend import IMAGES, DockerBackend, DockerOptions

    options = DockerOptions({**IMAGES, **(images or {})}, runtime, Ceiling(core=core))
    return DockerBackend(options)


def _bubblewrap(core: int | None) -> Backend:
    from proctor_sandbox.bubblewrap import BubblewrapBackend

    return BubblewrapBackend(Ceiling(core=core))
