"""Results of raw runs and of submissions made by hand, to be told in peers' words."""

from typing import Any

from proctor.runs import Phase, RunResult
from proctor.types import Result, TestResult, Verdict

AC, RE, TLE, MLE, OLE, CE = (Verdict(name) for name in ("AC", "RE", "TLE", "MLE", "OLE", "CE"))


def phase(verdict: Verdict = AC, **said: Any) -> Phase:
    """A phase that wrote nothing and ended with 0, but for what is given."""
    fields: dict[str, Any] = {
        "stdout": "",
        "stderr": "",
        "truncated": False,
        "exit_code": 0,
        "signal": None,
        "cpu_time_s": 0.25,
        "wall_time_s": 0.5,
        "memory_mb": 8.0,
    }
    return Phase(verdict=verdict, **fields | said)


def ran(run: Phase | None, compile: Phase | None = None, **said: Any) -> RunResult:
    """The result of these phases."""
    last = run or compile
    verdict = Verdict.IE if last is None else last.verdict
    return RunResult(verdict=verdict, run=run, compile=compile, **said)


# What phases of programs that end in different ways are.
FINE = phase(stdout="out", stderr="err")
FAILED = phase(RE, exit_code=3)
CRASHED = phase(RE, exit_code=None, signal=11)
LATE = phase(TLE, exit_code=None, signal=9)
LATE_BY_ITSELF = phase(TLE)  # it ended, but above its CPU limit
TOO_LARGE = phase(MLE, exit_code=None, signal=9)
CAUGHT_IT = phase(MLE)  # a child was killed, the program went on
FLOOD = phase(OLE, exit_code=None, signal=9, stdout="x" * 50, truncated=True)
NO_PROGRAM = phase(CE, exit_code=1, stderr="main: error")
SLOW_COMPILER = phase(TLE, exit_code=None, signal=9)


# -- submissions


def one_test(verdict: Verdict) -> TestResult:
    """One test's result."""
    numbers: dict[str, Any] = {"cpu_time_s": 0.1, "wall_time_s": 0.25, "memory_mb": 8}
    return TestResult(verdict=verdict, passed=int(verdict is AC), total=1, **numbers)


def result(verdict: Verdict | None, *tests: Verdict, **said: Any) -> Result:
    """A submission's result, of as many tests as there are verdicts of them."""
    passed, total = tests.count(AC), max(1, len(tests))
    judged = verdict not in (None, Verdict.IE)
    fields: dict[str, Any] = {
        "index": 0,
        "submission_id": "s",
        "problem_id": "p",
        "language": "python",
        "verdict": verdict,
        "pass_rate": passed / total if judged else None,
        "reward": passed / total if judged else None,
        "passed": passed,
        "total": total,
        "tests": [one_test(one) for one in tests],
    }
    return Result(**fields | said)
