"""The host's end of an agent: works in, reports out, over any backend's transport.

Several works are sent ahead, so that the agent never waits for the next one. All that the
agent says about a program is evidence; that the agent is there, and speaks in time, is
judged from here.
"""

import select
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from proctor_sandbox import evidence
from proctor_sandbox.agent import frames, values
from proctor_sandbox.artefacts import Artefact, Artefacts, artefact_key
from proctor_sandbox.errors import LanguageUnavailable, SandboxLost
from proctor_sandbox.languages import RUNNABLE, Language
from proctor_sandbox.limits import MIB, Limits
from proctor_sandbox.programs import (
    CallCase,
    Case,
    End,
    ExamineCase,
    PytestCase,
    Report,
    Run,
    StdinCase,
    Work,
)
from proctor_sandbox.seam import SandboxInfo
from proctor_sandbox.transport import Transport

# Works sent ahead: enough of the quick ones that the agent always has a next, few of the slow
# ones, which are run again when the sandbox is lost and run in vain when they are cancelled.
_AHEAD_QUICK = 16
_AHEAD_SLOW = 2
_QUICK_S = 0.02
_AHEAD_BYTES = 1024 * 1024
# Silence beyond a work's own limits: room for a machine that is busy, or slow to kill.
_PATIENCE_S = 30.0
_START_S = 60.0
# Compilers need more than programs: templates and optimisers; isolate-based judges use 10 s.
_COMPILE_LIMITS = Limits(20.0, 60.0, 1024 * MIB, 64 * 1024, 64)
# On top of a program's own limit, for what the kernel charges to the sandbox besides it.
_HEADROOM_BYTES = 16 * MIB
# The zygote with pytest, once there is one, and what its fork writes to: 26 and 16 MiB measured.
_TESTER_BYTES = 64 * MIB
_SMALL_FRAME_BYTES = 1 * MIB
_ROOM_STEP_BYTES = 64 * MIB


class AgentSandbox:
    """A `Sandbox` over a transport to an agent."""

    def __init__(self, transport: Transport, info: SandboxInfo, artefacts: Artefacts):
        """Wait for the agent to be ready; it knows best who meters its memory.

        `artefacts` are the backend's, known to all its sandboxes. Raises SandboxLost if the
        agent does not come up.
        """
        self._transport = transport
        self._artefacts = artefacts
        self._decoder = frames.Decoder()
        self._outgoing: deque[memoryview] = deque()
        self._poll = select.poll()
        self._programs_run = 0
        self._serial = 0
        self._abandoned = False
        self._tester_bytes = 0
        hello, _ = self._receive(time.monotonic() + _START_S)
        if hello.get("op") != "ready":
            raise SandboxLost(f"the agent spoke out of turn: {evidence.text(hello.get('op'))}")
        try:
            self._base_memory_bytes = evidence.count(hello.get("memory_bytes"))
        except evidence.BadReport as error:
            raise SandboxLost(f"the agent's greeting makes no sense: {error}") from None
        self.info = replace(info, memory_meter=evidence.text(hello.get("meter")))

    @property
    def programs_run(self) -> int:
        return self._programs_run

    def close(self) -> None:
        self._transport.close()

    def execute(self, works: Iterable[Work]) -> Iterator[Report]:
        """See `Sandbox.execute`."""
        if self._abandoned:
            raise SandboxLost("an earlier run was not read to its end")
        self._abandoned = True
        line = _Line(works)
        while True:
            for sent in line.due(self._prepare):
                self._transport.memory_limit(sent.memory_bytes + self._base_memory_bytes)
                self._outgoing.append(memoryview(sent.frame))
                sent.frame = b""
            if not line.sent:
                break
            asked_at = time.monotonic()
            report = self._collect(line.sent[0])
            line.reported(time.monotonic() - asked_at)
            yield report
            self._programs_run += 1
        self._abandoned = False

    def _prepare(self, work: Work) -> "_Sent":
        language = RUNNABLE.get(work.program.language)
        if language is None or language.image != self.info.image:
            raise LanguageUnavailable(
                f"{work.program.language} does not run in a {self.info.image} sandbox"
            )
        self._serial += 1
        key = artefact_key(language, work.program) if language.compile else None
        if any(isinstance(case, PytestCase) for case in work.cases):
            self._tester_bytes = _TESTER_BYTES
        artefact = self._artefacts.get(key) if key else None
        return _Sent(work, self._serial, language, key, artefact, self._tester_bytes)

    def _collect(self, sent: "_Sent") -> Report:
        """Read frames until this work is reported; answer what it asks."""
        runs: list[Run] = []
        while True:
            header, blobs = self._receive(time.monotonic() + sent.patience_s)
            if header.get("op") == "late":
                continue
            if header.get("op") == "compiled" and header.get("id") == sent.id and sent.key:
                try:
                    sent.artefact = evidence.artefact(header, blobs)
                except evidence.BadReport as error:
                    raise SandboxLost(f"what was compiled makes no sense: {error}") from None
                continue
            if header.get("op") != "runs" or header.get("id") != sent.id:
                raise SandboxLost(f"the agent spoke out of turn: {evidence.text(header.get('op'))}")
            try:
                told, last = evidence.runs(header, blobs)
            except evidence.BadReport as error:
                raise SandboxLost(f"the agent's report makes no sense: {error}") from None
            condense = sent.work.condense
            for run in told:
                runs.append(condense(len(runs), run) if condense else run)
            missing = len(sent.work.cases) - len(runs)
            stopped = bool(told) and told[-1].end is End.COMPILE_ERROR
            if missing < 0 or (last and missing and not stopped):
                raise SandboxLost(f"the agent told of {len(runs)} runs; {missing} are missing")
            if last:
                return self._report(sent, runs)
            until = sent.work.until
            if until is None:
                continue
            stop = until(len(runs) - 1, runs[-1])
            go = frames.pack({"op": "go", "id": sent.id, "on": not stop})
            self._outgoing.append(memoryview(go))
            if stop:
                return self._report(sent, runs)

    def _report(self, sent: "_Sent", runs: list[Run]) -> Report:
        """The report of a work that the sandbox survived: only such a one's artefact is kept."""
        artefact = sent.artefact
        if artefact is None:
            return Report(sent.work, runs)
        if sent.key is not None:
            self._artefacts.put(sent.key, artefact)
        return Report(sent.work, runs, artefact.compilation)

    def _receive(self, deadline: float) -> tuple[dict[str, Any], list[bytes]]:
        """The agent's next frame; meanwhile what waits for it is written."""
        try:
            while (frame := self._decoder.next()) is None:
                self._exchange(deadline)
        except frames.FrameError as error:
            raise SandboxLost(f"the agent broke the protocol: {error}") from None
        header: dict[str, Any]
        header, blobs = frame
        if header.get("op") == "fault":
            raise SandboxLost(f"the agent gave up: {evidence.text(header.get('why'))}")
        return header, blobs

    def _exchange(self, deadline: float) -> None:
        transport = self._transport
        if len(self._outgoing) > 1:
            self._outgoing = deque([memoryview(b"".join(self._outgoing))])
        while self._outgoing and (taken := transport.write(self._outgoing[0])):
            rest = self._outgoing.popleft()[taken:]
            if rest:
                self._outgoing.appendleft(rest)
        data = transport.read()
        if data:
            self._decoder.feed(data)
            return
        if data is not None:
            raise SandboxLost(f"the agent has ended: {transport.autopsy()}")
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise SandboxLost("the agent has fallen silent")
        poll = select.poll()
        poll.register(transport.read_fd, select.POLLIN)
        if self._outgoing:
            both = transport.write_fd == transport.read_fd
            poll.register(transport.write_fd, select.POLLOUT | (select.POLLIN if both else 0))
        poll.poll(left_s * 1000)


class _Line:
    """Works in order: those sent ahead of their reports, and the next while it has to wait."""

    def __init__(self, works: Iterable[Work]):
        self._source = iter(works)
        self._next: _Sent | None = None
        self._depth = _AHEAD_SLOW
        self.sent: deque[_Sent] = deque()

    def reported(self, after_s: float) -> None:
        """The first of those sent is done; how long it took says how far ahead to send."""
        self.sent.popleft()
        self._depth = min(2 * self._depth, _AHEAD_QUICK) if after_s < _QUICK_S else _AHEAD_SLOW

    def due(self, prepare: "Callable[[Work], _Sent]") -> "Iterator[_Sent]":
        """What is to be sent now: several at once, since each write wakes an engine up."""
        if len(self.sent) > self._depth // 2:
            return
        size = 0
        while len(self.sent) < self._depth and size < _AHEAD_BYTES:
            if self._next is None:
                work = next(self._source, None)
                if work is None:
                    return
                self._next = prepare(work)
            if self.sent and self._next.must_follow(self.sent[-1]):
                return
            size += len(self._next.frame)
            self.sent.append(self._next)
            self._next = None
            yield self.sent[-1]


class _Sent:
    """A work on its way: its frame, and what it needs of the sandbox."""

    def __init__(
        self,
        work: Work,
        number: int,
        language: Language,
        key: bytes | None,
        artefact: Artefact | None,
        tester_bytes: int,
    ):
        self.work = work
        self.id = number
        self.key = key
        self.artefact = artefact
        limits = _with_overhead(work.limits, language)
        compile_limits = _compile_limits(work, language)
        compiled = bool(language.compile)
        longest_s = max(limits.wall_time_s, compile_limits.wall_time_s if compiled else 0.0)
        # Without steps all runs come in one report, after the last of them.
        turns = 1 if work.until else max(1, len(work.cases))
        self.patience_s = longest_s * turns + _PATIENCE_S
        cases, blobs = _encoded(work.cases)
        program = work.program
        made = None if artefact is None else artefact.files
        self.frame = frames.pack(
            {
                "op": "work",
                "id": number,
                "file": language.file,
                "files": list(program.files),
                "made": None if made is None else [(name, runs) for name, _, runs in made],
                "compile": language.compile,
                "run": language.run,
                "env": dict(language.env),
                "limits": _as_header(limits),
                "compile_limits": _as_header(compile_limits),
                "cases": cases,
                "step": work.until is not None,
            },
            [
                program.source.encode("utf-8", "surrogatepass"),
                *program.files.values(),
                *(data for _, data, _ in made or ()),
                *blobs,
            ],
        )
        # The same whether it is to be compiled or was before: a change empties the line.
        self.memory_bytes = (
            tester_bytes
            + _room_bytes(len(self.frame))
            + (
                max(limits.memory_bytes, compile_limits.memory_bytes)
                if compiled
                else limits.memory_bytes
            )
        )

    def must_follow(self, before: "_Sent") -> bool:
        """Whether it can't be sent before the other is done: the memory limit is the whole
        sandbox's, and a work with steps owns the line until its last one."""
        return self.memory_bytes != before.memory_bytes or before.work.until is not None


def _with_overhead(limits: Limits, language: Language) -> Limits:
    """A program's limits with what its language's runtime takes for itself."""
    return replace(
        limits,
        memory_bytes=limits.memory_bytes + language.overhead_mb * MIB,
        processes=limits.processes + language.processes,
    )


def _compile_limits(work: Work, language: Language) -> Limits:
    limits = _with_overhead(_COMPILE_LIMITS, language)
    if work.compile_time_s is None:
        return limits
    return replace(limits, cpu_time_s=work.compile_time_s, wall_time_s=work.compile_time_s)


def _as_header(limits: Limits) -> dict[str, float]:
    return {
        "cpu_s": limits.cpu_time_s,
        "wall_s": limits.wall_time_s,
        "memory_bytes": limits.memory_bytes,
        "output_bytes": limits.output_bytes,
        "processes": limits.processes,
    }


def _room_bytes(frame_bytes: int) -> int:
    """What the sandbox needs besides its program: inputs lie in the agent's memory, three times
    while they arrive. In coarse steps, so that programs of one problem share a limit."""
    if frame_bytes <= _SMALL_FRAME_BYTES:
        return _HEADROOM_BYTES
    return _HEADROOM_BYTES + -(-3 * frame_bytes // _ROOM_STEP_BYTES) * _ROOM_STEP_BYTES


def _encoded(cases: Iterable[Case]) -> tuple[list[dict[str, Any]], list[bytes]]:
    headers: list[dict[str, Any]] = []
    blobs: list[bytes] = []
    for case in cases:
        match case:
            case StdinCase(stdin, args, files, fetch):
                header: dict[str, Any] = {"kind": "stdin"}
                if args:
                    header["args"] = args
                if files:
                    header["files"] = list(files)
                if fetch:
                    header["fetch"] = fetch
                headers.append(header)
                blobs += [stdin, *files.values()]
            case CallCase(function, args, kwargs):
                headers.append({"kind": "call"})
                blobs.append(values.dumps(("call", function, list(args), kwargs)))
            case ExamineCase(code, entry_point):
                headers.append({"kind": "examine", "entry_point": entry_point})
                blobs.append(code.encode("utf-8", "surrogatepass"))
            case PytestCase(tests, way, modules):
                sizes = [(path, len(data)) for path, data in tests.items()]
                headers.append({"kind": "pytest", "way": way, "tests": sizes, "modules": modules})
                blobs.append(b"".join(tests.values()))
    return headers, blobs
