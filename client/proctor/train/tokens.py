"""Tokenizers: what a policy needs of one, a small one of our own, and Hugging Face's."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

# A word or a run of punctuation with the blank before it, a digit, a run of white space.
_PIECE = re.compile(r" ?[A-Za-z_]+| ?[^\sA-Za-z_0-9]+|\d|\s+?(?=\S)|\s+")


class Tokenizer(Protocol):
    """What training needs of a tokenizer. Ids are from 0 to size - 1."""

    @property
    def size(self) -> int:
        """How many tokens there are."""

    @property
    def end(self) -> int:
        """The token that ends a completion; also used for padding."""

    def encode(self, text: str) -> list[int]:
        """The tokens of a text."""

    def decode(self, ids: Sequence[int]) -> str:
        """The text of tokens, without the special ones."""


class PieceTokenizer:
    """Words, digits and punctuation as seen in a corpus; the bytes of UTF-8 for all else.

    Args:
        pieces: tokens besides the end and the 256 bytes.
    """

    end = 0

    def __init__(self, pieces: Sequence[str]) -> None:
        self._pieces = list(pieces)
        self._ids = {piece: 257 + place for place, piece in enumerate(self._pieces)}

    @classmethod
    def of(cls, corpus: Iterable[str], *, most: int = 1024) -> "PieceTokenizer":
        """The tokenizer of the commonest pieces of some texts."""
        counts = Counter(piece for text in corpus for piece in _PIECE.findall(text))
        commonest = sorted(counts, key=lambda piece: (-counts[piece], piece))
        return cls([piece for piece in commonest if len(piece.encode()) > 1][:most])

    @property
    def size(self) -> int:
        """How many tokens there are."""
        return 257 + len(self._pieces)

    def encode(self, text: str) -> list[int]:
        """The tokens of a text."""
        found: list[int] = []
        for piece in _PIECE.findall(text):
            known = self._ids.get(piece)
            found += [known] if known is not None else [1 + byte for byte in piece.encode()]
        return found

    def decode(self, ids: Sequence[int]) -> str:
        """The text of tokens; bytes that are no UTF-8 become U+FFFD."""
        text = b"".join(
            self._pieces[i - 257].encode() if i >= 257 else bytes([i - 1]) for i in ids if i
        )
        return text.decode(errors="replace")

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(json.dumps({"pieces": self._pieces}))

    @classmethod
    def load(cls, path: Path) -> "PieceTokenizer":
        """Read what `save` wrote. Raises OSError, ValueError."""
        found = json.loads(path.read_text())
        pieces = found.get("pieces") if isinstance(found, dict) else None
        if not isinstance(pieces, list):
            raise ValueError(f"{path} is no tokenizer that was saved here")
        return cls(pieces)


class HuggingFaceTokenizer:
    """A tokenizer of the transformers library, behind ours.

    Args:
        tokenizer: a `PreTrainedTokenizerBase` with an end-of-sequence token.

    Raises:
        ValueError: it has no such token.
    """

    def __init__(self, tokenizer: Any) -> None:
        if tokenizer.eos_token_id is None:
            raise ValueError("the tokenizer has no eos_token: set one, completions end with it")
        self._tokenizer = tokenizer

    @property
    def size(self) -> int:
        """How many tokens there are."""
        return len(self._tokenizer)

    @property
    def end(self) -> int:
        """The end-of-sequence token."""
        return int(self._tokenizer.eos_token_id)

    def encode(self, text: str) -> list[int]:
        """The tokens of a text, without special ones added."""
        return list(self._tokenizer.encode(text, add_special_tokens=False))

    def decode(self, ids: Sequence[int]) -> str:
        """The text of tokens, without the special ones."""
        return str(self._tokenizer.decode(ids, skip_special_tokens=True))
