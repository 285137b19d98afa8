"""GRPO with TRL, on rewards of a Proctor server.

proctor up &
proctor import mbpp sanitized-mbpp.jsonl
python examples/trl_grpo.py Qwen/Qwen2.5-Coder-0.5B-Instruct --prefix MBPP/
"""

import argparse

import torch
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from proctor import DEFAULT_URL, Client
from proctor.trl import ProctorReward

parser = argparse.ArgumentParser()
parser.add_argument("model", help="its name, or the folder that it is in")
parser.add_argument("--url", default=DEFAULT_URL, help="of the Proctor server")
parser.add_argument("--prefix", default="", help="of the ids of the problems to train on")
parser.add_argument("--output", default="grpo-out")
parser.add_argument("--steps", type=int, default=200)
parser.add_argument("--generations", type=int, default=8)
parser.add_argument("--tokens", type=int, default=512, help="a completion's at most")
arguments = parser.parse_args()

with Client(arguments.url) as client:
    stored = [
        client.problem(name) for name in client.problems() if name.startswith(arguments.prefix)
    ]
# A prompt is what a problem says of itself, never its tests; the id is all that the reward needs.
rows = [{"prompt": problem.statement, "problem_id": problem.id} for problem in stored]

trainer = GRPOTrainer(
    model=arguments.model,
    reward_funcs=ProctorReward(arguments.url, policy="pass_rate"),
    train_dataset=Dataset.from_list(rows),
    args=GRPOConfig(
        output_dir=arguments.output,
        max_steps=arguments.steps,
        num_generations=arguments.generations,
        per_device_train_batch_size=arguments.generations,
        max_completion_length=arguments.tokens,
        logging_steps=1,
        bf16=torch.cuda.is_available(),
        report_to=[],
    ),
)
trainer.train()
