"""Summaries and the progress bar."""

import io
import itertools
import re

import pytest
from rich.console import Console

from proctor.progress import ResultsProgress
from proctor.summary import Summary, Tally, show_result, summary_table
from proctor.types import Result, TestResult, Verdict


def result(problem: str, verdict: Verdict | None, reward: float | None) -> Result:
    return Result(
        index=0,
        submission_id="s",
        problem_id=problem,
        language="python",
        state="done" if verdict else "cancelled",
        verdict=verdict,
        pass_rate=reward,
        reward=reward,
        passed=int(reward == 1.0),
        total=1,
    )


RESULTS = [
    result("a", Verdict.AC, 1.0),
    result("a", Verdict.WA, 0.5),
    result("a", Verdict.IE, None),
    result("b", Verdict.AC, 1.0),
    result("b", None, None),
]


def test_what_is_ours_or_cancelled_is_not_averaged_in() -> None:
    summary = Summary.of(RESULTS)
    assert (summary.programs, summary.problems) == (5, 2)
    assert summary.verdicts == {Verdict.AC: 2, Verdict.WA: 1, Verdict.IE: 1}
    assert (summary.cancelled, summary.unscored) == (1, 2)
    assert summary.mean_reward == pytest.approx(2.5 / 3)
    # Problem a: one of two that have a verdict of their own; problem b: one of one.
    assert summary.pass_at_1 == pytest.approx(0.75)


def test_nothing_has_no_mean() -> None:
    summary = Summary.of([])
    assert (summary.programs, summary.mean_reward, summary.pass_at_1) == (0, None, None)


def test_a_running_summary_keeps_no_problems() -> None:
    tally = Tally(by_problem=False)
    for each in [*RESULTS, None]:
        tally.add(each)
    summary = tally.summary()
    assert (summary.programs, summary.problems, summary.pass_at_1) == (6, None, None)
    assert summary.unscored == 3
    assert summary.accepted == pytest.approx(2 / 3)
    assert "6" in printed(summary_table(summary))


def test_times_are_those_of_programs_that_were_run() -> None:
    timed = [
        each.model_copy(update={"queue_time_s": 1.0, "run_time_s": run, "cached": run > 4})
        for each, run in zip(RESULTS, [1.0, 2.0, 3.0, 9.0, 0.0], strict=True)
    ]
    summary = Summary.of(timed)
    assert (summary.mean_queue_time_s, summary.mean_run_time_s) == (1.0, 2.0)
    assert "waited 1.000 s, ran 2.000 s" in printed(summary_table(summary))


def test_metrics_are_flat_numbers_with_a_share_for_every_verdict() -> None:
    metrics = Summary.of(RESULTS).as_metrics("judge/")
    assert metrics == {
        **{f"judge/verdict/{verdict}": 0.0 for verdict in Verdict},
        "judge/verdict/AC": 0.4,
        "judge/verdict/WA": 0.2,
        "judge/verdict/IE": 0.2,
        "judge/null_share": 0.4,
        "judge/reward": pytest.approx(2.5 / 3),
        "judge/pass_rate": pytest.approx(2.5 / 3),
        "judge/accepted": pytest.approx(2 / 3),
        "judge/queue_time_s": 0.0,
        "judge/run_time_s": 0.0,
    }


def printed(*shown: object) -> str:
    out = io.StringIO()
    Console(file=out, width=100).print(*shown)
    return out.getvalue()


def test_a_summary_prints_counts_means_and_speed() -> None:
    text = printed(summary_table(Summary.of(RESULTS), seconds=2.0))
    for part in ("5 for 2 problem(s)", "AC 2  WA 1  IE 1", "0.8333", "0.7500", "2.5 programs/s"):
        assert part in text


def test_a_result_prints_its_tests() -> None:
    test = TestResult(
        verdict=Verdict.RE,
        passed=0,
        total=1,
        cpu_time_s=0.1,
        wall_time_s=0.2,
        memory_mb=9,
        signal=11,
    )
    out = io.StringIO()
    shown = result("a", Verdict.RE, 0.0).model_copy(update={"tests": [test]})
    show_result(shown, Console(file=out, width=100))
    assert "RE 0 of 1 test(s), reward 0" in out.getvalue()
    assert "signal 11" in out.getvalue()


def test_markup_in_a_compilers_words_is_text() -> None:
    out = io.StringIO()
    shown = result("a", Verdict.CE, 0.0).model_copy(update={"compile_output": "[/red] no [bold]"})
    show_result(shown, Console(file=out, width=100))
    assert "[/red] no [bold]" in out.getvalue()


def test_progress_counts_what_passes_through() -> None:
    out = io.StringIO()
    with ResultsProgress(5, console=Console(file=out, width=200)) as bar:
        assert list(bar.track(RESULTS)) == RESULTS
    assert "5/5" in out.getvalue()
    assert "AC 2  WA 1  IE 1" in out.getvalue()
    assert re.search(r"in 0:00:0\d", out.getvalue())


def test_progress_says_how_much_time_is_left() -> None:
    seconds = itertools.count()
    console = Console(
        file=io.StringIO(), width=200, force_terminal=True, get_time=lambda: float(next(seconds))
    )
    with ResultsProgress(5, console=console) as bar:
        for one in RESULTS[:3]:
            bar.add(one)
    assert isinstance(console.file, io.StringIO)
    assert re.search(r"0:00:\d\d left", console.file.getvalue())
