"""What a spawned child does with a reward. Apart, so that the child imports no torch."""

import asyncio

from proctor.trl import ProctorReward


def scored(reward: ProctorReward, problem_id: str, completions: list[str]) -> list[float | None]:
    """The rewards, asked for with what AsyncGRPO gives: no loggers, no trainer's state."""
    count = len(completions)
    return asyncio.run(
        reward(
            prompts=["?"] * count,
            completions=completions,
            completion_ids=[[0]] * count,
            problem_id=[problem_id] * count,
        )
    )
