"""The stack under attack: `proctor up` with its supervisor, and where everything in it is."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import docker
import httpx
import psutil
import redis
from docker.errors import APIError, NotFound
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from proctor_sandbox.docker_backend import OWNER_LABEL
from proctor_sandbox.owner import Owner
from proctor_server.supervisor import Supervisor
from proctor_server.up import StackOptions, free_port, stack
from tests.conftest import NO_AUTHORITIES
from tests.integration.stack import until

Kind = Literal["docker", "bubblewrap"]

# A look at Redis outlives a pause of it.
_REDIS_RETRIES = 400
_REDIS_PAUSE_S = 0.1


class Sandboxes(Protocol):
    """The sandboxes of a worker, from outside."""

    def of(self, worker: int) -> list[str]:
        """Names of the sandboxes of the worker with this pid."""

    def processes(self, sandbox: str) -> list[psutil.Process]:
        """Every process in a sandbox."""

    def remove(self, sandbox: str) -> None:
        """End a sandbox by hand; none is there any more if it has ended."""


@dataclass(slots=True)
class ChaosStack:
    """A stack that is running, and the way to each part of it."""

    supervisor: Supervisor
    port: int
    redis: "redis.Redis"
    sandboxes: Sandboxes
    deaths: list[str] = field(default_factory=list)

    def pid(self, name: str) -> int:
        """The process id of a child of the supervisor, waited for while it is being restarted."""
        found: list[int] = []

        def there() -> bool:
            pid = self._pids().get(name)
            if pid is not None:
                found.append(pid)
            return pid is not None

        until(there, f"{name} to be started")
        return found[0]

    def workers(self) -> list[int]:
        """The process ids of the workers that are alive."""
        return [pid for name, pid in self._pids().items() if name.startswith("worker")]

    def ready(self) -> bool:
        """Whether programs posted now will be run."""
        try:
            return httpx.get(
                f"http://127.0.0.1:{self.port}/readyz",
                trust_env=False,
                timeout=20,
                verify=NO_AUTHORITIES,
            ).is_success
        except httpx.TransportError:
            return False

    def _pids(self) -> dict[str, int]:
        return self.supervisor.pids


@contextlib.contextmanager
def chaos_stack(folder: Path, sandbox: Kind, workers: int) -> Iterator[ChaosStack]:
    """`proctor up` in this process, with all that its children say in `folder`/children.log."""
    options = StackOptions(folder / "state", port=free_port(), workers=workers, sandbox=sandbox)
    deaths: list[str] = []
    with (
        (folder / "children.log").open("ab") as output,
        stack(options, deaths.append, output) as running,
        _supervised(running.supervisor),
        _redis_of(running.supervisor) as client,
    ):
        of_kind: Sandboxes = Containers() if sandbox == "docker" else Namespaces()
        yield ChaosStack(running.supervisor, options.port, client, of_kind, deaths)


@contextlib.contextmanager
def _supervised(supervisor: Supervisor) -> Iterator[None]:
    thread = threading.Thread(target=supervisor.run, name="supervisor")
    thread.start()
    try:
        yield
    finally:
        supervisor.stop()
        thread.join()


@contextlib.contextmanager
def _redis_of(supervisor: Supervisor) -> "Iterator[redis.Redis]":
    url = next(
        child.env["PROCTOR_REDIS_URL"]
        for stage in supervisor.stages
        for child in stage
        if child.name.startswith("worker")
    )
    patient: Retry = Retry(ConstantBackoff(_REDIS_PAUSE_S), _REDIS_RETRIES)
    with redis.Redis.from_url(url, retry=patient) as client:
        yield client


class Containers:
    """Sandboxes that are Docker containers."""

    def __init__(self) -> None:
        self._api = docker.APIClient(**docker.utils.kwargs_from_env(), version="auto")

    def of(self, worker: int) -> list[str]:
        """The ids of the containers that carry this worker's label."""
        return [
            str(entry["Id"])
            for entry in self._api.containers(filters={"label": OWNER_LABEL})
            if (owner := Owner.parse(entry["Labels"][OWNER_LABEL])) and owner.pid == worker
        ]

    def processes(self, sandbox: str) -> list[psutil.Process]:
        """The container's first process and all below it."""
        try:
            state: Any = self._api.inspect_container(sandbox)["State"]
        except NotFound:
            return []
        return _tree(int(state["Pid"]))

    def remove(self, sandbox: str) -> None:
        """As `docker rm -f` does."""
        with contextlib.suppress(NotFound, APIError):  # it ended, or is being removed, already
            self._api.remove_container(sandbox, force=True, v=True)


class Namespaces:
    """Sandboxes made by bubblewrap: below each worker there are some bwrap processes."""

    def of(self, worker: int) -> list[str]:
        """The pids of the bwrap processes."""
        try:
            below = psutil.Process(worker).children()
        except psutil.NoSuchProcess:
            return []
        return [str(process.pid) for process in below]

    def processes(self, sandbox: str) -> list[psutil.Process]:
        """All in the sandbox; bwrap itself waits outside."""
        return _tree(int(sandbox))[1:]

    def remove(self, sandbox: str) -> None:
        """Kill the first process of its pid namespace, with which all others end."""
        for process in self.processes(sandbox)[:1]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def _tree(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
