"""`proctor up`: the embedded stack as a user has it, and what it survives."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
import redis

from proctor import Batch, Client
from proctor.errors import Refused
from proctor.types import Item, Problem, StdinTest
from proctor_server.callers import new_key
from proctor_server.up import free_port
from tests.conftest import _redis_server
from tests.integration.stack import alternating, until

pytestmark = pytest.mark.usefixtures("bubblewrap")

ECHO = Problem(id="up/echo", tests=[StdinTest(input="7\n", output="7\n")])


@dataclass
class Up:
    """A `proctor up` that is running."""

    process: "subprocess.Popen[str]"
    url: str
    lines: list[str] = field(default_factory=list)

    def child(self, words: str) -> psutil.Process:
        """The one child (of several equal ones the first) whose command line holds these words."""
        for child in psutil.Process(self.process.pid).children():
            if words in " ".join(child.cmdline()):
                return child
        raise AssertionError(f"no {words} among the children")

    def said(self, pattern: str) -> bool:
        return any(re.search(pattern, line) for line in self.lines)


@contextmanager
def running(
    state_dir: Path,
    *,
    port: int = 0,
    redis_url: str = "",
    keys_file: str = "",
    wait: bool = True,
) -> Iterator[Up]:
    port = port or free_port()
    argv = [sys.executable, "-m", "proctor", "up", "--port", str(port), "--workers", "2"]
    argv += ["--sandbox", "bubblewrap", "--state-dir", str(state_dir)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PROCTOR_")}
    if redis_url:
        environment["PROCTOR_REDIS_URL"] = redis_url
    if keys_file:
        environment["PROCTOR_KEYS_FILE"] = keys_file
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, env=environment) as process:
        up = Up(process, f"http://127.0.0.1:{port}")
        assert process.stderr is not None
        reader = threading.Thread(target=up.lines.extend, args=(process.stderr,))
        reader.start()
        try:
            until(
                lambda: not wait or up.said("ready: ") or process.poll() is not None,
                "the stack to be ready",
            )
            assert process.poll() is None or not wait, "".join(up.lines)
            yield up
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
            reader.join()
            print("".join(up.lines))  # shown with a failure


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with running(tmp_path_factory.mktemp("state")) as up:
        yield up


@pytest.fixture(scope="module")
def client(up: Up) -> Iterator[Client]:
    with Client(up.url) as client:
        client.put_problem(ECHO)
        yield client


def queued(up: Up) -> bool:
    """Whether something waits that no worker has taken up."""
    shown = re.search(r"unixsocket:(\S+)", " ".join(up.child("redis-server").cmdline()))
    assert shown is not None
    with redis.Redis(unix_socket_path=shown[1]) as client:
        return bool(client.llen("rq:queue:proctor"))


def items(count: int, mark: str) -> list[Item]:
    return alternating(ECHO.id, count, mark, "int(input())")


def all_as_written(batch: Batch, count: int) -> bool:
    """Whether there is exactly one result for each of `items`, and it is the right one."""
    results = sorted(batch.results(timeout_s=120), key=lambda result: result.index)
    got = [(result.index, result.reward, result.reason) for result in results]
    assert got == [(index, 1.0 - index % 2, None) for index in range(count)]
    return True


def test_the_start_says_which_sandbox_is_used_and_what_that_means(up: Up) -> None:
    assert up.said(r"sandbox: bubblewrap: for development: ")
    assert up.said(rf"ready: {up.url} \(2 workers\)")


def test_a_program_goes_in_and_its_reward_comes_out(client: Client) -> None:
    result = client.submission(Item(problem_id=ECHO.id, source="print(input())"))
    assert (result.verdict, result.reward) == ("AC", 1.0)


@pytest.mark.parametrize(
    "words", ["proctor worker", "proctor api", "redis-server"], ids=["worker", "api", "redis"]
)
def test_a_killed_process_is_started_again_and_no_reward_is_lost(
    up: Up, client: Client, words: str
) -> None:
    batch = client.submit(items(60, words))
    until(lambda: batch.status().completed > 5, "the first results")
    victim = up.child(words)
    victim.kill()
    until(lambda: up.said(r"ended after .* by signal 9; starting it again"), "the death notice")
    up.lines.clear()
    assert all_as_written(batch, 60)
    until(lambda: up.child(words).pid != victim.pid, "the replacement")


def test_ctrl_c_ends_the_whole_tree(tmp_path: Path) -> None:
    with running(tmp_path) as up:
        supervisor = psutil.Process(up.process.pid)
        # Redis, API, two workers, and below each of these a sandbox.
        until(lambda: len(supervisor.children(recursive=True)) >= 6, "the sandboxes")
        tree = supervisor.children(recursive=True)
    assert up.process.returncode == 0, "".join(up.lines)
    assert up.said("ended$")
    assert psutil.wait_procs(tree, timeout=10)[1] == []


def test_what_was_accepted_is_there_after_a_restart(tmp_path: Path) -> None:
    with running(tmp_path) as up, Client(up.url) as client:
        client.put_problem(ECHO)
        batch_id = client.submit(items(40, "restart")).id
    with running(tmp_path) as up, Client(up.url) as client:
        assert client.problem(ECHO.id).tests == 1
        assert all_as_written(client.batch(batch_id), 40)


def test_a_stack_with_keys_lets_in_who_has_one(tmp_path: Path) -> None:
    key, digest = new_key()
    keys_file = tmp_path / "keys.toml"
    keys_file.write_text(f'[keys.root]\nsha256 = "{digest}"\nscopes = ["admin"]\n')
    with running(tmp_path / "state", keys_file=str(keys_file)) as up:
        with Client(up.url) as stranger, pytest.raises(Refused, match="wants a key"):
            stranger.put_problem(ECHO)
        with Client(up.url, api_key=key) as client:
            client.put_problem(ECHO)
            assert client.score(ECHO.id, ["print(input())"], form="source") == [1.0]


def test_a_second_ctrl_c_ends_at_once_and_loses_nothing(tmp_path: Path) -> None:
    slow = [
        Item(
            problem_id=ECHO.id,
            source=f"# {number}\nimport time; time.sleep(8)\nprint(input())\n",
        )
        for number in range(2)
    ]
    with running(tmp_path) as up, Client(up.url) as client:
        client.put_problem(ECHO)
        quick = client.submit(items(20, "quick"))
        batch = client.submit(slow)
        until(lambda: quick.status().state == "done", "the quick ones")
        # What takes 8 s is under way in both workers.
        until(lambda: not queued(up), "the slow ones to be taken up")
        up.process.send_signal(signal.SIGINT)
        until(lambda: up.said("ending: "), "the answer to the first Ctrl-C")
        asked_again = time.monotonic()
        up.process.send_signal(signal.SIGINT)
        assert up.process.wait(timeout=20) == 0
        assert time.monotonic() - asked_again < 5
        assert up.said("is killed")
    with running(tmp_path) as up, Client(up.url) as client:
        assert all_as_written(client.batch(quick.id), 20)
        rewards = client.batch(batch.id).rewards(timeout_s=60)
    assert rewards == [1.0, 1.0]


def test_it_waits_for_a_redis_that_it_was_told_of(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="proctor-") as folder:
        socket = Path(folder) / "r.sock"
        argv = [_redis_server(), "--port", "0", "--unixsocket", str(socket), "--save", ""]
        with running(tmp_path, redis_url=f"unix://{socket}", wait=False) as up:
            until(lambda: up.said(f"waiting for Redis at {socket}: "), "the message")
            with subprocess.Popen(argv, cwd=folder, stdout=subprocess.DEVNULL) as server:
                try:
                    until(lambda: up.said("ready: "), "the stack to be ready")
                    up.process.send_signal(signal.SIGINT)
                    assert up.process.wait(timeout=60) == 0
                finally:
                    server.kill()


def refused(*argv: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "proctor", "up", "--sandbox", "bubblewrap", *argv],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    return done.stderr


def test_a_port_that_is_taken_is_named(up: Up, tmp_path: Path) -> None:
    port = up.url.rpartition(":")[2]
    words = refused("--state-dir", str(tmp_path), "--port", port)
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in words
    assert "give another --port" in words


def test_two_stacks_never_share_their_data(tmp_path: Path) -> None:
    with running(tmp_path):
        words = refused("--state-dir", str(tmp_path), "--port", str(free_port()))
    assert f"another proctor up uses {tmp_path}" in words
