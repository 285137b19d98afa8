"""An evaluation: every sample has a result, known from before or asked for now."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from proctor._client import Client
from proctor.harness.judging import judge
from proctor.harness.results_file import ResultsFile, sample_key
from proctor.types import Item, ProblemInfo, Result


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run has to do.

    Attributes:
        items: the samples, each with a problem_id.
        keys: what decides the result of each.
        asked: of each key that is not known, the place of its first sample.
    """

    items: Sequence[Item]
    keys: list[str]
    asked: dict[str, int]

    @classmethod
    def of(
        cls, items: Sequence[Item], problems: Mapping[str, ProblemInfo], kept: ResultsFile
    ) -> "Plan":
        """The plan for samples of these problems. Equal samples are asked for once."""
        keys = [sample_key(item, problems[item.problem_id or ""]) for item in items]
        asked: dict[str, int] = {}
        for place, key in enumerate(keys):
            if kept.get(key) is None:
                asked.setdefault(key, place)
        return cls(items, keys, asked)


def evaluate(
    plan: Plan,
    client: Client,
    kept: ResultsFile,
    on_result: Callable[[Result], object] = lambda _: None,
) -> list[Result]:
    """The results of all samples, in their order.

    Args:
        plan: what is asked for.
        client: of the server that has the problems.
        kept: has what was known before, and gets each result as it comes.
        on_result: called with each that comes.

    Raises:
        ProctorError: the server could not be asked, or refused.
        OSError: a result could not be kept.
    """
    lost: dict[str, Result] = {}
    asked = list(plan.asked.items())
    for index, result in judge(client, [plan.items[place] for _, place in asked]):
        key = asked[index][0]
        kept.add(key, result)
        if result.reward is None:
            lost[key] = result
        on_result(result)
    return [kept.get(key) or lost[key] for key in plan.keys]
