"""What goes into a sandbox and what comes out: plain values, no verdicts.

Nothing here knows an expected output. A `Run` is evidence; what it is worth is
decided by the caller, outside the sandbox.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from proctor_sandbox.limits import Limits


class End(StrEnum):
    """How one test's process ended, told by the agent, never by the program."""

    EXITED = "exited"
    SIGNALED = "signaled"
    CPU_LIMIT = "cpu_limit"
    WALL_LIMIT = "wall_limit"
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_LIMIT = "output_limit"
    COMPILE_ERROR = "compile_error"


@dataclass(frozen=True, slots=True)
class StdinCase:
    """Run the program with these bytes on its standard input.

    `args` are its arguments. `files`, by path, are put where it starts, before those of the
    program; those named by `fetch` are read once it has ended.
    """

    stdin: bytes
    args: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    fetch: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CallCase:
    """Call one function of the program once; what it returns comes back as `Run.answer`.

    `function` is a global of the program, or `Class.method` for a method of a fresh instance.
    `args` and `kwargs` are plain built-in values.
    """

    function: str
    args: Sequence[object] = ()
    kwargs: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExamineCase:
    """Run test code in an examiner process, with the program behind a pipe.

    Names that the test code neither defines nor imports are the program's;
    `entry_point` is what the name `candidate` stands for, where the code uses it.
    """

    code: str
    entry_point: str | None = None


Case = StdinCase | CallCase | ExamineCase


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call gave back: a plain value, or the name of the exception it raised.

    `error` is the exception's class name; `value` means nothing then. A result that is
    no plain value (a generator, an instance of the program's own class) has `plain` False.
    """

    value: object = None
    error: str | None = None
    plain: bool = True


@dataclass(frozen=True, slots=True)
class Assertions:
    """How an examiner's assertions went; each assert statement of the test code counts once.

    `failures` maps the ordinal of a failed statement (from 0) to its cause: "false" when the
    condition did not hold, else the name of the exception. `broken` is the exception that
    ended the test code early, None when it ran to its end.
    """

    total: int
    passed: int
    failures: dict[int, str]
    broken: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One test's evidence.

    CPU time is that of the whole process tree (wait4 rusage), in seconds; `memory_bytes` is
    the peak resident size of its largest process. Output is what was read before the limit.
    `fetched` are files that a case asked for, `unfetched` says why others are missing.
    `stopped` is the limit that ended a compiler, where `end` is COMPILE_ERROR.
    """

    end: End
    exit_code: int | None
    signal: int | None
    cpu_time_s: float
    wall_time_s: float
    memory_bytes: int
    stdout: bytes
    stderr: bytes
    answer: Answer | None = None
    assertions: Assertions | None = None
    fetched: Mapping[str, bytes] = field(default_factory=dict)
    unfetched: Mapping[str, str] = field(default_factory=dict)
    stopped: End | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """One program in one language, as text.

    `files`, by path, lie beside the source, and copies of them where the program starts. Where
    two can't be, the first stays; none takes the source's place.
    """

    language: str
    source: str
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Work:
    """One program with the cases to run it on.

    With `until`, cases are run one by one and the rest is left out once it returns True.
    With `condense`, each run is replaced by what it returns as soon as it arrives, so that
    output which has been judged takes no memory; `until` sees the condensed run.
    `compile_time_s` bounds the compiler's CPU and wall time, None: by the usual limits.
    `tag` is the caller's own and comes back untouched.
    """

    program: Program
    cases: Sequence[Case]
    limits: Limits = field(default_factory=Limits)
    until: Callable[[int, Run], bool] | None = None
    condense: Callable[[int, Run], Run] | None = None
    compile_time_s: float | None = None
    tag: object = None


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a `Work`: its runs in the order of its cases.

    Shorter than the cases only if the program did not compile (one run, COMPILE_ERROR,
    the compiler's words in its stderr) or `until` said stop. `compilation` is how a compiler
    did that succeeded, now or when it was last asked for the same; None without one.
    """

    work: Work
    runs: list[Run]
    compilation: Run | None = None

    @property
    def compiled(self) -> bool:
        return not (self.runs and self.runs[0].end is End.COMPILE_ERROR)
