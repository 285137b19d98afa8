"""A worker whose verifier needs no sandbox: a program's source says what becomes of it.

Run as `python -m tests.server.stand_in` with PROCTOR_* set, it is a real RQ worker; `main` makes
one of a forked process.

| source | what happens |
| --- | --- |
| ac, wa, ce (any text may follow) | that verdict at once |
| half | one of two tests passed |
| sleep 0.5 | AC after so many seconds |
| die | the worker is killed while it runs |
| die once PATH | the same, unless the file is there; it is made first |
| raise | the verifier raises RuntimeError |
| no sandbox PATH | SandboxUnavailable while the file is there |
| gate PATH | AC once the file is there |
| late PATH | the first run makes the file, and is WA once PATH.go is there; later ones are AC |

With STAND_IN_TOOLS it does not learn its languages' versions before that file is there.
"""

import functools
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from proctor.types import Problem, TestResult, Verdict
from proctor_sandbox.errors import SandboxUnavailable
from proctor_server.outcome import Outcome
from proctor_server.settings import Settings
from proctor_server.units import Unit
from proctor_server.worker import Equipment, run


def outcome(verdict: Verdict, passed: int, total: int) -> Outcome:
    """An outcome of so many tests, of which the first ones passed."""
    tests = [
        TestResult(
            verdict=Verdict.AC if i < passed else verdict,
            passed=int(i < passed),
            total=1,
            cpu_time_s=0.01,
            wall_time_s=0.02,
            memory_mb=8.0,
        )
        for i in range(total)
    ]
    return Outcome(
        verdict=verdict, passed=passed, total=total, total_weight=float(total), tests=tests
    )


class StandIn:
    """Does what the source says."""

    def __init__(self, problem: Callable[[str], Problem], log: Path | None = None) -> None:
        self._problem = functools.cache(problem)  # as the verifier keeps its checklists
        self._log = log

    def verify(self, units: Iterable[Unit]) -> Iterator[tuple[Unit, Outcome]]:
        """One outcome per unit."""
        for unit in units:
            if self._log is not None:
                with self._log.open("a") as log:
                    log.write(unit.source.splitlines()[0] + "\n")
            yield unit, self._act(unit)

    def _act(self, unit: Unit) -> Outcome:
        total = len(self._problem(unit.problem).tests)
        words = unit.source.split()
        match words:
            case ["wa", *_]:
                return outcome(Verdict.WA, 0, total)
            case ["half", *_]:
                return outcome(Verdict.WA, total // 2, total)
            case ["ce", *_]:
                return Outcome(
                    verdict=Verdict.CE, passed=0, total=total, total_weight=1.0, compile_output="no"
                )
            case ["sleep", seconds, *_]:
                time.sleep(float(seconds))
            case ["die"]:
                os.kill(os.getpid(), signal.SIGKILL)
            case ["die", "once", path]:
                if not Path(path).exists():
                    Path(path).touch()
                    os.kill(os.getpid(), signal.SIGKILL)
            case ["raise", *_]:
                # In two, for a traceback shows this line, and may.
                raise RuntimeError("-".join(("hidden", "text")))
            case ["no", "sandbox", path] if Path(path).exists():
                raise SandboxUnavailable("the engine is away")
            case ["late", path] if not Path(path).exists():
                Path(path).touch()
                while not Path(f"{path}.go").exists():
                    time.sleep(0.005)
                return outcome(Verdict.WA, 0, total)
            case ["gate", path, *_]:
                while not Path(path).exists():
                    time.sleep(0.005)
        return outcome(Verdict.AC, total, total)


def equip(_: Settings, problem: Callable[[str], Problem]) -> Equipment:
    """The equipment of a worker without sandboxes."""
    log = os.environ.get("STAND_IN_LOG")
    return Equipment(
        verifier=StandIn(problem, Path(log) if log else None),
        languages=["c", "cpp", "python"],
        versions=_versions,
        backend="stand-in",
        runtime="none",
        counts=lambda: {"started": 1},
        close=lambda: None,
    )


def _versions() -> dict[str, str]:
    tools = os.environ.get("STAND_IN_TOOLS")
    while tools and not Path(tools).exists():
        time.sleep(0.005)
    return {"python": "3.11.2"}


def main(environment: dict[str, str], errors: Path) -> None:
    """What a process of its own with this environment would do; its stderr goes to a file."""
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = environment.get("PYTHONPATH", "").split(os.pathsep)
    with errors.open("ab") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
    sys.exit(run(Settings(), equip))


if __name__ == "__main__":
    sys.exit(run(Settings(), equip))
