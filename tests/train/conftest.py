"""Tests of training run in .venv-train; where there is no torch they are missing a service."""

from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import pytest

from tests.conftest import missing


class _WithoutTorch(pytest.Module):
    """A module of tests that is not imported, since what it imports is not there."""

    def collect(self) -> NoReturn:
        missing("no torch here; scripts/venv train, then .venv-train/bin/python -m pytest")


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Module | None:
    if find_spec("torch") is not None:
        return None
    module: pytest.Module = _WithoutTorch.from_parent(parent, path=module_path)
    return module
