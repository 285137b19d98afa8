"""ProctorReward in TRL's own trainers: real steps, real programs, a real server."""

import asyncio
import math
import multiprocessing
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from accelerate import PartialState
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer
from trl.experimental.async_grpo.async_rollout_worker import (
    RolloutGroup,
    TrainingSequence,
    _AsyncRolloutLoop,
)
from trl.trainer.utils import get_callable_name, is_async_callable

from proctor import InvalidRequest
from proctor.testing import FakeServer, Program
from proctor.trl import ProctorReward
from tests.conftest import ROOT
from tests.train import alone, tiny


def config(kind: Any, folder: Path, **options: Any) -> Any:
    return kind(
        output_dir=str(folder),
        per_device_train_batch_size=16,
        num_generations=8,
        max_completion_length=1,
        max_steps=3,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        disable_tqdm=True,
        seed=0,
        **options,
    )


def trained(trainer: Any) -> list[dict[str, float]]:
    """What a trainer logged, step by step."""
    trainer.train()
    return [step for step in trainer.state.log_history if "reward" in step]


def test_grpo_trains_on_what_real_programs_earn(tiny_url: str, tmp_path: Path) -> None:
    # Fresh, since other tests have the same server run the same few programs.
    with ProctorReward(tiny_url, on_failure="raise", fresh=True) as reward:
        trainer = GRPOTrainer(
            model=tiny.model(),
            processing_class=tiny.tokenizer(),
            reward_funcs=reward,
            args=config(GRPOConfig, tmp_path),
            train_dataset=tiny.dataset(),
        )
        steps = trained(trainer)
    assert len(steps) == 3
    for step in steps:
        # Of tests each right program passes all, the others' half, the rest none.
        assert 0 < step["rewards/proctor/mean"] < 1
        assert step["reward"] == step["rewards/proctor/mean"]
        assert step["proctor/null_share"] == 0
        assert step["proctor/verdict/AC"] + step["proctor/verdict/WA"] > 0
        assert step["proctor/run_time_s"] > 0
    told = zip(
        trainer._logs["prompt"],
        trainer._logs["completion"],
        trainer._logs["rewards"]["proctor"],
        trainer._logs["extra"]["proctor_verdict"],
        strict=True,
    )
    for prompt, completion, earned, verdict in told:
        assert (verdict == "AC") == (earned == 1.0) == (tiny.ANSWERS[prompt] in completion)


def test_rloo_trains_on_them_too(tiny_url: str, tmp_path: Path) -> None:
    with ProctorReward(tiny_url, name="tests", policy="all_or_nothing") as reward:
        trainer = RLOOTrainer(
            model=str(tiny.saved(tmp_path / "policy")),  # RLOO loads it twice
            processing_class=tiny.tokenizer(),
            reward_funcs=[reward],
            args=config(RLOOConfig, tmp_path),
            train_dataset=tiny.dataset(),
        )
        steps = trained(trainer)
    assert [0 <= step["rewards/tests/mean"] < 1 for step in steps] == [True] * 3
    assert all("tests/verdict/AC" in step for step in steps)


def test_a_sample_that_proctor_could_not_judge_is_left_out(tmp_path: Path) -> None:
    def judge(program: Program) -> float | None:
        return None if "exit" in program.text else float("input" in program.text)

    reward = ProctorReward(transport=FakeServer(judge))
    trainer = GRPOTrainer(
        model=tiny.model(),
        processing_class=tiny.tokenizer(),
        reward_funcs=reward,
        args=config(GRPOConfig, tmp_path),
        train_dataset=tiny.dataset(),
    )
    steps = trained(trainer)
    told = zip(
        trainer._logs["completion"],
        trainer._logs["rewards"]["proctor"],
        trainer._logs["advantages"],
        strict=True,
    )
    unjudged = 0
    for completion, earned, advantage in told:
        if "exit" in completion:
            unjudged += 1
            assert math.isnan(earned)
            assert advantage == 0
        else:
            assert earned == float("input" in completion)
    assert unjudged > 0
    assert all(0 < step["rewards/proctor/mean"] < 1 for step in steps)
    assert sum(step["proctor/null_share"] for step in steps) > 0


def test_a_wrong_id_stops_the_training(tiny_url: str, tmp_path: Path) -> None:
    with ProctorReward(tiny_url, on_failure="zero") as reward:
        trainer = GRPOTrainer(
            model=tiny.model(),
            processing_class=tiny.tokenizer(),
            reward_funcs=reward,
            args=config(GRPOConfig, tmp_path),
            train_dataset=Dataset.from_list(
                [{"prompt": "tiny/next", "problem_id": "tiny/nxt"}] * 2
            ),
        )
        with pytest.raises(InvalidRequest, match="'tiny/nxt'"):
            trainer.train()


def test_trl_takes_it_for_an_async_function_with_a_name_and_a_child_can_have_it(
    tiny_url: str,
) -> None:
    reward = ProctorReward(tiny_url, name="tests")
    assert is_async_callable(reward)
    assert get_callable_name(reward) == "tests"
    completions = [tiny.COMPLETIONS[0], "I do not know."]
    # As AsyncGRPO does: rewards are computed in a spawned child, without the trainer's loggers.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(alone.scored, (reward, "tiny/next", completions)) == [1.0, 0.0]
        pool.close()
        pool.join()


def test_async_grpo_scores_a_group_with_it(tiny_url: str) -> None:
    sequence = TrainingSequence(
        rollout_id=0, input_ids=[0], completion_mask=[1], old_log_probs=[0.0]
    )
    group = RolloutGroup(
        prompts=[[{"role": "user", "content": "?"}]] * 3,
        reward_kwargs={"problem_id": ["tiny/next"] * 2 + [None]},
        completions=[
            [{"role": "assistant", "content": text}] for text in (*tiny.COMPLETIONS[:2], "poem")
        ],
        completions_ids=[[0]] * 3,
        completions_sequences=[[sequence]] * 3,
        tool_call_counts=[0] * 3,
        tool_failure_counts=[0] * 3,
        model_version=0,
        group_id=0,
        env_rewards=[None] * 3,
        rollout_rewards=[None] * 3,
    )
    # The worker itself wants a vLLM server; how it scores needs no more than this of it.
    worker = SimpleNamespace(
        reward_funcs=[ProctorReward(tiny_url)],
        reward_func_names=["proctor"],
        _env_reward_types=[],
        _provides_rollout_reward=False,
    )
    PartialState()  # its logger asks for one
    right, half, unjudged = asyncio.run(_AsyncRolloutLoop._score_group(worker, group))
    assert [right.metrics["rewards/proctor"], half.metrics["rewards/proctor"]] == [1.0, 0.5]
    assert right.advantage > 0 > half.advantage
    assert (math.isnan(unjudged.metrics["reward"]), unjudged.advantage) == (True, 0.0)


def test_the_example_trains(tiny_url: str, tmp_path: Path) -> None:
    argv = [sys.executable, "examples/trl_grpo.py", str(tiny.saved(tmp_path / "policy"))]
    argv += ["--url", tiny_url, "--prefix", "tiny/", "--output", str(tmp_path / "out")]
    argv += ["--steps", "2", "--generations", "4", "--tokens", "1"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("rewards/proctor/mean") == 2
