import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from proctor_sandbox.distributions import PROGRAM_DISTRIBUTIONS, importable

ROOT = Path(__file__).parents[2]


def test_the_extra_and_the_image_hold_the_same_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert sorted(project["optional-dependencies"]["programs"]) == list(PROGRAM_DISTRIBUTIONS)
    pinned = (ROOT / "images/python-requirements.txt").read_text().splitlines()
    names = {line.partition("==")[0] for line in pinned if "==" in line}
    assert set(PROGRAM_DISTRIBUTIONS) <= names
    assert "://" not in "\n".join(pinned)
    # The same versions as under bubblewrap, so that a program does the same in both.
    elsewhere = (ROOT / "requirements/dev.txt").read_text()
    assert [line for line in pinned if "==" in line and line.split()[0] not in elsewhere] == []


def test_the_entries_are_enough_to_import_from(tmp_path: Path) -> None:
    entries = importable()
    if "numpy" not in entries:
        pytest.skip("the extra 'programs' is not installed")
    for name, path in entries.items():
        (tmp_path / name).symlink_to(path)
    code = "import sys; sys.path.append(sys.argv[1]); import " + ", ".join(PROGRAM_DISTRIBUTIONS)
    subprocess.run([sys.executable, "-I", "-S", "-c", code, str(tmp_path)], check=True)


def test_nothing_but_what_was_asked_for_is_there() -> None:
    entries = importable(("sympy",))
    assert {"sympy", "mpmath"} <= set(entries)
    assert not {"numpy", "docker", "rq", "pytest", "__pycache__", ".."} & set(entries)


def test_what_is_not_installed_is_left_out() -> None:
    assert importable(("no-such-distribution-at-all",)) == {}
