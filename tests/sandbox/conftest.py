import os
import sys
from collections.abc import Callable

import pytest

from proctor_sandbox.docker_backend import DockerBackend

# Starts a sandbox in a process of its own and tells its name; then waits to be killed.
_HOLDER = """
import sys
from {module} import {backend}
sandbox = {backend}().start("python")
print(sandbox.info.name, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder() -> Callable[[str, str], list[str]]:
    """The argv of a process that holds a sandbox of a backend, until its stdin ends."""

    def argv(module: str, backend: str) -> list[str]:
        paths = os.pathsep.join(filter(None, sys.path))
        code = _HOLDER.format(module=module, backend=backend)
        return ["/usr/bin/env", f"PYTHONPATH={paths}", sys.executable, "-c", code]

    return argv


@pytest.fixture
def docker_backend(docker_engine: object) -> DockerBackend:
    return DockerBackend()
