"""One program: laid out, compiled where its language is, tested, and forgotten.

A run's evidence is a header and three blobs (stdout, stderr, answer); what it is worth is
decided on the host.
"""

import collections
import hashlib
import os
import resource
import socket
from collections.abc import Iterator, Sequence

from . import box as boxes
from . import script, told
from .crew import ENVIRONMENT, Crew
from .spawner import Ended, Spawner
from .spec import Spec
from .supervise import Launch, Limits, Sink, Supervisor

TYPE_CHECKING = False  # what typing itself would say, but to import it takes 3 ms
if TYPE_CHECKING:
    from .frames import Header

_MIB = 1024 * 1024

_MAX_MADE_BYTES = 64 * _MIB
_MAX_COMPILED_TESTS = 256
_MAX_TOLD_BYTES = 3 * _MIB  # by a tester: 2,000 tests, with the longest names and words
_OURS = 8  # agent, zygotes, examiner and what bubblewrap needs

_CAUSES = {
    "memory": "memory_limit",
    "output": "output_limit",
    "cpu": "cpu_limit",
    "wall": "wall_limit",
}


class NoCommand(Exception):
    """Raised when the image lacks what a language needs: our fault, never the program's."""


class Workshop:
    """What programs are run with; lives as long as the agent."""

    def __init__(self, box: boxes.Box, supervisor: Supervisor, crew: Crew) -> None:
        self.box = box
        self.supervisor = supervisor
        self.crew = crew
        # Test code by digest, ready to run.
        self.prepared: collections.OrderedDict[bytes, bytes] = collections.OrderedDict()
        self._commands: dict[str, str] = {}

    def command(self, name: str) -> str:
        """The path of a command. Raises NoCommand."""
        if "/" in name:
            return name
        if name not in self._commands:
            for folder in ENVIRONMENT["PATH"].split(":"):
                if os.access(path := f"{folder}/{name}", os.X_OK):
                    self._commands[name] = path
                    break
            else:
                raise NoCommand(f"this sandbox has no {name}")
        return self._commands[name]


class Program:
    def __init__(self, workshop: Workshop, header: "Header", blobs: "Iterator[bytes]") -> None:
        """`header` is a work's; `blobs` begin with the source, the files beside it and, with
        `made`, what was compiled before. Lays the program out in the box."""
        self._shop = workshop
        self._box = workshop.box
        self._compile = header["compile"]
        self._run = header["run"]
        self._env = tuple(header["env"].items())
        self._limits = Limits(**header["limits"])
        self._compile_limits = Limits(**header["compile_limits"])
        self._keep = len(header["cases"]) > 1
        self._code: bytes | None = None
        self._used = False  # by a test or a compiler, which its directories may remember
        self._uid = workshop.crew.next_uid()
        self._source = next(blobs)
        self._files = {name: next(blobs) for name in header["files"]}
        self._path = self._box.open(self._uid, header["file"], self._source, self._files)
        self._sources = [self._path, *self._alike()]
        made = header["made"]
        self._made = made is not None
        for name, executable in made or ():
            self._place_made(name, next(blobs), executable)

    def close(self) -> None:
        """Forget everything of it. Raises Unclean."""
        self._box.close(self._uid)

    def compile(self) -> "tuple[Header, list[boxes.Collected]] | None":
        """The compiler's evidence, and what it made; None when nothing had to be compiled.

        The evidence of a program that does not compile ends with "compile_error".
        """
        if not self._compile or self._made:
            return None
        argv = self._filled(self._compile, "program")
        self._used = True
        limits = self._compile_limits
        launch, sinks = self._launch_command(argv, limits)
        run = self._finish([launch], sinks, limits)
        made: list[boxes.Collected] = []
        if run["code"] == 0 and run["end"] == "exited":
            try:
                made = self._box.collect_all(self._uid, "program", _MAX_MADE_BYTES)
            except FileNotFoundError:
                _remark(run, "the compiler made no program")
            except boxes.TooLarge as error:
                _remark(run, f"the program is too large: {error}")
            for name, data, executable in made:
                self._place_made(name, data, executable)
        elif run["end"] != "exited":
            _remark(run, f"the compiler was stopped: {run['end']}")
            run["stopped"] = run["end"]
        self._box.wipe(self._uid)
        if not made:
            run["end"] = "compile_error"
        return run, made

    def _place_made(self, name: str, data: bytes, executable: bool) -> None:
        self._box.place(self._box.made, name, data, 0o555 if executable else 0o444)

    def _alike(self) -> list[str]:
        """The other files that are sources of the same language."""
        suffix = os.path.splitext(self._path)[1]
        return [f"{self._box.sources}/{name}" for name in self._files if name.endswith(suffix)]

    def _filled(self, template: Sequence[str], output: str) -> list[str]:
        """A command with its places filled in: a part that is {sources} becomes several."""
        names = {
            "source": self._path,
            "folder": self._box.sources,
            "output": output,
            "memory_mb": self._limits.memory_bytes // _MIB,
        }
        argv = []
        for part in template:
            argv += self._sources if part == "{sources}" else [part.format_map(names)]
        return argv

    def test(self, case: "Header", blobs: list[bytes]) -> "Header":
        """Run one case; returns its evidence, its box wiped. Raises Unclean.

        `blobs` are the case's own and those of its files.
        """
        if self._used:
            self._box.renew(self._uid)
        self._used = True
        own = dict(zip(case.get("files", ()), blobs[1:], strict=True))
        if own or self._files:
            beside = {name: data for name, data in self._files.items() if name not in own}
            self._box.lay(self._uid, {**own, **beside})
        run: Header = getattr(self, "_" + case["kind"])(case, blobs)
        self._box.wipe(self._uid)
        return run

    def _stdin(self, case: "Header", blobs: list[bytes]) -> "Header":
        stdin = self._box.input(blobs[0])
        args = case.get("args", [])
        if self._run:
            argv = [*self._filled(self._run, f"{self._box.made}/program"), *args]
            launch, sinks = self._launch_command(argv, self._limits, stdin)
        else:
            launch, sinks = self._launch_python("script", stdin=stdin)
            launch.spec.argv = tuple(args)
        run = self._finish([launch], sinks)
        # The sandbox has room for a compiler, so its cgroup may be too wide for this program.
        if self._compile and run["mem"] > self._limits.memory_bytes:
            run["end"] = _CAUSES["memory"]
        if "fetch" in case:
            run["fetched"], run["unfetched"] = self._fetch(case["fetch"])
        return run

    def _fetch(self, names: list[str]) -> tuple[dict[str, bytes], dict[str, str]]:
        """Files that the program left, and why there are no others of these names."""
        fetched: dict[str, bytes] = {}
        missed = {}
        room = self._limits.output_bytes
        for name in names:
            try:
                fetched[name] = self._box.collect(self._uid, name, room)
            except FileNotFoundError:
                missed[name] = "the program left no such file"
            except boxes.TooLarge as error:
                missed[name] = f"it can't be given back: {error}"
            else:
                room -= len(fetched[name])
        return fetched, missed

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
        ((hear, tell),) = self._pipes(1)
        sinks.append(Sink(hear))
        uid = self._shop.crew.next_uid()
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        spec = self._spec("examiner", self._limits, uid, cwd="/")
        spec.prepared = prepared is not None
        spec.entry_point = case.get("entry_point")
        test = self._box.input(prepared or blobs[0])
        fds = [null, os.dup(null), os.dup(null), tell, near.detach(), test]
        examiner = Launch(self._shop.crew.examiner(), spec, fds)
        run = self._finish([candidate, examiner], sinks)
        run["assertions"], prepared = told.assertions(bytes(sinks[-1].data))
        if prepared is not None:
            self._shop.prepared[digest] = prepared
            if len(self._shop.prepared) > _MAX_COMPILED_TESTS:
                self._shop.prepared.popitem(last=False)
        return run

    def _pytest(self, case: "Header", blobs: list[bytes]) -> "Header":
        """Run test files in the `way` that their problem says: see `tester.MODES`."""
        way = case["way"]
        crew = self._shop.crew
        limits = self._limits
        owner = None if way == "share" else crew.next_uid() if way == "examine" else self._uid
        folder = self._box.open_tests(owner, told.parts(case["tests"], blobs[0]))
        ((hear, tell),) = self._pipes(1)
        if way == "examine":
            near, far = socket.socketpair()
            zygote = crew.python(b"".join([self._source, *self._files.values()]))
            launch, sinks = self._launch(
                zygote, self._limits, "modules", self._pipes(2), extra=[far.detach()]
            )
            launch.spec.path = self._path
            null = [os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC) for _ in range(3)]
            spec = self._spec(way, self._limits, owner, folder)
            launches = [launch, Launch(crew.tester(), spec, [*null, tell, near.detach()])]
            limits = limits.with_tester()
        else:
            launch, sinks = self._launch(
                crew.tester(), self._limits, way, self._pipes(2), extra=[tell]
            )
            launches = [launch]
        tests = launches[-1].spec
        tests.path = folder
        tests.argv = (self._box.sources,) if way == "share" else tuple(case["modules"])
        heard = Sink(hear, _MAX_TOLD_BYTES)
        run = self._finish(launches, sinks, limits, heard)
        run["tested"] = told.tested(bytes(heard.data))
        self._box.close_tests(owner)
        return run

    def _launch_command(
        self, argv: Sequence[str], limits: Limits, stdin: int | None = None
    ) -> tuple[Launch, list[Sink]]:
        """A launch of what the first of `argv` names. Raises NoCommand."""
        path = self._shop.command(argv[0])
        launch, sinks = self._launch(
            self._shop.crew.launcher(), limits, "exec", self._pipes(2), stdin
        )
        launch.spec.path = path
        launch.spec.argv = tuple(argv)
        return launch, sinks

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
    ) -> tuple[Launch, list[Sink]]:
        if stdin is None:
            stdin = self._box.input(b"")
        (out, stdout), (err, stderr) = pipes[:2]
        spec = self._spec(mode, limits, self._uid, self._box.work)
        return Launch(spawner, spec, [stdin, stdout, stderr, *extra]), [Sink(out), Sink(err)]

    def _spec(
        self,
        mode: str,
        limits: Limits,
        uid: int | None,
        cwd: str,
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
        return Spec(mode, uid, cwd, tuple(rlimits), env=self._env)

    def _pipes(self, count: int) -> list[tuple[int, int]]:
        """Pipes that the program may open again by name (/dev/stdout): they are its own."""
        with self._box.acting_as(self._uid):
            return [os.pipe() for _ in range(count)]

    def _finish(
        self,
        launches: list[Launch],
        sinks: list[Sink],
        limits: Limits | None = None,
        heard: Sink | None = None,
    ) -> "Header":
        """Run a test; a third sink is a Python program's status pipe, `heard` a tester's."""
        limits = limits or self._limits
        every = [*sinks, heard] if heard else sinks
        try:
            cause, wall_s = self._shop.supervisor.run(launches, every, limits)
        finally:
            for sink in every:
                os.close(sink.fd)
        run = _evidence(launches[0].result, cause, wall_s, limits, sinks)
        if len(sinks) > 2:
            said = bytes(sinks[2].data)
            if said.startswith(script.REFUSED):
                run["end"] = "compile_error"
            elif said.startswith(script.COMPILED):
                self._code = said[1:]
        return run


def _data_bytes(limits: Limits) -> int:
    """The backstop where no cgroup holds memory; every thread's stack is reserved whole."""
    stack_bytes, _ = resource.getrlimit(resource.RLIMIT_STACK)
    return 4 * limits.memory_bytes + limits.processes * stack_bytes


def _evidence(
    result: Ended, cause: str | None, wall_s: float, limits: Limits, sinks: list[Sink]
) -> "Header":
    """What the host gets to know of a test."""
    status, cpu_s, peak_bytes = result
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
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
