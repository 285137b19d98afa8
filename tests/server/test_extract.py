"""The program in a model's raw answer."""

import time

import pytest

from proctor.types import Extraction
from proctor_server.extract import extract

FENCED = "```python\nprint(1)\n```"


@pytest.mark.parametrize(
    ("completion", "program"),
    [
        pytest.param(FENCED, "print(1)\n", id="one block"),
        pytest.param(f"Try:\n```\nfirst\n```\nBetter:\n{FENCED}\nDone.", "print(1)\n", id="last"),
        pytest.param(f"<think>\n```\nno\n```\n</think>\n{FENCED}", "print(1)\n", id="after think"),
        pytest.param(f"hm {FENCED}\n</think>\n{FENCED}", "print(1)\n", id="think opened by prompt"),
        pytest.param("```\nno\n```\n</think>\nI give up.", "", id="block only in the thought"),
        pytest.param(f"<think>\n{FENCED}", "", id="a thought that never ends"),
        pytest.param("<think></think>a</think>\n```\nb\n```", "b\n", id="last end of a thought"),
        pytest.param("print(1)", "", id="no fence"),
        pytest.param("", "", id="nothing"),
        pytest.param("```\n```", "", id="an empty block"),
        pytest.param(f"{FENCED}\n```\n```", "", id="an empty block comes last"),
        pytest.param("```python\nprint(1)\n", "print(1)\n", id="cut off"),
        pytest.param(f"{FENCED}\n```", "print(1)\n", id="a fence that opens nothing"),
        pytest.param("~~~py\nprint(1)\n~~~", "print(1)\n", id="tildes"),
        pytest.param("~~~\n```\nx\n```\n~~~", "```\nx\n```\n", id="backticks within tildes"),
        pytest.param("````\n```\nx\n```\n````", "```\nx\n```\n", id="a longer fence"),
        pytest.param("```\na\n````", "a\n", id="a longer closing fence"),
        pytest.param("```\na\n``` b\nc\n```", "a\n``` b\nc\n", id="a closing fence has no words"),
        pytest.param("say ```x``` or\n```y```\n", "", id="inline code"),
        pytest.param("1. So:\n   ```\n   if 1:\n     2\n   ```", "if 1:\n  2\n", id="in a list"),
        pytest.param("```python\r\nprint(1)\r\n```\r\n", "print(1)\r\n", id="carriage returns"),
        pytest.param("```c++ title=a.cpp\nint x;\n```", "int x;\n", id="words after the language"),
        pytest.param("```\n\x00\ud800\n```", "\x00\ud800\n", id="odd characters stay"),
    ],
)
def test_the_last_fenced_block_after_the_thought_is_the_program(
    completion: str, program: str
) -> None:
    assert extract(completion, Extraction()) == program


@pytest.mark.parametrize(
    ("completion", "program"),
    [
        ("print(1)\n", "print(1)\n"),
        ("<think>x</think>print(1)", "print(1)"),
        ("<think>print(1)", ""),
        (FENCED, "print(1)\n"),
        ("```\n```", ""),
    ],
)
def test_a_missing_fence_may_mean_the_whole_answer(completion: str, program: str) -> None:
    assert extract(completion, Extraction(missing_fence="whole")) == program


@pytest.mark.parametrize(
    "part", ["```\n", "`", " ", "<think>", "</think>", "~~~a\n", "\n", "``` `\n", "   ```\n"]
)
def test_a_hostile_answer_takes_time_in_proportion_to_its_length(part: str) -> None:
    started = time.process_time()
    extract(part * (4_000_000 // len(part)), Extraction())
    assert time.process_time() - started < 5
