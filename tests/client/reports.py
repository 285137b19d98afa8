"""A report of an evaluation in which there is one of everything."""

from datetime import UTC, datetime

from proctor.harness import report as reports
from proctor.harness.report import Gate, Report
from proctor.types import Result, TestResult, Verdict
from tests.client.test_results_file import info


def result(problem: str, verdict: Verdict, passed: int, reason: str | None = None) -> Result:
    ours = verdict is Verdict.IE
    test = TestResult(
        verdict=verdict, passed=passed, total=4, cpu_time_s=0.25, wall_time_s=0.3, memory_mb=9
    )
    return Result(
        index=0,
        submission_id="s",
        problem_id=problem,
        language="python",
        verdict=verdict,
        pass_rate=None if ours else passed / 4,
        reward=None if ours else passed / 4,
        passed=passed,
        total=4,
        tests=[] if ours else [test],
        reason=reason,
    )


def a_report() -> Report:
    """Two sets: a problem that is solved, one that is not, one that could not be judged."""
    results = [
        result("set/a", Verdict.AC, 4),
        result("set/a", Verdict.WA, 1),
        result("set/b", Verdict.TLE, 3),
        result("set/b", Verdict.TLE, 2),
        result("other/<c>", Verdict.IE, 0, "sandbox | lost \x07<b>"),
        result("other/<c>", Verdict.IE, 0, "sandbox | lost \x07<b>"),
    ]
    scores = reports.scores(
        results, {name: info(name=name) for name in ("set/a", "set/b", "other/<c>")}
    )
    return Report(
        problem_set="mine",
        server="Proctor 1",
        began_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        seconds=2.0,
        samples=6,
        judged=6,
        missing=["set/d"],
        pass_at_k={k: reports.pass_at(scores, k) for k in (1, 2, 3)},
        mean_pass_rate=reports.mean_pass_rate(scores),
        verdicts=reports.verdict_mix(results),
        unscored=reports.unscored(results),
        slowest=reports.slowest(results),
        problems=scores,
        gates=[
            Gate(name="min-pass-at-1", passed=False, detail="0.2500 < 0.5"),
            Gate(name="min-pass-rate", passed=True, detail="0.6250 >= 0.5"),
        ],
    )
