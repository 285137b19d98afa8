"""The same tests over every backend: `backend`, and a warm sandbox of it in `sandbox`."""

import os
import signal
from collections.abc import Callable, Iterator

import docker
import pytest

from proctor_sandbox.bubblewrap import BubblewrapBackend
from proctor_sandbox.docker_backend import IMAGES, DockerBackend, DockerOptions
from proctor_sandbox.errors import SandboxLost
from proctor_sandbox.fake import FakeBackend
from proctor_sandbox.pool import Pool
from proctor_sandbox.seam import Backend, Sandbox
from proctor_server.settings import Settings
from tests.conftest import missing
from tests.contract.programs import BEHAVIOURS

REAL = ("docker-runc", "docker-crun", "bubblewrap", "bubblewrap-unprivileged")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a module's tests over its BACKENDS, or over all."""
    if "backend" in metafunc.fixturenames:
        kinds = getattr(metafunc.module, "BACKENDS", (*REAL, "fake"))
        metafunc.parametrize("backend", kinds, indirect=True, scope="session")


@pytest.fixture(scope="session")
def backend(request: pytest.FixtureRequest) -> Backend:
    return backend_of(request.param, request)


def backend_of(kind: str, request: pytest.FixtureRequest) -> Backend:
    """A backend by its name in the table of backends; skips where the machine lacks it."""
    if kind == "fake":
        return FakeBackend(BEHAVIOURS)
    if kind == "bubblewrap" and os.geteuid() != 0:
        pytest.skip("only root gives bubblewrap a cgroup and uids")
    if kind.startswith("bubblewrap"):
        request.getfixturevalue("bubblewrap")
        return BubblewrapBackend(privileged=kind == "bubblewrap")
    runtime = kind.removeprefix("docker-")
    if runtime not in request.getfixturevalue("docker_runtimes"):
        missing(f"the Docker engine does not know the runtime {runtime}; make test sets it up")
    # PROCTOR_IMAGES, for images that are not tagged as the others are: of another branch, say.
    images = {**IMAGES, **Settings().own_images()}
    return DockerBackend(DockerOptions(images, runtime))


@pytest.fixture(scope="session")
def pool(backend: Backend) -> Iterator[Pool]:
    pool = Pool(backend, spares=0)
    yield pool
    pool.close()


@pytest.fixture
def sandbox(pool: Pool) -> Iterator[Sandbox]:
    """A warm Python sandbox, the same for many tests."""
    yield from _leased(pool, "python")


@pytest.fixture
def native_sandbox(pool: Pool, backend: Backend) -> Iterator[Sandbox]:
    """A warm sandbox with a C++ compiler."""
    if "cpp" not in backend.languages():
        missing("this machine has no g++ for bubblewrap; apt-get install g++")
    yield from _leased(pool, "native")


def _leased(pool: Pool, image: str) -> Iterator[Sandbox]:
    sandbox = pool.lease(image)
    yield sandbox
    try:
        usable = list(sandbox.execute([])) == []
    except SandboxLost:
        usable = False
    if usable:
        pool.give_back(sandbox)
    else:
        pool.discard(sandbox, "used up by a test")


@pytest.fixture
def kill(backend: Backend, request: pytest.FixtureRequest) -> Callable[[Sandbox], None]:
    """Ends a sandbox from outside, as a fault of the machine would."""
    if backend.name == "docker":
        engine: docker.DockerClient = request.getfixturevalue("docker_engine")
        return lambda sandbox: engine.containers.get(sandbox.info.name).kill()
    if backend.name == "fake":
        return lambda sandbox: sandbox.close()
    return lambda sandbox: os.kill(int(sandbox.info.name.rpartition("-")[2]), signal.SIGKILL)
