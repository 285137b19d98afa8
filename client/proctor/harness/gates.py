"""Gates: what a run has to reach, and whether it fell behind an earlier one by more than noise."""

from collections.abc import Mapping
from statistics import fmean

from proctor.harness.report import Figure, Gate, ProblemScore, Report
from proctor.harness.statistics import drop_p_value
from proctor.types import ProblemInfo

# What a mean of floats may miss a round figure by.
_ROUNDING = 1e-9


def at_least(name: str, figure: Figure | None, least: float) -> Gate:
    """Whether a figure of the run reaches `least`; what could not be measured does not."""
    if figure is None:
        return Gate(name=name, passed=False, detail="nothing was scored")
    passed = figure.value >= least - _ROUNDING
    sign = ">=" if passed else "<"
    return Gate(name=name, passed=passed, detail=f"{figure.value:.4f} {sign} {least:g}")


def comparable(problems: Mapping[str, ProblemInfo], baseline: Report) -> bool:
    """Whether a baseline has any of the problems, in the same version."""
    versions = {problem.id: problem.version for problem in problems.values()}
    return any(versions.get(each.id) == each.version for each in baseline.problems)


def no_drop(run: Report, baseline: Report, alpha: float) -> Gate:
    """Whether pass@1 did not fall, or by no more than chance explains.

    Compared are the problems that both runs scored, in the same version.

    Args:
        run: the later run.
        baseline: the earlier one.
        alpha: a drop with a p value below it is more than noise.
    """
    earlier = {(each.id, each.version): each for each in baseline.problems}
    pairs = [
        (old, new)
        for new in run.problems
        if (old := earlier.get((new.id, new.version))) and old.scored and new.scored
    ]
    if not pairs:
        return Gate(name="no drop", passed=False, detail="no problem was scored in both runs")
    before = [_pass_at_1(old) for old, _ in pairs]
    after = [_pass_at_1(new) for _, new in pairs]
    p = drop_p_value(before, after)
    passed = fmean(after) >= fmean(before) or p >= alpha
    left_out = len(run.problems) - len(pairs)
    detail = (
        f"pass@1 {fmean(before):.4f} -> {fmean(after):.4f} over {len(pairs)} problem(s), "
        f"p = {p:.4f} for a drop by chance, alpha {alpha:g}"
        + (f"; {left_out} problem(s) not in both" if left_out else "")
    )
    return Gate(name="no drop", passed=passed, detail=detail)


def _pass_at_1(score: ProblemScore) -> float:
    return score.accepted / score.scored
