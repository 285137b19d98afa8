"""GRPO with Proctor's own loop and any Hugging Face model, on problems of a Proctor server.

proctor up &
proctor import mbpp sanitized-mbpp.jsonl
python examples/proctor_grpo.py Qwen/Qwen2.5-Coder-0.5B-Instruct --prefix MBPP/
"""

import argparse
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from proctor import DEFAULT_URL, Client, Reward
from proctor.train import checkpoints, logs
from proctor.train.model import HuggingFacePolicy
from proctor.train.rollouts import Prompt
from proctor.train.tokens import HuggingFaceTokenizer
from proctor.train.trainer import Settings, Trainer

parser = argparse.ArgumentParser()
parser.add_argument("model", help="its name, or the folder that it is in")
parser.add_argument("--url", default=DEFAULT_URL, help="of the Proctor server")
parser.add_argument("--prefix", default="", help="of the ids of the problems to train on")
parser.add_argument("--output", type=Path, default=Path("grpo-out"))
parser.add_argument("--steps", type=int, default=200)
parser.add_argument("--prompts", type=int, default=16, help="in a step")
parser.add_argument("--group", type=int, default=8, help="completions of each prompt")
parser.add_argument("--tokens", type=int, default=512, help="a completion's at most")
arguments = parser.parse_args()

with Client(arguments.url) as client:
    stored = [
        client.problem(name) for name in client.problems() if name.startswith(arguments.prefix)
    ]
tokenizer = AutoTokenizer.from_pretrained(arguments.model)
prompts = [
    Prompt(
        problem.id,
        tokenizer.apply_chat_template(
            [{"role": "user", "content": problem.statement}],
            tokenize=False,
            add_generation_prompt=True,
        )
        if tokenizer.chat_template
        else problem.statement,
    )
    for problem in stored
]

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
policy = HuggingFacePolicy(AutoModelForCausalLM.from_pretrained(arguments.model)).to(device)
settings = Settings(
    steps=arguments.steps,
    prompts=arguments.prompts,
    group=arguments.group,
    longest=arguments.tokens,
    rate=1e-6,
    rows=8,
    precision="bfloat16" if device.type == "cuda" else "float32",
)
with Reward(arguments.url, policy="pass_rate") as reward:
    trainer = Trainer(policy, HuggingFaceTokenizer(tokenizer), prompts, reward, settings)
    state = checkpoints.load(arguments.output)
    if state is not None:
        trainer.load_state_dict(state)
    with logs.Log(arguments.output, after=trainer.step or None) as log:
        for metrics in trainer.run():
            log.add(metrics)
            print({name: round(value, 4) for name, value in metrics.items()})
            if trainer.step % 20 == 0 or trainer.step == settings.steps:
                checkpoints.save(arguments.output, trainer.state_dict())
logs.draw(logs.read(arguments.output / logs.METRICS), arguments.output / "curves.png", "GRPO")
