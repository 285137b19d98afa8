"""`python -m tests.chaos`: run it, print what happens, and end with one line."""

import sys
import tempfile
from pathlib import Path

import click

from tests.chaos.run import Plan, run
from tests.chaos.stack import Kind

_MOST_NOTES = 50


@click.command()
@click.option("--seed", default=1, show_default=True, help="Decides programs, faults, order.")
@click.option("--submissions", default=5000, show_default=True, type=click.IntRange(1))
@click.option(
    "--sandbox",
    default="docker",
    show_default=True,
    type=click.Choice(["docker", "bubblewrap"]),
)
@click.option("--rounds", default=3, show_default=True, help="How often each fault happens.")
@click.option("--workers", default=3, show_default=True, type=click.IntRange(2))
@click.option("--pause", default=15.0, show_default=True, help="Seconds that a pause lasts.")
@click.option("--engine", is_flag=True, help="Restart dockerd as well: one of the harness's own.")
@click.option("--tag", default="latest", show_default=True, help="The images' tag, for --engine.")
def main(
    seed: int,
    submissions: int,
    sandbox: Kind,
    rounds: int,
    workers: int,
    pause: float,
    engine: bool,
    tag: str,
) -> None:
    """Have programs judged while everything that can die does; count what went wrong."""
    if engine and sandbox != "docker":
        raise click.UsageError("--engine goes with --sandbox docker")
    plan = Plan(
        seed,
        submissions,
        sandbox,
        rounds=rounds,
        workers=workers,
        pause_s=pause,
        engine=engine,
        tag=tag,
    )
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    report = run(plan, folder, click.echo)
    for note in report.notes[:_MOST_NOTES]:
        click.echo(note)
    if not report.good:
        click.echo(f"what the stack said: {folder}/children.log")
    click.echo(report.line())
    sys.exit(0 if report.good else 1)


if __name__ == "__main__":
    main()
