"""Rewards: a pure function of an outcome and a named policy."""

from proctor.types import RewardPolicy, Verdict
from proctor_server.outcome import Outcome


def reward(outcome: Outcome, policy: RewardPolicy) -> float | None:
    """The reward of an outcome under a policy; None for IE, which is never the program's doing.

    pass_rate: passed / total. all_or_nothing: 1.0 for AC, else 0.0. threshold: 1.0 at the
    policy's pass rate or above, else 0.0. weighted: each test gives its weight, in the share
    of its assertions that held, over the weight of all tests (where every weight is 0, the
    pass rate). Whatever the name, a compile error gives `policy.compile_error`.
    """
    if outcome.verdict is Verdict.IE:
        return None
    if outcome.verdict is Verdict.CE:
        return policy.compile_error + 0.0  # -0.0 + 0.0 is 0.0
    match policy.name:
        case "pass_rate":
            return outcome.passed / outcome.total
        case "all_or_nothing":
            return 1.0 if outcome.verdict is Verdict.AC else 0.0
        case "threshold":
            return 1.0 if outcome.passed / outcome.total >= policy.threshold else 0.0
        case "weighted":
            return _weighted(outcome)


def _weighted(outcome: Outcome) -> float:
    if outcome.total_weight <= 0:
        return outcome.passed / outcome.total
    if outcome.verdict is Verdict.AC:
        return 1.0  # exactly, however the weights round
    earned = sum(test.weight * test.passed / test.total for test in outcome.tests)
    return min(earned / outcome.total_weight, 1.0)
