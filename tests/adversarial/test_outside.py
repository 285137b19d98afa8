"""The look from outside sees what it is there to see: each kind of leftover, planted and found."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from proctor_sandbox.bubblewrap import BubblewrapBackend
from proctor_sandbox.seam import Sandbox
from tests.adversarial.outside import Outside

if os.geteuid() != 0:
    pytest.skip("only root can look into a sandbox from outside", allow_module_level=True)


@pytest.fixture(scope="module")
def sandbox(bubblewrap: str) -> Iterator[Sandbox]:
    sandbox = BubblewrapBackend().start("python")
    yield sandbox
    sandbox.close()


@pytest.fixture
def init(sandbox: Sandbox) -> int:
    return int(sandbox.info.name.rpartition("-")[2])


@pytest.fixture
def outside(init: int) -> Iterator[Outside]:
    outside = Outside(init)
    assert outside.left() == []
    yield outside
    assert outside.left() == []


def _enter(init: int, *namespaces_and_command: str) -> None:
    command = ["nsenter", "--target", str(init), *namespaces_and_command]
    subprocess.run(command, check=True, capture_output=True)


@contextmanager
def _process(init: int, *command: str) -> Iterator[None]:
    entered = ["nsenter", "--target", str(init), "--pid", "--", *command]
    with subprocess.Popen(entered, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield
        process.communicate()


def test_a_process(init: int, outside: Outside) -> None:
    with _process(init, "sh", "-c", "echo there; read _"):
        assert any("process" in each for each in outside.left())


@pytest.mark.parametrize("place", ["tmp", "dev/shm", "box/w", "box/src", "box/in"])
def test_a_file(init: int, outside: Outside, place: str) -> None:
    path = Path(f"/proc/{init}/root/{place}/.left")
    path.touch()
    try:
        assert f"file: /{place}/.left" in outside.left()
    finally:
        path.unlink()


def test_a_file_without_a_name(init: int, outside: Outside) -> None:
    path = Path(f"/proc/{init}/root/tmp/left")
    with path.open("w"):
        path.unlink()
        assert outside.left() == ["2 inodes in /tmp, not 1"]


@pytest.mark.parametrize("kind", ["--queue", "--shmem=4096", "--semaphore=1"])
def test_a_system_v_object(init: int, outside: Outside, kind: str) -> None:
    _enter(init, "--ipc", "ipcmk", kind)
    try:
        assert [each.partition(":")[0] for each in outside.left()] == ["IPC object"]
    finally:
        _enter(init, "--ipc", "ipcrm", "--all")


def test_a_posix_queue(init: int, outside: Outside) -> None:
    mounted = "mount -t mqueue mqueue /mnt && "
    inside = ("--ipc", "unshare", "--mount", "sh", "-c")
    _enter(init, *inside, mounted + "touch /mnt/left")
    try:
        assert outside.left() == ["IPC object: left"]
    finally:
        _enter(init, *inside, mounted + "rm /mnt/left")


def test_a_mount(init: int, outside: Outside) -> None:
    _enter(init, "--mount", "mount", "-t", "tmpfs", "none", "/tmp")
    try:
        assert any(each.startswith("mount:") for each in outside.left())
    finally:
        _enter(init, "--mount", "umount", "/tmp")


def test_an_agent_that_has_grown(
    init: int, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.adversarial.outside._GROWTH_BYTES", -1)
    assert any("has grown to" in each for each in outside.left())
    monkeypatch.undo()


# Seen to be dead by its parent, which leaves it as it is and ends.
_LEAVES_A_ZOMBIE = """
import os
if (child := os.fork()) == 0:
    os._exit(0)
os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
print("there", flush=True)
"""


def test_a_zombie(init: int) -> None:
    outside = Outside(init)
    with _process(init, sys.executable, "-I", "-S", "-c", _LEAVES_A_ZOMBIE):
        pass
    # It has come to the agent, which is no reaper: it stays until the sandbox ends.
    assert outside.left() == ["5 processes, not 4"]
