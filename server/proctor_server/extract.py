"""Extraction: the program in a model's raw answer is its last fenced block after </think>."""

import re

from proctor.types import Extraction

_THINK_START, _THINK_END = "<think>", "</think>"
# An opening or closing fence as CommonMark has it, at any indentation: models put fences in lists.
_FENCE = re.compile(r"^([ \t]*)(`{3,}|~{3,})([^\n]*)$", re.MULTILINE)


def extract(completion: str, extraction: Extraction) -> str:
    """The program in a completion; "" where there is none.

    Only what follows the last `</think>` counts, and nothing does in a thought that never
    ends. Fences are CommonMark's: a block is closed by a line of at least as many of the same
    marks, or by the end of the text, and loses the indentation of its opening fence. What an
    answer without a fence means is `extraction.missing_fence`.
    """
    _, ended, answer = completion.rpartition(_THINK_END)
    if not ended and _THINK_START in completion:
        return ""
    block = _last_block(answer)
    if block is not None:
        return block
    return answer if extraction.missing_fence == "whole" else ""


def _last_block(text: str) -> str | None:
    block: tuple[int, int, int] | None = None  # start, end, indentation
    opening: re.Match[str] | None = None
    for fence in _FENCE.finditer(text):
        marks, rest = fence[2], fence[3].strip()
        if opening is None:
            if not (marks[0] == "`" and "`" in rest):  # ```code``` in one line is no block
                opening = fence
        elif not rest and marks.startswith(opening[2]):
            block = opening.end() + 1, fence.start(), len(opening[1])
            opening = None
    if opening is not None and text[opening.end() :].strip():
        block = opening.end() + 1, len(text), len(opening[1])
    if block is None:
        return None
    start, end, indentation = block
    return _unindented(text[start:end], indentation)


def _unindented(block: str, indentation: int) -> str:
    if not indentation:
        return block
    return re.sub(rf"^[ \t]{{1,{indentation}}}", "", block, flags=re.MULTILINE)
