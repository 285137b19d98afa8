"""Every language: the same fourteen things of each, over both kinds of sandbox.

The whole table with CI or PROCTOR_ALL_LANGUAGES; else each language says hello, and each thing is
done in one language.
"""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from proctor_sandbox.languages import LANGUAGES
from proctor_sandbox.limits import MIB, Limits
from proctor_sandbox.pool import Pool
from proctor_sandbox.programs import End, Program, Report, Run, StdinCase, Work
from proctor_sandbox.seam import Backend
from tests.conftest import missing
from tests.contract.examples import EXAMPLES

BACKENDS = ("docker-runc", "bubblewrap")
WHOLE = os.environ.get("CI") == "true" or os.environ.get("PROCTOR_ALL_LANGUAGES") == "1"

# Short, since endless programs use all of it; wide enough for a JVM on a busy machine.
LIMITS = Limits.for_cpu(3.0, memory_bytes=128 * MIB, output_bytes=4 * MIB)
MEGABYTE = "".join(f"line {number:06}, wörld ☃\n" for number in range(42_000)).encode()
NUMBERS = range(1, 100_001)
SENTENCE = "grüße, мир, 世界, 🌍\n".encode()


@dataclass(frozen=True, slots=True)
class Column:
    """One thing that a program is told to do, and what is to come of it."""

    word: str
    proves: Callable[[str, Run], object]
    stdin: bytes = b""
    files: tuple[tuple[str, bytes], ...] = ()


def _says(wanted: bytes) -> Callable[[str, Run], object]:
    def proves(_language: str, run: Run) -> None:
        _ended_well(run)
        assert run.stdout == wanted

    return proves


def _ended_well(run: Run) -> None:
    assert (run.end, run.exit_code) == (End.EXITED, 0), run.stderr[-2000:]


def _exits_with_3(_language: str, run: Run) -> None:
    assert (run.end, run.exit_code) == (End.EXITED, 3), run.stderr[-2000:]
    assert b"sorry" in run.stderr


def _dies(_language: str, run: Run) -> None:
    assert run.end is End.SIGNALED, (run.end, run.exit_code, run.stderr[-2000:])
    assert run.signal in (signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL)


def _is_stopped(end: End) -> Callable[[str, Run], object]:
    def proves(_language: str, run: Run) -> None:
        assert run.end is end, (run.end, run.exit_code, run.signal, run.stderr[-2000:])

    return proves


def _recurses(language: str, run: Run) -> None:
    _ended_well(run)
    assert run.stdout == b"%d\n" % EXAMPLES[language].depth


COLUMNS = {
    "hello": Column("hello", _says("hello, wörld\n".encode())),
    "no input": Column("nothing", _says(b"nothing\n")),
    "unread input": Column("hello", _says("hello, wörld\n".encode()), stdin=MEGABYTE),
    "a megabyte echoed": Column("echo", _says(MEGABYTE), stdin=MEGABYTE),
    "unicode": Column("echo", _says(SENTENCE), stdin=SENTENCE),
    "a sum of 100,000 numbers": Column(
        "sum",
        _says(b"%d\n" % sum(NUMBERS)),
        stdin="".join(f"{number}\n" for number in NUMBERS).encode(),
    ),
    "exit code": Column("exit", _exits_with_3),
    "signal": Column("signal", _dies),
    "endless loop": Column("spin", _is_stopped(End.CPU_LIMIT)),
    "memory": Column("hoard", _is_stopped(End.MEMORY_LIMIT)),
    "output": Column("flood", _is_stopped(End.OUTPUT_LIMIT)),
    "recursion": Column("recurse", _recurses),
    "data file": Column("file", _says(b"as said\n"), files=(("data/in.txt", b"as said\n"),)),
}
# An endless loop uses all that it may. Near its limit of memory a program is slow, since the kernel
# takes pages of its code first, again and again.
LIMITS_OF = {
    "spin": Limits.for_cpu(0.5, memory_bytes=128 * MIB),
    "hoard": Limits.for_cpu(5.0, memory_bytes=128 * MIB),
}


@dataclass(frozen=True, slots=True)
class Trial:
    """One work, and for each of its runs a column's name and proof."""

    work: Work
    proofs: list[tuple[str, Callable[[str, Run], object]]]

    def faults(self, report: Report) -> Iterator[str]:
        """What was not as it is to be."""
        language = self.work.program.language
        for (name, proves), run in zip(self.proofs, report.runs, strict=False):
            try:
                proves(language, run)
                assert run.cpu_time_s > 0
                assert run.memory_bytes > 0
            except AssertionError as fault:
                yield f"{name}: {fault}"
        if len(report.runs) < len(self.proofs):
            yield f"did not compile: {report.runs[0].stderr.decode(errors='replace')[-2000:]}"


def _trials(language: str) -> Iterator[Trial]:
    """A language's row; equal programs come together, since they are compiled once."""
    examples = EXAMPLES[language]
    columns = {
        name: column for name, column in _row(language) if column.word not in examples.cannot
    }
    groups: dict[tuple[str, Limits], list[str]] = {}
    for name, column in columns.items():
        limits = LIMITS_OF.get(column.word, LIMITS)
        groups.setdefault((examples.program(column.word), limits), []).append(name)
    for (source, limits), names in groups.items():
        cases = [_case(columns[name]) for name in names]
        work = Work(Program(language, source), cases, limits)
        yield Trial(work, [(name, columns[name].proves) for name in names])
    if WHOLE:
        work = Work(Program(language, examples.broken), [StdinCase(b"")], LIMITS)
        yield Trial(work, [("compile error", _is_refused)])
        (_, main), *others = examples.parts.items()
        files = {name: text.encode() for name, text in others}
        work = Work(Program(language, main, files), [StdinCase(b"")], LIMITS)
        yield Trial(work, [("several files", _says(b"42\n"))])


def _row(language: str) -> Iterator[tuple[str, Column]]:
    """All columns, or the first and one that is another in each language."""
    place = list(LANGUAGES).index(language) % len(COLUMNS)
    for number, (name, column) in enumerate(COLUMNS.items()):
        if WHOLE or number in (0, place):
            yield name, column


def _case(column: Column) -> StdinCase:
    # "nothing" is what a program does that is told nothing.
    told = b"" if column.word == "nothing" else column.word.encode() + b"\n"
    return StdinCase(told + column.stdin, files=dict(column.files))


def _is_refused(language: str, run: Run) -> None:
    """By its compiler, or by its interpreter as it starts."""
    assert run.stderr
    if LANGUAGES[language].compile or language == "python":
        assert run.end is End.COMPILE_ERROR
    else:
        assert run.end is End.EXITED
        assert run.exit_code != 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_does_what_every_language_does(
    language: str, backend: Backend, pool: Pool
) -> None:
    image = backend.languages().get(language)
    if image is None:
        missing(f"no {language} here: make images, PROCTOR_ALL_LANGUAGES=1 scripts/packages")
    trials = list(_trials(language))
    sandbox = pool.lease(image)
    try:
        # A sandbox that can't prove that nothing is left is lost, which raises.
        reports = list(sandbox.execute([trial.work for trial in trials]))
    except BaseException:
        pool.discard(sandbox, "lost in a test")
        raise
    pool.give_back(sandbox)
    faults = [f for trial, one in zip(trials, reports, strict=True) for f in trial.faults(one)]
    assert not faults, "\n".join(faults)
