"""cgroups: this machine's for real where root may make them, version 2 over plain folders."""

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from proctor_sandbox.cgroups import Cgroup, Hierarchies, reap
from proctor_sandbox.launch import Ceiling
from proctor_sandbox.limits import MIB
from proctor_sandbox.owner import Owner

_V1 = """\
30 20 0:1 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755
31 30 0:2 / {root}/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct
32 30 0:3 / {root}/memory rw - cgroup cgroup rw,memory
33 30 0:4 / {root}/pids rw - cgroup cgroup rw,pids
34 30 0:5 / {root}/unified rw - cgroup2 cgroup2 rw
"""
_V2 = "30 20 0:1 / {root} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root may make cgroups")


def found(tmp_path: Path, mountinfo: str) -> Hierarchies | None:
    path = tmp_path / "mountinfo"
    path.write_text(mountinfo.format(root=tmp_path))
    return Hierarchies.find(path)


@root_only
def test_version_1_is_found_by_its_controllers(tmp_path: Path) -> None:
    for name in ("cpu,cpuacct", "memory", "pids", "unified"):
        (tmp_path / name).mkdir()
    hierarchies = found(tmp_path, _V1)
    assert hierarchies is not None
    assert hierarchies.version == 1
    assert hierarchies.mounts["cpu"] == hierarchies.mounts["cpuacct"] == tmp_path / "cpu,cpuacct"


@root_only
def test_version_2_is_found_when_it_has_the_controllers(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    hierarchies = found(tmp_path, _V2)
    assert hierarchies is not None
    assert hierarchies.version == 2
    (tmp_path / "cgroup.controllers").write_text("hugetlb\n")
    assert found(tmp_path, _V2) is None


def test_no_cgroups_are_no_error(tmp_path: Path) -> None:
    assert found(tmp_path, "20 1 0:1 / / rw - ext4 /dev/vda rw\n") is None


@root_only
def test_a_version_2_cgroup_is_written_as_the_kernel_wants_it(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids")
    (tmp_path / "proctor").mkdir()
    (tmp_path / "proctor/cgroup.controllers").write_text("")
    hierarchies = found(tmp_path, _V2)
    assert hierarchies is not None
    ceiling = Ceiling(memory_bytes=64 * MIB, processes=10, cpus=1.5)
    cgroup = Cgroup.create(hierarchies, Owner.current(), ceiling)
    (door,) = cgroup.doors
    folder = door.parent
    assert folder.parent == tmp_path / "proctor"
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+memory +pids +cpu"
    assert (folder / "memory.max").read_text() == str(64 * MIB)
    assert (folder / "pids.max").read_text() == "10"
    assert (folder / "cpu.max").read_text() == "150000 100000"
    assert cgroup.binds == {folder: "/sys/fs/cgroup"}
    assert cgroup.meter == "cgroup2"
    (folder / "memory.events").write_text("low 0\noom 3\noom_kill 2\noom_group_kill 0\n")
    assert cgroup.oom_kills() == 2


@pytest.fixture
def hierarchies() -> Hierarchies:
    hierarchies = Hierarchies.find()
    if hierarchies is None:
        pytest.skip("this machine lets nobody here make cgroups")
    return hierarchies


@pytest.fixture
def cgroup(hierarchies: Hierarchies) -> Iterator[Cgroup]:
    ceiling = Ceiling(memory_bytes=64 * MIB, processes=20)
    cgroup = Cgroup.create(hierarchies, Owner.current(), ceiling)
    yield cgroup
    cgroup.remove()
    assert not any(door.parent.exists() for door in cgroup.doors)


def inside(cgroup: Cgroup, script: str) -> "subprocess.CompletedProcess[bytes]":
    enter = "; ".join(f"echo $$ > {door}" for door in cgroup.doors)
    argv = ["/bin/sh", "-c", f"{enter}; {script}"]
    return subprocess.run(argv, capture_output=True, check=False)


_EAT = "exec python3 -c 'x = []\nwhile True: x.append(bytearray(10**7))'"


def test_memory_is_limited_and_kills_are_counted(cgroup: Cgroup) -> None:
    assert inside(cgroup, _EAT).returncode == -9
    assert cgroup.oom_kills() == 1


def test_the_memory_limit_can_be_moved_up_and_down(cgroup: Cgroup) -> None:
    for size in (512 * MIB, 32 * MIB, 128 * MIB, 128 * MIB):
        cgroup.limit_memory(size)
    assert inside(cgroup, "true").returncode == 0


def test_processes_are_limited(cgroup: Cgroup) -> None:
    done = inside(cgroup, "for i in $(seq 50); do sleep 600 >&- 2>&- & done")
    assert b"fork" in done.stderr.lower()


def test_removing_kills_what_is_left(hierarchies: Hierarchies) -> None:
    cgroup = Cgroup.create(hierarchies, Owner.current(), Ceiling())
    enter = "; ".join(f"echo $$ > {door}" for door in cgroup.doors)
    with subprocess.Popen(["/bin/sh", "-c", f"{enter}; echo in; exec sleep 600"],
                          stdout=subprocess.PIPE) as left:  # fmt: skip
        assert left.stdout is not None
        left.stdout.readline()
        cgroup.remove()
        assert left.wait(10) == -9
    cgroup.remove()  # a second time does no harm


def test_what_a_dead_owner_left_is_reaped_and_the_living_left_alone(
    hierarchies: Hierarchies, cgroup: Cgroup
) -> None:
    with subprocess.Popen(["true"]) as ended:
        pass
    here = Owner.current().place
    Cgroup.create(hierarchies, Owner(here, ended.pid, 1), Ceiling())
    foreign = Cgroup.create(hierarchies, Owner("elsewhere", 1, 1), Ceiling())
    assert reap(hierarchies) == 1
    assert reap(hierarchies) == 0
    for kept in (cgroup, foreign):
        assert all(door.exists() for door in kept.doors)
    foreign.remove()


def test_workers_that_start_together_reap_the_same_remains(hierarchies: Hierarchies) -> None:
    with subprocess.Popen(["true"]) as ended:
        pass
    gone = Owner(Owner.current().place, ended.pid, 1)
    left = [Cgroup.create(hierarchies, gone, Ceiling()) for _ in range(50)]
    with ThreadPoolExecutor(8) as workers:
        list(workers.map(reap, [hierarchies] * 8))
    assert not any(door.parent.exists() for one in left for door in one.doors)
