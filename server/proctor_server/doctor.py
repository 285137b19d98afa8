"""`proctor doctor`: what this machine has, line by line, and what to do about the rest."""

import os

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from proctor_server.findings import Finding, State
from proctor_server.settings import read_settings

_MARKS = {
    State.OK: Text("ok", "green"),
    State.NOTE: Text("note", "yellow"),
    State.MISSING: Text("missing", "red"),
}


@click.command()
def doctor() -> None:
    """Say what this machine has for Proctor, and what is missing.

    Says what to do about it, too. Exits with status 1 when no kind of sandbox works, or Redis is
    missing.
    """
    from proctor_server.machine import findings, trial  # imports docker, which other commands don't

    console = Console(highlight=False)
    url = os.environ.get("PROCTOR_REDIS_URL")
    found = list(findings(url, read_settings().redis_password()))
    trials = [trial(kind, os.environ.get("PROCTOR_RUNTIME")) for kind in ("docker", "bubblewrap")]
    works = [one.kind for one in trials if one.works]
    # One kind is enough; the other's failure is then no more than a note.
    for one in trials:
        state = State.NOTE if works and not one.works else one.finding.state
        found.append(Finding(one.finding.name, state, one.finding.found))
    console.print(_table(found))

    if not works:
        console.print("No kind of sandbox works here: nothing can be run.", style="red")
        console.print("Simplest: apt-get install bubblewrap, as root.")
        raise SystemExit(1)
    if any(line.name == "Redis" and line.state is State.MISSING for line in found):
        console.print("There is no Redis here.", style="red")
        raise SystemExit(1)
    console.print(f"Ready: proctor up would use {works[0]}.")


def _table(found: list[Finding]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for line in found:
        text = Text(line.found)
        if line.remedy:
            text.append(f"\nto do: {line.remedy}", "yellow")
        table.add_row(_MARKS[line.state], line.name, text)
    return table
