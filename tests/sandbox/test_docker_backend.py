"""What is Docker's own; what every backend owes is in tests/contract."""

import io
import json
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import docker
import pytest
from docker.errors import NotFound

from proctor_sandbox import docker_backend as module
from proctor_sandbox.docker_backend import (
    AGENT_LABEL,
    IMAGES,
    OWNER_LABEL,
    VERSIONS_LABEL,
    DockerBackend,
    DockerOptions,
)
from proctor_sandbox.errors import SandboxLost, SandboxUnavailable
from proctor_sandbox.languages import RUNNABLE
from proctor_sandbox.launch import agent_hash
from proctor_sandbox.limits import MIB, Limits
from proctor_sandbox.owner import Owner
from proctor_sandbox.programs import Program, StdinCase, Work
from proctor_sandbox.seam import Sandbox


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.02)


@pytest.fixture
def sandbox(docker_backend: DockerBackend) -> Iterator[Sandbox]:
    sandbox = docker_backend.start("python")
    yield sandbox
    sandbox.close()


@pytest.fixture
def config(docker_engine: docker.DockerClient, sandbox: Sandbox) -> dict[str, Any]:
    attrs: dict[str, Any] = docker_engine.containers.get(sandbox.info.name).attrs
    return attrs


def test_containers_are_started_with_every_flag(config: dict[str, Any]) -> None:
    host = config["HostConfig"]
    assert host["NetworkMode"] == "none"
    assert host["ReadonlyRootfs"] is True
    assert host["Privileged"] is False
    assert host["CapDrop"] == ["ALL"]
    assert sorted(cap.removeprefix("CAP_") for cap in host["CapAdd"]) == [
        "KILL",
        "SETGID",
        "SETUID",
    ]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    (seccomp,) = [o for o in host["SecurityOpt"] if o.startswith("seccomp=")]
    assert json.loads(seccomp.removeprefix("seccomp="))["defaultAction"] == "SCMP_ACT_ERRNO"
    assert host["PidsLimit"] == 256
    assert host["Memory"] == host["MemorySwap"] == 1024 * MIB
    assert host["NanoCpus"] > 0
    assert host["IpcMode"] == "none"
    assert host["CgroupnsMode"] == "private"
    assert host["LogConfig"]["Type"] == "none"
    assert host["AutoRemove"] is False
    assert not host["Binds"]
    assert host["OomScoreAdj"] > 0
    assert set(host["Tmpfs"]) == {"/box", "/tmp", "/dev/shm", "/dev/mqueue"}
    for options in host["Tmpfs"].values():
        assert {"nosuid", "nodev"} <= set(options.split(","))
        assert "size=" in options
        assert "nr_inodes=" in options
    assert {limit["Name"]: limit["Hard"] for limit in host["Ulimits"]}["core"] == 0
    assert config["Config"]["Tty"] is False
    assert config["Config"]["StdinOnce"] is True
    assert config["Config"]["Labels"][OWNER_LABEL] == str(Owner.current())
    assert not config["Mounts"] or all(mount["Type"] == "tmpfs" for mount in config["Mounts"])


def test_closing_removes_the_container(
    docker_engine: docker.DockerClient, docker_backend: DockerBackend
) -> None:
    sandbox = docker_backend.start("python")
    name = sandbox.info.name
    assert docker_engine.containers.get(name).status == "running"
    sandbox.close()
    with pytest.raises(NotFound):
        docker_engine.containers.get(name)


def test_a_killed_container_is_told_with_its_evidence(
    docker_engine: docker.DockerClient, sandbox: Sandbox
) -> None:
    docker_engine.containers.get(sandbox.info.name).kill()
    with pytest.raises(SandboxLost, match="exit code 137"):
        list(sandbox.execute([Work(Program("python", "pass"), (StdinCase(b""),))]))


def test_the_memory_limit_follows_the_program(
    docker_engine: docker.DockerClient, sandbox: Sandbox
) -> None:
    for size in (64 * MIB, 700 * MIB):
        work = Work(Program("python", "pass"), (StdinCase(b""),), Limits(memory_bytes=size))
        list(sandbox.execute([work]))
        host = docker_engine.containers.get(sandbox.info.name).attrs["HostConfig"]
        assert size <= host["Memory"] <= size + 128 * MIB
        assert host["Memory"] == host["MemorySwap"]


def test_an_image_that_is_not_there_is_told_with_its_remedy(docker_engine: object) -> None:
    backend = DockerBackend(DockerOptions(images={"python": "proctor-no-such-image"}))
    with pytest.raises(SandboxUnavailable, match=r"does not exist.*make images"):
        backend.start("python")
    with pytest.raises(SandboxUnavailable, match="no Docker image is configured"):
        backend.start("native")
    assert set(backend.languages()) == {"python"}


def test_a_language_without_an_image_is_not_there(docker_engine: docker.DockerClient) -> None:
    images = {"python": "proctor-python", "jvm": "proctor-no-such-image"}
    backend = DockerBackend(DockerOptions(images=images))
    assert set(backend.languages()) == {"python"}
    with pytest.raises(SandboxUnavailable, match=r"does not exist.*make images"):
        backend.start("jvm")


@pytest.mark.parametrize(
    ("labels", "there"),
    [
        ({VERSIONS_LABEL: '{"c": "12.2.0"}'}, {"python", "c"}),
        ({}, {"python", *(one.name for one in RUNNABLE.values() if one.image == "native")}),
    ],
    ids=["an image says which", "an image of one's own says nothing"],
)
def test_an_image_has_the_languages_that_it_says(
    docker_engine: docker.DockerClient, labels: dict[str, str], there: set[str]
) -> None:
    tag = "proctor-test-labelled"
    lines = ["FROM scratch", "COPY nothing /", *(f"LABEL {k}='{v}'" for k, v in labels.items())]
    docker_engine.images.build(
        fileobj=_context("\n".join(lines)), custom_context=True, tag=tag, rm=True
    )
    try:
        backend = DockerBackend(DockerOptions(images={"native": tag}))
        assert set(backend.languages()) == there
        assert backend.versions() == ({"c": "12.2.0"} if labels else {})
    finally:
        docker_engine.images.remove(tag, force=True)


def _context(dockerfile: str) -> io.BytesIO:
    """A folder to build from: a Dockerfile, and a file of no content."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, data in (("Dockerfile", dockerfile.encode()), ("nothing", b"")):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    packed.seek(0)
    return packed


def test_an_image_with_another_agent_is_refused(
    docker_engine: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "agent_hash", lambda: "another")
    with pytest.raises(SandboxUnavailable, match=r"another version of the agent.*make images"):
        DockerBackend().start("python")


def test_an_image_stays_in_use_when_its_tag_moves(docker_engine: docker.DockerClient) -> None:
    tag = "proctor-test-moving"
    docker_engine.images.get("proctor-python").tag(tag)
    backend = DockerBackend(DockerOptions(images={"python": tag}))
    try:
        backend.start("python").close()
        docker_engine.images.get("proctor-redis").tag(tag)
        backend.start("python").close()
    finally:
        docker_engine.images.remove(tag)


def test_the_images_hold_this_agent(docker_engine: docker.DockerClient) -> None:
    for name in IMAGES.values():
        assert docker_engine.images.get(name).labels[AGENT_LABEL] == agent_hash()


def test_an_unknown_runtime_is_told_in_the_engines_words(docker_engine: object) -> None:
    backend = DockerBackend(DockerOptions(runtime="no-such-runtime"))
    with pytest.raises(SandboxUnavailable, match="no-such-runtime"):
        backend.start("python")


def test_an_engine_that_does_not_answer_is_told_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Not a missing unix socket: docker leaves the one it tried with open, which is a warning.
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with pytest.raises(SandboxUnavailable, match="proctor doctor"):
        DockerBackend()


def test_a_dead_owners_container_is_reaped_and_a_living_ones_left(
    docker_engine: docker.DockerClient,
    docker_backend: DockerBackend,
    sandbox: Sandbox,
    holder: Callable[[str, str], list[str]],
) -> None:
    argv = holder("proctor_sandbox.docker_backend", "DockerBackend")
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        name = owner.stdout.readline().decode().strip()
        docker_backend.reap()
        assert docker_engine.containers.get(name).status == "running"
        owner.kill()
    assert docker_backend.reap() == 1
    with pytest.raises(NotFound):
        docker_engine.containers.get(name)
    assert docker_engine.containers.get(sandbox.info.name).status == "running"


def test_a_container_ends_by_itself_when_its_owner_dies(
    docker_engine: docker.DockerClient,
    docker_backend: DockerBackend,
    holder: Callable[[str, str], list[str]],
) -> None:
    argv = holder("proctor_sandbox.docker_backend", "DockerBackend")
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        name = owner.stdout.readline().decode().strip()
        owner.kill()
    until(lambda: docker_engine.containers.get(name).status == "exited")
    docker_backend.reap()


def test_a_foreign_owners_container_is_reaped_once_it_has_long_stopped(
    docker_engine: docker.DockerClient,
    docker_backend: DockerBackend,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    foreign = docker_engine.containers.create(
        "proctor-python",
        ["python3", "-c", "pass"],
        labels={OWNER_LABEL: "elsewhere-1-1"},
        network_mode="none",
    )
    try:
        foreign.start()
        foreign.wait()
        docker_backend.reap()
        foreign.reload()  # stopped a moment ago: somebody may still want to know why
        monkeypatch.setattr(module, "_ABANDONED_AFTER_S", -1.0)
        docker_backend.reap()
        with pytest.raises(NotFound):
            foreign.reload()
    finally:
        with pytest.raises(NotFound):
            foreign.remove(force=True)
