"""HumanEvalPack in C++, JavaScript and Go: right solutions pass, wrong ones don't.

A program is prompt, solution and test; its exit status alone counts. Some in quick runs, all in CI.
"""

import gzip
import json
import os
from typing import Any

import pytest

from proctor_sandbox.limits import Limits
from proctor_sandbox.pool import Pool
from proctor_sandbox.programs import End, Program, Report, StdinCase, Work
from proctor_sandbox.seam import Backend
from tests.conftest import ROOT, missing

BACKENDS = ("docker-runc",)
EVERY = 1 if os.environ.get("CI") == "true" else 41
LIMITS = Limits.for_cpu(10.0)

# By language and solution: what does not end as it should, and why.
EXCEPTIONS: dict[tuple[str, str], dict[str, str]] = {
    ("cpp", "canonical_solution"): {},
    ("javascript", "canonical_solution"): {},
    ("go", "canonical_solution"): {},
    ("cpp", "buggy_solution"): {},
    ("javascript", "buggy_solution"): {},
    ("go", "buggy_solution"): {},
}
FILES = {"cpp": "cpp", "javascript": "js", "go": "go"}


def program(language: str, record: dict[str, Any], solution: str) -> str:
    """A whole program, which exits with 0 when its test holds."""
    body = record["prompt"] + record[solution] + "\n"
    if language == "cpp":
        return str(body + record["test"])
    if language == "javascript":
        # It only prints what does not hold, and goes on.
        strict = "console.assert = (held) => { if (!held) process.exit(1); };\n"
        return str(strict + body + record["test"])
    return _go(record, record[solution])


def _go(record: dict[str, Any], solution: str) -> str:
    """Go's tests are functions of a package, and its imports come before all else."""
    test = record["test"]
    name = test.partition("func ")[2].partition("(")[0]
    head = record["test_setup"] + "\n" + record["prompt"]
    every = f'[]testing.InternalTest{{{{"{name}", {name}}}}}'
    match = "func(string, string) (bool, error) { return true, nil }"
    main = f"func main() {{ testing.Main({match}, {every}, nil, nil) }}\n"
    return f"{head}{solution}\n{test}\n{main}"


def records(language: str) -> list[dict[str, Any]]:
    path = ROOT.parent / "shared" / "data" / f"humanevalpack-{FILES[language]}.jsonl.gz"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    with gzip.open(path, "rt") as lines:
        return [json.loads(line) for line in lines][::EVERY]


def passed(report: Report) -> bool:
    (run,) = report.runs
    return (run.end, run.exit_code) == (End.EXITED, 0)


@pytest.mark.parametrize("language", FILES)
@pytest.mark.parametrize("solution", ["canonical_solution", "buggy_solution"])
def test_right_solutions_pass_and_wrong_ones_do_not(
    language: str, solution: str, backend: Backend, pool: Pool
) -> None:
    found = records(language)
    image = backend.languages().get(language)
    if image is None:
        missing(f"no {language} here: make images")
    works = [
        Work(Program(language, program(language, record, solution)), [StdinCase(b"")], LIMITS)
        for record in found
    ]
    sandbox = pool.lease(image)
    try:
        reports = list(sandbox.execute(works))
    finally:
        pool.discard(sandbox, "used by a test")
    wrong = {
        record["task_id"]
        for record, report in zip(found, reports, strict=True)
        if passed(report) != (solution == "canonical_solution")
    }
    known = EXCEPTIONS[language, solution]
    assert wrong == {record["task_id"] for record in found} & known.keys()
