"""`proctor status` and `proctor top`: what an operator sees, and when the server is not there."""

import fcntl
import functools
import io
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from proctor import Client, MemoryStats, Spread, Stats, StatsBucket, WorkerStats
from proctor.cli import cli
from proctor.overview import Overview
from proctor.testing import FakeServer
from tests.client.served import served

AT = 1_795_450_000.0


def worker(**facts: Any) -> WorkerStats:
    """A worker that is idle, but for what is given."""
    usual: dict[str, Any] = {
        "name": "n",
        "host": "node-17.cluster.internal",
        "pid": 4711,
        "slots": 1,
        "languages": ["python"],
        "backend": "docker",
        "runtime": "crun",
        "version": "0.1.0",
        "state": "idle",
        "started_at": AT - 7200,
        "units": 0,
    }
    return WorkerStats.model_validate(usual | facts)


BUSY = worker(state="busy", units=12345, units_per_s=201.4, batch="9fabcdef01", language="cpp")
STATS = Stats(
    at=AT,
    version="0.1.0",
    pending=1234,
    waiting_chunks=56,
    oldest_wait_s=75.0,
    memory=MemoryStats(used_bytes=900 * 2**20, limit_bytes=4 * 2**30, nearly_full=False),
    programs_per_s=412.3,
    ie_share=0.0012,
    cached_share=0.25,
    verdicts={"AC": 9000, "WA": 800, "IE": 12, "NEW": 1},
    faults={"sandbox lost": 12},
    workers=[BUSY, worker(pid=4712), worker(state="no sandbox")],
    history=[
        StatsBucket(
            at=AT - 60 * ago,
            programs=900 - 10 * ago,
            queue_wait_s=Spread(p50=0.12, p95=1.5),
            run_s=Spread(p50=0.0023, p95=0.41),
        )
        for ago in range(59, 0, -1)
    ],
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    """A server that every command talks to."""
    server = FakeServer()
    monkeypatch.setattr(
        "proctor._command_options.Client", functools.partial(Client, transport=server)
    )
    return server


def run(*args: str) -> Result:
    return CliRunner().invoke(cli, args, prog_name="proctor", env={"COLUMNS": "100"})


def page(stats: Stats, width: int, stale: str = "") -> str:
    console = Console(width=width, file=io.StringIO(), force_terminal=False)
    console.print(Overview(stats, "http://here", stale))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


# -- status -------------------------------------------------------------------------------------


def test_status_shows_what_waits_what_came_of_it_and_who_works(server: FakeServer) -> None:
    server.stats = STATS
    done = run("status")
    assert done.exit_code == 0
    for words in (
        "Proctor 0.1.0 at http://127.0.0.1:8077  ready",
        "1,234 programs, 56 jobs waiting, the oldest for 75 s",
        "412 programs/s over the last minute",
        "900 MiB of memory, 22% of 4.0 GiB",
        "AC 9,000  WA 800  IE 12  NEW 1",
        "120 ms median, 1.5 s 95th percentile",
        "2.3 ms median, 410 ms 95th percentile",
        "25.0% of results",
        "0.12% of results: sandbox lost 12",
    ):
        assert words in done.output, words
    (line,) = (line for line in done.output.splitlines() if "9fabcdef" in line)
    assert {"busy", "cpp", "201", "12,345", "4711"} <= set(line.split())


def test_status_as_json_is_all_of_it(server: FakeServer) -> None:
    server.stats = STATS
    done = run("status", "--json")
    assert Stats.model_validate_json(done.output) == STATS


@pytest.mark.parametrize(
    ("workers", "code", "told"),
    [
        ([], 1, "no worker is there"),
        ([worker(state="no sandbox"), worker(state="starting")], 1, "no worker has a sandbox"),
        ([worker(state="no sandbox"), worker(state="idle")], 0, "ready"),
    ],
)
def test_the_exit_status_says_whether_programs_will_be_run(
    server: FakeServer, workers: list[WorkerStats], code: int, told: str
) -> None:
    server.stats = STATS.model_copy(update={"workers": workers})
    done = run("status")
    assert (done.exit_code, told in done.output) == (code, True)
    assert run("status", "--json").exit_code == code


def test_a_redis_that_is_nearly_full_is_not_ready(server: FakeServer) -> None:
    full = MemoryStats(used_bytes=15 * 2**28, limit_bytes=4 * 2**30, nearly_full=True)
    server.stats = STATS.model_copy(update={"memory": full})
    done = run("status")
    assert done.exit_code == 1
    assert "Redis's memory is nearly full" in done.output
    assert "3.8 GiB of memory, 94% of 4.0 GiB" in done.output
    server.stats = server.stats.model_copy(update={"workers": []})
    assert "no worker is there; Redis's memory is nearly full" in run("status").output


def test_redis_being_away_is_not_ready_and_other_failures_no_answer(server: FakeServer) -> None:
    server.fail(503)
    done = run("status")
    assert (done.exit_code, "not ready" in done.output) == (1, True)
    server.fail(500)
    assert run("status").exit_code == 3
    # At once: nothing was tried again.
    assert len(server.requests) == 2


def test_nobody_at_the_address_is_unreachable() -> None:
    done = run("status", "--url", "http://127.0.0.1:9")
    assert (done.exit_code, "no answer from http://127.0.0.1:9" in done.output) == (3, True)


# -- the page -----------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [30, 50, 80, 100, 140])
def test_the_page_fits_any_width(width: int) -> None:
    shown = page(STATS, width, stale="no answer for 12 s, trying again: x").splitlines()
    assert max(map(len, shown)) <= width
    (head,) = (line for line in shown if line.startswith("worker "))
    columns = re.split(r"\s{2,}", head.strip())
    order = ["worker", "state", "runs", "/s", "programs", "pid", "for batch", "sandbox", "up"]
    assert columns == order[: len(columns)]
    assert len(columns) >= {30: 2, 50: 4, 80: 7, 100: 9, 140: 9}[width]
    # A host's name is shortened before a column is cut.
    assert "…" not in head
    assert ("node-17.cluster.internal" in "\n".join(shown)) == (width >= 100)


@pytest.mark.parametrize("width", range(30, 81, 5))
def test_no_head_of_a_column_is_cut_where_hosts_have_short_names(width: int) -> None:
    short = STATS.model_copy(update={"workers": [worker(host="vm")]})
    (head,) = (line for line in page(short, width).splitlines() if line.startswith("worker "))
    assert "…" not in head


def test_an_idle_service_is_told_in_few_lines() -> None:
    shown = page(FakeServer().stats, 80)
    assert "no worker is there" in shown
    assert re.search(r"queue +empty", shown)
    assert re.search(r"last hour +nothing was run", shown)
    assert re.search(r"redis +0 MiB of memory, no limit", shown)
    assert len(shown.splitlines()) == 6


def test_the_hour_is_drawn_with_its_latest_minute_at_the_right() -> None:
    history = [
        StatsBucket(at=AT - ago, programs=programs) for ago, programs in ((3000, 1), (5, 80))
    ]
    (line,) = (
        line
        for line in page(STATS.model_copy(update={"history": history}), 100).splitlines()
        if line.startswith("last hour")
    )
    drawn = line.removeprefix("last hour   ")
    assert drawn.rstrip()[-1] == "█"
    assert len(drawn.rstrip()) == 60
    # One program in a minute is seen beside eighty.
    assert drawn[60 - 51] == "▁"


# -- top ----------------------------------------------------------------------------------------


def _as_from_a_shell(terminal: int) -> None:
    """In the child: the terminal is its own, and an interrupt reaches it.

    What a script runs in the background, as `scripts/test` does its parts, ignores interrupts, and
    so do its children.
    """
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Terminal:
    """`proctor top` in a terminal of its own."""

    def __init__(self, url: str, columns: int = 80) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
        self.before = termios.tcgetattr(theirs)
        self._theirs = theirs
        environment = {
            name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "proctor", "top", "--interval", "0.2", "--url", url],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment | {"TERM": "xterm-256color"},
            start_new_session=True,
            preexec_fn=functools.partial(_as_from_a_shell, theirs),
        )
        self.seen = ""

    def until(self, words: str, within_s: float = 20.0) -> None:
        """Wait until these words were drawn after what was waited for before."""
        deadline = time.monotonic() + within_s
        while words not in self.seen:
            assert time.monotonic() < deadline, f"waited in vain for {words!r}: {self.seen!r}"
            self._read()
        self.seen = self.seen.rpartition(words)[2]

    def press(self, key: str) -> None:
        os.write(self._ours, key.encode())

    def ended(self) -> int:
        """The exit status; all that is still drawn is read, since a full terminal blocks."""
        deadline = time.monotonic() + 15
        while self.process.poll() is None:
            assert time.monotonic() < deadline, "it does not end"
            self._read()
        return self.process.returncode

    def _read(self) -> None:
        ready, _, _ = select.select([self._ours], [], [], 0.05)
        if ready:
            drawn = os.read(self._ours, 65536).decode(errors="replace")
            self.seen += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn)

    def settings(self) -> list[Any]:
        """How the terminal is set now."""
        return termios.tcgetattr(self._theirs)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)


@contextmanager
def top(url: str, columns: int = 80) -> Iterator[Terminal]:
    terminal = Terminal(url, columns)
    try:
        yield terminal
    finally:
        terminal.close()


@pytest.mark.parametrize("way", ["q", "ctrl-c", "ctrl-d", "interrupt"])
def test_top_shows_news_and_leaves_the_terminal_as_it_was(way: str) -> None:
    fake = FakeServer()
    fake.stats = STATS
    with served(fake) as url, top(url) as terminal:
        terminal.until("1,234 programs")
        fake.stats = STATS.model_copy(update={"pending": 4321})
        terminal.until("4,321 programs")
        assert terminal.settings() != terminal.before  # keys come one by one
        if way == "interrupt":
            terminal.process.send_signal(signal.SIGINT)
        else:
            terminal.press({"q": "q", "ctrl-c": "\x03", "ctrl-d": "\x04"}[way])
        assert terminal.ended() == 0
        assert terminal.settings() == terminal.before


def test_top_lives_through_a_server_that_goes_away_and_comes_back() -> None:
    fake = FakeServer()
    fake.stats = STATS
    with served(fake) as url:
        port = int(url.rpartition(":")[2])
        with top(url, columns=140) as terminal:
            terminal.until("1,234 programs")
            fake.fail(503, times=2)
            terminal.until("trying again")
            terminal.until("412 programs/s")  # what was known stays
            terminal.until("q: quit")
            fake.stats = STATS.model_copy(update={"pending": 7777})
            terminal.until("7,777 programs")
    with top(url) as terminal:
        terminal.until("no answer for")
        fake.stats = STATS.model_copy(update={"pending": 8888})
        with served(fake, port):
            terminal.until("8,888 programs")
            terminal.press("q")
            assert terminal.ended() == 0


def test_top_can_be_left_while_an_answer_is_long_in_coming() -> None:
    asked, go = threading.Event(), threading.Event()

    class Hangs(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.set()
            go.wait(30)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Hangs) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.02,))
        thread.start()
        with top(f"http://127.0.0.1:{http.server_address[1]}") as terminal:
            terminal.until("asking")
            assert asked.wait(15)
            began = time.monotonic()
            terminal.press("q")
            assert terminal.ended() == 0
            assert time.monotonic() - began < 5  # an answer is waited for twice as long
        go.set()
        http.shutdown()
        thread.join()


def test_top_ends_when_the_server_refuses_it() -> None:
    fake = FakeServer()
    fake.fail(403, times=100)
    with served(fake) as url, top(url) as terminal:
        terminal.until("proctor: ")
        assert terminal.ended() == 2


def test_top_without_a_terminal_says_what_to_do(server: FakeServer) -> None:
    done = run("top")
    assert (done.exit_code, "proctor status" in done.output) == (2, True)
