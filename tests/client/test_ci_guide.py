"""docs/ci.md: its examples are what forges and the command line take."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from proctor.cli import cli
from proctor.harness import task_file
from tests.conftest import ROOT

GUIDE = (ROOT / "docs" / "ci.md").read_text()
PIPELINES = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)^```", GUIDE, re.S | re.M)]


def scripts(value: Any) -> Iterator[str]:
    """Every line of shell in a pipeline."""
    match value:
        case dict():
            for key, inner in value.items():
                if key in ("run", "script", "before_script"):
                    lines = inner if isinstance(inner, list) else inner.splitlines()
                    yield from (line for line in lines if not line.startswith("#"))
                else:
                    yield from scripts(inner)
        case list():
            for inner in value:
                yield from scripts(inner)


def commands() -> list[list[str]]:
    """The commands `proctor ...` of the whole guide, each as words."""
    indented = re.sub(
        r" \\\n +", " ", "\n".join(re.findall(r"^    (proctor .*|  +--.*)$", GUIDE, re.M))
    )
    lines = [*indented.splitlines(), *scripts(PIPELINES)]
    return [words[1:] for line in lines if (words := shlex.split(line))[0] == "proctor"]


def test_the_examples_are_pipelines_of_both_forges() -> None:
    task, github, gitlab = PIPELINES
    assert set(task) == {"problem", "candidates"}
    steps = github["jobs"]["eval"]["steps"]
    assert all(("uses" in step) != ("run" in step) for step in steps)
    assert github[True] == ["push"]  # so YAML 1.1 reads `on`
    assert set(gitlab["eval"]) == {"image", "before_script", "script", "artifacts"}
    for pipeline in (github, gitlab):
        lines = list(scripts(pipeline))
        assert any("apt-get install --yes bubblewrap" in line for line in lines)
        assert any(line.startswith("pip install 'proctor[server,report,pytest]'") for line in lines)


def test_the_task_file_of_the_guide_is_one(tmp_path: Path) -> None:
    (tmp_path / "sum.cpp").write_text("int main() {}")
    (tmp_path / "include").mkdir()
    (tmp_path / "t.proctor.yaml").write_text(yaml.safe_dump(PIPELINES[0]))
    assert len(task_file.read(tmp_path / "t.proctor.yaml")) == 4


def test_every_command_has_options_that_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "main.json").touch()
    found = commands()
    assert len(found) == 5
    for name, *args in found:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        command.make_context(name, args)  # raises a usage error for what is not there


def test_reports_go_where_the_pipelines_look_for_them() -> None:
    for pipeline in PIPELINES[1:]:
        text = yaml.safe_dump(pipeline)
        used = set(re.findall(r"out/[a-z]+\.\w+", text))
        written = {
            path for line in scripts(pipeline) for path in re.findall(r"--report (\S+)", line)
        }
        assert used == written
