"""Hosts on one machine: network namespaces on a bridge of their own, each with a host name.

No address of it is in the machine's own network.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass
class Host:
    """A namespace with one address, and the processes that were started in it."""

    name: str
    address: str
    namespace: str
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def start(
        self, argv: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> "subprocess.Popen[bytes]":
        """Start a command that has this host's network and name, and the machine's files."""
        inside = ["nsenter", f"--net={self._path}", "--", "unshare", "--uts"]
        named = ["sh", "-c", 'hostname "$0" && exec "$@"', self.name, *argv]
        process = subprocess.Popen([*inside, *named], env=environment, start_new_session=True)
        self.processes.append(process)
        return process

    def pids(self) -> list[int]:
        """All processes that have this host's network. Sandboxes have none, and end with these."""
        return [int(pid) for pid in _ip("netns", "pids", self.namespace).split()]

    def lose_power(self) -> None:
        """End everything at once, so that nobody elsewhere is told: no packet leaves any more."""
        _ip("-n", self.namespace, "link", "set", "eth0", "down")
        for process in self.processes:
            process.kill()
            process.wait()
        while pids := self.pids():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    @contextlib.contextmanager
    def here(self) -> Iterator[None]:
        """Let this thread's new connections come from this host."""
        with open("/proc/thread-self/ns/net") as before, open(self._path) as inside:
            _enter(inside.fileno())
            try:
                yield
            finally:
                _enter(before.fileno())

    @property
    def _path(self) -> Path:
        return Path("/run/netns") / self.namespace


@contextlib.contextmanager
def hosts(*names: str) -> Iterator[list[Host]]:
    """Hosts that reach one another; whatever runs in them is killed in the end."""
    made = []
    with contextlib.ExitStack() as undo:
        switch = undo.enter_context(_namespace("switch"))
        _ip("-n", switch, "link", "add", "br0", "type", "bridge")
        _ip("-n", switch, "link", "set", "br0", "up")
        for number, name in enumerate(names, 1):
            host = Host(name, f"10.0.0.{number}", undo.enter_context(_namespace(name)))
            port = f"port{number}"
            _ip(
                *("-n", switch, "link", "add", port, "type", "veth"),
                *("peer", "name", "eth0", "netns", host.namespace),
            )
            _ip("-n", switch, "link", "set", port, "master", "br0", "up")
            _ip("-n", host.namespace, "link", "set", "lo", "up")
            _ip("-n", host.namespace, "address", "add", f"{host.address}/24", "dev", "eth0")
            _ip("-n", host.namespace, "link", "set", "eth0", "up")
            undo.callback(host.lose_power)
            made.append(host)
        yield made


@contextlib.contextmanager
def _namespace(name: str) -> Iterator[str]:
    namespace = f"proctor-{os.getpid()}-{name}"
    _ip("netns", "add", namespace)
    try:
        yield namespace
    finally:
        _ip("netns", "delete", namespace)


def _ip(*words: str) -> str:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"
    return done.stdout


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
