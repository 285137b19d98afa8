"""What an agent makes of its cgroup's files, of both versions."""

from collections.abc import Callable
from pathlib import Path

import pytest

from proctor_sandbox.agent import meter
from proctor_sandbox.limits import MIB

# anon and shmem are what programs hold; a file's page is given up as soon as somebody needs it.
_STATISTICS = f"anon {40 * MIB}\nshmem {MIB}\ninactive_file {6 * MIB}\nactive_file {10 * MIB}\n"


@pytest.fixture
def cgroup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(meter, "_ROOT", str(tmp_path))
    return tmp_path


def _v1(folder: Path, usage_bytes: int) -> None:
    (folder / "memory").mkdir()
    (folder / "cpuacct").mkdir()
    (folder / "memory/memory.oom_control").write_text("oom_kill_disable 0\noom_kill 3\n")
    (folder / "memory/memory.usage_in_bytes").write_text(f"{usage_bytes}\n")
    (folder / "memory/memory.stat").write_text(_STATISTICS)
    (folder / "cpuacct/cpuacct.usage").write_text("1500000000\n")


def _v2(folder: Path, usage_bytes: int) -> None:
    (folder / "memory.events").write_text("oom 4\noom_kill 3\n")
    (folder / "memory.current").write_text(f"{usage_bytes}\n")
    (folder / "memory.stat").write_text(_STATISTICS)
    (folder / "cpu.stat").write_text("usage_usec 1500000\n")


@pytest.mark.parametrize(("name", "write"), [("cgroup1", _v1), ("cgroup2", _v2)])
def test_pages_of_files_are_no_memory_that_is_used(
    cgroup: Path, name: str, write: Callable[[Path, int], None]
) -> None:
    write(cgroup, 60 * MIB)
    found = meter.find(set)
    assert found.name == name
    assert found.memory_bytes() == 44 * MIB
    assert found.oom_kills() == 3
    assert found.cpu_s() == 1.5


def test_an_old_kernel_counts_no_pages_that_are_read_again(cgroup: Path) -> None:
    _v2(cgroup, 60 * MIB)
    assert meter.find(set).refault_bytes() == 0
    with (cgroup / "memory.stat").open("a") as statistics:
        statistics.write("workingset_refault_file 256\n")
    assert meter.find(set).refault_bytes() == MIB


def test_statistics_that_are_behind_the_count_give_no_memory_below_nothing(cgroup: Path) -> None:
    _v2(cgroup, usage_bytes=MIB)
    assert meter.find(set).memory_bytes() == 0


def test_without_a_cgroup_processes_are_watched(cgroup: Path) -> None:
    assert meter.find(set).watches
