"""HumanEvalPack in C++, JavaScript and Go: right solutions pass, wrong ones don't.

A program is prompt, solution and test; its exit status alone counts. Some in quick runs, more in
CI, all with PROCTOR_ALL_LANGUAGES=1.
"""

import gzip
import json
import os
import re
from typing import Any

import pytest

from proctor_sandbox.limits import Limits
from proctor_sandbox.pool import Pool
from proctor_sandbox.programs import End, Program, Report, StdinCase, Work
from proctor_sandbox.seam import Backend
from tests.conftest import ROOT, missing

BACKENDS = ("docker-runc",)
# All 164 of each take five minutes of CPU, compilers' mostly.
EVERY = 41
if os.environ.get("CI") == "true":
    EVERY = 10
if os.environ.get("PROCTOR_ALL_LANGUAGES") == "1":
    EVERY = 1
LIMITS = Limits.for_cpu(4.0)

LEFT_OUT = {
    "CPP/22": "its prompt includes boost, which the image has not",
    "CPP/137": "its prompt includes boost, which the image has not",
    "CPP/162": "its prompt includes OpenSSL, which the image has not",
    "Go/95": "its solution goes by the order of a map, which Go makes random",
    "JavaScript/162": "its solution requires js-md5, which the image has not",
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


# What solutions use without an import of it, which HumanEvalPack's own harness adds.
_GO_PACKAGES = [
    "bytes",
    "crypto/md5",
    "fmt",
    "math",
    "math/rand",
    "regexp",
    "sort",
    "strconv",
    "strings",
    "time",
]


def _go(record: dict[str, Any], solution: str) -> str:
    """Go refuses an import that is not used, and one that is there twice."""
    test = record["test"]
    name = test.partition("func ")[2].partition("(")[0]
    match = "func(string, string) (bool, error) { return true, nil }"
    every = f'[]testing.InternalTest{{{{"{name}", {name}}}}}'
    prompt = record["prompt"].replace(record["import"], "")
    words = "\n".join(line for line in prompt.splitlines() if not line.startswith("//"))
    body = f"{words}\n{solution}\n{test}\n"
    body += f"func main() {{ testing.Main({match}, {every}, nil, nil) }}\n"
    told = re.findall(r'^\s+"(.+)"$', record["test_setup"] + record["import"], re.MULTILINE)
    used = [
        path
        for path in sorted({*told, *_GO_PACKAGES})
        if re.search(rf"\b{path.rpartition('/')[2]}\.", body)
    ]
    return "package main\n" + "".join(f'import "{path}"\n' for path in used) + body


def records(language: str) -> list[dict[str, Any]]:
    path = ROOT.parent / "shared" / "data" / f"humanevalpack-{FILES[language]}.jsonl.gz"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    with gzip.open(path, "rt") as lines:
        found = [json.loads(line) for line in lines][::EVERY]
    return [record for record in found if record["task_id"] not in LEFT_OUT]


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
    wrong = [
        record["task_id"]
        for record, report in zip(found, reports, strict=True)
        if passed(report) != (solution == "canonical_solution")
    ]
    assert wrong == []
