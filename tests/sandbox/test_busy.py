"""What the wall limit means on a busy machine: the time that a test was let run."""

import threading
import time

import psutil
import pytest
from bench.busy import busy_loops

from proctor_sandbox.limits import MIB, Limits
from proctor_sandbox.programs import End, Program, Run, StdinCase, Work
from proctor_sandbox.seam import Sandbox
from tests.contract import conftest as contract
from tests.integration.stack import until

pytest_generate_tests = contract.pytest_generate_tests
backend, pool, sandbox = contract.backend, contract.pool, contract.sandbox
BACKENDS = ("docker-runc", "bubblewrap", "bubblewrap-unprivileged")

LIMITS = Limits(cpu_time_s=5.0, wall_time_s=0.5, memory_bytes=128 * MIB)
BURN = "import time\nwhile time.process_time() < 0.45: pass\nprint('done')"
SLEEP = "import time\ntime.sleep(60)"
NAP = "import time\ntime.sleep(0.4)\nprint('done')"


def run(sandbox: Sandbox, source: str) -> Run:
    (report,) = sandbox.execute([Work(Program("python", source), [StdinCase(b"")], LIMITS)])
    return report.runs[0]


def test_a_program_that_waits_for_a_cpu_is_not_at_its_wall_limit(sandbox: Sandbox) -> None:
    with busy_loops(8):
        one = run(sandbox, BURN)
        assert (one.end, one.stdout) == (End.EXITED, b"done\n")
        assert one.wall_time_s > LIMITS.wall_time_s, "the machine was not busy"
        asleep = run(sandbox, SLEEP)
    assert asleep.end is End.WALL_LIMIT


def test_a_pause_of_the_whole_sandbox_is_not_wall_time(sandbox: Sandbox) -> None:
    if sandbox.info.backend == "docker":
        pytest.skip("its processes have parents of the engine's; the agent is the same")
    agent = psutil.Process(int(sandbox.info.name.rpartition("-")[2]))
    before = len(agent.children(recursive=True))

    def stop_and_go() -> None:
        until(lambda: len(agent.children(recursive=True)) > before, "the program's start")
        everything = [agent, *agent.children(recursive=True)]
        for process in everything:
            process.suspend()
        time.sleep(3 * LIMITS.wall_time_s)
        for process in everything:
            process.resume()

    pause = threading.Thread(target=stop_and_go)
    pause.start()
    one = run(sandbox, NAP)
    pause.join()
    assert (one.end, one.stdout) == (End.EXITED, b"done\n")
    assert one.wall_time_s > LIMITS.wall_time_s, "it was not paused"
