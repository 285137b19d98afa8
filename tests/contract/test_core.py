"""Sandboxes that are kept on one core."""

import os
from collections.abc import Callable

import pytest

from proctor_sandbox.bubblewrap import BubblewrapBackend
from proctor_sandbox.docker_backend import DockerBackend, DockerOptions
from proctor_sandbox.launch import Ceiling
from proctor_sandbox.programs import Program, StdinCase, Work
from proctor_sandbox.seam import Backend

SOURCE = "import os; print(sorted(os.sched_getaffinity(0)))"


@pytest.mark.parametrize(
    ("service", "open_backend"),
    [
        ("docker_engine", lambda ceiling: DockerBackend(DockerOptions(ceiling=ceiling))),
        ("bubblewrap", BubblewrapBackend),
    ],
    ids=["docker", "bubblewrap"],
)
def test_a_sandbox_is_kept_on_its_core(
    service: str, open_backend: Callable[[Ceiling], Backend], request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(service)
    core = max(os.sched_getaffinity(0))
    sandbox = open_backend(Ceiling(core=core)).start("python")
    try:
        (report,) = sandbox.execute([Work(Program("python", SOURCE), [StdinCase(b"")])])
    finally:
        sandbox.close()
    assert report.runs[0].stdout == f"[{core}]\n".encode()
