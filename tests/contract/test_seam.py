"""What every backend owes those who have programs run (proctor_sandbox/seam.py)."""

from collections.abc import Callable, Iterator

import pytest

from proctor_sandbox.errors import LanguageUnavailable, SandboxLost
from proctor_sandbox.fake import FakeBackend
from proctor_sandbox.languages import FAMILIES
from proctor_sandbox.limits import MIB, Limits
from proctor_sandbox.programs import (
    CallCase,
    Case,
    End,
    ExamineCase,
    Program,
    Report,
    Run,
    StdinCase,
    Work,
)
from proctor_sandbox.seam import Backend, Sandbox
from tests.contract import programs

# Far more CPU time than an honest program here takes on the slowest machine.
LIMITS = Limits(cpu_time_s=5.0, wall_time_s=60.0, memory_bytes=128 * MIB, output_bytes=64 * 1024)
SHORT = Limits(cpu_time_s=0.3, wall_time_s=60.0, memory_bytes=128 * MIB)


def work(source: str, *cases: Case, **options: object) -> Work:
    cases = cases or (StdinCase(b""),)
    return Work(Program("python", source), cases, **{"limits": LIMITS, **options})  # type: ignore[arg-type]


def only(sandbox: Sandbox, asked: Work) -> Report:
    (report,) = sandbox.execute([asked])
    return report


def test_info_names_backend_and_image(backend: Backend, sandbox: Sandbox) -> None:
    assert (sandbox.info.backend, sandbox.info.image) == (backend.name, "python")
    assert sandbox.info.name
    assert sandbox.info.memory_meter in ("cgroup1", "cgroup2", "watch")


def test_languages_name_their_image_family(backend: Backend) -> None:
    assert backend.languages()["python"] == "python"
    assert set(backend.languages().values()) <= set(FAMILIES)


@pytest.mark.parametrize(
    ("source", "stdin", "expected"),
    [
        (programs.ECHO, b"some words\n", (End.EXITED, 0, None, b"some words\n", b"")),
        (programs.ECHO, "\u00e9\u4e2d \U0001f600".encode(), None),
        (programs.ECHO, b"x" * 50_000, None),
        (programs.HELLO, b"", (End.EXITED, 0, None, b"hello\n", b"")),
        (programs.TWICE, b"21\n", (End.EXITED, 0, None, b"42\n", b"")),
        (programs.EXIT_3, b"", (End.EXITED, 3, None, b"out\n", b"err\n")),
        (programs.KILLED, b"", (End.SIGNALED, None, 11, b"", b"")),
    ],
)
def test_a_run_is_told_as_it_was(
    sandbox: Sandbox,
    source: str,
    stdin: bytes,
    expected: tuple[End, int | None, int | None, bytes, bytes] | None,
) -> None:
    (run,) = only(sandbox, work(source, StdinCase(stdin))).runs
    told = (run.end, run.exit_code, run.signal, run.stdout, run.stderr)
    assert told == (expected or (End.EXITED, 0, None, stdin, b""))
    assert 0 <= run.cpu_time_s < LIMITS.cpu_time_s
    assert run.memory_bytes > 0


@pytest.mark.parametrize(
    ("source", "limits", "end"),
    [
        (programs.SPINS, SHORT, End.CPU_LIMIT),
        (programs.MEMORY_HOG, LIMITS, End.MEMORY_LIMIT),
        (programs.FLOOD, LIMITS, End.OUTPUT_LIMIT),
    ],
)
def test_a_limit_ends_a_program_and_not_the_sandbox(
    sandbox: Sandbox, source: str, limits: Limits, end: End
) -> None:
    hostile, honest = sandbox.execute([work(source, limits=limits), work(programs.HELLO)])
    assert hostile.runs[0].end is end
    assert len(hostile.runs[0].stdout) <= LIMITS.output_bytes
    assert (honest.runs[0].end, honest.runs[0].stdout) == (End.EXITED, b"hello\n")


def test_a_program_that_does_not_compile_has_one_run(sandbox: Sandbox) -> None:
    report = only(sandbox, work(programs.SYNTAX_ERROR, StdinCase(b"1"), StdinCase(b"2")))
    assert not report.compiled
    assert [run.end for run in report.runs] == [End.COMPILE_ERROR]
    assert b"SyntaxError" in report.runs[0].stderr


def test_reports_and_runs_come_in_order(sandbox: Sandbox) -> None:
    works = [
        work(programs.TWICE, *(StdinCase(b"%d" % (n + i)) for i in range(3)), tag=n)
        for n in range(40)
    ]
    reports = list(sandbox.execute(works))
    assert [report.work.tag for report in reports] == list(range(40))
    for n, report in enumerate(reports):
        assert [int(run.stdout) for run in report.runs] == [2 * (n + i) for i in range(3)]


def test_limits_may_differ_from_work_to_work(sandbox: Sandbox) -> None:
    sizes = [128 * MIB, 512 * MIB, 128 * MIB, 300 * MIB]
    works = [work(programs.HELLO, limits=Limits(memory_bytes=size), tag=size) for size in sizes]
    assert [report.work.tag for report in sandbox.execute(works)] == sizes


def test_works_are_read_only_a_little_ahead(sandbox: Sandbox) -> None:
    read = 0

    def endless() -> Iterator[Work]:
        nonlocal read
        while True:
            read += 1
            yield work(programs.HELLO, tag=read)

    reports = sandbox.execute(endless())
    for wanted in range(1, 4):
        assert next(reports).work.tag == wanted
        assert read <= wanted + 32
    reports.close()  # type: ignore[attr-defined]


def test_no_works_make_no_reports(sandbox: Sandbox) -> None:
    assert list(sandbox.execute([])) == []


@pytest.mark.parametrize("until", [None, lambda _index, _run: False])
def test_a_work_without_cases_has_no_runs(
    sandbox: Sandbox, until: Callable[[int, Run], bool] | None
) -> None:
    empty, after = sandbox.execute(
        [Work(Program("python", programs.HELLO), (), LIMITS, until), work(programs.HELLO)]
    )
    assert empty.runs == []
    assert after.runs[0].stdout == b"hello\n"


def test_until_stops_after_the_run_that_it_says(sandbox: Sandbox) -> None:
    seen = []

    def until(index: int, run: Run) -> bool:
        seen.append((index, run.stdout))
        return index == 1

    cases = [StdinCase(b"%d" % n) for n in range(5)]
    stopped, whole = sandbox.execute(
        [work(programs.TWICE, *cases, until=until), work(programs.TWICE, *cases)]
    )
    assert seen == [(0, b"0\n"), (1, b"2\n")]
    assert [run.stdout for run in stopped.runs] == [b"0\n", b"2\n"]
    assert len(whole.runs) == 5


def test_until_that_never_says_stop_runs_all(sandbox: Sandbox) -> None:
    cases = [StdinCase(b"%d" % n) for n in range(5)]
    report = only(sandbox, work(programs.TWICE, *cases, until=lambda _index, _run: False))
    assert len(report.runs) == 5


def test_a_call_is_answered(backend: Backend, sandbox: Sandbox) -> None:
    if isinstance(backend, FakeBackend):
        backend.behaviours |= programs.CALLED
    good, bad = only(
        sandbox, work(programs.ADDS, CallCase("add", (1, 2)), CallCase("add", (1, "x")))
    ).runs
    assert good.answer is not None
    assert (good.answer.value, good.answer.error, good.answer.plain) == (3, None, True)
    assert bad.answer is not None
    assert bad.answer.error == "TypeError"


def test_assertions_are_counted(backend: Backend, sandbox: Sandbox) -> None:
    if isinstance(backend, FakeBackend):
        backend.behaviours |= programs.EXAMINED
    code = "assert add(1, 2) == 3\nassert add(1, 2) == 4\nassert add('a', 'b') == 'ab'\n"
    (run,) = only(sandbox, work(programs.ADDS, ExamineCase(code))).runs
    assert run.assertions is not None
    assert (run.assertions.passed, run.assertions.total) == (2, 3)
    assert run.assertions.failures == {1: "false"}


def test_programs_run_counts_programs(sandbox: Sandbox) -> None:
    before = sandbox.programs_run
    works = [work(programs.TWICE, StdinCase(b"1"), StdinCase(b"2")) for _ in range(3)]
    assert len(list(sandbox.execute(works))) == 3
    assert sandbox.programs_run == before + 3


def test_a_language_of_another_image_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(LanguageUnavailable, match="cpp"):
        list(sandbox.execute([Work(Program("cpp", "int main() {}"), (StdinCase(b""),))]))


def test_a_run_left_half_read_makes_the_sandbox_unusable(sandbox: Sandbox) -> None:
    reports = sandbox.execute([work(programs.HELLO), work(programs.HELLO)])
    next(reports)
    reports.close()  # type: ignore[attr-defined]
    with pytest.raises(SandboxLost):
        list(sandbox.execute([work(programs.HELLO)]))


def test_a_lost_sandbox_raises_and_what_was_reported_stands(
    sandbox: Sandbox, kill: Callable[[Sandbox], None]
) -> None:
    reports = sandbox.execute(
        work(programs.HELLO, tag=n, until=lambda _index, _run: False) for n in range(100)
    )
    assert [next(reports).work.tag for _ in range(3)] == [0, 1, 2]
    kill(sandbox)
    with pytest.raises(SandboxLost, match=r"\w+"):
        list(reports)
    with pytest.raises(SandboxLost):
        list(sandbox.execute([work(programs.HELLO)]))


def test_a_closed_sandbox_is_lost_and_may_be_closed_again(backend: Backend) -> None:
    sandbox = backend.start("python")
    sandbox.close()
    sandbox.close()
    with pytest.raises(SandboxLost):
        list(sandbox.execute([work(programs.HELLO)]))


def test_reaping_leaves_the_living_alone(backend: Backend, sandbox: Sandbox) -> None:
    backend.reap()
    assert only(sandbox, work(programs.HELLO)).runs[0].stdout == b"hello\n"
