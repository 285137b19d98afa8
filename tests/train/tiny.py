"""A policy of a few kilobytes whose every token is a whole completion: it writes real programs."""

from pathlib import Path

import torch
from datasets import Dataset
from tokenizers import Tokenizer, decoders, models
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from proctor.types import Problem, StdinTest

# Problem id -> the program that is right for it. Each also passes half of the other's tests.
ANSWERS = {"tiny/next": "print(int(input()) + 1)", "tiny/twice": "print(int(input()) * 2)"}
PROBLEMS = [
    Problem(
        id="tiny/next",
        statement="tiny/next",
        tests=[StdinTest(input="1", output="2"), StdinTest(input="5", output="6")],
    ),
    Problem(
        id="tiny/twice",
        statement="tiny/twice",
        tests=[StdinTest(input="1", output="2"), StdinTest(input="5", output="10")],
    ),
]
PROGRAMS = [*ANSWERS.values(), "print(2)", "import sys; sys.exit(3)", "print("]
COMPLETIONS = [f"```python\n{program}\n```" for program in PROGRAMS] + ["I do not know."]


def tokenizer() -> PreTrainedTokenizerFast:
    """Knows the problems' ids and the completions, each as one token."""
    pad, eos, unk = special = ["<pad>", "<eos>", "<unk>"]
    words = {word: number for number, word in enumerate([*special, *ANSWERS, *COMPLETIONS])}
    made = Tokenizer(models.WordLevel(words, unk_token=unk))
    made.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token=pad, eos_token=eos, unk_token=unk
    )


def model() -> LlamaForCausalLM:
    """Two layers of random weights; it never says anything but a completion."""
    torch.manual_seed(0)
    size = len(tokenizer())
    config = LlamaConfig(
        vocab_size=size,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=None,
    )
    made = LlamaForCausalLM(config)
    first = size - len(COMPLETIONS)
    made.generation_config.suppress_tokens = list(range(first))
    return made


def dataset() -> Dataset:
    """One prompt per problem, with its id."""
    return Dataset.from_list([{"prompt": name, "problem_id": name} for name in ANSWERS])


def saved(folder: Path) -> Path:
    """The policy and its tokenizer on disk, as a name for from_pretrained."""
    model().save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder
