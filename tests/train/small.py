"""Policies, a tokenizer and a judge, small enough to be seen through."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from proctor.train.model import HuggingFacePolicy, Size, Transformer
from proctor.train.rollouts import Judged
from proctor.types import Verdict

# These matrices are so small that a second thread only waits.
torch.set_num_threads(1)


class Letters:
    """A token is a letter: 1 is the first, 0 the end."""

    end = 0

    def __init__(self, letters: str = "abcdefg?") -> None:
        self._letters = letters

    @property
    def size(self) -> int:
        return 1 + len(self._letters)

    def encode(self, text: str) -> list[int]:
        return [1 + self._letters.index(letter) for letter in text]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(self._letters[i - 1] for i in ids if i)


class Bigram(nn.Module):
    """A policy that is a table: the logits of what follows each token."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.table = nn.Parameter(logits.float())

    def forward(
        self, ids: Tensor, mask: Tensor, cache: Any = None, *, last: int | None = None
    ) -> Tensor:
        found: Tensor = self.table[ids[:, -(last or ids.shape[1]) :]]
        return found

    def new_cache(self, length: int) -> None:
        return None

    def selected(self, cache: None, rows: Tensor) -> None:
        return None


def bigram(probabilities: dict[str, dict[str, float]], letters: Letters) -> Bigram:
    """The table of some probabilities; "" is the end. What is not named ends."""
    table = torch.full((letters.size, letters.size), 0.0)
    for last in ["", *letters._letters]:
        for following, probability in probabilities.get(last, {"": 1.0}).items():
            row = letters.encode(last)[0] if last else letters.end
            column = letters.encode(following)[0] if following else letters.end
            table[row, column] = probability
    return Bigram(table.log().clamp(min=-1e4))


def transformer(vocabulary: int = Letters().size, seed: int = 0, *, layers: int = 2) -> Transformer:
    """A transformer of two thousand parameters, with weights large enough to have opinions."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = Transformer(Size(vocabulary, width=16, layers=layers, heads=2))
        for parameter in made.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.3)
    return made


def llama(vocabulary: int = Letters().size) -> HuggingFacePolicy:
    """Hugging Face's Llama, as small."""
    from transformers import LlamaConfig, LlamaForCausalLM

    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            initializer_range=0.3,
            pad_token_id=0,
            eos_token_id=0,
            bos_token_id=None,
        )
        return HuggingFacePolicy(LlamaForCausalLM(config).eval())


def gpt2(vocabulary: int = Letters().size) -> HuggingFacePolicy:
    """Hugging Face's GPT-2, as small. To it positions are numbers, not distances as to Llama."""
    from transformers import GPT2Config, GPT2LMHeadModel

    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = GPT2Config(
            vocab_size=vocabulary,
            n_positions=64,
            n_embd=16,
            n_layer=2,
            n_head=2,
            initializer_range=0.3,
            bos_token_id=0,
            eos_token_id=0,
        )
        return HuggingFacePolicy(GPT2LMHeadModel(config).eval())


@dataclass(frozen=True, slots=True)
class Said:
    """What a judge says of one completion."""

    reward: float | None

    @property
    def pass_rate(self) -> float | None:
        return self.reward

    @property
    def verdict(self) -> Verdict | None:
        verdicts = {None: Verdict.IE, 1.0: Verdict.AC}
        return verdicts.get(self.reward, Verdict.WA)


@dataclass
class FakeJudge:
    """Judges by a function of problem and completion; remembers the completions of each call."""

    worth: Callable[[str, str], float | None]
    calls: list[list[str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def judge(self, problems: Sequence[str], completions: Sequence[str]) -> Sequence[Judged]:
        with self.lock:
            self.calls.append(list(completions))
        return [Said(self.worth(*each)) for each in zip(problems, completions, strict=True)]
