"""proctor.verl in verl's own reward managers: its configuration, its data, a real server."""

import asyncio
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import hydra
import numpy as np
import pytest
import ray
import torch
from verl import DataProto
from verl.trainer.ppo.reward import get_custom_reward_fn, load_reward_manager

from proctor import InvalidRequest
from tests.conftest import ROOT
from tests.train import tiny

# verl imports what Ray has moved.
pytestmark = pytest.mark.filterwarnings("ignore:Ray state API:DeprecationWarning")

KEYS = {"score", "acc", "pass_rate", "unscored"}
NEXT, TWICE, TWO = tiny.COMPLETIONS[:3]
TESTS = {"inputs": ["1", "5"], "outputs": ["2", "10"]}
CALL = {"fn_name": "add", "inputs": ["1\n2", "3\n4"], "outputs": ["3", "7"]}
ADD = "```python\ndef add(a, b):\n    return a + b\n```"

# Ground truth, extra_info, what the model wrote -> the score.
SAMPLES: list[tuple[str, dict[str, Any], str, float]] = [
    ("tiny/next", {}, NEXT, 1.0),
    ("tiny/next", {}, TWICE, 0.5),
    ("", {"problem_id": "tiny/twice"}, TWICE, 1.0),
    (json.dumps(TESTS), {}, TWICE, 1.0),
    (json.dumps(TESTS), {}, TWO, 0.5),
    (json.dumps(CALL), {}, ADD, 1.0),
    ("tiny/next", {}, "I do not know.", 0.0),
]


class Tokenizer:
    """A model's words are bytes here."""

    def decode(self, ids: torch.Tensor, skip_special_tokens: bool) -> str:
        return bytes(ids.tolist()).decode()


def configured(*overrides: str) -> Any:
    """verl's configuration, as examples/verl.yaml makes it."""
    with hydra.initialize_config_dir(str(ROOT / "examples"), version_base=None):
        return hydra.compose("verl", list(overrides))


def items(samples: list[tuple[str, dict[str, Any], str, float]]) -> list[DataProto]:
    """Samples as verl hands them to a reward manager, one by one."""
    longest = max(len(text) for _, _, text, _ in samples)
    responses = torch.zeros(len(samples), longest, dtype=torch.long)
    mask = torch.zeros(len(samples), longest + 1, dtype=torch.long)
    mask[:, 0] = 1
    for row, (_, _, text, _) in enumerate(samples):
        responses[row, : len(text)] = torch.tensor(list(text.encode()))
        mask[row, 1 : 1 + len(text)] = 1
    prompts = torch.ones(len(samples), 1, dtype=torch.long)
    data = DataProto.from_dict(
        {"prompts": prompts, "responses": responses, "attention_mask": mask},
        non_tensors={
            "data_source": np.array(["tiny"] * len(samples), dtype=object),
            "reward_model": np.array([{"ground_truth": t} for t, _, _, _ in samples], dtype=object),
            "extra_info": np.array([dict(extra) for _, extra, _, _ in samples], dtype=object),
        },
    )
    return [data[place : place + 1] for place in range(len(samples))]


async def managed(config: Any, samples: list[tuple[str, dict[str, Any], str, float]]) -> list[Any]:
    """What verl's manager makes of samples, all asked for at once as its reward loop does."""
    manager = load_reward_manager(config, Tokenizer())
    return await asyncio.gather(*(manager.run_single(item) for item in items(samples)))


def test_verls_reward_loop_has_a_score_for_each_sample(tiny_url: str) -> None:
    config = configured(f"+reward.custom_reward_function.reward_kwargs.url={tiny_url}")
    found = asyncio.run(managed(config, SAMPLES))
    assert [each["reward_score"] for each in found] == [score for _, _, _, score in SAMPLES]
    for each in found:
        extra = each["reward_extra_info"]
        assert extra.keys() == KEYS
        assert extra["acc"] == float(each["reward_score"] == 1.0)
        assert (extra["pass_rate"], extra["unscored"]) == (each["reward_score"], 0.0)


def test_the_settings_are_the_rewards(tiny_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROCTOR_URL", tiny_url)
    function = "reward.custom_reward_function.reward_kwargs"
    config = configured(
        f"~{function}.policy", f"+{function}.policy={{name: threshold, threshold: 0.5}}"
    )
    found = asyncio.run(managed(config, SAMPLES[:2]))
    assert [each["reward_score"] for each in found] == [1.0, 1.0]
    assert [each["reward_extra_info"]["pass_rate"] for each in found] == [1.0, 0.5]


def test_a_wrong_id_stops_the_run(tiny_url: str) -> None:
    config = configured(f"+reward.custom_reward_function.reward_kwargs.url={tiny_url}")
    with pytest.raises(InvalidRequest, match="'tiny/nxt'"):
        asyncio.run(managed(config, [SAMPLES[0], ("tiny/nxt", {}, NEXT, 0.0)]))


@pytest.fixture
def ray_cluster() -> Iterator[None]:
    """A Ray of one worker; its workers import proctor from where this process does."""
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, configure_logging=False)
    yield
    ray.shutdown()


@pytest.mark.filterwarnings("ignore")  # Ray's and verl's own, in start and shutdown
@pytest.mark.usefixtures("ray_cluster")
def test_verls_remote_manager_takes_the_twin(tiny_url: str) -> None:
    function = "reward.custom_reward_function"
    config = configured(
        f"+{function}.reward_kwargs.url={tiny_url}",
        f"{function}.name=compute_score_sync",
        "reward.reward_manager.name=remote",
        "reward.num_workers=1",
    )
    assert not inspect.iscoroutinefunction(get_custom_reward_fn(config))
    found = asyncio.run(managed(config, SAMPLES[:3]))
    assert [each["reward_score"] for each in found] == [1.0, 0.5, 1.0]
    assert all(each["reward_extra_info"].keys() == KEYS for each in found)


def test_the_example_is_a_configuration_of_verls() -> None:
    argv = ["examples/verl.sh", "--cfg", "job", "--package", "reward.custom_reward_function"]
    environment = os.environ | {"PYTHON": sys.executable}
    done = subprocess.run(
        argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "path: pkg://proctor.verl" in done.stdout
