"""Tokenizers: any text there and back, ids within bounds."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.train.tasks import generate
from proctor.train.tokens import HuggingFaceTokenizer, PieceTokenizer

CORPUS = ["Read integers a and b. Print the sum of a and b.", "print(max(a, b))\n  x = [-1]\n"]
PIECES = PieceTokenizer.of(CORPUS)
# Text like the corpus, and text like nothing.
TEXTS = st.one_of(st.text(), st.text(alphabet="ab_ ([1\n\t٣é𝄞"), st.sampled_from(CORPUS))


@given(TEXTS)
def test_any_text_comes_back(text: str) -> None:
    ids = PIECES.encode(text)
    assert PIECES.decode(ids) == text
    assert all(0 <= i < PIECES.size and i != PIECES.end for i in ids)


@given(st.lists(st.integers(0, PIECES.size - 1)))
def test_any_ids_are_a_text(ids: list[int]) -> None:
    text = PIECES.decode(ids)
    assert PIECES.decode([*ids, PIECES.end]) == text  # the end is no part of it
    assert PIECES.decode(PIECES.encode(text)) == text


@given(st.lists(TEXTS, max_size=5), TEXTS)
def test_any_corpus_makes_one(corpus: list[str], text: str) -> None:
    made = PieceTokenizer.of(corpus, most=10)
    assert made.size <= 257 + 10
    assert made.decode(made.encode(text)) == text


def test_common_pieces_are_one_token_and_digits_stay_apart() -> None:
    ids = PIECES.encode(" integers 12")
    assert [PIECES.decode([i]) for i in ids] == [" integers", " ", "1", "2"]


def test_what_a_corpus_of_tasks_has_not_needs_more_tokens_but_no_unknown() -> None:
    tasks = generate(50, seed=0)
    made = PieceTokenizer.of(text for task in tasks for text in (task.prompt, *task.programs()))
    program = tasks[0].reference
    assert len(made.encode(program)) < len(program) / 2
    assert made.decode(made.encode("Größe ≠ 大")) == "Größe ≠ 大"


def test_it_is_saved_and_loaded(tmp_path: Path) -> None:
    PIECES.save(tmp_path / "pieces.json")
    again = PieceTokenizer.load(tmp_path / "pieces.json")
    assert again.size == PIECES.size
    assert [again.encode(text) for text in CORPUS] == [PIECES.encode(text) for text in CORPUS]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"pieces": 3}'])
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "pieces.json").write_text(text)
    with pytest.raises(ValueError):  # noqa: PT011  the words are json's, or ours
        PieceTokenizer.load(tmp_path / "pieces.json")


# -- Hugging Face's ---------------------------------------------------------------------------


def hugging_face(*, ends: bool = True) -> Any:
    """A tokenizer whose words are letters, and which would add a beginning by itself."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    eos, bos, unk = special = ["<eos>", "<bos>", "<unk>"]
    words = {word: number for number, word in enumerate([*special, *"abc"])}
    made = Tokenizer(models.WordLevel(words, unk_token=unk))
    made.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    made.decoder = decoders.Fuse()
    made.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A", special_tokens=[(bos, 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        bos_token=bos,
        unk_token=unk,
        eos_token=eos if ends else None,
    )


def test_hugging_faces_tokenizers_are_ours_without_special_tokens() -> None:
    theirs = hugging_face()
    assert theirs.encode("abc") == [1, 3, 4, 5]
    ours = HuggingFaceTokenizer(theirs)
    assert (ours.size, ours.end) == (6, 0)
    assert ours.encode("cab") == [5, 3, 4]
    assert ours.decode([5, 3, 4, ours.end]) == "cab"


def test_one_without_an_end_is_refused() -> None:
    with pytest.raises(ValueError, match="no eos_token"):
        HuggingFaceTokenizer(hugging_face(ends=False))
