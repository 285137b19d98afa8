"""Options that several commands share, and what is made of them."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from proctor._client import DEFAULT_URL, Client
from proctor._requests import Form, Options, Policy, Stop
from proctor._retries import Retry
from proctor.samples import BadSample, opened, read_samples
from proctor.stack import embedded_stack
from proctor.types import Item, RewardPolicy

F = TypeVar("F", bound=Callable[..., Any])

_POLICIES = ("pass_rate", "all_or_nothing", "weighted", "threshold")
# Someone is watching: some six seconds, where a training step would rather wait for a minute.
_RETRY = Retry(attempts=5)


def server_options(command: F) -> F:
    """Where the server is."""
    url = click.option(
        "--url",
        envvar="PROCTOR_URL",
        default=DEFAULT_URL,
        show_default=True,
        show_envvar=True,
        help="The server's address.",
    )
    # By the environment only: an option's value can be read in the list of processes.
    key = click.option("--api-key", envvar="PROCTOR_API_KEY", hidden=True)
    return url(key(command))


def embedded_option(command: F) -> F:
    """Whether to start a server for the run, whatever `server_options` name."""
    return click.option(
        "--embedded",
        is_flag=True,
        help="Start a server for this run, here; needs the extra `server`.",
    )(command)


def batch_options(command: F) -> F:
    """How programs are run and rewarded, and how long to wait."""
    for option in (
        click.option("--fresh", is_flag=True, help="Run programs even if a result is known."),
        click.option("--stop-at-failure", is_flag=True, help="No tests after the first failure."),
        click.option("--threshold", type=click.FloatRange(0, 1, min_open=True), default=1.0),
        click.option(
            "--reward", type=click.Choice(_POLICIES), default="pass_rate", show_default=True
        ),
        click.option(
            "--timeout",
            "timeout_s",
            type=click.FloatRange(0, min_open=True),
            help="Seconds after which to give up.",
        ),
    ):
        command = option(command)
    return command


@contextmanager
def serving(url: str, embedded: bool) -> Iterator[str]:
    """The address of the server to use, `url` or one that is there as long as the context."""
    if not embedded:
        yield url
        return
    # A CI job that is cancelled gets SIGTERM, of which Python would die without ending the server.
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        click.echo("starting a server for this run", err=True)
        with embedded_stack() as own:
            yield own
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def connected(
    url: str, api_key: str | None, *, retry: Retry | None = None, read_timeout_s: float = 60.0
) -> Iterator[Client]:
    """A client for the server that `server_options` name; a wrong address is a usage error."""
    try:
        client = Client(url, api_key=api_key, retry=retry or _RETRY, read_timeout_s=read_timeout_s)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    with client:
        yield client


def chosen(reward: str, threshold: float, stop_at_failure: bool, fresh: bool) -> Options:
    """What `batch_options` say, for `Client.submit` and its like."""
    policy: Policy = RewardPolicy.model_validate({"name": reward, "threshold": threshold})
    stop: Stop = "first_failure" if stop_at_failure else "never"
    return Options(reward=policy, stop=stop, fresh=fresh)


def sampled(path: Path, form: Form | None, language: str) -> list[Item]:
    """The samples of a file, one at least; a fault of the file is a usage error.

    Args:
        path: of JSON lines; `-` is standard input.
        form: what the programs are; None goes by the keys of each line.
        language: where a line says none.
    """
    try:
        with opened(path) as lines:
            items = list(read_samples(lines, form, language))
    except OSError as error:
        # Its own words name the file once more.
        raise click.UsageError(f"{path}: {error.strerror or error}") from error
    except BadSample as error:
        raise click.UsageError(f"{path}: {error}") from error
    if not items:
        raise click.UsageError(f"{path}: no samples in it")
    return items
