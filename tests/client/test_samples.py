"""Sample files: which lines are read as what."""

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from proctor._requests import Form
from proctor.samples import BadSample, opened, read_samples
from proctor.types import Item


def read(text: str, form: Form | None = None) -> list[Item]:
    return list(read_samples(io.StringIO(text), form, "python"))


@pytest.mark.parametrize(
    ("line", "form", "expected"),
    [
        ({"problem_id": "a", "source": "x"}, None, {"source": "x"}),
        ({"problem_id": "a", "completion": "x"}, None, {"completion": "x"}),
        ({"task_id": "a", "completion": "x"}, None, {"continuation": "x"}),
        ({"task_id": "a", "solution": "x"}, None, {"source": "x"}),
        ({"task_id": "a", "completion": "x"}, "completion", {"completion": "x"}),
        ({"problem_id": "a", "completion": "x"}, "source", {"source": "x"}),
        (
            {"problem_id": "a", "source": "x", "language": "cpp"},
            None,
            {"source": "x", "language": "cpp"},
        ),
        ({"problem_id": "a", "source": "x", "id": "7"}, None, {"source": "x", "id": "7"}),
        ({"problem_id": "a", "source": "", "passed": True}, None, {"source": ""}),
    ],
)
def test_a_sample_is_read_as_its_keys_say(
    line: dict[str, Any], form: Form | None, expected: dict[str, Any]
) -> None:
    (item,) = read(json.dumps(line), form)
    assert item == Item.model_validate({"problem_id": "a", "language": "python", **expected})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"problem_id": "a"}', "line 1: give exactly one of source, solution"),
        ('\n{"source": "x"}', "line 2: give exactly one of problem_id, task_id"),
        ('{"problem_id": "a", "source": "x", "completion": "y"}', "exactly one of source"),
        ("[1]", "line 1: not a JSON object"),
        ("{", "line 1: not JSON"),
        ("[" * 100_000, "line 1: not JSON"),
        ('{"problem_id": "a b", "source": "x"}', "line 1: .*problem_id"),
        ('{"problem_id": 3, "source": "x"}', "line 1: .*problem_id"),
    ],
)
def test_a_bad_line_is_named(text: str, told: str) -> None:
    with pytest.raises(BadSample, match=f"(?s){told}"):
        read(text)


@pytest.mark.parametrize("name", ["s.jsonl", "s.jsonl.gz"])
def test_a_file_may_be_gzipped(tmp_path: Path, name: str) -> None:
    path, text = tmp_path / name, b'{"problem_id": "a", "source": "\xc3\xa9"}\n'
    path.write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    with opened(path) as lines:
        assert [item.source for item in read_samples(lines, None, "python")] == ["é"]


def test_text_that_is_not_utf8_is_said_to_be_so(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_bytes(b"\xff\xfe")
    with opened(path) as lines, pytest.raises(BadSample, match="UTF-8"):
        list(read_samples(lines, None, "python"))
