"""Problem sets: by name, and out of files of every form."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from proctor.problem_sets import BadProblems, is_known, read

OWN = {"id": "x/1", "tests": [{"kind": "stdin", "input": "1", "output": "1"}]}
HUMANEVAL = {
    "task_id": "HumanEval/0",
    "prompt": "def f(x):\n",
    "entry_point": "f",
    "canonical_solution": "    return x\n",
    "test": "def check(candidate):\n    assert candidate(1) == 1\n",
}
MBPP = {"task_id": 2, "text": "t", "code": "def f(x): return x", "test_list": ["assert f(1) == 1"]}


def written(path: Path, *records: Any) -> Path:
    text = "\n".join(json.dumps(record) for record in records).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


@pytest.mark.parametrize(
    ("record", "problem_id"), [(OWN, "x/1"), (HUMANEVAL, "HumanEval/0"), (MBPP, "MBPP/2")]
)
@pytest.mark.parametrize("name", ["some.set.jsonl", "some.set.jsonl.gz"])
def test_the_form_of_a_file_is_seen_from_its_records(
    tmp_path: Path, name: str, record: dict[str, Any], problem_id: str
) -> None:
    path = written(tmp_path / name, record)
    assert is_known(str(path))
    found = read(str(path))
    assert (found.name, [problem.id for problem in found.problems]) == ("some.set", [problem_id])


def test_a_set_may_be_named_with_its_file(tmp_path: Path) -> None:
    found = read("mbpp", written(tmp_path / "m.jsonl", MBPP, MBPP))
    assert (found.name, len(found.problems)) == ("m", 2)


def test_humaneval_comes_from_its_package() -> None:
    found = read("humaneval")
    assert (found.name, len(found.problems)) == ("humaneval", 164)


@pytest.mark.parametrize(
    ("records", "told"),
    [
        ([], "no problems in it"),
        ([OWN, {"id": 3}], ":2: id: Input should be a valid string"),
        ([{"canonical_solution": "x"}], "a record without 'prompt'|a record without 'task_id'"),
        ([[]], ":1: not a JSON object"),
    ],
)
def test_a_bad_file_is_told_with_its_place(tmp_path: Path, records: list[Any], told: str) -> None:
    with pytest.raises(BadProblems, match=told):
        read(str(written(tmp_path / "set.ndjson", *records)))


def test_what_is_not_here_is_not_known() -> None:
    assert not is_known("HumanEval")
    with pytest.raises(BadProblems, match="No such file"):
        read("HumanEval")
