"""`proctor eval` over the fake server: what it asks for, what it says, how it exits."""

import functools
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from proctor import Client, Retry, Verdict
from proctor.cli import cli
from proctor.testing import FakeServer, Program

HIDDEN = "hidden-42"


def problem(name: str) -> dict[str, Any]:
    test = {"kind": "stdin", "input": f"in {HIDDEN}", "output": f"out {HIDDEN}"}
    return {"id": f"set/{name}", "tests": [test]}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    """Programs earn the number that they begin with; "lost" is an IE."""

    def judge(program: Program) -> float | Verdict | None:
        word = program.text.split()[0]
        return None if word == "lost" else Verdict(word) if word in list(Verdict) else float(word)

    server = FakeServer(judge, check_problems=True)
    monkeypatch.setattr("proctor._command_options._RETRY", Retry(base_s=0))
    monkeypatch.setattr(
        "proctor._command_options.Client", functools.partial(Client, transport=server)
    )
    return server


@pytest.fixture
def folder(server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with the set's file; the server has the set."""
    monkeypatch.chdir(tmp_path)
    problems = [problem(name) for name in "abc"]
    lines(tmp_path / "set.ndjson", problems)
    Client(transport=server).import_problems(problems)
    return tmp_path


def lines(path: Path, records: list[dict[str, Any]]) -> None:
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))


def samples(folder: Path, of: dict[str, list[str]], name: str = "samples.jsonl") -> None:
    """A file as EvalPlus writes it."""
    records = [
        {"task_id": f"set/{problem}", "solution": text} for problem in of for text in of[problem]
    ]
    lines(folder / name, records)


def run(*args: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["eval", *args], input=stdin, prog_name="proctor")


def report(done: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def posted(server: FakeServer) -> int:
    """How many programs were posted."""
    requests = [r for r in server.requests if (r.method, r.url.path) == ("POST", "/v1/batches")]
    return sum(len(json.loads(request.read())["items"]) for request in requests)


def test_a_set_that_the_server_has_is_named_by_its_prefix(folder: Path) -> None:
    samples(folder, {"a": ["1.0", "0.0 a"], "b": ["1.0 b", "1.0 c"], "c": ["0.5", "0.0 c"]})
    done = run("set", "samples.jsonl", "--k", "1,2", "--json")
    assert done.exit_code == 0, done.output
    found = report(done)
    assert (found["samples"], found["judged"]) == (6, 6)
    assert found["pass_at_k"]["1"]["value"] == pytest.approx(0.5)
    assert found["pass_at_k"]["2"]["value"] == pytest.approx(2 / 3)
    assert found["mean_pass_rate"]["value"] == pytest.approx((0.5 + 1 + 0.25) / 3)
    assert found["verdicts"] == {"AC": 3, "WA": 3}
    assert [(each["id"], each["accepted"]) for each in found["problems"]] == [
        ("set/a", 1),
        ("set/b", 2),
        ("set/c", 0),
    ]


def test_a_set_in_a_file_is_imported_first(tmp_path: Path, server: FakeServer) -> None:
    lines(tmp_path / "mine.ndjson", [problem("new")])
    samples(tmp_path, {"new": ["1.0"]})
    done = run(str(tmp_path / "mine.ndjson"), str(tmp_path / "samples.jsonl"))
    assert done.exit_code == 0, done.output
    assert "mine" in done.stdout


def test_samples_may_come_from_standard_input(folder: Path) -> None:
    samples(folder, {name: ["1.0"] for name in "abc"})
    assert run("set", "-", stdin=(folder / "samples.jsonl").read_text()).exit_code == 0


def test_a_second_run_asks_only_for_what_is_missing(folder: Path, server: FakeServer) -> None:
    samples(folder, {"a": ["1.0"], "b": ["0.0 b"], "c": ["lost"]})
    first = run("set", "samples.jsonl", "--output", "out/results.jsonl", "--json")
    assert (first.exit_code, posted(server)) == (3, 3)
    samples(folder, {"a": ["1.0"], "b": ["0.0 b"], "c": ["1.0 c"]})
    second = run("set", "samples.jsonl", "--output", "out/results.jsonl", "--json")
    assert (second.exit_code, posted(server)) == (0, 4)
    assert "1 programs to judge; 2 equal one of them, or are known" in second.stderr
    assert report(second)["verdicts"] == {"AC": 2, "WA": 1}


def test_what_a_killed_run_left_half_written_is_asked_for_again(
    folder: Path, server: FakeServer
) -> None:
    samples(folder, {name: ["1.0"] for name in "abc"})
    run("set", "samples.jsonl", "--output", "results.jsonl")
    kept = (folder / "results.jsonl").read_text()
    (folder / "results.jsonl").write_text(kept[:-20])
    assert run("set", "samples.jsonl", "--output", "results.jsonl").exit_code == 0
    assert posted(server) == 4
    assert len((folder / "results.jsonl").read_text().splitlines()) == 3


def test_results_of_another_version_of_a_problem_are_not_used(
    folder: Path, server: FakeServer
) -> None:
    samples(folder, {name: ["1.0"] for name in "abc"})
    run("set", "samples.jsonl", "--output", "results.jsonl")
    Client(transport=server).put_problem({**problem("a"), "limits": {"cpu_time_s": 9.0}})
    run("set", "samples.jsonl", "--output", "results.jsonl")
    assert posted(server) == 4


def test_equal_samples_are_judged_once_and_counted_each(folder: Path, server: FakeServer) -> None:
    samples(folder, {name: ["1.0", "1.0"] for name in "abc"})
    found = report(run("set", "samples.jsonl", "--json"))
    assert (posted(server), found["samples"], found["verdicts"]) == (3, 6, {"AC": 6})


def test_our_failure_is_excluded_named_and_exits_3_whatever_the_gates_say(folder: Path) -> None:
    samples(folder, {"a": ["lost", "1.0"], "b": ["lost"], "c": ["0.0"]})
    done = run("set", "samples.jsonl", "--min-pass-at-1", "0.9", "--json")
    assert done.exit_code == 3
    found = report(done)
    assert found["pass_at_k"]["1"]["value"] == 0.5  # a: one of one, c: none of one
    assert [(each["problem_id"], each["sample"]) for each in found["unscored"]] == [
        ("set/a", 1),
        ("set/b", 3),
    ]
    assert "2 sample(s) were not scored" in done.stderr


@pytest.mark.parametrize(
    ("gate", "code"),
    [
        (["--min-pass-at-1", "0.33"], 0),
        (["--min-pass-at-1", "0.34"], 1),
        (["--min-pass-rate", "0.5"], 0),
        (["--min-pass-rate", "0.51"], 1),
    ],
)
def test_below_a_gate_it_exits_with_1(folder: Path, gate: list[str], code: int) -> None:
    samples(folder, {"a": ["1.0"], "b": ["0.5"], "c": ["0.0"]})
    done = run("set", "samples.jsonl", *gate)
    assert done.exit_code == code, done.output
    assert ("FAILED" if code else "passed") in done.stdout


@pytest.fixture
def baseline(folder: Path, server: FakeServer) -> Path:
    """The report of a run over six problems, all of them solved."""
    Client(transport=server).import_problems([problem(name) for name in "abcdef"])
    samples(folder, {name: ["1.0"] for name in "abcdef"})
    assert run("set", "samples.jsonl", "--report", "base.json").exit_code == 0
    return folder / "base.json"


@pytest.mark.parametrize(
    ("solved", "alpha", "p", "code"),
    [
        ("abcdef", "0.05", "p = 1.0000", 0),
        ("abcde", "0.05", "p = 0.5000", 0),  # one of two ways to choose a sign
        ("ab", "0.05", "p = 0.0625", 0),
        ("ab", "0.1", "p = 0.0625", 1),
        ("", "0.05", "p = 0.0156", 1),
    ],
)
def test_a_drop_fails_only_where_it_is_more_than_noise(
    folder: Path, baseline: Path, solved: str, alpha: str, p: str, code: int
) -> None:
    samples(folder, {name: ["1.0" if name in solved else "0.0"] for name in "abcdef"})
    done = run("set", "samples.jsonl", "--baseline", str(baseline), "--alpha", alpha)
    assert done.exit_code == code, done.output
    assert p in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["nothing", "samples.jsonl"], "no problem 'nothing'"),
        (["set", "none.jsonl"], "Error: none.jsonl: No such file"),
        (["set", "partial.jsonl"], "no samples of 2 problem(s): set/b, set/c"),
        (["set", "strange.jsonl"], "not in set: set/z"),
        (["set", "samples.jsonl", "--k", "1,x"], "such as 1,10"),
        (["set", "samples.jsonl", "--k", "0"], "from 1 on"),
        (["set", "samples.jsonl", "--report", "r.pdf"], "must end in .json, .md, .xml, .html"),
        (["set", "samples.jsonl", "--baseline", "set.ndjson"], "no JSON report"),
        (["set", "samples.jsonl", "--output", "set.ndjson"], "no result of an earlier run"),
        (["set", "samples.jsonl", "--min-pass-at-1", "2"], "0<=x<=1"),
        (["set", "samples.jsonl", "--embedded"], "has no problems yet"),
    ],
)
def test_wrong_usage_exits_with_2_before_anything_is_judged(
    folder: Path, server: FakeServer, args: list[str], told: str
) -> None:
    samples(folder, {name: ["1.0"] for name in "abc"})
    samples(folder, {"a": ["1.0"]}, "partial.jsonl")
    samples(folder, {"z": ["1.0"]}, "strange.jsonl")
    done = run(*args)
    assert (done.exit_code, posted(server)) == (2, 0), done.output
    assert told in " ".join(done.output.split())


def test_a_baseline_of_other_problems_is_found_before_the_run(
    folder: Path, server: FakeServer, baseline: Path
) -> None:
    before = posted(server)
    Client(transport=server).put_problem({**problem("new"), "id": "other/new"})
    lines(folder / "other.jsonl", [{"task_id": "other/new", "solution": "1.0"}])
    done = run("other", "other.jsonl", "--baseline", str(baseline))
    assert (done.exit_code, posted(server)) == (2, before)


def test_problems_without_samples_are_named_where_that_is_allowed(folder: Path) -> None:
    samples(folder, {"a": ["1.0"]})
    done = run("set", "samples.jsonl", "--partial", "--json")
    assert (done.exit_code, report(done)["missing"]) == (0, ["set/b", "set/c"])


@pytest.mark.parametrize("failure", [503, 500])
def test_a_server_that_fails_is_no_verdict(folder: Path, server: FakeServer, failure: int) -> None:
    samples(folder, {name: ["1.0"] for name in "abc"})
    server.fail(failure, times=100)
    assert run("set", "samples.jsonl", "--min-pass-at-1", "1").exit_code == 3


def test_reports_hold_neither_programs_nor_hidden_data(folder: Path) -> None:
    samples(folder, {"a": ["1.0 program-text"], "b": ["0.5 program-text"], "c": ["TLE x"]})
    paths = [f"out/r{ending}" for ending in (".json", ".md", ".xml", ".html")]
    args = [word for path in paths for word in ("--report", path)]
    done = run("set.ndjson", "samples.jsonl", *args)
    assert done.exit_code == 0, done.output
    for text in [done.output, *((folder / path).read_text() for path in paths)]:
        assert "set/b" in text
        assert HIDDEN not in text
        assert "program-text" not in text
