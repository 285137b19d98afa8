"""One program: laid out, compiled where its language is, tested, and forgotten.

A run's evidence is a header and three blobs (stdout, stderr, answer); what it is worth is
decided on the host.
"""

import collections
import hashlib
import os
import resource
import signal
import socket
from collections.abc import Sequence

from . import box as boxes
from . import script
from .crew import ENVIRONMENT, Crew
from .spawner import Ended, Spawner
from .spec import Spec
from .supervise import Launch, Limits, Sink, Supervisor

TYPE_CHECKING = False  # what typing itself would say, but to import it takes 3 ms
if TYPE_CHECKING:
    from .frames import Header

_MIB = 1024 * 1024

# Compilers need more than programs: templates and optimisers; isolate-based judges use 10 s.
_COMPILE_LIMITS = Limits(20.0, 60.0, 1024 * _MIB, 64 * 1024, 64)
_MAX_BINARY_BYTES = 64 * _MIB
_MAX_COMPILED_TESTS = 256
_OURS = 8  # agent, zygotes, examiner and what bubblewrap needs

_CAUSES = {
    "memory": "memory_limit",
    "output": "output_limit",
    "cpu": "cpu_limit",
    "wall": "wall_limit",
}


class NoCompiler(Exception):
    """Raised when the image lacks what a language needs: our fault, never a compile error."""


class Workshop:
    """What programs are run with; lives as long as the agent."""

    def __init__(self, box: boxes.Box, supervisor: Supervisor, crew: Crew) -> None:
        self.box = box
        self.supervisor = supervisor
        self.crew = crew
        # Test code by digest, ready to run.
        self.prepared: collections.OrderedDict[bytes, bytes] = collections.OrderedDict()


class Program:
    def __init__(self, workshop: Workshop, header: "Header", source: bytes) -> None:
        """`header` keys: file, compile, run, limits. Lays the program out in the box."""
        self._shop = workshop
        self._box = workshop.box
        self._compile = header["compile"]
        self._run = header["run"]
        self._limits = Limits(**header["limits"])
        self._keep = len(header["cases"]) > 1
        self._code: bytes | None = None
        self._used = False  # by a test or a compiler, which its directories may remember
        self._uid = workshop.crew.next_uid()
        self._source = source
        self._path = self._box.open(self._uid, header["file"], source)

    def close(self) -> None:
        """Forget everything of it. Raises Unclean."""
        self._box.close(self._uid)

    def compile(self) -> "Header | None":
        """None when it compiled or nothing had to be; else the evidence that it does not."""
        if not self._compile:
            return None
        names = {"source": self._path, "output": "program"}
        argv = [part.format_map(names) for part in self._compile]
        self._used = True
        if not _is_command(argv[0]):
            raise NoCompiler(f"this sandbox has no {argv[0]}")
        launch, sinks = self._launch(
            self._shop.crew.launcher(), _COMPILE_LIMITS, "exec", self._pipes(2), argv=argv
        )
        run = self._finish([launch], sinks, _COMPILE_LIMITS)
        if run["code"] == 0 and run["end"] == "exited":
            try:
                binary = self._box.collect(self._uid, "program", _MAX_BINARY_BYTES)
            except FileNotFoundError:
                _remark(run, "the compiler made no program")
            except boxes.TooLarge as error:
                _remark(run, f"the program is too large: {error}")
            else:
                self._path = self._box.place("program", binary, 0o555)
                self._box.wipe(self._uid)
                return None
        elif run["end"] != "exited":
            _remark(run, f"the compiler was stopped: {run['end']}")
        self._box.wipe(self._uid)
        run["end"] = "compile_error"
        return run

    def test(self, case: "Header", blobs: list[bytes]) -> "Header":
        """Run one case; returns its evidence, its box wiped. Raises Unclean."""
        if self._used:
            self._box.renew(self._uid)
        self._used = True
        run: Header = getattr(self, "_" + case["kind"])(case, blobs)
        self._box.wipe(self._uid)
        return run

    def _stdin(self, _case: "Header", blobs: list[bytes]) -> "Header":
        stdin = self._box.input(blobs[0])
        if self._compile:
            argv = [part.format(output=self._path) for part in self._run]
            launch, sinks = self._launch(
                self._shop.crew.launcher(), self._limits, "exec", self._pipes(2), stdin, argv=argv
            )
            run = self._finish([launch], sinks)
            # The sandbox has room for a compiler, so its cgroup may be too wide for this program.
            if run["mem"] > self._limits.memory_bytes:
                run["end"] = _CAUSES["memory"]
            return run
        launch, sinks = self._launch_python("script", stdin=stdin)
        return self._finish([launch], sinks)

    def _call(self, _case: "Header", blobs: list[bytes]) -> "Header":
        ((reply, answer),) = self._pipes(1)
        launch, sinks = self._launch_python("call", extra=[self._box.input(blobs[0]), answer])
        # Else a flood of it would be the agent's memory, and the sandbox's end.
        sinks.append(Sink(reply, self._limits.output_bytes))
        run = self._finish([launch], sinks)
        run["blobs"]["a"] = bytes(sinks[-1].data)
        return run

    def _examine(self, case: "Header", blobs: list[bytes]) -> "Header":
        near, far = socket.socketpair()
        digest = hashlib.sha256(blobs[0]).digest()
        prepared = self._shop.prepared.get(digest)
        candidate, sinks = self._launch_python("candidate", extra=[far.detach()])
        ((told, tell),) = self._pipes(1)
        sinks.append(Sink(told))
        uid = self._shop.crew.next_uid()
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        spec = self._spec("examiner", self._limits, uid, cwd="/")
        spec.prepared = prepared is not None
        spec.entry_point = case.get("entry_point")
        test = self._box.input(prepared or blobs[0])
        fds = [null, os.dup(null), os.dup(null), tell, near.detach(), test]
        examiner = Launch(self._shop.crew.examiner(), spec, fds)
        run = self._finish([candidate, examiner], sinks)
        run["assertions"], prepared = _assertions(bytes(sinks[-1].data))
        if prepared is not None:
            self._shop.prepared[digest] = prepared
            if len(self._shop.prepared) > _MAX_COMPILED_TESTS:
                self._shop.prepared.popitem(last=False)
        return run

    def _launch_python(
        self, mode: str, stdin: int | None = None, extra: Sequence[int] = ()
    ) -> tuple[Launch, list[Sink]]:
        """A launch of the zygote, with the status pipe, and the code once it is known."""
        pipes = self._pipes(3)
        status, tell = pipes[2]
        fds = [tell]
        if self._code is not None:
            fds.append(self._box.input(self._code))
        launch, sinks = self._launch(
            self._shop.crew.python(self._source), self._limits, mode, pipes, stdin, [*fds, *extra]
        )
        launch.spec.path = self._path
        launch.spec.compiled = self._code is not None
        launch.spec.keep = self._keep
        return launch, [*sinks, Sink(status)]

    def _launch(
        self,
        spawner: Spawner,
        limits: Limits,
        mode: str,
        pipes: list[tuple[int, int]],
        stdin: int | None = None,
        extra: Sequence[int] = (),
        argv: Sequence[str] = (),
    ) -> tuple[Launch, list[Sink]]:
        if stdin is None:
            stdin = self._box.input(b"")
        (out, stdout), (err, stderr) = pipes[:2]
        spec = self._spec(mode, limits, self._uid, self._box.work, argv)
        return Launch(spawner, spec, [stdin, stdout, stderr, *extra]), [Sink(out), Sink(err)]

    def _spec(
        self,
        mode: str,
        limits: Limits,
        uid: int | None,
        cwd: str,
        argv: Sequence[str] = (),
    ) -> Spec:
        cpu_s = limits.rlimit_cpu_s
        # Counted per uid; where all share one, ours are counted too.
        processes = limits.processes + (_OURS if uid is None else 0)
        rlimits = [
            (resource.RLIMIT_CPU, cpu_s, cpu_s + 1),
            (resource.RLIMIT_NPROC, processes, processes),
        ]
        if self._shop.supervisor.meter.watches:
            data_bytes = _data_bytes(limits)
            rlimits.append((resource.RLIMIT_DATA, data_bytes, data_bytes))
        return Spec(mode, uid, cwd, tuple(rlimits), tuple(argv))

    def _pipes(self, count: int) -> list[tuple[int, int]]:
        """Pipes that the program may open again by name (/dev/stdout): they are its own."""
        with self._box.acting_as(self._uid):
            return [os.pipe() for _ in range(count)]

    def _finish(
        self, launches: list[Launch], sinks: list[Sink], limits: Limits | None = None
    ) -> "Header":
        limits = limits or self._limits
        try:
            cause, wall_s = self._shop.supervisor.run(launches, sinks, limits)
        finally:
            for sink in sinks:
                os.close(sink.fd)
        run = _evidence(launches[0].result, cause, wall_s, limits, sinks)
        if len(sinks) > 2:
            told = bytes(sinks[2].data)
            if told.startswith(script.REFUSED):
                run["end"] = "compile_error"
            elif told.startswith(script.COMPILED):
                self._code = told[1:]
        return run


def _data_bytes(limits: Limits) -> int:
    """The backstop where no cgroup holds memory; every thread's stack is reserved whole."""
    stack_bytes, _ = resource.getrlimit(resource.RLIMIT_STACK)
    return 4 * limits.memory_bytes + limits.processes * stack_bytes


def _is_command(name: str) -> bool:
    folders = ENVIRONMENT["PATH"].split(":")
    return any(os.access(os.path.join(folder, name), os.X_OK) for folder in folders)


def _evidence(
    result: Ended, cause: str | None, wall_s: float, limits: Limits, sinks: list[Sink]
) -> "Header":
    """What the host gets to know of a test."""
    status, cpu_s, peak_bytes = result
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
    if cause is None and (number == signal.SIGXCPU or cpu_s > limits.cpu_cap_s):
        cause = "cpu"
    room = limits.output_bytes
    stdout = memoryview(sinks[0].data)[:room]
    return {
        "end": _CAUSES[cause] if cause else "exited" if number is None else "signaled",
        "code": os.WEXITSTATUS(status) if number is None else None,
        "signal": number,
        "cpu": cpu_s,
        "wall": wall_s,
        "mem": peak_bytes,
        "blobs": {"o": stdout, "e": memoryview(sinks[1].data)[: room - len(stdout)]},
    }


def _remark(run: "Header", text: str) -> None:
    """Add a line of ours to what the compiler said."""
    run["blobs"]["e"] = bytes(run["blobs"]["e"]) + f"\nproctor: {text}".encode()


def _assertions(told: bytes) -> "tuple[Header, bytes | None]":
    """What an examiner told, and its compiled test code where that came with it."""
    prepared = None
    if told.startswith(b"M "):
        head, _, rest = told.partition(b"\n")
        size = int(head[2:])
        prepared, told = rest[:size], rest[size:]
    lines = [line.split(" ", 2) for line in told.decode(errors="replace").split("\n") if line]
    total = next((int(line[1]) for line in lines if line[0] == "T"), 0)
    held = {int(line[1]) for line in lines if line[0] == "H"}
    failures = {int(line[1]): line[2] for line in lines if line[0] == "F"}
    if lines and lines[-1][0] == "D":
        passed, broken = total - len(failures), None
    else:
        # What was not reached has failed, and so has reaching the end.
        broken = lines[-1][1] if lines and lines[-1][0] == "B" else "stopped"
        passed = min(len(held - failures.keys()), max(total - 1, 0))
    return {"total": total, "passed": passed, "failures": failures, "broken": broken}, prepared
