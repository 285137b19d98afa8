"""The commands that show how the service does: once, and again and again."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from proctor._client import Client
from proctor._command_options import connected, server_options
from proctor._retries import Retry
from proctor.errors import ConnectionFailed, ProctorError, ServerFailed
from proctor.keyboard import END, Keyboard
from proctor.overview import Overview, reasons
from proctor.types import Stats

# Exit code: see docs/client.md.
NOT_READY = 1
# Somebody looks: what is wrong now is what they want to know.
_AT_ONCE = Retry(attempts=0)
_ANSWER_S = 10.0
# How soon a key, or another size of the window, is seen.
_LOOK_S = 0.2
# A request that hangs holds up nobody who wants to leave.
_LEAVE_S = 0.5
_QUIT = ("q", "Q", "\x1b", END)


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="All of it, as one JSON object.")
@server_options
@click.pass_context
def status_command(ctx: click.Context, /, as_json: bool, url: str, api_key: str | None) -> None:
    """Show how the service does. Exits 0 if it is ready, 1 if not, 3 if nothing answers."""
    with connected(url, api_key, retry=_AT_ONCE, read_timeout_s=_ANSWER_S) as client:
        try:
            stats = client.stats()
        except ServerFailed as error:
            if error.status != 503:
                raise
            click.echo(f"proctor: not ready: {error}", err=True)
            ctx.exit(NOT_READY)
    if as_json:
        click.echo(stats.model_dump_json())
    else:
        Console().print(Overview(stats, url))
    if reasons(stats):
        ctx.exit(NOT_READY)


@click.command("top")
@click.option(
    "--interval",
    "interval_s",
    type=click.FloatRange(0.2),
    default=2.0,
    show_default=True,
    help="Seconds between two looks.",
)
@server_options
def top_command(interval_s: float, url: str, api_key: str | None) -> None:
    """Watch how the service does; q or Ctrl-C ends it."""
    console = Console()
    if not (console.is_terminal and sys.stdin.isatty()):
        raise click.UsageError("top needs a terminal; proctor status shows the same, once")
    with connected(url, api_key, retry=_AT_ONCE, read_timeout_s=_ANSWER_S) as client:
        watch = _Watch(client, url, interval_s)
        with (
            contextlib.suppress(KeyboardInterrupt),
            Keyboard() as keyboard,
            Live(watch, console=console, screen=True, auto_refresh=False) as live,
            watch.looking(),
        ):
            while not keyboard.pressed(_LOOK_S).startswith(_QUIT):
                watch.check()
                live.refresh()


class _Watch:
    """What was last seen of the service, and since when nothing newer could be."""

    def __init__(self, client: Client, url: str, interval_s: float) -> None:
        self._client = client
        self._url = url
        self._interval_s = interval_s
        self._ended = threading.Event()
        self._stats: Stats | None = None
        self._error: ProctorError | None = None
        self._away_since = 0.0

    @contextlib.contextmanager
    def looking(self) -> Iterator[None]:
        """Look again and again from a thread, so that a slow answer holds up no key."""
        thread = threading.Thread(target=self._look, name="look", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join(_LEAVE_S)

    def check(self) -> None:
        """Raise what no other look will mend, such as a key that the server does not know."""
        mended = ConnectionFailed, ServerFailed
        if self._error is not None and not isinstance(self._error, mended):
            raise self._error

    def __rich__(self) -> RenderableType:
        hint = Text("q: quit", style="dim")
        if self._stats is None:
            waiting = self._stale() or f"asking {self._url}"
            return Group(Text(waiting, style="bold red" if self._error else ""), hint)
        return Group(Overview(self._stats, self._url, self._stale()), Text(), hint)

    def _stale(self) -> str:
        if self._error is None:
            return ""
        away_s = time.monotonic() - self._away_since
        return f"no answer for {away_s:.0f} s, trying again: {self._error}"

    def _look(self) -> None:
        while not self._ended.is_set():
            try:
                self._stats = self._client.stats()
                self._error = None
            except ProctorError as error:
                if self._error is None:
                    self._away_since = time.monotonic()
                self._error = error
            self._ended.wait(self._interval_s)


COMMANDS = [status_command, top_command]
