"""The supervised tree: readiness, restarts, the order of the end."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from proctor_server.supervisor import Child, NeverReady, Supervisor


def until(holds: Callable[[], bool], within_s: float = 10) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def child(name: str, code: str, **more: object) -> Child:
    settings: dict[str, object] = {"grace_s": 5.0} | more
    return Child(name, [sys.executable, "-c", code], dict(os.environ), **settings)  # type: ignore[arg-type]


WAIT = "import signal; signal.pause()"


@contextmanager
def running(supervisor: Supervisor) -> Iterator[None]:
    try:
        supervisor.start()
        thread = threading.Thread(target=supervisor.run)
        thread.start()
        yield
        supervisor.stop()
        thread.join(10)
        assert not thread.is_alive()
    finally:
        supervisor.shut_down()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_child_that_dies_is_started_again_and_its_death_is_told() -> None:
    said: list[str] = []
    supervisor = Supervisor([[child("one", WAIT), child("two", WAIT)]], said.append)
    with running(supervisor):
        first = supervisor.pids
        os.kill(first["one"], signal.SIGKILL)
        until(lambda: supervisor.pids.get("one", first["one"]) != first["one"])
        assert supervisor.pids["two"] == first["two"]
        last = supervisor.pids
    assert len(said) == 1
    assert said[0].startswith("one ended after ")
    assert "by signal 9; starting it again in 0.25 s" in said[0]
    assert not any(alive(pid) for pid in last.values())


def test_restarts_of_a_child_that_keeps_dying_become_slower() -> None:
    said: list[str] = []
    supervisor = Supervisor([[child("bad", "raise SystemExit(3)")]], said.append)
    with running(supervisor):
        until(lambda: len(said) == 3)
    assert [line.rsplit(" ", 2)[1] for line in said] == ["0.25", "0.5", "1"]
    assert all("with status 3" in line for line in said)


def test_a_later_stage_starts_once_the_earlier_one_is_ready(tmp_path: Path) -> None:
    ready, seen = tmp_path / "ready", tmp_path / "seen"
    touch = f"open({str(ready)!r}, 'w'); {WAIT}"
    look = f"import os; print(os.path.exists({str(ready)!r}), file=open({str(seen)!r}, 'w'))"
    stages = [[child("first", touch, ready=ready.exists)], [child("second", f"{look}; {WAIT}")]]
    with running(Supervisor(stages, lambda _: None)):
        until(lambda: seen.exists() and seen.read_text() != "")
    assert seen.read_text() == "True\n"


@pytest.mark.parametrize(
    ("code", "words"),
    [("raise SystemExit(4)", "ended while starting"), (WAIT, "was not ready within 0.5 s")],
)
def test_a_child_that_never_gets_ready_is_an_error(code: str, words: str) -> None:
    never = child("never", code, ready=lambda: False, ready_within_s=0.5 if code == WAIT else 10)
    supervisor = Supervisor([[never]], lambda _: None)
    with pytest.raises(NeverReady, match=words), running(supervisor):
        pass
    assert supervisor.pids == {}


def test_stages_end_in_reverse_order(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = (
        "import signal, sys, time\n"
        "def end(*_):\n"
        f"    print(sys.argv[1], file=open({str(log)!r}, 'a')); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        f"open({str(log)!r} + sys.argv[1], 'w')\n"
        "signal.pause()\n"
    )

    def named(name: str) -> Child:
        argv = [sys.executable, "-c", code, name]
        return Child(name, argv, dict(os.environ), 5.0, (tmp_path / f"log{name}").exists)

    with running(Supervisor([[named("a")], [named("b")], [named("c")]], lambda _: None)):
        pass
    assert log.read_text().split() == ["c", "b", "a"]


def test_a_child_that_ignores_the_request_is_killed_after_its_grace(tmp_path: Path) -> None:
    said: list[str] = []
    deaf = tmp_path / "deaf"
    code = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f"open({str(deaf)!r}, 'w'); {WAIT}"
    )
    with running(Supervisor([[child("deaf", code, grace_s=0.2, ready=deaf.exists)]], said.append)):
        pass
    assert said == ["deaf is killed: it did not end by itself"]


def test_children_end_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = f"""
import os, pathlib, sys
from proctor_server.supervisor import Child, Supervisor
argv = [sys.executable, "-c", {WAIT!r}]
supervisor = Supervisor([[Child("c", argv, dict(os.environ), 1.0)]], print)
supervisor.start()
written = pathlib.Path({str(pid_file)!r} + ".part")
written.write_text(str(supervisor.pids["c"]))
written.rename({str(pid_file)!r})
supervisor.run()
"""
    environment = dict(os.environ) | {"PYTHONPATH": os.pathsep.join(sys.path)}
    supervisor = os.posix_spawn(sys.executable, [sys.executable, "-c", script], environment)
    until(pid_file.exists)
    pid = int(pid_file.read_text())
    assert alive(pid)
    os.kill(supervisor, signal.SIGKILL)
    os.waitpid(supervisor, 0)
    until(lambda: not alive(pid))
