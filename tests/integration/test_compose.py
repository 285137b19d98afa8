"""The compose stack for real: up, the demo from the host, down, nothing left."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import docker
import pytest

from proctor import Client
from proctor.types import Item, Problem, StdinTest
from proctor_server.up import free_port
from tests.conftest import missing

ROOT = Path(__file__).parents[2]
PROJECT = f"proctor-test-{os.getpid()}"
LABEL = f"com.docker.compose.project={PROJECT}"
pytestmark = pytest.mark.usefixtures("docker_engine")


def compose(*argv: str, port: int = 0, project: str = PROJECT) -> str:
    """Run compose, whichever is here: the plug-in (v2) or docker-compose (1.29 or v2)."""
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    if plugin.returncode == 0:
        command = ["docker", "compose"]
    elif shutil.which("docker-compose"):
        command = ["docker-compose"]
    else:
        missing("neither docker compose nor docker-compose is installed")
    done = subprocess.run(
        [*command, "--project-name", project, "--project-directory", str(ROOT), *argv],
        cwd=ROOT,
        env=os.environ | {"PROCTOR_PORT": str(port)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def containers(engine: docker.DockerClient, label: str) -> list[Any]:
    return list(engine.containers.list(all=True, filters={"label": label}))


def sandboxes(engine: docker.DockerClient) -> list[str]:
    """Names of the sandboxes of this stack's workers, whose owner labels hold their pid namespace.

    Other sandboxes come and go as other tests please.
    """
    workers = [c for c in containers(engine, LABEL) if c.status == "running"]
    homes = [os.readlink(f"/proc/{c.attrs['State']['Pid']}/ns/pid") for c in workers]
    inodes = [home.strip("pid:[]") for home in homes]
    return [
        container.name
        for container in containers(engine, "proctor.owner")
        if any(f".{inode}-" in container.labels["proctor.owner"] for inode in inodes)
    ]


def remove_stacks_of_dead_runs(engine: docker.DockerClient) -> None:
    """A test run that was killed could not bring its stack down, which restarts for ever."""
    for container in containers(engine, "com.docker.compose.project"):
        project = container.labels["com.docker.compose.project"]
        run = project.removeprefix("proctor-test-")
        if project != run and not Path(f"/proc/{run}").exists():
            compose("down", "--volumes", "--timeout", "5", project=project)


@pytest.fixture(scope="module")
def url(docker_engine: docker.DockerClient) -> Iterator[str]:
    if os.geteuid() != 0:
        missing("only root can see which sandboxes belong to the stack's workers")
    remove_stacks_of_dead_runs(docker_engine)
    port = free_port()
    try:
        compose("up", "--detach", port=port)
        yield f"http://127.0.0.1:{port}"
    finally:
        logs = compose("logs", "--no-color", "--tail", "40", port=port)
        used = sandboxes(docker_engine)
        compose("down", "--volumes", "--timeout", "60", port=port)
    sys.stderr.write(logs)  # shown only with a failure
    filters = {"label": LABEL}
    assert containers(docker_engine, LABEL) == []
    assert docker_engine.volumes.list(filters=filters) == []
    assert docker_engine.networks.list(filters=filters) == []
    # Each worker's sandboxes were there, and ended with it.
    assert len(used) >= 2
    left = {container.name for container in containers(docker_engine, "proctor.owner")}
    assert left.isdisjoint(used)


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[Client]:
    with closing(Client(url)) as client:
        yield client


def test_programs_earn_the_same_from_the_host(client: Client) -> None:
    problem = Problem(
        id="compose/sum",
        tests=[StdinTest(input="1 2\n", output="3\n"), StdinTest(input="2 2\n", output="4\n")],
    )
    client.put_problem(problem)
    programs = [
        ("python", "print(sum(map(int, input().split())))", 1.0),
        ("python", "print(3)", 0.5),
        ("python", "print(", 0.0),
        (
            "cpp",
            '#include <cstdio>\nint main(){int a,b;scanf("%d%d",&a,&b);printf("%d",a+b);}',
            1.0,
        ),
        ("c", '#include <stdio.h>\nint main(){int a,b;scanf("%d%d",&a,&b);printf("%d",a*b);}', 0.5),
    ]
    batch = client.submit(
        Item(problem_id=problem.id, language=language, source=source)
        for language, source, _ in programs
    )
    assert batch.rewards(timeout_s=120) == [reward for _, _, reward in programs]


def test_the_demo_runs_against_it(url: str, client: Client) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "proctor", "demo", "--url", url],
        env=os.environ | {"COLUMNS": "150"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_the_worker_has_the_engine_and_none_has_a_capability(
    client: Client, docker_engine: docker.DockerClient
) -> None:
    for container in docker_engine.containers.list(filters={"label": LABEL}):
        service = container.labels["com.docker.compose.service"]
        config = container.attrs["HostConfig"]
        sockets = [bind for bind in config["Binds"] or [] if "docker.sock" in bind]
        assert bool(sockets) == (service == "worker"), service
        assert config["CapDrop"] == ["ALL"]
        assert config["ReadonlyRootfs"]
        for ports in container.ports.values():
            for published in ports or []:
                assert (service, published["HostIp"]) == ("api", "127.0.0.1")
