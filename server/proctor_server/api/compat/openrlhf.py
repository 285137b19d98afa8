"""OpenRLHF's remote reward: /get_reward, as its own server has it."""

import re
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field, JsonValue

from proctor_server.api.compat.labels import Policy, Scored, Unscored, labelled, scored
from proctor_server.api.compat.peer import Posted, posted
from proctor_server.faults import refuse

router = APIRouter(include_in_schema=False)

# OpenRLHF decodes with the special tokens, which come right after the last fence's backticks.
_SPECIAL_TOKEN = re.compile(
    r"(?:<\|[^<>\s]{1,40}\|>|<\uff5c[^<>\s]{1,40}\uff5c>|</s>|<eos>|<pad>|<end_of_turn>)\Z"
)
_LONGEST_TOKEN = 44


class GetReward(Posted):
    """What OpenRLHF sends: prompts with what the model made of them, prompts, labels."""

    query: list[str] = Field(min_length=1)
    prompts: list[str] = Field([])
    labels: list[JsonValue] = Field([])


@router.post("/get_reward")
async def get_reward(
    request: Request, policy: Policy = "pass_rate", unscored: Unscored = 0.0
) -> Response:
    """Rewards of samples.

    OpenRLHF has no place for a sample without a reward, and its run ends at the first: where the
    fault is ours the reward is `unscored`, and `extra_logs` counts it.
    """
    services, caller, asked = await posted(request, GetReward)
    if len(asked.labels) != len(asked.query):
        refuse("labels", "is not as long as query", "give --data.label_key: the problems are there")
    prompts = asked.prompts if len(asked.prompts) == len(asked.query) else [""] * len(asked.query)
    items = [
        labelled(label, response(query, prompt), f"labels[{place}]")
        for place, (query, prompt, label) in enumerate(
            zip(asked.query, prompts, asked.labels, strict=True)
        )
    ]
    samples = await scored(
        services,
        caller,
        items,
        request.is_disconnected,
        where=lambda index, _: f"labels[{index}]",
        policy=policy,
        unscored=unscored,
    )
    return JSONResponse(answer(samples))


def response(query: str, prompt: str) -> str:
    """What the model wrote: what follows the prompt, without special tokens at its end."""
    _, found, after = query.partition(prompt) if prompt else ("", "", "")
    words = (after if found else query).rstrip()
    while token := _SPECIAL_TOKEN.search(words[-_LONGEST_TOKEN:]):
        words = words[: -len(token[0])].rstrip()
    return words


def answer(samples: Sequence[Scored]) -> dict[str, Any]:
    """Rewards, and what of them is to be logged."""
    rewards = [sample.reward for sample in samples]
    return {
        "rewards": rewards,
        "scores": rewards,
        "extra_logs": {
            "pass_rate": [sample.result.pass_rate or 0.0 for sample in samples],
            "unscored": [float(sample.is_unscored) for sample in samples],
        },
    }
