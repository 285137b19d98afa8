"""The arena of each backend: every attack meets the sandbox that the last one left."""

from collections.abc import Iterator

import pytest

from tests.adversarial.arena import Arena
from tests.contract.conftest import REAL, backend_of


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", REAL, scope="package")


@pytest.fixture(scope="package")
def arena(
    backend: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Arena]:
    """The sandboxes of the backend of this name."""
    starts = backend_of(backend, request)
    engine = request.getfixturevalue("docker_engine") if starts.name == "docker" else None
    arena = Arena(backend, starts, engine, tmp_path_factory.mktemp("scratch"))
    yield arena
    arena.close()
