"""Verdicts: what one run of one test, and all of a program's tests, amount to.

A `Run` is evidence gathered by the agent, never a claim of the program. IE is not given here:
nothing that a program does can make one.
"""

from collections.abc import Iterable, Sequence

from pydantic import JsonValue

from proctor.types import Comparer, Verdict
from proctor_sandbox.limits import CPU_SLACK, Limits
from proctor_sandbox.programs import Answer, Assertions, End, Run, Tested
from proctor_server.grading.comparers import same_output
from proctor_server.grading.values import same_value

_ENDS = {
    End.COMPILE_ERROR: Verdict.CE,  # nothing ran
    # Before time: a program at its memory limit may crawl, one that floods stdout costs time.
    # Only an OOM kill counts; a peak above the limit that the kernel let pass does not.
    End.MEMORY_LIMIT: Verdict.MLE,
    End.OUTPUT_LIMIT: Verdict.OLE,
    End.CPU_LIMIT: Verdict.TLE,
    End.WALL_LIMIT: Verdict.TLE,
}


# How a pytest test ends that finds the program wrong.
_FAILED = frozenset({"AssertionError", "Failed"})


def end_verdict(run: Run, limits: Limits) -> Verdict | None:
    """The verdict that how a run ended decides; None if its output or answer must be looked at.

    Compile error, memory, output and time, in this order. A program that exits on its own is
    let run to CPU_SLACK times the limit, so its CPU time counts however it ended.
    """
    verdict = _ENDS.get(run.end)
    if verdict is None and run.cpu_time_s > limits.cpu_time_s:
        return Verdict.TLE
    return verdict


def stdin_verdict(run: Run, expected: bytes, comparer: Comparer) -> Verdict:
    """The verdict of a program that ended on its own, by exit status and then by output.

    A crash is RE even if the output is right: it came before the program was done.
    """
    if run.end is End.SIGNALED or run.exit_code != 0:
        return Verdict.RE
    return Verdict.AC if same_output(comparer, expected, run.stdout) else Verdict.WA


def call_verdict(answer: Answer | None, expected: JsonValue, comparer: Comparer) -> Verdict:
    """The verdict of a function call. No answer: the program ended before it gave one.

    What it does after its answer (exit status, signal) is of no account.
    """
    if answer is None or answer.error is not None:
        return Verdict.RE
    if answer.plain and same_value(comparer, expected, answer.value):
        return Verdict.AC
    return Verdict.WA


def assertions_verdict(assertions: Assertions | None, total: int) -> Verdict:
    """The verdict of test code of `total` asserts: that of its first failed one.

    An assert whose condition is false is WA, one that an exception ends is RE, and so is test
    code that does not get to its end. Asserts never reached are WA.
    """
    if assertions is None:
        return Verdict.RE
    if assertions.failures:
        first = assertions.failures[min(assertions.failures)]
        return Verdict.WA if first == "false" else Verdict.RE
    if assertions.broken is not None:
        # A bare `assert False` ends the test code: the program got where it must not.
        return Verdict.WA if assertions.broken == "AssertionError" else Verdict.RE
    return Verdict.AC if assertions.passed == total else Verdict.WA


def tested_verdict(tested: Tested | None, names: Sequence[str]) -> Verdict:
    """The verdict of pytest files with these tests: that of the first that did not pass.

    One that ends by a false assert or by pytest's own word (`pytest.fail`, an exception that was
    expected and not raised) is WA, any other and what was never reached RE.
    """
    for name in names:
        why = tested.outcomes.get(name) if tested is not None else None
        if why != "":
            failed = why is not None and why.partition(":")[0] in _FAILED
            return Verdict.WA if failed else Verdict.RE
    return Verdict.RE if tested is None or tested.broken is not None else Verdict.AC


def program_verdict(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of a program: that of its first test, in test order, that is not AC."""
    for verdict in verdicts:
        if verdict is not Verdict.AC:
            return verdict
    return Verdict.AC


def is_borderline(run: Run, limits: Limits) -> bool:
    """Whether a TLE is too close to call, so that a busy machine may have made it.

    Either the program came to its end with a CPU time at most CPU_SLACK over the limit, or the
    wall limit, which is no measure of a program, ended it near its CPU limit.
    """
    low, high = (2 - CPU_SLACK) * limits.cpu_time_s, CPU_SLACK * limits.cpu_time_s
    match run.end:
        case End.EXITED | End.SIGNALED:
            return limits.cpu_time_s < run.cpu_time_s <= high
        case End.WALL_LIMIT:
            return low <= run.cpu_time_s <= high
        case _:
            return False
