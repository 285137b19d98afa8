"""What the wall limit means on a busy machine: the time that a test was let run."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import docker
import psutil
from bench.busy import busy_loops

from proctor_sandbox.limits import MIB, Limits
from proctor_sandbox.programs import End, Program, Run, StdinCase, Work
from proctor_sandbox.seam import Sandbox
from tests.contract import conftest as contract
from tests.integration.stack import until

pytest_generate_tests = contract.pytest_generate_tests
backend, pool, sandbox = contract.backend, contract.pool, contract.sandbox
BACKENDS = ("docker-runc", "bubblewrap", "bubblewrap-unprivileged")

LIMITS = Limits(cpu_time_s=5.0, wall_time_s=2.0, memory_bytes=128 * MIB)
BURN = "import time\nwhile time.process_time() < 1.6: pass\nprint('done')"
SLEEP = "import time\ntime.sleep(60)"
NAP = "import time\ntime.sleep(1.5)\nprint('done')"


def run(sandbox: Sandbox, source: str, limits: Limits = LIMITS) -> Run:
    (report,) = sandbox.execute([Work(Program("python", source), [StdinCase(b"")], limits)])
    return report.runs[0]


def test_a_program_that_waits_for_a_cpu_is_not_at_its_wall_limit(sandbox: Sandbox) -> None:
    with busy_loops(8):
        one = run(sandbox, BURN)
        assert (one.end, one.stdout) == (End.EXITED, b"done\n")
        assert one.wall_time_s > LIMITS.wall_time_s, "the machine was not busy"
        asleep = run(sandbox, SLEEP)
    assert asleep.end is End.WALL_LIMIT


def test_a_pause_of_the_whole_sandbox_is_not_wall_time(sandbox: Sandbox) -> None:
    within = replace(LIMITS, wall_time_s=2.0)
    with outside(sandbox) as place:
        before = place.processes()

        def pause() -> None:
            until(lambda: place.processes() > before, "the program's start")
            place.pause()
            time.sleep(2 * within.wall_time_s)
            place.resume()

        thread = threading.Thread(target=pause)
        thread.start()
        one = run(sandbox, NAP, within)
        thread.join()
    assert (one.end, one.stdout) == (End.EXITED, b"done\n")
    assert one.wall_time_s > within.wall_time_s, "it was not paused"


@dataclass(frozen=True)
class Outside:
    """A sandbox as its machine sees it."""

    processes: Callable[[], int]
    pause: Callable[[], object]
    resume: Callable[[], object]


@contextlib.contextmanager
def outside(sandbox: Sandbox) -> Iterator[Outside]:
    name = sandbox.info.name
    if sandbox.info.backend == "docker":
        with contextlib.closing(docker.from_env()) as engine:
            container = engine.containers.get(name)

            def count() -> int:
                return len(container.top()["Processes"])

            yield Outside(count, container.pause, container.unpause)
        return
    agent = psutil.Process(int(name.rpartition("-")[2]))
    stopped: list[psutil.Process] = []

    def stop() -> None:
        stopped.extend([agent, *agent.children(recursive=True)])
        for process in stopped:
            process.suspend()

    def go_on() -> None:
        for process in stopped:
            process.resume()

    yield Outside(lambda: len(agent.children(recursive=True)), stop, go_on)
