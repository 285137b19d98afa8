"""A reward function for TRL's GRPOTrainer, RLOOTrainer and AsyncGRPOTrainer.

from proctor.trl import ProctorReward

trainer = GRPOTrainer(..., reward_funcs=ProctorReward("http://127.0.0.1:8077"))

The data set names each prompt's problem in a column `problem_id`; or brings its tests along, in
`verification_info` (open-r1, SYNTHETIC-1) or in `problem` (Proctor's own form).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from proctor._faults import invalid
from proctor._submissions import Completion
from proctor.rewards import Judged, Reward
from proctor.summary import Summary
from proctor.types import Problem


class ProctorReward(Reward):
    """A `Reward` that is called as TRL does. Its arguments are those of `Reward`.

    It is logged as `rewards/<name>/mean`, with `<name>/...` for the shares of verdicts and the
    times, and the verdicts as a column of the table of completions. A reward of None, where the
    fault is Proctor's or a row names no problem, becomes NaN in TRL: the row is left out.
    """

    @property
    def __name__(self) -> str:
        """What TRL names its logs after; otherwise that would be the class."""
        return self.name

    async def __call__(
        self,
        prompts: Sequence[Any] | None = None,
        completions: Sequence[Completion] | None = None,
        *,
        problem_id: Sequence[str | None] | None = None,
        verification_info: Sequence[Any] | None = None,
        problem: Sequence[Any] | None = None,
        language: Sequence[str | None] | None = None,
        log_extra: Callable[[str, list[Any]], None] | None = None,
        log_metric: Callable[[str, float], None] | None = None,
        **columns: object,
    ) -> list[float | None]:
        """The rewards of completions, one each.

        Args:
            prompts: not looked at.
            completions: texts, or conversations.
            problem_id: per completion the id of a stored problem.
            verification_info: per completion its tests, as a mapping or JSON text.
            problem: per completion an inline problem. Other data sets have the statement here:
                a column of texts is not looked at.
            language: per completion the language of the program.
            log_extra: TRL's, for the table of completions; not there in AsyncGRPO.
            log_metric: TRL's, for numbers; likewise.
            **columns: the data set's others, and whatever else TRL gives.

        The first of the three columns that says something in a row counts; a row in which none
        does is no program's, and its reward None.

        Raises:
            InvalidRequest: no column names a problem, or a problem can't be had.
            TypeError: a completion is neither text nor a conversation.
            ProctorError: as of `Reward.judge_async`.
        """
        if completions is None:
            raise TypeError("completions: give TRL's completions")
        problems = _problems(len(completions), problem_id, verification_info, problem)
        if problems is None:
            raise invalid(
                "columns",
                f"none of them names a problem; there are {', '.join(sorted(columns)) or 'none'}",
                "give the data set a column problem_id or verification_info",
            )
        asked = [place for place, of in enumerate(problems) if of is not None]
        spoken = [language[place] for place in asked] if language is not None else None
        found = await self.judge_async(
            [problems[place] for place in asked],
            [completions[place] for place in asked],
            languages=spoken,
        )
        judged: list[Judged | None] = [None] * len(completions)
        for place, each in zip(asked, found, strict=True):
            judged[place] = each
        if log_extra is not None:
            log_extra(f"{self.name}_verdict", [_verdict(each) for each in judged])
        if log_metric is not None:
            metrics = Summary.of(each.result for each in found).as_metrics(f"{self.name}/")
            for name, value in metrics.items():
                log_metric(name, value)
        return [None if each is None else each.reward for each in judged]


# -- helpers ----------------------------------------------------------------------------------


def _problems(
    count: int,
    problem_id: Sequence[str | None] | None,
    verification_info: Sequence[Any] | None,
    problem: Sequence[Any] | None,
) -> list[Any] | None:
    """Per completion what names its problem; None where there is no column that could."""
    if problem is not None and not any(isinstance(of, (Mapping, Problem)) for of in problem):
        problem = None
    given = [column for column in (problem_id, verification_info, problem) if column is not None]
    if not given:
        return None
    # An empty text is how tables without nulls say that there is nothing.
    return [next((of for column in given if (of := column[n])), None) for n in range(count)]


def _verdict(judged: Judged | None) -> str:
    if judged is None:
        return ""
    return str(judged.verdict) if judged.verdict is not None else "unscored"
