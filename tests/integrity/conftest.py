"""A judge over each backend that promises to hold: `judge`, and `backend`, its name."""

from collections.abc import Iterator

import pytest

from tests.contract.conftest import backend_of
from tests.integration.conftest import Judge

BACKENDS = ("docker-runc", "bubblewrap", "bubblewrap-unprivileged")


@pytest.fixture(scope="package", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture(scope="package")
def judge(backend: str, request: pytest.FixtureRequest) -> Iterator[Judge]:
    """Verify over warm sandboxes, the same for many tests."""
    judge = Judge(backend_of(backend, request))
    yield judge
    judge.pool.close()
