"""The host's end of an agent, over an agent that is scripted here: what it may say, and when."""

import dataclasses
import json
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from proctor_sandbox import channel, limits
from proctor_sandbox.agent import frames, supervise, values
from proctor_sandbox.artefacts import Artefacts
from proctor_sandbox.channel import AgentSandbox
from proctor_sandbox.errors import LanguageUnavailable, SandboxLost
from proctor_sandbox.limits import MIB, Limits
from proctor_sandbox.programs import (
    Answer,
    Assertions,
    CallCase,
    End,
    ExamineCase,
    Program,
    Run,
    StdinCase,
    Work,
)
from proctor_sandbox.seam import SandboxInfo

INFO = SandboxInfo("scripted", "python", "scripted-1", "none", "?")
READY = frames.pack({"op": "ready", "meter": "cgroup2", "memory_bytes": 5 * MIB, "python": "3"})
SMALL = Limits(memory_bytes=64 * MIB, wall_time_s=0.1)
LARGE = Limits(memory_bytes=128 * MIB, wall_time_s=0.1)

Header = dict[str, Any]
Say = Callable[[Header, list[bytes]], list[bytes]]


class ScriptedTransport:
    """An agent in memory: `say` gives the frames that answer a frame; b"" ends it.

    Takes a few bytes at a time, and gives a few, as a pipe that is nearly full would.
    """

    def __init__(self, say: Say, *, first: bytes = READY, cut: int = 1000) -> None:
        self._say = say
        self._cut = cut
        self._decoder = frames.Decoder()
        self._incoming = bytearray(first)
        self._ended = False
        self._socket, self._other = socket.socketpair()
        self.log: list[tuple[str, object]] = []
        self.closed = 0

    @property
    def read_fd(self) -> int:
        return self._socket.fileno()

    @property
    def write_fd(self) -> int:
        return self._socket.fileno()

    def read(self) -> bytes | None:
        if not self._incoming:
            return b"" if self._ended else None
        data = bytes(self._incoming[: self._cut])
        del self._incoming[: self._cut]
        return data

    def write(self, data: memoryview) -> int:
        part = bytes(data[: self._cut])
        self._decoder.feed(part)
        while (frame := self._decoder.next()) is not None:
            header, blobs = frame
            self.log.append((header["op"], header["id"]))
            for said in self._say(header, blobs):
                self._incoming += said
                self._ended |= not said
        return len(part)

    def memory_limit(self, memory_bytes: int) -> None:
        if self.log[-1:] != [("limit", memory_bytes)]:
            self.log.append(("limit", memory_bytes))

    def autopsy(self) -> str:
        return "it was scripted so"

    def close(self) -> None:
        self.closed += 1
        self._socket.close()
        self._other.close()


def run(stdout: bytes = b"", **changes: object) -> tuple[Header, list[bytes]]:
    header = {"end": "exited", "code": 0, "signal": None, "cpu": 0.1, "wall": 0.2, "mem": 3}
    header["b"] = "o" if stdout else ""
    return header | changes, [stdout] if stdout else []


def told(number: int, *runs: tuple[Header, list[bytes]], last: bool = True) -> bytes:
    header = {"op": "runs", "id": number, "runs": [one for one, _ in runs], "last": last}
    return frames.pack(header, [blob for _, blobs in runs for blob in blobs])


def echo(header: Header, blobs: list[bytes]) -> list[bytes]:
    """Every case gives its stdin back."""
    return (
        [told(header["id"], *(run(blob) for blob in blobs[1:]))] if header["op"] == "work" else []
    )


def always(*said: bytes) -> Say:
    return lambda _header, _blobs: list(said)


@pytest.fixture
def opened() -> Iterator[list[AgentSandbox]]:
    sandboxes: list[AgentSandbox] = []
    yield sandboxes
    for sandbox in sandboxes:
        sandbox.close()


@pytest.fixture
def start(opened: list[AgentSandbox]) -> Callable[..., tuple[AgentSandbox, ScriptedTransport]]:
    def start(say: Say, **options: Any) -> tuple[AgentSandbox, ScriptedTransport]:
        transport = ScriptedTransport(say, **options)
        try:
            sandbox = AgentSandbox(transport, INFO, Artefacts())
        except SandboxLost:
            transport.close()
            raise
        opened.append(sandbox)
        return sandbox, transport

    return start


Start = Callable[..., tuple[AgentSandbox, ScriptedTransport]]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "_PATIENCE_S", 0.01)
    monkeypatch.setattr(channel, "_START_S", 0.01)


def work(*stdins: bytes, limits: Limits = SMALL, **options: Any) -> Work:
    program = Program("python", "print('x')")
    return Work(program, tuple(map(StdinCase, stdins or (b"in",))), limits, **options)


def outputs(sandbox: AgentSandbox, works: list[Work]) -> list[list[bytes]]:
    return [[one.stdout for one in report.runs] for report in sandbox.execute(works)]


@pytest.mark.parametrize("cut", [1, 7, 100_000])
def test_reports_come_in_order_however_the_stream_is_cut(start: Start, cut: int) -> None:
    sandbox, _ = start(echo, cut=cut)
    works = [work(b"%d" % n, b"x" * n) for n in range(1, 30)]
    assert outputs(sandbox, works) == [[b"%d" % n, b"x" * n] for n in range(1, 30)]
    assert sandbox.programs_run == 29
    assert sandbox.info.memory_meter == "cgroup2"


def test_what_a_run_was_like_is_told_whole(start: Start) -> None:
    def say(header: Header, _blobs: list[bytes]) -> list[bytes]:
        heard = {"total": 3, "passed": 1, "failures": {"2": "false"}, "broken": "KeyError"}
        signaled = run(b"out", end="signaled", code=None, signal=11, b="oe", assertions=heard)
        signaled[1].append(b"err")
        return [told(header["id"], signaled)]

    sandbox, _ = start(say)
    (report,) = sandbox.execute([work()])
    assert report.runs == [
        Run(
            end=End.SIGNALED,
            exit_code=None,
            signal=11,
            cpu_time_s=0.1,
            wall_time_s=0.2,
            memory_bytes=3,
            stdout=b"out",
            stderr=b"err",
            assertions=Assertions(3, 1, {2: "false"}, "KeyError"),
        )
    ]


def test_cases_are_encoded_for_the_agent(start: Start) -> None:
    seen: list[tuple[Header, list[bytes]]] = []

    def say(header: Header, blobs: list[bytes]) -> list[bytes]:
        seen.append((header, blobs))
        return [told(header["id"], run(), run(), run())]

    sandbox, _ = start(say)
    cases = (StdinCase(b"\xff"), CallCase("f", ((1,),), {"k": 2}), ExamineCase("assert f", "f"))
    list(sandbox.execute([Work(Program("python", "caf\u00e9 \ud800"), cases, SMALL)]))
    ((header, blobs),) = seen
    assert [case["kind"] for case in header["cases"]] == ["stdin", "call", "examine"]
    assert header["cases"][2]["entry_point"] == "f"
    assert header["step"] is False
    assert header["limits"]["wall_s"] == 0.1
    assert blobs[0] == b"caf\xc3\xa9 \xed\xa0\x80"
    assert blobs[1] == b"\xff"
    assert values.loads(blobs[2]) == ("call", "f", [(1,)], {"k": 2})
    assert blobs[3] == b"assert f"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (told(2, run()), "out of turn"),
        (frames.pack({"op": "runs", "runs": [], "last": True}), "out of turn"),
        (READY, "out of turn"),
        (frames.pack({}), "out of turn"),
        (frames.pack({"op": "fault", "why": "no room"}), "gave up: no room"),
        (told(1), "1 are missing"),
        (told(1, run(), run()), "-1 are missing"),
        (told(1, run(), last=False) + told(1, run()), "-1 are missing"),
        (told(1, run(end="won")), "no sense"),
        (told(1, run(b="o")), "no sense"),
        (frames.pack({"op": "runs", "id": 1, "runs": [{}], "last": True}), "no sense"),
        (frames.pack({"op": "runs", "id": 1, "runs": [7], "last": True}), "no sense"),
        (frames.pack({"op": "runs", "id": 1, "runs": 7, "last": True}), "no sense"),
        (frames.pack({"op": "runs", "id": 1, "runs": []}), "no sense"),
        (told(1, run(assertions={"total": 1})), "no sense"),
        (told(1, run(assertions=[])), "no sense"),
        (b"Traceback (most recent call last):\n", "broke the protocol"),
        (b"\x00" * 8, "broke the protocol"),
        (struct.pack("!II", 10, 6) + b"[" * 6, "broke the protocol"),
    ],
)
def test_an_agent_that_talks_nonsense_is_lost(start: Start, said: bytes, why: str) -> None:
    sandbox, _ = start(always(said))
    with pytest.raises(SandboxLost, match=why):
        list(sandbox.execute([work()]))
    with pytest.raises(SandboxLost):
        list(sandbox.execute([work()]))


@pytest.mark.parametrize("said", [[b""], [told(1, run(b"x" * 5000))[:300], b""]])
def test_an_agent_that_ends_is_lost_with_the_reason(start: Start, said: list[bytes]) -> None:
    sandbox, _ = start(always(*said))
    with pytest.raises(SandboxLost, match="has ended: it was scripted so"):
        list(sandbox.execute([work()]))


def test_an_agent_that_says_it_is_late_is_waited_for(start: Start) -> None:
    late = frames.pack({"op": "late"})
    sandbox, _ = start(always(late, late, told(1, run(b"at last"))))
    (report,) = sandbox.execute([work()])
    assert [one.stdout for one in report.runs] == [b"at last"]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("said", [[], [told(1, run(b"x" * 5000))[:300]], [b"\x00\x00"]])
def test_an_agent_that_falls_silent_is_lost(start: Start, said: list[bytes]) -> None:
    sandbox, _ = start(always(*said))
    with pytest.raises(SandboxLost, match="silent"):
        list(sandbox.execute([work()]))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("first", "why"),
    [
        (b"", "silent"),
        (READY[:10], "silent"),
        (b"exec failed: no such file\n", "broke the protocol"),
        (frames.pack({"op": "fault", "why": "no cgroup"}), "no cgroup"),
        (told(1, run()), "out of turn"),
    ],
)
def test_an_agent_that_does_not_come_up_is_lost(start: Start, first: bytes, why: str) -> None:
    with pytest.raises(SandboxLost, match=why):
        start(echo, first=first)


def test_what_was_reported_before_the_loss_stands(start: Start) -> None:
    sandbox, _ = start(
        lambda header, blobs: echo(header, blobs) if header["id"] < 3 else [b"", b""]
    )
    reports = sandbox.execute([work(b"%d" % n) for n in range(5)])
    assert [next(reports).runs[0].stdout for _ in range(2)] == [b"0", b"1"]
    with pytest.raises(SandboxLost):
        next(reports)
    assert sandbox.programs_run == 2


def test_works_go_ahead_of_their_reports(start: Start) -> None:
    sandbox, transport = start(echo)
    reports = sandbox.execute(work() for _ in range(100))
    read = [next(reports) for _ in range(20)]
    ahead = [number for op, number in transport.log if op == "work"]
    assert len(read) + 2 < len(ahead) <= len(read) + 32
    assert ahead == list(range(1, len(ahead) + 1))


def test_the_memory_limit_changes_only_when_nothing_is_running(start: Start) -> None:
    reported: list[object] = []

    def say(header: Header, blobs: list[bytes]) -> list[bytes]:
        reported.append(("report", header["id"]))
        return echo(header, blobs)

    sandbox, transport = start(say)
    works = [work(limits=limits) for limits in (SMALL, SMALL, LARGE, SMALL)]
    for number, _report in enumerate(sandbox.execute(works), 1):
        transport.log.append(("report", number))
    small, large = (
        limits.memory_bytes + channel._HEADROOM_BYTES + 5 * MIB for limits in (SMALL, LARGE)
    )
    assert transport.log == [
        *[("limit", small), ("work", 1), ("work", 2), ("report", 1), ("report", 2)],
        *[("limit", large), ("work", 3), ("report", 3)],
        *[("limit", small), ("work", 4), ("report", 4)],
    ]


class StepByStep:
    """Runs the first case at once, and another for each go."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []

    def __call__(self, header: Header, blobs: list[bytes]) -> list[bytes]:
        if header["op"] == "work":
            if not header["step"]:
                return echo(header, blobs)
            self._waiting = blobs[1:]
        elif not header["on"]:
            return []
        stdin = self._waiting.pop(0)
        return [told(header["id"], run(stdin), last=not self._waiting)]


@pytest.mark.parametrize(
    ("stop_at", "ran", "steps"),
    [
        (0, [b"0"], ["work", "go", "work"]),
        (1, [b"0", b"1"], ["work", "go", "go", "work"]),
        (2, [b"0", b"1", b"2"], ["work", "go", "go", "work"]),
        (9, [b"0", b"1", b"2"], ["work", "go", "go", "work"]),
    ],
)
def test_until_is_asked_after_each_run_but_the_last(
    start: Start, stop_at: int, ran: list[bytes], steps: list[str]
) -> None:
    sandbox, transport = start(StepByStep())
    asked: list[int] = []

    def until(index: int, one: Run) -> bool:
        assert one.stdout == b"%d" % index
        asked.append(index)
        return index == stop_at

    works = [work(b"0", b"1", b"2", until=until), work(b"after")]
    assert outputs(sandbox, works) == [ran, [b"after"]]
    assert asked == [index for index in range(2) if index <= stop_at]
    assert [op for op, _ in transport.log if op != "limit"] == steps


def test_each_run_is_condensed_as_it_arrives(start: Start) -> None:
    sandbox, _ = start(echo)
    condensed = work(
        b"a", b"b", condense=lambda index, one: dataclasses.replace(one, stdout=b"%d" % index)
    )
    assert outputs(sandbox, [condensed]) == [[b"0", b"1"]]


@pytest.mark.parametrize("taken", [0, 1])
def test_a_run_that_was_abandoned_makes_the_sandbox_unusable(start: Start, taken: int) -> None:
    sandbox, _ = start(echo)
    reports = sandbox.execute([work(), work(), work()])
    for _ in range(taken + 1):
        next(reports)
    reports.close()  # type: ignore[attr-defined]
    with pytest.raises(SandboxLost, match="not read to its end"):
        list(sandbox.execute([]))


def test_a_run_that_was_never_begun_leaves_the_sandbox_usable(start: Start) -> None:
    sandbox, _ = start(echo)
    sandbox.execute([work()]).close()  # type: ignore[attr-defined]
    assert outputs(sandbox, [work(b"x")]) == [[b"x"]]


def test_a_source_of_works_that_fails_makes_the_sandbox_unusable(start: Start) -> None:
    sandbox, _ = start(echo)

    def works() -> Iterator[Work]:
        yield work()
        raise KeyError("gone")

    with pytest.raises(KeyError):
        list(sandbox.execute(works()))
    with pytest.raises(SandboxLost):
        list(sandbox.execute([]))


@pytest.mark.parametrize("language", ["cpp", "cobol"])
def test_a_language_that_is_not_here_is_refused(start: Start, language: str) -> None:
    sandbox, transport = start(echo)
    with pytest.raises(LanguageUnavailable, match=language):
        list(sandbox.execute([Work(Program(language, "x"), (StdinCase(b""),))]))
    assert transport.log == []


def test_closing_closes_the_transport(start: Start) -> None:
    sandbox, transport = start(echo)
    sandbox.close()
    assert transport.closed == 1


VALUE = values.dumps(("value", [1, (2,)], {}))


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (VALUE, Answer(value=[1, (2,)])),
        (values.dumps(("error", ["KeyError", "LookupError"], ())), Answer(error="KeyError")),
        (values.dumps(("end",)), Answer(error="StopIteration")),
        (VALUE + VALUE, None),
        (VALUE[:-1], None),
        (b"true", None),
        (b"[]", None),
        (b'["value"]', None),
        (b'["value",1]', None),
        (b'["error"]', None),
        (b'["error",[]]', None),
        (b'["error",7]', None),
        (b'{"t":"dict","v":[]}', None),
        (b"\xff\xff", None),
        (b"[" * 5000, None),
        (json.dumps({"t": "set", "v": list(range(20_000))}).encode(), None),
    ],
)
def test_an_answer_is_a_value_an_error_or_none_at_all(
    start: Start, reply: bytes, expected: Answer | None
) -> None:
    sandbox, _ = start(lambda header, _: [told(header["id"], (run(b="a")[0], [reply]))])
    (report,) = sandbox.execute([work()])
    assert report.runs[0].answer == expected


def test_an_answer_that_stays_in_the_sandbox_equals_nothing(start: Start) -> None:
    reply = values.dumps(("value", [object(), 1], {}), lambda _value: 0)
    sandbox, _ = start(lambda header, _: [told(header["id"], (run(b="a")[0], [reply]))])
    (report,) = sandbox.execute([work()])
    answer = report.runs[0].answer
    assert answer is not None
    assert not answer.plain
    assert isinstance(answer.value, list)
    assert answer.value[0] not in (None, 0, True, "", [], reply)


def test_host_and_agent_mean_the_same_limits() -> None:
    # The agent imports nothing of the host's, so both have these figures.
    assert supervise.CPU_SLACK == limits.CPU_SLACK
