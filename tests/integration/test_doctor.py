"""`proctor doctor` on this machine, and on one where things are missing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from proctor_server.doctor import doctor
from proctor_server.findings import State
from proctor_server.machine import findings
from tests.conftest import redis_address

THINGS = [
    "Python",
    "cores",
    "memory",
    "cgroups",
    "seccomp",
    "user namespaces",
    "bubblewrap",
    "Docker engine",
    "compilers",
    "Redis",
]


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    # Not a unix socket: the docker package leaks one to which it cannot connect.
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")


def test_every_thing_has_one_line() -> None:
    names = [finding.name for finding in findings(redis_url=None)]
    assert [name for name in names if name in THINGS] == THINGS
    assert len(set(names)) == len(names)


def test_a_working_sandbox_is_proved_by_a_program(bubblewrap: str) -> None:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(doctor)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    (line,) = [line for line in lines if "bubblewrap sandbox" in line]
    assert "works: started in" in line
    assert lines[-1].startswith("Ready: proctor up would use ")


@pytest.mark.usefixtures("nothing_installed")
def test_without_any_sandbox_it_fails_and_says_what_to_do() -> None:
    # A process of its own, in which nothing that other tests found is remembered.
    done = subprocess.run(
        [sys.executable, "-c", "from proctor_server.doctor import doctor; doctor()"],
        env=os.environ | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    for words in (
        "to do: apt-get install bubblewrap",
        "to do: install docker.io and start it",
        "No kind of sandbox works here",
    ):
        assert words in done.stdout


@pytest.mark.usefixtures("nothing_installed")
def test_what_is_missing_is_never_ok_and_has_a_remedy() -> None:
    found = {finding.name: finding for finding in findings(redis_url=None)}
    for name in ("bubblewrap", "Docker engine", "compilers"):
        assert found[name].state is State.NOTE
        assert found[name].remedy


def test_a_redis_that_is_named_is_asked(redis_url: str, tmp_path: Path) -> None:
    there = {finding.name: finding for finding in findings(redis_url)}["PROCTOR_REDIS_URL"]
    # The tests' own Redis keeps nothing on disk, which it must say.
    assert (there.state, there.remedy) == (
        State.NOTE,
        "set appendonly yes, or work can be lost",
    )
    gone = {f.name: f for f in findings(f"unix://{tmp_path}/none.sock")}["PROCTOR_REDIS_URL"]
    assert gone.state is State.MISSING
    assert "proctor up brings one of its own" in gone.remedy


def test_a_redis_that_shows_a_user_nothing_of_itself_answers(
    redis_url: str, redis_secrets: Path
) -> None:
    url, password = redis_address(redis_url, "api"), (redis_secrets / "redis-api").read_text()
    found = {f.name: f for f in findings(url, password)}["PROCTOR_REDIS_URL"]
    assert (found.state, found.remedy) == (State.OK, "")
    wrong = {f.name: f for f in findings(url, "guessed")}["PROCTOR_REDIS_URL"]
    assert wrong.state is State.MISSING


def test_cores_are_those_of_this_process() -> None:
    usable = len(os.sched_getaffinity(0))
    (cores,) = [finding for finding in findings(None) if finding.name == "cores"]
    assert cores.found.startswith(str(usable))
