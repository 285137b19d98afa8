"""The server's commands, which the `proctor` command line loads."""

import sys

import click

from proctor_server.demo import demo
from proctor_server.doctor import doctor
from proctor_server.key_commands import keys
from proctor_server.up import up


@click.command()
def api() -> None:
    """Serve the HTTP API (settings: PROCTOR_* in the environment)."""
    import uvicorn

    from proctor_server.api.app import create_app
    from proctor_server.callers import BadKeys
    from proctor_server.logs import configure
    from proctor_server.settings import read_settings

    settings = read_settings()
    configure(settings.log_format, process="api")
    try:
        app = create_app(settings)
    except BadKeys as error:
        raise click.ClickException(str(error)) from error
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,  # ours
        # One line a request is 0.1 ms that nobody reads; /metrics counts them.
        access_log=False,
        log_level="warning",
        # A held request is answered with what there is by then; the client asks again.
        timeout_graceful_shutdown=5,
    )


@click.command()
def worker() -> None:
    """Run one worker (settings: PROCTOR_* in the environment)."""
    from proctor_sandbox.errors import SandboxUnavailable
    from proctor_server.clock import ClockApart
    from proctor_server.settings import read_settings
    from proctor_server.worker import run

    try:
        sys.exit(run(read_settings()))
    except (SandboxUnavailable, ClockApart) as error:
        raise click.ClickException(str(error)) from error


commands: list[click.Command] = [api, worker, up, demo, doctor, keys]
