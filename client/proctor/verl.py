"""A reward function for verl, found through its configuration:

reward.custom_reward_function.path=pkg://proctor.verl
reward.custom_reward_function.name=compute_score          # the default; or compute_score_sync
+reward.custom_reward_function.reward_kwargs.policy=all_or_nothing

`reward_kwargs` are the arguments of `Reward`. What they leave out of url and api_key is
PROCTOR_URL and PROCTOR_API_KEY in the environment of the reward workers.

verl has no reward that means "unknown": a sample can't be left out of a step. So a fault of
Proctor's that outlasts every retry stops the run, rather than teach the model that its program
was wrong. `on_failure: zero` asks for that nonetheless; `unscored` tells the samples apart.
"""

import functools
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from proctor._client import DEFAULT_URL
from proctor._faults import invalid
from proctor._retries import Retry
from proctor.rewards import Judged, Reward
from proctor.types import Extraction, RewardPolicy, Verdict

# Settings differ by data set at most; each has connections of its own.
_REWARDS_KEPT = 16


class Score(TypedDict):
    """What verl is told of a sample: always all of these, always numbers.

    score: the reward. acc: 1.0 for AC, else 0.0; verl validates by it. pass_rate: 0.0 where the
    sample is unscored. unscored: 1.0 where Proctor failed and `on_failure` is zero.
    """

    score: float
    acc: float
    pass_rate: float
    unscored: float


async def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    *,
    reward_router_address: object = None,
    reward_model_tokenizer: object = None,
    **reward_kwargs: Any,
) -> Score:
    """The score of one sample. Samples that verl asks for at the same time go out together.

    Args:
        data_source: not looked at.
        solution_str: what the model wrote.
        ground_truth: a problem id; or tests, as a mapping or JSON text: verl's own
            {"inputs", "outputs", "fn_name"?, "assert_case"?}, or verification_info.
        extra_info: its `problem_id` goes before the ground truth; its `language` before that
            of the settings.
        reward_router_address: not looked at; verl gives it beside a reward model.
        reward_model_tokenizer: likewise.
        **reward_kwargs: arguments of `Reward`; `policy`, `extraction` and `retry` as mappings.

    Raises:
        Unscored: Proctor could not judge it, through every retry (see above).
        ProctorError: the caller is at fault; see `Reward.judge_async`.
        TypeError: an argument is none of `Reward`'s.
        ValueError: on_failure is "none", which verl has no place for.
    """
    problem, language = _asked(ground_truth, extra_info)
    reward = _reward(reward_kwargs)
    (judged,) = await reward.judge_async([problem], [solution_str], languages=language)
    return _score(judged)


def compute_score_sync(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    *,
    reward_router_address: object = None,
    reward_model_tokenizer: object = None,
    **reward_kwargs: Any,
) -> Score:
    """`compute_score` for verl's remote reward manager, which takes no async function."""
    problem, language = _asked(ground_truth, extra_info)
    (judged,) = _reward(reward_kwargs).judge([problem], [solution_str], languages=language)
    return _score(judged)


# -- helpers ----------------------------------------------------------------------------------


def _asked(ground_truth: Any, extra_info: Mapping[str, Any] | None) -> tuple[Any, str | None]:
    extra = extra_info or {}
    problem = extra.get("problem_id") or ground_truth
    if not problem:
        raise invalid(
            "ground_truth",
            "names no problem, and neither does extra_info",
            "give a problem id or tests as reward_model.ground_truth, or extra_info.problem_id",
        )
    return problem, extra.get("language")


def _score(judged: Judged) -> Score:
    return Score(
        score=judged.reward or 0.0,
        acc=float(judged.verdict is Verdict.AC),
        pass_rate=judged.pass_rate or 0.0,
        unscored=float(judged.unscored),
    )


def _reward(settings: Mapping[str, Any]) -> Reward:
    """One for each settings in a process. The environment is looked at every time."""
    said = {
        "url": os.environ.get("PROCTOR_URL") or DEFAULT_URL,
        "api_key": os.environ.get("PROCTOR_API_KEY") or None,
        "on_failure": "raise",
        "name": "verl",
        **settings,
    }
    if said["on_failure"] == "none":
        raise ValueError("on_failure 'none': verl has no reward for unknown; give raise or zero")
    return _made(json.dumps(_plain(said), sort_keys=True))


@functools.lru_cache(maxsize=_REWARDS_KEPT)
def _made(settings: str) -> Reward:
    said: dict[str, Any] = json.loads(settings)
    if isinstance(said.get("policy"), Mapping):
        said["policy"] = RewardPolicy.model_validate(said["policy"])
    if said.get("extraction") is not None:
        said["extraction"] = Extraction.model_validate(said["extraction"])
    if said.get("retry") is not None:
        said["retry"] = Retry(**said["retry"])
    return Reward(**said)


def _plain(value: object) -> object:
    """As JSON has it; verl's configuration gives OmegaConf's own mappings and lists."""
    if isinstance(value, Mapping):
        return {str(key): _plain(said) for key, said in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(said) for said in value]
    return value
