"""Wording: a report's figures and rows as text, the same in every kind of report."""

from collections.abc import Mapping
from datetime import UTC

from proctor.harness.report import Figure, ProblemScore, Report
from proctor.types import Verdict

# Heads of the table by problem.
PROBLEM_HEADS = ("problem", "accepted", "pass@1", "pass rate", "verdicts", "CPU s")
METHOD = (
    "pass@k: the unbiased estimator of Chen et al. 2021, averaged over problems. "
    "Intervals: 95 %, bootstrap over problems."
)


def overall(report: Report) -> list[tuple[str, str]]:
    """Name and value of everything that holds for the run as a whole."""
    rows = [
        ("problem set", report.problem_set),
        ("samples", f"{report.samples} for {len(report.problems)} problem(s)"),
        *((f"pass@{k}", figure(value)) for k, value in report.pass_at_k.items()),
        ("mean pass rate", figure(report.mean_pass_rate)),
        ("solved", f"{sum(each.solved for each in report.problems)} of {len(report.problems)}"),
        ("verdicts", mix(report.verdicts)),
    ]
    if report.missing:
        rows.append(("without a sample", named(report.missing)))
    if report.unscored:
        rows.append(("not scored", f"{len(report.unscored)}, through no fault of the programs"))
    known = report.samples - report.judged
    rows += [
        ("judged", f"{report.judged} now" + (f", {known} known or equal to one" if known else "")),
        ("time", f"{report.seconds:.1f} s"),
        ("server", report.server),
        ("began", report.began_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")),
    ]
    return rows


def problem_row(score: ProblemScore) -> tuple[str, ...]:
    """The cells under `PROBLEM_HEADS`."""
    return (
        score.id,
        f"{score.accepted}/{score.scored}",
        number(score.pass_at_1),
        number(score.mean_pass_rate),
        mix(score.verdicts),
        f"{score.cpu_time_s:.2f}",
    )


def failure(score: ProblemScore) -> str:
    """Why a problem counts as not solved, in one line."""
    return (
        f"none of {score.scored} sample(s) accepted: {mix(score.verdicts)}; "
        f"the best passed {score.best_passed} of {score.total} test case(s)"
    )


def figure(value: Figure | None) -> str:
    """A mean with its interval."""
    if value is None:
        return "- (a problem has too few scored samples)"
    return f"{value.value:.4f}  [{value.low:.4f}, {value.high:.4f}]"


def number(value: float | None) -> str:
    """A share, or a dash for none."""
    return "-" if value is None else f"{value:.4f}"


def mix(verdicts: Mapping[Verdict, int]) -> str:
    """How many of each verdict."""
    return "  ".join(f"{verdict} {count}" for verdict, count in verdicts.items()) or "none"


def named(ids: list[str], most: int = 5) -> str:
    """The first ids of a list, and how many more there are."""
    more = f" and {len(ids) - most} more" if len(ids) > most else ""
    return ", ".join(ids[:most]) + more


def lowest_first(report: Report) -> list[ProblemScore]:
    """The problems by pass@1, then by pass rate; those that were not scored before all."""
    return sorted(
        report.problems,
        key=lambda each: (each.pass_at_1 or 0.0, each.mean_pass_rate or 0.0, -each.cpu_time_s),
    )
