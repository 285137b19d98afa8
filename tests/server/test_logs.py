"""Logs: a line for each batch and each fault, by which a submission can be followed."""

import json
import logging
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from proctor_server import journal, logs
from tests.server.conftest import Workers, post, results, wait_until

Lines = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def logged(worker: Workers, caplog: pytest.LogCaptureFixture) -> Lines:
    """The fields of the lines of an event, the API's and then the workers'."""
    caplog.set_level(logging.INFO, "proctor_server")

    def found(event: str) -> list[dict[str, Any]]:
        own = [
            {"process": "api", **getattr(record, "fields", {})}
            for record in caplog.records
            if record.getMessage() == event
        ]
        # Whole lines: the last may be under way. Every one has to be JSON.
        whole, _, _ = worker.errors().rpartition("\n")
        theirs = [json.loads(line) for line in whole.splitlines()]
        return own + [line for line in theirs if line["event"] == event]

    return found


def once(logged: Lines, event: str) -> dict[str, Any]:
    """The one line of an event, which may come a moment after its cause is seen."""
    wait_until(lambda: logged(event), event)
    (line,) = logged(event)
    return line


def test_a_submission_is_followed_from_its_request_to_its_fault(
    api: httpx.Client, two: str, worker: Workers, logged: Lines
) -> None:
    items = [{"problem_id": two, "source": source} for source in ("ac", "raise always")]
    headers = {"X-Request-ID": "step-812"}
    answer = api.post("/v1/batches", json={"items": items}, headers=headers)
    assert answer.headers["x-request-id"] == "step-812"
    batch = answer.json()["id"]
    *lines, _ = results(api, batch)
    accepted = once(logged, "batch accepted")
    assert (accepted["request"], accepted["batch"], accepted["items"]) == ("step-812", batch, 2)
    fault = once(logged, "internal error")
    failed = next(line for line in lines if line["verdict"] == "IE")
    assert fault["submissions"] == [failed["submission_id"]]
    assert (fault["cause"], fault["process"]) == ("failure", "worker")
    assert re.fullmatch("[0-9a-f]{64}", fault["unit"])
    assert re.fullmatch("[0-9a-f]{32}", fault["chunk"])
    ended = once(logged, "batch ended")
    assert (ended["request"], ended["batch"], ended["state"]) == ("step-812", batch, "done")
    assert (ended["verdicts"], ended["completed"]) == ({"AC": 1, "IE": 1}, 2)
    assert ended["worker"] == fault["worker"] == api.get("/v1/info").json()["workers"][0]["name"]
    assert 0 < ended["seconds"] < 30


def test_a_batch_that_the_api_ends_is_told_by_the_api(
    api: httpx.Client, two: str, logged: Lines, tmp_path: Path
) -> None:
    results(api, post(api, "ac"))
    known = post(api, "ac")
    gate = tmp_path / "gate"
    cancelled = post(api, f"gate {gate}")
    api.delete(f"/v1/batches/{cancelled}")
    late = post(api, f"gate {gate} late", deadline_s=0.1)
    wait_until(lambda: len(logged("batch ended")) == 4, "all have ended")
    gate.touch()
    told = {line["batch"]: line for line in logged("batch ended") if line["process"] == "api"}
    assert {batch: line["state"] for batch, line in told.items()} == {
        known: "done",
        cancelled: "cancelled",
        late: "cancelled",
    }


@pytest.mark.parametrize("given", [None, "", "two words", "x" * 101, "line\tbreak"])
def test_a_request_without_a_good_id_gets_one(api: httpx.Client, given: str | None) -> None:
    headers = {} if given is None else {"X-Request-ID": given}
    answer = api.get("/v1/problems/none", headers=headers)
    assert answer.status_code == 404
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])


def test_no_line_has_a_programs_source_or_its_words(
    api: httpx.Client,
    two: str,
    worker: Workers,
    logged: Lines,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sources = [f"{kind} canary-source" for kind in ("ac", "wa", "half", "ce", "raise")]
    results(api, post(api, *sources))
    once(logged, "internal error")
    seen = worker.errors() + json.dumps([vars(record) for record in caplog.records], default=str)
    assert "hidden-text" not in seen
    for word in ("canary", "hidden-in", "hidden-out", "shown-in"):
        assert word not in seen
    assert "batch ended" in seen


def test_of_a_lost_sandbox_only_our_own_words_are_told(caplog: pytest.LogCaptureFixture) -> None:
    journal.sandbox_lost("the agent gave up: hidden-text", ["unit-1", "unit-2"])
    (record,) = caplog.records
    assert record.getMessage() == "sandbox lost"
    told = {"reason": "the agent gave up", "unit": "unit-1", "owed": 2}
    assert vars(record)["fields"] == told


@pytest.mark.parametrize("form", ["json", "text"])
def test_what_an_exception_says_is_left_out(
    form: logs.LogFormat, capsys: pytest.CaptureFixture[str], unconfigured: None
) -> None:
    logs.configure(form, process="api")
    try:
        raise ValueError("-".join(("hidden", "text")))
    except ValueError:
        logging.getLogger("some.library").exception("it broke")
    shown = capsys.readouterr().err
    assert "hidden-text" not in shown
    assert "ValueError" in shown
    assert f"{__file__}:" in shown
    if form == "json":
        line = json.loads(shown)
        assert (line["event"], line["process"]) == ("it broke", "api")


def test_of_libraries_only_what_is_wrong_is_told(
    capsys: pytest.CaptureFixture[str], unconfigured: None
) -> None:
    logs.configure("json")
    for name in ("proctor_server.any", "some.library"):
        logging.getLogger(name).info("told by %s", name)
    assert json.loads(capsys.readouterr().err)["event"] == "told by proctor_server.any"


@pytest.fixture
def unconfigured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undoes afterwards what a test does to this process's logs."""
    root, ours = logging.getLogger(), logging.getLogger("proctor_server")
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    monkeypatch.setattr(ours, "level", ours.level)


SAYS = """
import logging
from proctor_server import logs
logs.configure("auto", process="worker")
found = logs.fields(batch="b1", submissions=["b1-0", "b1-3"], verdicts={"AC": 2}, request="")
logging.getLogger("proctor_server.x").warning("batch ended", extra=found)
"""


def test_a_terminal_gets_text_and_a_pipe_json() -> None:
    argv = [sys.executable, "-c", SAYS]
    piped = subprocess.run(argv, stderr=subprocess.PIPE, check=True).stderr
    line = json.loads(piped)
    assert isinstance(line.pop("time"), float)
    assert line == {
        "level": "warning",
        "event": "batch ended",
        "logger": "proctor_server.x",
        "process": "worker",
        "batch": "b1",
        "submissions": ["b1-0", "b1-3"],
        "verdicts": {"AC": 2},
    }
    ours, theirs = pty.openpty()
    subprocess.run(argv, stderr=theirs, check=True)
    shown = os.read(ours, 10_000).decode()
    os.close(ours)
    os.close(theirs)
    expected = r"\d\d:\d\d:\d\d warning batch ended batch=b1 submissions=b1-0,b1-3 verdicts=AC:2\s+"
    assert re.fullmatch(expected, shown)
