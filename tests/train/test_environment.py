import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).parents[2] / "requirements"


def pinned(*files: str) -> dict[str, str]:
    """The versions that these files of requirements pin, by package."""
    lines = "\n".join((REQUIREMENTS / file).read_text() for file in files)
    return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", lines, re.MULTILINE))


def output_of(code: str) -> str:
    """What `code` prints in an interpreter of its own, its imports' warnings unheard."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


@pytest.mark.parametrize("module", ["proctor", "proctor.rewards"])
def test_who_only_asks_for_rewards_loads_no_torch(module: str) -> None:
    loaded = output_of(f"import sys, {module}; print(*sys.modules)").split()
    assert module in loaded
    assert "torch" not in loaded


@pytest.mark.parametrize(
    ("package", "part"),
    [("torch", "nn"), ("transformers", "PreTrainedModel"), ("trl", "GRPOTrainer")]
    + [("verl", "DataProto")] * (sys.version_info < (3, 13)),
)
def test_the_frameworks_are_those_pinned(package: str, part: str) -> None:
    code = f"import {package}; from {package} import {part}; print({package}.__version__)"
    version = output_of(code).split()[-1].partition("+")[0]  # what follows names the build
    assert version == pinned("torch.txt", "train.txt")[package]


def test_torch_is_pinned_in_its_own_file_alone() -> None:
    assert set(pinned("torch.txt")) == {"torch"}
    others = pinned("train.txt", "dev.txt", "server.txt", "build.txt")
    assert [name for name in others if re.match(r"(torch|triton|(cuda|nvidia)-.*)$", name)] == []


def test_what_both_environments_have_is_the_same() -> None:
    here, there = pinned("train.txt"), pinned("dev.txt")
    shared = here.keys() & there.keys()
    assert {"pytest", "redis", "pydantic"} <= shared
    assert {name: here[name] for name in shared} == {name: there[name] for name in shared}
