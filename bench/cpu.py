"""CPU seconds by part of the stack, out of /proc and the sandboxes' cgroups."""

import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

import docker
from docker.errors import DockerException, NotFound
from requests.exceptions import RequestException

from proctor_sandbox.docker_backend import OWNER_LABEL
from proctor_sandbox.owner import Owner

# What has ended since it was last looked at is not seen: at most this long of a sandbox's life.
LOOK_EVERY_S = 1.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# As the kernel cuts names. Whoever uses the engine is in here: it can't be told apart.
_ENGINE = ("dockerd", "containerd", "containerd-shim", "docker-proxy")


@dataclass(frozen=True, slots=True)
class Parts:
    """Process ids of what is measured; this process is the client."""

    api: int
    redis: int
    workers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Process:
    pid: int
    name: str
    parent: int
    own_s: float
    children_s: float  # of children that have ended and were waited for
    started: int  # clock ticks since boot

    @property
    def key(self) -> str:
        return f"{self.pid}@{self.started}"


class Meter:
    """CPU seconds used within a `with` block, by part.

    Parts are api, redis, worker, client, sandbox (agent, zygotes, examiners, programs),
    engine (Docker's daemons, whoever used them) and others (the rest of the machine).
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._sandboxes = _Sandboxes(parts.workers)
        self._first: dict[tuple[str, str], float] = {}
        self._last: dict[tuple[str, str], float] = {}
        self._busy_s = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look_on, name="cpu meter", daemon=True)

    def __enter__(self) -> Self:
        self._first = dict(self._readings())
        self._last = dict(self._first)
        self._busy_s = _machine_busy_s()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._busy_s = _machine_busy_s() - self._busy_s
        self._last |= dict(self._readings())
        self._sandboxes.close()

    @property
    def seconds(self) -> dict[str, float]:
        """What each part used, once the block has ended."""
        used = dict.fromkeys(("api", "redis", "worker", "sandbox", "engine", "client"), 0.0)
        for key, last in self._last.items():
            used[key[0]] += last - self._first.get(key, 0.0)
        used["others"] = max(0.0, self._busy_s - sum(used.values()))
        return {part: round(seconds, 3) for part, seconds in used.items()}

    def _look_on(self) -> None:
        while not self._ended.wait(LOOK_EVERY_S):
            self._last |= dict(self._readings())

    def _readings(self) -> Iterator[tuple[tuple[str, str], float]]:
        """Totals since each thing began, by part and a name that is never used again."""
        processes = _processes()
        single = {self._parts.api: "api", self._parts.redis: "redis", os.getpid(): "client"}
        single |= dict.fromkeys(self._parts.workers, "worker")
        for process in processes.values():
            if process.pid in single:
                yield (single[process.pid], process.key), process.own_s
            elif process.name in _ENGINE:
                yield ("engine", process.key), process.own_s + process.children_s
        for name, seconds in self._sandboxes.readings(processes):
            yield ("sandbox", name), seconds


@dataclass(slots=True)
class _Sandboxes:
    """Finds the sandboxes of some workers and what CPU time they have used."""

    workers: tuple[int, ...]
    _engine: "docker.APIClient | None" = field(init=False)
    _containers: dict[str, Path | None] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        try:
            self._engine = docker.APIClient(
                **docker.utils.kwargs_from_env(), version="auto", timeout=10
            )
        except DockerException:
            self._engine = None

    def close(self) -> None:
        """Part from the engine."""
        if self._engine is not None:
            self._engine.close()

    def readings(self, processes: Mapping[int, _Process]) -> Iterator[tuple[str, float]]:
        """The name of each sandbox and its CPU seconds so far."""
        for container in self._container_files():
            if (seconds := _cgroup_seconds(container)) is not None:
                yield str(container), seconds
        own = {_cgroup_file(worker) for worker in self.workers}
        for process in processes.values():
            if process.parent not in self.workers:
                continue
            # bwrap, in a cgroup of its own where root made it one.
            file = _cgroup_file(process.pid)
            if file is not None and file not in own:
                if (seconds := _cgroup_seconds(file)) is not None:
                    yield str(file), seconds
            else:
                yield process.key, _tree_seconds(process, processes)

    def _container_files(self) -> list[Path]:
        if self._engine is None:
            return []
        try:
            for one in self._engine.containers(filters={"label": OWNER_LABEL}):
                if one["Id"] not in self._containers:
                    self._containers[one["Id"]] = self._file_of(one["Id"], one["Labels"])
        except (DockerException, RequestException):
            self._engine = None  # an engine that went away has no sandboxes either
        return [file for file in self._containers.values() if file is not None]

    def _file_of(self, container: str, labels: Mapping[str, str]) -> Path | None:
        """None for a container of somebody else, or of an engine on another machine."""
        assert self._engine is not None
        owner = Owner.parse(labels[OWNER_LABEL])
        if owner is None or owner.is_gone() is not False or owner.pid not in self.workers:
            return None
        try:
            pid = self._engine.inspect_container(container)["State"]["Pid"]
        except NotFound:
            return None
        file = _cgroup_file(pid)
        return file if file is not None and container in str(file) else None


def _processes() -> dict[int, _Process]:
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdecimal() and (process := _process(int(entry))) is not None:
            found[process.pid] = process
    return found


def _process(pid: int) -> _Process | None:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            before, _, after = file.read().rpartition(")")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # Fields from the third on, see proc(5); the name may hold anything.
    fields = after.split()
    own, children = int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
    return _Process(
        pid=pid,
        name=before.partition("(")[2],
        parent=int(fields[1]),
        own_s=own / _TICKS_PER_S,
        children_s=children / _TICKS_PER_S,
        started=int(fields[19]),
    )


def _tree_seconds(root: _Process, processes: Mapping[int, _Process]) -> float:
    """What a process and all below it used, those that have ended too."""
    below: dict[int, list[_Process]] = {}
    for process in processes.values():
        below.setdefault(process.parent, []).append(process)
    seconds, left = 0.0, [root]
    while left:
        process = left.pop()
        seconds += process.own_s + process.children_s
        left += below.get(process.pid, [])
    return seconds


def _machine_busy_s() -> float:
    """CPU seconds that all processes of the machine have used since boot."""
    fields = Path("/proc/stat").read_text().partition("\n")[0].split()[1:]
    user, nice, system, _, _, irq, softirq = map(int, fields[:7])
    return (user + nice + system + irq + softirq) / _TICKS_PER_S


# -- cgroups ----------------------------------------------------------------------------------


@cache
def _mounts() -> tuple[Path | None, Path | None]:
    """Where cpuacct (version 1) and version 2 are mounted."""
    v1 = v2 = None
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(maxsplit=2)
        if kind == "cgroup" and "cpuacct" in options.split(","):
            v1 = Path(before.split()[4])
        elif kind == "cgroup2":
            v2 = Path(before.split()[4])
    return v1, v2


def _cgroup_file(pid: int) -> Path | None:
    """The file with the CPU time of a process's cgroup; None when there is no telling."""
    v1, v2 = _mounts()
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return None
    found = None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if v1 is not None and "cpuacct" in controllers.split(","):
            return v1 / path.lstrip("/") / "cpuacct.usage"
        if v2 is not None and not controllers:
            found = v2 / path.lstrip("/") / "cpu.stat"
    return found


def _cgroup_seconds(file: Path) -> float | None:
    try:
        text = file.read_text()
    except OSError:  # removed since (ENODEV while it is being removed)
        return None
    if file.name == "cpuacct.usage":
        return int(text) / 1e9
    return int(dict(line.split() for line in text.splitlines())["usage_usec"]) / 1e6
