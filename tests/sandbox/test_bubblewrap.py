"""What is bubblewrap's own; what every backend owes is in tests/contract."""

import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from proctor_sandbox.bubblewrap import BubblewrapBackend
from proctor_sandbox.cgroups import Cgroup, Hierarchies
from proctor_sandbox.errors import LanguageUnavailable, SandboxLost, SandboxUnavailable
from proctor_sandbox.owner import Owner
from proctor_sandbox.programs import Program, StdinCase, Work
from proctor_sandbox.seam import Sandbox

HELLO = Work(Program("python", "print('hello')"), (StdinCase(b""),))


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.02)


@pytest.fixture
def backend(bubblewrap: str) -> BubblewrapBackend:
    return BubblewrapBackend()


def pid(sandbox: Sandbox) -> int:
    return int(sandbox.info.name.rpartition("-")[2])


def alive(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


def cgroups(owner: Owner | None = None) -> set[Path]:
    """The cgroups of an owner, by default of this process."""
    found = Hierarchies.find()
    mounts = set(found.mounts.values()) if found else set()
    name = f"{owner or Owner.current()}~*"
    return {path for mount in mounts for path in mount.glob(f"proctor/{name}")}


def test_a_sandbox_outlives_the_thread_that_started_it(backend: BubblewrapBackend) -> None:
    started: list[Sandbox] = []
    thread = threading.Thread(target=lambda: started.append(backend.start("python")))
    thread.start()
    thread.join()
    (report,) = started[0].execute([HELLO])
    assert report.runs[0].stdout == b"hello\n"
    started[0].close()


def test_closing_leaves_no_process_and_no_cgroup(backend: BubblewrapBackend) -> None:
    before = cgroups()  # of pools that other tests of this session keep
    sandbox = backend.start("python")
    assert bool(cgroups() - before) is (sandbox.info.memory_meter != "watch")
    list(sandbox.execute([HELLO]))
    sandbox.close()
    assert not alive(pid(sandbox))
    assert cgroups() <= before


def test_closing_ends_a_program_that_runs(backend: BubblewrapBackend) -> None:
    sandbox = backend.start("python")
    forever = Work(Program("python", "import time; print('in', flush=True); time.sleep(600)"),
                   (StdinCase(b""),))  # fmt: skip
    reports = sandbox.execute([HELLO, forever])
    next(reports)
    begin = time.monotonic()
    sandbox.close()
    assert time.monotonic() - begin < 5
    assert not alive(pid(sandbox))
    with pytest.raises(SandboxLost, match="closed"):
        next(reports)


def test_a_killed_sandbox_is_told_with_its_evidence(backend: BubblewrapBackend) -> None:
    sandbox = backend.start("python")
    os.kill(pid(sandbox), 9)
    with pytest.raises(SandboxLost, match="status 137"):
        list(sandbox.execute([HELLO]))
    sandbox.close()


def test_a_sandbox_ends_when_its_owner_dies(
    backend: BubblewrapBackend, holder: Callable[[str, str], list[str]]
) -> None:
    argv = holder("proctor_sandbox.bubblewrap", "BubblewrapBackend")
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        name = owner.stdout.readline().decode()
        process = int(name.rpartition("-")[2])
        assert alive(process)
        started = int(Path(f"/proc/{owner.pid}/stat").read_text().rpartition(")")[2].split()[19])
        itself = Owner(Owner.current().place, owner.pid, started)
        assert bool(cgroups(itself)) is (os.geteuid() == 0 and Hierarchies.find() is not None)
        owner.kill()
    until(lambda: not alive(process))
    backend.reap()
    assert cgroups(itself) == set()


def test_a_missing_bubblewrap_is_told_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxUnavailable, match="apt-get install bubblewrap"):
        BubblewrapBackend()


def test_a_version_without_bounded_tmpfs_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old = tmp_path / "bwrap"
    old.write_text("#!/bin/sh\necho bubblewrap 0.6.1\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(SandboxUnavailable, match=r"0\.6\.1 is too old; 0\.7\.0"):
        BubblewrapBackend()


def test_a_bubblewrap_that_is_not_let_says_so(
    bubblewrap: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    refused = tmp_path / "bwrap"
    refused.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && { echo bubblewrap 0.8.0; exit; }\n'
        "echo 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n"
    )
    refused.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    before = cgroups()
    with pytest.raises(SandboxUnavailable, match=r"Permission denied.*does not let ordinary"):
        BubblewrapBackend().start("python")
    assert cgroups() <= before


def test_without_a_compiler_there_is_python_alone(
    backend: BubblewrapBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _name, path=None: None)
    assert set(backend.languages()) == {"python"}
    with pytest.raises(LanguageUnavailable, match="no compiler for native"):
        backend.start("native")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes cgroups")
def test_root_without_cgroups_watches_memory_instead(
    backend: BubblewrapBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object) -> None:
        raise PermissionError("read-only file system")

    monkeypatch.setattr(Cgroup, "create", refuse)
    sandbox = backend.start("python")
    assert sandbox.info.memory_meter == "watch"
    assert next(iter(sandbox.execute([HELLO]))).runs[0].stdout == b"hello\n"
    sandbox.close()
    assert not alive(pid(sandbox))
