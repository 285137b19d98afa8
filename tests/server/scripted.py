"""A sandbox that follows a script, and a pool that keeps count: all that verify needs to see."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count

from proctor_sandbox.errors import SandboxLost
from proctor_sandbox.programs import Case, End, Report, Run, Work
from proctor_sandbox.seam import Sandbox, SandboxInfo
from tests.server.runs import run

Behaviour = Callable[[Case], Run]


@dataclass
class Script:
    """What each source does, in every sandbox of a pool; `ran` has each case that was run."""

    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    ran: list[tuple[str, Case]] = field(default_factory=list)
    read_ahead: int = 2

    def __setitem__(self, source: str, behaviour: Behaviour | list[Run]) -> None:
        """A function of the case, or the runs to give one after the other."""
        if isinstance(behaviour, list):
            runs = iter(behaviour)
            self.behaviours[source] = lambda case: next(runs)
        else:
            self.behaviours[source] = behaviour

    def run(self, source: str, case: Case) -> Run:
        self.ran.append((source, case))
        return self.behaviours[source](case)


class ScriptedSandbox:
    """Implements Sandbox. A behaviour that raises SandboxLost takes the sandbox with it."""

    def __init__(self, script: Script, image: str, name: str) -> None:
        self._script = script
        self._info = SandboxInfo("fake", image, name, "script", "watch")
        self.programs_run = 0
        self.closed = False
        self.read: list[str] = []

    @property
    def info(self) -> SandboxInfo:
        return self._info

    def execute(self, works: Iterable[Work]) -> Iterator[Report]:
        pending: deque[Work] = deque()
        source = iter(works)
        while True:
            while len(pending) <= self._script.read_ahead:
                work = next(source, None)
                if work is None:
                    break
                self.read.append(work.program.source)
                pending.append(work)
            if not pending:
                return
            yield self._report(pending.popleft())

    def _report(self, work: Work) -> Report:
        self.programs_run += 1
        runs: list[Run] = []
        for place, case in enumerate(work.cases):
            one = self._script.run(work.program.source, case)
            if work.condense is not None:
                one = work.condense(place, one)
            runs.append(one)
            if one.end is End.COMPILE_ERROR or (work.until and work.until(place, one)):
                break
        return Report(work, runs)

    def close(self) -> None:
        self.closed = True


@dataclass
class ScriptedPool:
    """Implements SandboxPool; `log` has what became of each sandbox, in order."""

    script: Script
    max_programs: int = 1_000_000
    log: list[str] = field(default_factory=list)
    names: Iterator[int] = field(default_factory=count)
    leased: int = 0

    def lease(self, image: str) -> Sandbox:
        name = f"{image}-{next(self.names)}"
        self.log.append(f"lease {name}")
        self.leased += 1
        return ScriptedSandbox(self.script, image, name)

    def programs_left(self, sandbox: Sandbox) -> int:
        return self.max_programs - sandbox.programs_run

    def give_back(self, sandbox: Sandbox) -> None:
        self.leased -= 1
        self.log.append(f"give back {sandbox.info.name}")

    def discard(self, sandbox: Sandbox, reason: str) -> None:
        self.leased -= 1
        self.log.append(f"discard {sandbox.info.name}: {reason}")
        sandbox.close()


def prints(stdout: bytes) -> Behaviour:
    return lambda case: run(stdout)


def loses(times: int, then: Run, why: str = "it is gone") -> Behaviour:
    """Lose that many sandboxes, then run well."""
    left = times

    def behave(case: Case) -> Run:
        nonlocal left
        if left:
            left -= 1
            raise SandboxLost(why)
        return then

    return behave
