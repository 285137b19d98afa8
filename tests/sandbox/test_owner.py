import os
import subprocess
import sys

import pytest

from proctor_sandbox.owner import Owner


def test_an_owner_is_read_back_from_its_name() -> None:
    owner = Owner.current()
    assert Owner.parse(str(owner)) == owner


@pytest.mark.parametrize("text", ["", "x", "a-b-c", "place-1", "place--1", "place-1-x", "a-1-2-3"])
def test_other_text_is_no_owner(text: str) -> None:
    assert Owner.parse(text) is None


def test_this_process_is_not_gone() -> None:
    assert Owner.current().is_gone() is False


def test_an_ended_process_is_gone() -> None:
    code = "from proctor_sandbox.owner import Owner; print(Owner.current())"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    owner = Owner.parse(done.stdout.decode().strip())
    assert owner is not None
    assert owner.is_gone() is True


def test_a_pid_that_came_back_is_another_process() -> None:
    now = Owner.current()
    assert Owner(now.place, now.pid, now.started - 1).is_gone() is True


def test_a_process_of_another_place_is_not_judged() -> None:
    assert Owner("elsewhere", os.getpid(), 1).is_gone() is None


def test_a_zombie_is_gone() -> None:
    with subprocess.Popen(["true"]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert Owner(Owner.current().place, child.pid, 0).is_gone() is True
