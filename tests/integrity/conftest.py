"""A judge over each backend that promises to hold: `judge`, and `backend`, its name."""

from collections.abc import Iterator

import pytest

from proctor_sandbox.bubblewrap import BubblewrapBackend
from proctor_sandbox.docker_backend import DockerBackend, DockerOptions
from proctor_sandbox.seam import Backend
from tests.conftest import missing
from tests.integration.conftest import Judge

BACKENDS = ("docker-runc", "bubblewrap", "bubblewrap-unprivileged")


@pytest.fixture(scope="package", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture(scope="package")
def judge(backend: str, request: pytest.FixtureRequest) -> Iterator[Judge]:
    """Verify over warm sandboxes, the same for many tests."""
    judge = Judge(_started(backend, request))
    yield judge
    judge.pool.close()


def _started(kind: str, request: pytest.FixtureRequest) -> Backend:
    if kind.startswith("bubblewrap"):
        request.getfixturevalue("bubblewrap")
        return BubblewrapBackend(privileged=kind == "bubblewrap")
    runtime = kind.removeprefix("docker-")
    if runtime not in request.getfixturevalue("docker_runtimes"):
        missing(f"the Docker engine does not know the runtime {runtime}; make test sets it up")
    return DockerBackend(DockerOptions(runtime=runtime))
