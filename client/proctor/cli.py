"""The command `proctor`: the client's commands, and those that other packages add.

A package adds commands through the entry point group "proctor.commands", each entry a
click command or a list of them. They are loaded only when one is asked for.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import click

from proctor._version import __version__
from proctor.commands import COMMANDS
from proctor.errors import BadAnswer, ConnectionFailed, ProctorError, ServerFailed, WaitTimeout
from proctor.watching import COMMANDS as WATCHING

GROUP = "proctor.commands"

# Exit codes beyond click's own 2 (usage), told apart so that a script can act on them.
REFUSED = 2
UNREACHABLE = 3


@dataclass(frozen=True, slots=True)
class Broken:
    """A plug-in that does not load, and why."""

    name: str
    reason: str


class ProctorGroup(click.Group):
    """The client's commands at once, plug-ins when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command there is."""
        commands, _ = load_plugins()
        return sorted({*self.commands, *commands})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by its name; the client's own go before a plug-in's."""
        if own := self.commands.get(cmd_name):
            return own
        commands, _ = load_plugins()
        return commands.get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, but an unknown command may be one of a broken plug-in."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            _, broken = load_plugins()
            if not broken:
                raise
            told = "\n".join([error.message, *map(_told, broken)])
            raise click.UsageError(told, ctx) from error

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Below the commands: plug-ins whose commands are missing from the list."""
        _, broken = load_plugins()
        if broken:
            with formatter.section("Not available"):
                formatter.write_dl([(plugin.name, plugin.reason) for plugin in broken])

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; a failure of the client ends it with a message and an exit code."""
        try:
            return super().invoke(ctx)
        except ProctorError as error:
            click.echo(f"proctor: {error}", err=True)
            ours = isinstance(error, ConnectionFailed | BadAnswer | ServerFailed | WaitTimeout)
            ctx.exit(UNREACHABLE if ours else REFUSED)


def load_plugins() -> tuple[dict[str, click.Command], list[Broken]]:
    """The commands of every plug-in, and the plug-ins that do not load."""
    commands: dict[str, click.Command] = {}
    broken: list[Broken] = []
    for entry in entry_points(group=GROUP):
        try:
            commands.update((command.name or "", command) for command in _loaded(entry))
        except ModuleNotFoundError as error:
            broken.append(Broken(entry.name, f"{error}; pip install 'proctor[{entry.name}]'"))
        except (ImportError, AttributeError, TypeError) as error:
            broken.append(Broken(entry.name, f"{entry.value} does not load: {error}"))
    return commands, broken


def _loaded(entry: EntryPoint) -> Iterator[click.Command]:
    found = entry.load()
    for command in [found] if isinstance(found, click.Command) else found:
        if not isinstance(command, click.Command) or not command.name:
            raise TypeError(f"{command!r} is no click command with a name")
        yield command


def _told(plugin: Broken) -> str:
    return f"Commands of the plug-in {plugin.name!r} are not available: {plugin.reason}"


@click.group(cls=ProctorGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="proctor", message="%(prog)s %(version)s")
def cli() -> None:
    """Rewards for programs: run them against hidden tests, in sandboxes."""


for _command in [*COMMANDS, *WATCHING]:
    cli.add_command(_command)


def main() -> None:
    """The entry point of the command `proctor`."""
    sys.exit(cli(prog_name="proctor"))
