"""Problem sets in their own formats become problems."""

import gzip
import json
from pathlib import Path

import pytest

from proctor.importers import humaneval, mbpp, packaged_humaneval, read_records
from proctor.types import AssertionTest

HUMANEVAL = {
    "task_id": "HumanEval/0",
    "prompt": "def one():\n",
    "entry_point": "one",
    "canonical_solution": "    return 1\n",
    "test": "def check(candidate):\n    assert candidate() == 1\n",
}
MBPP = {
    "task_id": 7,
    "prompt": "Write one.",
    "code": "def one():\n    return 1",
    "test_imports": ["import math"],
    "test_list": ["assert one() == 1", "assert math.isclose(one(), 1)"],
}


def test_a_humaneval_record_becomes_one_assertion_test_that_calls_check() -> None:
    (problem,) = humaneval([HUMANEVAL])
    (test,) = problem.tests
    assert isinstance(test, AssertionTest)
    assert problem.id == "HumanEval/0"
    assert problem.prefix == problem.statement == HUMANEVAL["prompt"]
    assert test.code.endswith("assert candidate() == 1\n\n\ncheck(candidate)\n")
    assert test.entry_point == problem.entry_point == "one"
    assert not test.public


def test_the_humaneval_reference_is_the_prompt_and_its_solution() -> None:
    (problem,) = humaneval([HUMANEVAL])
    assert problem.reference is not None
    assert problem.reference.source == "def one():\n    return 1\n"
    assert problem.reference.language == "python"


def test_a_mbpp_record_becomes_a_test_per_assert_with_its_imports() -> None:
    (problem,) = mbpp([MBPP])
    assert problem.id == "MBPP/7"
    assert [test.code for test in problem.tests if isinstance(test, AssertionTest)] == [
        "import math\nassert one() == 1\n",
        "import math\nassert math.isclose(one(), 1)\n",
    ]
    assert [test.public for test in problem.tests] == [True, False]
    assert problem.entry_point == "one"
    assert problem.reference is not None
    assert problem.reference.source == MBPP["code"]


def test_the_full_mbpp_set_has_other_field_names() -> None:
    record = {
        "task_id": 8,
        "text": "Write two.",
        "code": "def two(): return 2",
        "test_setup_code": "x = 2",
        "test_list": ["assert two() == x"],
    }
    (problem,) = mbpp([record])
    (test,) = problem.tests
    assert problem.statement == "Write two."
    assert isinstance(test, AssertionTest)
    assert test.code == "x = 2\nassert two() == x\n"


@pytest.mark.parametrize("missing", sorted(HUMANEVAL))
def test_a_record_without_a_field_is_an_error(missing: str) -> None:
    record = {name: value for name, value in HUMANEVAL.items() if name != missing}
    with pytest.raises(KeyError, match=missing):
        humaneval([record])


def test_the_packaged_set_is_whole() -> None:
    problems = humaneval(packaged_humaneval())
    assert len(problems) == 164
    assert len({problem.id for problem in problems}) == 164


def test_records_are_read_from_plain_and_gzipped_files(tmp_path: Path) -> None:
    text = json.dumps(MBPP) + "\n\n" + json.dumps({"caf\u00e9": 1}, ensure_ascii=False) + "\n"
    (tmp_path / "a.jsonl").write_text(text, encoding="utf-8")
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    plain = list(read_records(tmp_path / "a.jsonl"))
    assert plain == [MBPP, {"caf\u00e9": 1}]
    assert list(read_records(tmp_path / "a.jsonl.gz")) == plain


@pytest.mark.parametrize(
    ("line", "reason"), [("{", "not JSON"), ("[]", "not a JSON object"), ("NaN", "object")]
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text("{}\n" + line + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match=rf"bad\.jsonl:2: .*{reason}"):
        list(read_records(path))


@pytest.mark.parametrize(
    ("code", "test", "entry_point"),
    [
        ("def sum(a):\n    return a\n", "assert sum(1) == 1", "sum"),
        ("def helper():\n    pass\ndef f():\n    pass\n", "assert set(f()) == set()", "f"),
        ("class Pair:\n    pass\n", "assert Pair()", "Pair"),
        ("f = len\n", "assert f('') == 0", None),
    ],
)
def test_the_mbpp_entry_point_is_what_its_test_calls(
    code: str, test: str, entry_point: str | None
) -> None:
    (problem,) = mbpp([{**MBPP, "code": code, "test_list": [test]}])
    (only,) = problem.tests
    assert isinstance(only, AssertionTest)
    assert problem.entry_point == only.entry_point == entry_point
