"""Proctor's pytest plug-in: the fixture `proctor`, and task files as tests.

Every test run on the machine loads this, so nothing of Proctor is imported before it is needed.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_proctor.grader import Grader
    from pytest_proctor.task_items import TaskFile


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the server's address."""
    parser.getgroup("proctor").addoption(
        "--proctor-url",
        metavar="URL",
        help="The Proctor server; else PROCTOR_URL, else one is started for the run.",
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "TaskFile | None":
    """Collect task files."""
    if not file_path.name.endswith(".proctor.yaml"):
        return None
    from pytest_proctor.task_items import TaskFile

    found: TaskFile = TaskFile.from_parent(parent, path=file_path)
    return found


@pytest.fixture(scope="session")
def proctor(pytestconfig: pytest.Config) -> "Grader":
    """Grades programs on the server of this test run."""
    from pytest_proctor.grader import grader

    return grader(pytestconfig)
