"""Whose fault it is that a batch of gathered submissions was refused, and what each one gets."""

import re
from collections import defaultdict
from collections.abc import Sequence

from proctor._submissions import Submission
from proctor.errors import InvalidRequest
from proctor.types import FieldProblem, ProblemDetails, Result, RewardPolicy, Verdict

_ITEM = re.compile(r"items\[(\d+)\]\.?(.*)", re.DOTALL)
# What the model wrote: if the server refuses that, it is the program's fault and nobody else's.
_TEXTS = frozenset({"source", "completion", "continuation"})


def is_too_much(error: InvalidRequest) -> bool:
    """Whether less of the same might be taken: a limit of the server's, or of the key's."""
    return error.status == 413 or any(fault.field == "items" for fault in error.errors)


def blamed(
    submissions: Sequence[Submission], error: InvalidRequest, policy: RewardPolicy
) -> dict[int, Result | InvalidRequest]:
    """By their place those with which fault was found; the others are innocent.

    A text that can be no program earns what a compile error does. Everything else is the fault
    of whoever asked, and the error names the problem. Empty where no item is at fault.
    """
    by_item: defaultdict[int, list[FieldProblem]] = defaultdict(list)
    for fault in error.errors:
        if (named := _ITEM.fullmatch(fault.field)) and int(named[1]) < len(submissions):
            by_item[int(named[1])].append(fault.model_copy(update={"field": named[2]}))
    return {
        index: _no_program(submissions[index], faults[0].reason, policy)
        if all(fault.field in _TEXTS for fault in faults)
        else _refusal(submissions[index], faults, error)
        for index, faults in by_item.items()
    }


# -- helpers ----------------------------------------------------------------------------------


def _no_program(submission: Submission, reason: str, policy: RewardPolicy) -> Result:
    return Result(
        index=0,
        submission_id="",
        problem_id=submission.problem_id,
        language=submission.item.language,
        verdict=Verdict.CE,
        pass_rate=0.0,
        reward=policy.compile_error,
        passed=0,
        total=0,
        compile_output=f"the program {reason}",
    )


def _refusal(
    submission: Submission, faults: list[FieldProblem], error: InvalidRequest
) -> InvalidRequest:
    details = ProblemDetails(
        title=error.details.title,
        status=error.details.status,
        detail=f"problem {submission.problem_id!r} with a program in {submission.item.language}",
        errors=faults,
    )
    return InvalidRequest(details, status=error.status)
