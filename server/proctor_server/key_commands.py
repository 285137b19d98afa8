"""`proctor keys`: the file of API keys, written and shown."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table

from proctor_server.callers import BadKeys, Scope, new_key, read

F = TypeVar("F", bound=Callable[..., Any])

_DEFAULT_SCOPES = (Scope.SUBMIT, Scope.READ)


@click.group()
def keys() -> None:
    """API keys: who may do what (PROCTOR_KEYS_FILE)."""


def _file(*, exists: bool) -> Callable[[F], F]:
    return click.option(
        "--file",
        type=click.Path(path_type=Path, dir_okay=False, exists=exists),
        envvar="PROCTOR_KEYS_FILE",
        required=True,
        show_envvar=True,
        help="The file of keys.",
    )


@keys.command()
@click.argument("name")
@_file(exists=False)
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    default=[scope.value for scope in _DEFAULT_SCOPES],
    show_default=True,
    help="Repeatable.",
)
@click.option("--max-queued", type=click.IntRange(1), help="Programs queued at a time.")
@click.option("--max-body-mb", type=click.IntRange(1), help="MiB of a request's body.")
@click.option(
    "--share",
    type=click.FloatRange(0, 1000, min_open=True),
    help="Weight of its turns in the queue.  [default: 1]",
)
def add(file: Path, name: str, scopes: tuple[str, ...], **limits: float | None) -> None:
    """Make a key for NAME and print it, this once; the file keeps its digest.

    A running server takes it up within seconds. To withdraw a key, remove its lines.
    """
    key, digest = new_key()
    lines = [f"[keys.{_quoted(name)}]", f'sha256 = "{digest}"']
    lines.append(f"scopes = [{', '.join(map(_quoted, scopes))}]")
    lines += [f"{option} = {value}" for option, value in limits.items() if value is not None]
    before = file.read_text() if file.exists() else ""
    after = before + ("\n" if before else "") + "\n".join(lines) + "\n"
    # Written aside and checked first, so that what a server reads is always whole. Digests are no
    # secret, and a server in a container has a uid of its own.
    aside = file.with_name(f"{file.name}.new")
    aside.write_text(after)
    aside.chmod(0o644)
    try:
        read(aside)
    except BadKeys as error:
        aside.unlink()
        raise click.ClickException(str(error).replace(str(aside), str(file))) from None
    aside.replace(file)
    click.echo(f"{name} is in {file}. Its key, shown this once:", err=True)
    click.echo(key)


@keys.command(name="list")
@_file(exists=True)
def list_keys(file: Path) -> None:
    """Show the keys' names, scopes and limits."""
    try:
        found = read(file)
    except BadKeys as error:
        raise click.ClickException(str(error)) from None
    table = Table("name", "scopes", "max queued", "max body, MiB", "share")
    for name, entry in found.items():
        scopes = ", ".join(scope for scope in Scope if scope in entry.scopes)
        limits = (entry.max_queued, entry.max_body_mb)
        table.add_row(
            name, scopes, *("" if one is None else f"{one:,}" for one in limits), f"{entry.share:g}"
        )
    Console().print(table)


def _quoted(text: str) -> str:
    """A TOML string; names that need more than quotes are refused when the file is read."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
