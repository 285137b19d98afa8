"""Options that several commands share, and what is made of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from proctor._client import DEFAULT_URL, Client
from proctor._requests import Options, Policy, Stop
from proctor._retries import Retry
from proctor.types import RewardPolicy

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
