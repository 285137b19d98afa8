"""Tests of training run in .venv-train; where there is no torch they are missing a service."""

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import pytest

from proctor import Client
from tests.conftest import missing
from tests.integration.test_up import running

# Read when huggingface_hub is imported: whatever a test lacks, it is not to be downloaded.
os.environ["HF_HUB_OFFLINE"] = "1"
# Read when torch is: its threads spin while they wait for one that other tests keep from a core.
os.environ["OMP_NUM_THREADS"] = "1"


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


@pytest.fixture(scope="session")
def tiny_url(bubblewrap: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a `proctor up` that has the problems of `tests.train.tiny`."""
    from tests.train import tiny  # needs torch, and this file is read where there is none

    with running(tmp_path_factory.mktemp("state")) as up:
        with Client(up.url) as client:
            client.import_problems(tiny.PROBLEMS)
        yield up.url
