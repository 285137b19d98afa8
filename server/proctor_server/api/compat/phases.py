"""A raw run's phases as peers tell of them."""

from proctor.runs import Phase, RunResult
from proctor.types import Verdict
from proctor_sandbox.languages import RUNNABLE

_KILLED = 9


def stages(result: RunResult, language: str) -> tuple[Phase | None, Phase | None]:
    """The compiler's phase and the program's.

    To peers a script that does not parse is a program that ran and failed.
    """
    if RUNNABLE[language].compile:
        return result.compile, result.run
    return None, result.run or result.compile


def signal_number(phase: Phase) -> int | None:
    """The signal that ended a phase; SIGKILL where a limit did, whatever the exit status says."""
    if phase.verdict in (Verdict.TLE, Verdict.MLE, Verdict.OLE):
        return phase.signal or _KILLED
    return phase.signal


def return_code(phase: Phase) -> int:
    """The exit status, or as Python's subprocess has it the signal, negative."""
    signal = signal_number(phase)
    if signal is not None:
        return -signal
    return 1 if phase.exit_code is None else phase.exit_code
