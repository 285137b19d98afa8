"""Commands in, reports out.

    host -> agent   {"op": "work", "id", "file", "files", "made", "compile", "run", "env",
                     "limits", "compile_limits", "cases", "step"}
                    blobs: the source; one per name in "files"; one per [name, executable] in
                    "made", null where nothing is; per case stdin, request, test code or test
                    files one after the other, and one per name in its "files"
                    {"op": "go", "id", "on": bool}      after each run of a work with "step"
    agent -> host   {"op": "ready", "meter", "memory_bytes", "python"}      once, at the start
                    {"op": "compiled", "id", "run": {...}, "made": [[name, executable], ...]}
                    blobs: those of the run, then one per file made
                    {"op": "runs", "id", "runs": [...], "last": bool}
                    blobs: those of the runs, named by each run's "b": o(ut), e(rr), a(nswer),
                    and then those of its "fetched" names
                    {"op": "late"}      a test has more wall time: it waited for a CPU
                    {"op": "fault", "why"}              the sandbox must be replaced

Works are done in order. An agent whose stdin ends, ends.
"""

import json
import os
import platform
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice

from . import child, frames, meter, places
from .box import Box, Collected, Unclean
from .crew import Crew, NoTester, Stuck
from .program import NoCommand, Program, Workshop
from .spawner import SpawnerDied
from .supervise import Supervisor

TYPE_CHECKING = False  # what typing itself would say, but to import it takes 3 ms
if TYPE_CHECKING:
    from .frames import Header

_READ_BYTES = 1024 * 1024
_STACK_BYTES = 256 * 1024 * 1024  # Codeforces and DMOJ: the stack is bounded by memory alone
_FLUSH_S = (
    0.02  # while there is more to do, reports wait so long for company: each write wakes the engine
)
_FLUSH_BYTES = 256 * 1024
_NEVER = float("inf")


class HostGone(Exception):
    """Raised when the host has hung up."""


class Outbox:
    """Frames on their way to the host; `due` is when they must go (monotonic seconds)."""

    def __init__(self) -> None:
        self.due = _NEVER
        self._waiting: list[bytes | memoryview] = []
        self._size = 0

    def put(self, header: "Header", blobs: "Sequence[bytes | memoryview]" = ()) -> None:
        parts = frames.parts(header, blobs)
        self._waiting.extend(parts)
        self._size += sum(map(len, parts))
        self.due = min(self.due, time.monotonic() + _FLUSH_S)
        if self._size > _FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        waiting = self._waiting
        if self._size <= _FLUSH_BYTES:
            waiting = [b"".join(waiting)]
        for part in waiting:
            data = memoryview(part)
            while data:
                data = data[os.write(1, data) :]
        self._waiting = []
        self._size = 0
        self.due = _NEVER


class Agent:
    def __init__(self, config: "Header") -> None:
        """`config` keys: uid_base, uids (0: run everything under our own), box, python (None:
        no Python programs here), site, preload, numeric, tester (whether pytest is here)."""
        self._config = config
        self._decoder = frames.Decoder()
        self._outbox = Outbox()
        if config["uids"]:
            places.shut((config["box"], "/tmp", "/dev/shm"))  # noqa: S108 - the sandbox's own
        box = Box(config["box"], change_uid=config["uids"] > 0)
        crew = Crew(config, box.work)
        self._meter = meter.find(crew.pids)
        self._shop = Workshop(box, Supervisor(self._meter, crew, self._outbox), crew)

    def serve(self) -> None:
        """Do works until the host hangs up. Raises FrameError when it speaks nonsense."""
        self._outbox.put(
            {
                "op": "ready",
                "meter": self._meter.name,
                "memory_bytes": self._meter.memory_bytes(),
                "python": platform.python_version(),
            }
        )
        while True:
            header, blobs = self._receive()
            self._work(header, blobs)

    def fault(self, why: str) -> None:
        """Tell the host that this sandbox is of no more use."""
        self._outbox.put({"op": "fault", "why": why})
        self._outbox.flush()

    def _receive(self) -> "tuple[Header, list[bytes]]":
        while (frame := self._decoder.next()) is None:
            self._outbox.flush()
            data = os.read(0, _READ_BYTES)
            if not data:
                raise HostGone
            self._decoder.feed(data)
        return frame

    def _work(self, header: "Header", blobs: list[bytes]) -> None:
        cases = header["cases"]
        rest = iter(blobs)
        program = Program(self._shop, header, rest)
        runs: list[Header] = []
        compiled = program.compile()
        if compiled is not None:
            run, made = compiled
            if run["end"] == "compile_error":
                runs.append(run)
            else:
                self._tell_compiled(header, run, made)
        if runs or not cases:
            self._tell(header, runs, last=True)
        else:
            self._test(program, header, cases, rest)
        program.close()

    def _test(
        self, program: Program, header: "Header", cases: "list[Header]", blobs: "Iterator[bytes]"
    ) -> None:
        """Run the cases, and tell of them together unless each is to be told, or much is held:
        what is held counts as the sandbox's memory, and so as the next test's."""
        runs: list[Header] = []
        held = 0
        for place, case in enumerate(cases, 1):
            run = program.test(case, list(islice(blobs, 1 + len(case.get("files", ())))))
            runs.append(run)
            held += sum(map(len, (*run["blobs"].values(), *run.get("fetched", {}).values())))
            last = place == len(cases) or run["end"] == "compile_error"
            if last or header["step"] or held > _FLUSH_BYTES:
                self._tell(header, runs, last)
                runs, held = [], 0
            if last or (header["step"] and not self._receive_go()):
                return

    def _receive_go(self) -> bool:
        header, _ = self._receive()
        return header["on"] is True

    def _tell(self, header: "Header", runs: "list[Header]", last: bool) -> None:
        blobs: list[bytes | memoryview] = []
        for run in runs:
            blobs += _named(run)
            if "fetched" in run:
                blobs += run["fetched"].values()
                run["fetched"] = list(run["fetched"])
        self._outbox.put({"op": "runs", "id": header["id"], "runs": runs, "last": last}, blobs)

    def _tell_compiled(self, header: "Header", run: "Header", made: "list[Collected]") -> None:
        blobs = [*_named(run), *(data for _, data, _ in made)]
        names = [(name, executable) for name, _, executable in made]
        told = {"op": "compiled", "id": header["id"], "run": run, "made": names}
        self._outbox.put(told, blobs)


def _named(run: "Header") -> "list[bytes | memoryview]":
    """Take a run's blobs out of it, and name those that are not empty in it instead."""
    full = {name: blob for name, blob in run.pop("blobs").items() if blob}
    run["b"] = "".join(full)
    return list(full.values())


def main() -> None:
    """Serve on stdin and stdout with the configuration in the first argument."""
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    stack = _STACK_BYTES if hard == resource.RLIM_INFINITY else min(_STACK_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_STACK, (stack, hard))
    # Where programs share our uid, this keeps our memory, and so the tests, from them.
    child.libc.prctl(child.PR_SET_DUMPABLE, 0, 0, 0, 0)
    agent = Agent(json.loads(sys.argv[1]))
    try:
        agent.serve()
    except HostGone:
        pass
    except (Unclean, Stuck, SpawnerDied, NoCommand, NoTester, frames.FrameError) as error:
        agent.fault(f"{type(error).__name__}: {error}")
        sys.exit(1)
    except Exception as error:  # a host that speaks nonsense, or a fault in here
        # Its words may hold what a host sent: tests. The traceback stays on stderr.
        agent.fault(f"{type(error).__name__} in the agent")
        raise
