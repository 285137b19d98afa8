"""A small transformer, and the one interface behind which any causal language model trains.

Decoder only, as in Llama: RMS norms, rotary positions, a gated feed-forward, tied embeddings.
"""

from dataclasses import asdict, dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional


class Cache:
    """Keys and values of what was read so far, for one layer after the other.

    Room for `length` positions is set aside at once, so that a step writes and copies nothing.
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self.used = 0
        self.layers: list[tuple[Tensor, Tensor]] = []

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Add keys and values, (batch, heads, new, width) each; all of them up to here."""
        if layer == len(self.layers):
            batch, heads, _, width = keys.shape
            shape = (batch, heads, self.length, width)
            self.layers.append((keys.new_empty(shape), values.new_empty(shape)))
        all_keys, all_values = self.layers[layer]
        end = self.used + keys.shape[2]
        all_keys[:, :, self.used : end] = keys
        all_values[:, :, self.used : end] = values
        return all_keys[:, :, :end], all_values[:, :, :end]

    def selected(self, rows: Tensor) -> "Cache":
        """These rows in this order, each as often as it is named."""
        made = Cache(self.length)
        made.used = self.used
        made.layers = [(keys[rows], values[rows]) for keys, values in self.layers]
        return made


class Policy(Protocol):
    """A causal language model, as sampling and training see it."""

    def __call__(
        self, ids: Tensor, mask: Tensor, cache: Any = None, *, last: int | None = None
    ) -> Tensor:
        """Logits, (batch, last, vocabulary), of what follows each of the last new tokens.

        Args:
            ids: the new tokens, (batch, new).
            mask: True where a token counts and False for padding, (batch, all so far).
            cache: what `new_cache` gave, where `ids` goes on from earlier calls.
            last: how many of the new tokens are asked about; all of them unless said. With a
                vocabulary of 150,000 tokens it is logits that take most of the memory.
        """

    def new_cache(self, length: int) -> Any:
        """A cache for so many positions."""

    def selected(self, cache: Any, rows: Tensor) -> Any:
        """A cache of these rows in this order, each as often as it is named."""

    def parameters(self) -> Any:
        """What is trained; torch's."""

    def state_dict(self) -> Any:
        """What a checkpoint keeps; torch's."""

    def load_state_dict(self, state: Any) -> Any:
        """Take over what `state_dict` gave; torch's."""


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a `Transformer`. The default has half a million parameters."""

    vocabulary: int
    width: int = 128
    layers: int = 3
    heads: int = 4

    @property
    def hidden(self) -> int:
        """The width of the feed-forward layer: 8/3 of the model's, in whole units of 32."""
        return -(-self.width * 8 // 3 // 32) * 32


class Transformer(nn.Module):
    """The small model that comes with Proctor; a `Policy`."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size
        self.embedding = nn.Embedding(size.vocabulary, size.width)
        self.blocks = nn.ModuleList(_Block(size) for _ in range(size.layers))
        self.norm = nn.RMSNorm(size.width)
        nn.init.normal_(self.embedding.weight, std=0.02)

    def forward(
        self, ids: Tensor, mask: Tensor, cache: Cache | None = None, *, last: int | None = None
    ) -> Tensor:
        """Logits; see `Policy`."""
        new = ids.shape[1]
        positions = (mask.long().cumsum(1) - 1).clamp(min=0)[:, -new:]
        turn = _rotations(positions, self.size.width // self.size.heads)
        # A query sees the keys up to its own place that are no padding, and always itself:
        # padding has to look at something, or it is NaN.
        length = mask.shape[1]
        place = torch.arange(length, device=ids.device)
        queries = place[-new:, None]
        seen = (place <= queries) & mask[:, None, :] | (place == queries)
        x = self.embedding(ids)
        for layer, block in enumerate(self.blocks):
            x = block(x, turn, seen[:, None], cache, layer)
        if cache is not None:
            cache.used += new
        return functional.linear(self.norm(x[:, -(last or new) :]), self.embedding.weight)

    def new_cache(self, length: int) -> Cache:
        """A cache for so many positions."""
        return Cache(length)

    def selected(self, cache: Cache, rows: Tensor) -> Cache:
        """A cache of these rows in this order; see `Policy`."""
        return cache.selected(rows)

    def matrices(self) -> list[nn.Parameter]:
        """The weights between hidden layers, all of two dimensions."""
        return [each for each in self.blocks.parameters() if each.dim() == 2]

    def config(self) -> dict[str, int]:
        """The size as plain values, for a checkpoint."""
        return asdict(self.size)


class _Block(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        self.heads = size.heads
        self.before_attention = nn.RMSNorm(size.width)
        self.queries_keys_values = nn.Linear(size.width, 3 * size.width, bias=False)
        self.attended = nn.Linear(size.width, size.width, bias=False)
        self.before_feed = nn.RMSNorm(size.width)
        self.gate_and_up = nn.Linear(size.width, 2 * size.hidden, bias=False)
        self.down = nn.Linear(size.hidden, size.width, bias=False)
        # As in GPT-2: what is added to the residual shrinks with the number of layers.
        for layer in (self.attended, self.down):
            nn.init.normal_(layer.weight, std=0.02 / (2 * size.layers) ** 0.5)

    def forward(
        self, x: Tensor, turn: tuple[Tensor, Tensor], seen: Tensor, cache: Cache | None, layer: int
    ) -> Tensor:
        batch, new, width = x.shape
        mixed = self.queries_keys_values(self.before_attention(x))
        q, k, v = (
            part.view(batch, new, self.heads, -1).transpose(1, 2) for part in mixed.chunk(3, dim=-1)
        )
        q, k = _turned(q, turn), _turned(k, turn)
        if cache is not None:
            k, v = cache.extend(layer, k, v)
        heads = functional.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        x = x + self.attended(heads.transpose(1, 2).reshape(batch, new, width))
        gate, up = self.gate_and_up(self.before_feed(x)).chunk(2, dim=-1)
        return x + self.down(functional.silu(gate) * up)


def _rotations(positions: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines of rotary positions, (batch, 1, new, width / 2)."""
    half = torch.arange(width // 2, device=positions.device)
    angles = positions[:, None, :, None] * 10000.0 ** (-2.0 * half / width)
    return angles.cos(), angles.sin()


def _turned(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    cos, sin = (part.to(x.dtype) for part in turn)
    left, right = x.chunk(2, dim=-1)
    return torch.cat([left * cos - right * sin, right * cos + left * sin], dim=-1)


class HuggingFacePolicy(nn.Module):
    """Any causal language model of the transformers library; a `Policy`.

    Args:
        model: what `AutoModelForCausalLM` gives.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, ids: Tensor, mask: Tensor, cache: Any = None, *, last: int | None = None
    ) -> Tensor:
        """Logits; see `Policy`."""
        positions = (mask.long().cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        out = self.model(
            input_ids=ids,
            attention_mask=mask.long(),
            position_ids=positions,
            past_key_values=cache,
            use_cache=cache is not None,
            logits_to_keep=last or 0,  # 0 is all, as transformers has it
        )
        logits: Tensor = out.logits
        return logits

    def new_cache(self, length: int) -> Any:
        """A cache; transformers' grows as it is used."""
        from transformers import DynamicCache  # optional: only such models need the library

        return DynamicCache()

    def selected(self, cache: Any, rows: Tensor) -> Any:
        """A cache of these rows in this order; see `Policy`."""
        cache.reorder_cache(rows)
        return cache
