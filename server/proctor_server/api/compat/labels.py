"""Labels of reward endpoints: what they say of a sample's problem, and rewards for samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Query
from pydantic import JsonValue
from pydantic_core import from_json

from proctor.errors import InvalidRequest
from proctor.inline_problems import inline_problem, language_name
from proctor.types import Item, Result, RewardPolicy
from proctor_server.api.compat.judged import judged, not_judged
from proctor_server.api.compat.peer import checked
from proctor_server.api.holding import Gone
from proctor_server.api.services import Services
from proctor_server.callers import Caller
from proctor_server.door import Where
from proctor_server.errors import BadRequest
from proctor_server.faults import refuse

Policy = Annotated[
    Literal["pass_rate", "all_or_nothing", "weighted"],
    Query(description="How verdicts become a reward."),
]
Unscored = Annotated[
    float | None,
    Query(allow_inf_nan=False, description="The reward where the fault is ours."),
]


@dataclass(frozen=True, slots=True)
class Scored:
    """A sample's reward, and its result. `reward` is `unscored` where the fault was ours."""

    reward: float
    result: Result

    @property
    def is_unscored(self) -> bool:
        """Whether nothing is known about the program."""
        return self.result.reward is None


def labelled(label: JsonValue, completion: str, where: str) -> Item:
    """A sample as an item. Raises BadRequest.

    A label is a problem's id, {"problem_id": id, "language"?}, or tests in a form that
    proctor.inline_problems reads; the latter two maybe as JSON text.
    """
    if isinstance(label, str) and not label.lstrip().startswith("{"):
        return checked(Item, problem_id=label, completion=completion)
    named = label
    if isinstance(label, str):
        # Tests may have megabytes, and are parsed but once; see inline_problem.
        named = _parsed(label, where) if '"problem_id"' in label else None
    if isinstance(named, dict) and named.get("problem_id") is not None:
        said = {"language": language_name(str(named["language"]))} if "language" in named else {}
        return checked(Item, problem_id=named["problem_id"], completion=completion, **said)
    if not isinstance(label, str | dict):
        refuse(where, "names no problem", "give a problem's id, or tests")
    try:
        inline = inline_problem(label, where)
    except InvalidRequest as error:
        raise BadRequest(f"{where} holds no tests; nothing was done", error.errors) from None
    return Item(problem=inline.problem, completion=completion, language=inline.language or "python")


async def scored(
    services: Services,
    caller: Caller,
    items: Sequence[Item],
    gone: Gone,
    *,
    where: Where,
    policy: Policy,
    unscored: float | None,
) -> list[Scored]:
    """Samples with their rewards, in order.

    Raises NotJudged for a fault of ours without a reward `unscored` for it, and what judged does.
    """
    reward = RewardPolicy(name=policy)
    results = await judged(services, caller, items, gone, where=where, reward=reward)
    found = []
    for result in results:
        earned = result.reward if result.reward is not None else unscored
        if earned is None:
            raise not_judged(result)
        found.append(Scored(earned, result))
    return found


def _parsed(text: str, where: str) -> JsonValue:
    try:
        value: JsonValue = from_json(text)
    except ValueError as error:
        refuse(where, f"is no JSON: {error}", "give a problem's id, or JSON")
    return value
