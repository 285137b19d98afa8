"""The compose stack for real: up, what each service may do, the demo, down, nothing left."""

import json
import os
import shutil
import stat
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
# The plug-in (v2), and what Debian 12 has (1.29); on later systems both are v2.
KINDS = ("docker compose", "docker-compose")
LABEL = f"com.docker.compose.project={PROJECT}"
pytestmark = pytest.mark.usefixtures("docker_engine")


def compose(command: str, *argv: str, port: int = 0, project: str = PROJECT) -> str:
    """Run one of the two kinds of compose; what it prints."""
    done = subprocess.run(
        [*command.split(), "--project-name", project, "--project-directory", str(ROOT), *argv],
        cwd=ROOT,
        env=os.environ | {"PROCTOR_PORT": str(port)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def is_there(command: str) -> bool:
    """Whether this kind of compose is installed."""
    if shutil.which(command.split()[0]) is None:
        return False
    return subprocess.run([*command.split(), "version"], capture_output=True).returncode == 0


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


def remove_stacks_of_dead_runs(engine: docker.DockerClient, command: str) -> None:
    """A test run that was killed could not bring its stack down, which restarts for ever."""
    for container in containers(engine, "com.docker.compose.project"):
        project = container.labels["com.docker.compose.project"]
        run = project.removeprefix("proctor-test-")
        if project != run and not Path(f"/proc/{run}").exists():
            compose(command, "down", "--volumes", "--timeout", "5", project=project)


@pytest.fixture(scope="module", params=KINDS)
def url(docker_engine: docker.DockerClient, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a stack that one kind of compose started; afterwards nothing of it is left."""
    command: str = request.param
    if os.geteuid() != 0:
        missing("only root can see which sandboxes belong to the stack's workers")
    if not is_there(command):
        missing(f"{command} is not installed")
    remove_stacks_of_dead_runs(docker_engine, command)
    for script in ("secrets", "socket-group"):
        subprocess.run([ROOT / "scripts" / script], check=True)
    port = free_port()
    try:
        compose(command, "up", "--detach", "--no-build", port=port)
        yield f"http://127.0.0.1:{port}"
    finally:
        logs = compose(command, "logs", "--no-color", "--tail", "40", port=port)
        used = sandboxes(docker_engine)
        compose(command, "down", "--volumes", "--timeout", "60", port=port)
    sys.stderr.write(logs)  # shown only with a failure
    assert not [secret for secret in passwords() if secret in logs]
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


@pytest.fixture
def services(url: str, docker_engine: docker.DockerClient) -> dict[str, Any]:
    """One container of each service."""
    found = containers(docker_engine, LABEL)
    return {container.labels["com.docker.compose.service"]: container for container in found}


def passwords() -> list[str]:
    """What must not be seen anywhere but in the files that hold it."""
    folder = ROOT / ".secrets"
    return [(folder / name).read_text() for name in ("redis-api", "redis-worker")]


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


@pytest.mark.parametrize("url", KINDS[:1], indirect=True)  # compose's kind makes no difference
def test_the_demo_runs_against_it(url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "proctor", "demo", "--url", url],
        env=os.environ | {"COLUMNS": "150"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_service_is_root_or_can_become_it(services: dict[str, Any]) -> None:
    assert sorted(services) == ["api", "redis", "worker"]
    for name, container in services.items():
        # Of the processes themselves, which is what counts.
        pids = [int(line[1]) for line in container.top(ps_args="-eo user,pid")["Processes"]]
        assert pids
        for pid in pids:
            status = process_status(pid)
            assert "0" not in status["Uid"].split(), name
            assert "0" not in status["Gid"].split(), name
            for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                assert int(status[kind], 16) == 0, (name, kind)
            assert status["NoNewPrivs"] == "1", name
            assert status["Seccomp"] == "2", name
            root = (
                line.split() for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
            )
            assert [each[5].split(",")[0] for each in root if each[4] == "/"] == ["ro"], name
        # Even as root, whom nobody here is. The engine loses the words of so short a command.
        assert container.exec_run(["touch", "/new"], user="0").exit_code == 1, name


def process_status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def test_every_service_has_limits_and_only_the_worker_the_engine(services: dict[str, Any]) -> None:
    for name, container in services.items():
        config = container.attrs["HostConfig"]
        assert config["Memory"] > 0, name
        assert 0 < config["PidsLimit"] <= 128, name
        assert not config["Privileged"], name
        mounts = [mount["Destination"] for mount in container.attrs["Mounts"]]
        expected = {"redis": "/data", "worker": "/var/run/docker.sock", "api": "/run/keys"}[name]
        assert [mount for mount in mounts if not mount.startswith("/run/secrets/")] == [expected]


def test_only_the_api_is_on_a_network_with_an_outside(
    services: dict[str, Any], docker_engine: docker.DockerClient
) -> None:
    for name, container in services.items():
        published = [port for ports in container.ports.values() for port in ports or []]
        assert [port["HostIp"] for port in published] == (["127.0.0.1"] if name == "api" else [])
        networks = container.attrs["NetworkSettings"]["Networks"]
        kinds = {network.removeprefix(f"{PROJECT}_") for network in networks}
        assert kinds == ({"inside", "outside"} if name == "api" else {"inside"})
    assert docker_engine.networks.get(f"{PROJECT}_inside").attrs["Internal"]


TRY = r"""
import json, socket, sys
from pathlib import Path
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

user, commands = json.loads(sys.argv[1])
if user is None:
    with socket.create_connection(("redis", 6379), 5) as stranger:
        stranger.sendall(b"PING\r\n")
        print(json.dumps([stranger.recv(100).decode()]))
    sys.exit()
secret = Path(f"/run/secrets/redis-{user}")
password = secret.read_text() if secret.exists() else "guessed"
client = redis.Redis("redis", username=user, password=password, retry=Retry(NoBackoff(), 0))
said = []
for command in commands:
    try:
        said.append(repr(client.execute_command(*command)))
    except redis.exceptions.NoPermissionError:
        said.append("no permission")
    except redis.RedisError as error:
        said.append(str(error))
print(json.dumps(said))
"""


def tried(container: Any, user: str | None, *commands: str) -> list[str]:
    """What Redis says to commands from within a service, as one of its users or as nobody."""
    asked = json.dumps([user, [command.split(" ") for command in commands]])
    done = container.exec_run(["python3", "-c", TRY, asked])
    assert done.exit_code == 0, done.output
    said: list[str] = json.loads(done.output)
    return said


def test_redis_refuses_whoever_has_no_password(services: dict[str, Any]) -> None:
    for name in ("api", "worker"):
        assert tried(services[name], None)[0].startswith("-NOAUTH")
        for user in ("default", "root", "worker" if name == "api" else "api"):
            (answer,) = tried(services[name], user, "PING")
            assert "invalid username-password pair or user is disabled" in answer
    # Who asks whether it is well may ask that and no more.
    said = tried(services["api"], "health", "PING", "GET proctor:pending", "INFO")
    assert said == ["True", *["no permission"] * 2]


@pytest.mark.parametrize("user", ["api", "worker"])
def test_redis_lets_a_service_do_only_what_it_needs(services: dict[str, Any], user: str) -> None:
    pong, pending = tried(services[user], user, "PING", "GET proctor:pending")
    assert pong == "True"
    assert pending == "None" or int(pending.strip("b'")) >= 0
    forbidden: tuple[str, ...] = (
        "FLUSHALL",
        "FLUSHDB",
        "CONFIG GET *",
        "CONFIG SET dir /tmp",
        "KEYS *",
        "SCAN 0",
        "MODULE LIST",
        "REPLICAOF NO ONE",
        "SLAVEOF NO ONE",
        "SCRIPT FLUSH",
        "FUNCTION LIST",
        "ACL LIST",
        "ACL SETUSER default on nopass +@all ~*",
        "CLIENT LIST",
        "CLIENT KILL ID 1",
        "SHUTDOWN",
        "SAVE",
        "BGREWRITEAOF",
        "MONITOR",
        "SORT proctor:chunks",
        "RENAME proctor:stats proctor:other",
        "MIGRATE 127.0.0.1 1 x 0 1",
        "RESTORE proctor:x 0 x",
        "SWAPDB 0 1",
        "PUBLISH other:channel x",
        "GET other",
        "SET other x",
    )
    if user == "worker":  # the API looks how full Redis's memory is
        forbidden += ("INFO",)
    said = dict(zip(forbidden, tried(services[user], user, *forbidden), strict=True))
    assert {command: answer for command, answer in said.items() if answer != "no permission"} == {}
    # Nor does a script do it for them.
    for script in ("return redis.call('KEYS', '*')", "return redis.call('GET', 'other')"):
        (answer,) = tried(services[user], user, f"EVAL {script.replace(' ', chr(9))} 0")
        assert "The user executing the script can't" in answer
    kept = tried(services[user], user, "HGETALL rq:worker:none")
    assert kept == (["{}"] if user == "worker" else ["no permission"])


def test_no_password_is_in_an_image_an_environment_or_another_service(
    services: dict[str, Any], docker_engine: docker.DockerClient
) -> None:
    secrets = passwords()
    assert all(len(secret) == 64 for secret in secrets)
    assert stat.S_IMODE((ROOT / ".secrets").stat().st_mode) == 0o700
    seen: dict[str, str] = {}
    for name, container in services.items():
        seen[f"inspect {name}"] = json.dumps(container.attrs)
        for line in container.top(ps_args="-eo user,pid")["Processes"]:
            process = Path("/proc", line[1])
            seen[f"{name}: {line[1]}"] = "".join(
                (process / part).read_bytes().decode(errors="replace")
                for part in ("environ", "cmdline")
            )
        image = docker_engine.images.get(container.attrs["Image"])
        seen[f"image {name}"] = json.dumps([image.attrs, image.history()])
        assert set(image.attrs["Config"]["Env"]) <= {
            "PATH=/opt/venv/bin:/usr/bin:/bin",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHONUNBUFFERED=1",
            "PYTHONDONTWRITEBYTECODE=1",
        }
        held = container.exec_run(["ls", "/run/secrets"]).output.decode().split()
        assert held == ["redis-users" if name == "redis" else f"redis-{name}"]
    users = services["redis"].exec_run(["cat", "/run/secrets/redis-users"]).output.decode()
    seen["the users' file"] = users
    assert [place for place, text in seen.items() if any(one in text for one in secrets)] == []
