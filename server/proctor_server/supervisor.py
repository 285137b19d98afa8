"""Child processes kept alive: started in stages, restarted when they die, ended in order."""

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

# First restart at once, as after a chance crash; then slower, as nothing else helps.
FIRST_BACKOFF_S = 0.25
LONGEST_BACKOFF_S = 15.0
# Who has lived this long has started well: its next death counts as the first.
HEALTHY_AFTER_S = 30.0


class NeverReady(Exception):
    """Raised when a child ends, or is not ready in time, while the tree is being started."""


@dataclass(frozen=True, slots=True)
class Child:
    """One process of the tree.

    `grace_s` is how many seconds it may take to end after SIGTERM before it is killed;
    children of later stages start once `ready`, asked again and again, says so.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    grace_s: float
    ready: Callable[[], bool] | None = None
    ready_within_s: float = 30.0


@dataclass(slots=True)
class _Life:
    """One child over its restarts."""

    child: Child
    process: "subprocess.Popen[bytes] | None" = None
    pidfd: int = -1
    started_at: float = 0.0
    deaths: int = 0
    restart_at: float | None = None

    @property
    def backoff_s(self) -> float:
        return min(FIRST_BACKOFF_S * 2.0 ** (self.deaths - 1), LONGEST_BACKOFF_S)


@dataclass(slots=True)
class Supervisor:
    """Runs stages of children. Only `stop` may be called from elsewhere than where it was made.

    `say` is told every death and restart, one line each; `output` takes the children's
    stdout and stderr (None: ours).
    """

    stages: Sequence[Sequence[Child]]
    say: Callable[[str], None]
    output: IO[bytes] | None = None
    _lives: list[list[_Life]] = field(init=False)
    _selector: selectors.BaseSelector = field(init=False, default_factory=selectors.DefaultSelector)
    _wake: tuple[int, int] = field(init=False)
    _stops: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._lives = [[_Life(child) for child in stage] for stage in self.stages]
        self._wake = os.pipe()
        os.set_blocking(self._wake[0], False)
        self._selector.register(self._wake[0], selectors.EVENT_READ)

    def start(self) -> None:
        """Start every stage in order. Raises NeverReady; `shut_down` is due even then."""
        for stage in self._lives:
            for life in stage:
                self._spawn(life)
            for life in stage:
                self._await_ready(life)

    def run(self) -> None:
        """Restart what dies until `stop` is called."""
        while not self._stops:
            self._tick()

    def stop(self) -> None:
        """Ask `run` to return; asked a second time, children are killed without grace.

        May be called from a signal handler and from any thread.
        """
        self._stops += 1
        os.write(self._wake[1], b".")

    def shut_down(self) -> None:
        """End every child, the last stage first; within a stage all at once."""
        for stage in reversed(self._lives):
            self._end(stage)
        self._selector.close()
        for end in self._wake:
            os.close(end)

    @property
    def pids(self) -> dict[str, int]:
        """Process ids of the children that are alive now, by name."""
        return {life.child.name: life.process.pid for life in self._all() if life.process}

    def _all(self) -> list[_Life]:
        return [life for stage in self._lives for life in stage]

    def _spawn(self, life: _Life) -> None:
        argv = list(life.child.argv)
        # A child must not outlive us, however we end. setpriv (util-linux) asks the kernel for
        # that before it becomes the child, which no preexec_fn can do safely beside threads.
        setpriv = shutil.which("setpriv")
        if setpriv is not None:
            argv = [setpriv, "--pdeathsig", "TERM", "--", *argv]
        life.process = subprocess.Popen(
            argv,
            env=dict(life.child.env),
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=self.output,
            start_new_session=True,  # Ctrl-C is ours to pass on, in the right order
        )
        life.restart_at = None
        life.started_at = time.monotonic()
        life.pidfd = os.pidfd_open(life.process.pid)
        self._selector.register(life.pidfd, selectors.EVENT_READ, life)

    def _await_ready(self, life: _Life) -> None:
        if life.child.ready is None:
            return
        deadline = time.monotonic() + life.child.ready_within_s
        while not life.child.ready():
            self._tick(longest_s=0.02)
            if self._stops:
                raise NeverReady("asked to end while starting")
            if life.process is None:
                raise NeverReady(f"{life.child.name} ended while starting")
            if time.monotonic() > deadline:
                raise NeverReady(
                    f"{life.child.name} was not ready within {life.child.ready_within_s:g} s"
                )

    def _tick(self, longest_s: float | None = None) -> None:
        """Start again who is due, then wait for the next death, due restart or `stop`."""
        now = time.monotonic()
        for life in self._all():
            if life.restart_at is not None and life.restart_at <= now:
                self._spawn(life)
        waits = [life.restart_at - now for life in self._all() if life.restart_at is not None]
        if longest_s is not None:
            waits.append(longest_s)
        for key, _ in self._selector.select(max(0.0, min(waits)) if waits else None):
            if isinstance(key.data, _Life):
                self._bury(key.data)

    def _bury(self, life: _Life) -> None:
        assert life.process is not None  # noqa: S101 - registered only while it has one
        self._forget(life)
        life.process.wait()
        lived_s = time.monotonic() - life.started_at
        life.deaths = 1 if lived_s > HEALTHY_AFTER_S else life.deaths + 1
        life.restart_at = time.monotonic() + life.backoff_s
        self.say(
            f"{life.child.name} ended after {lived_s:.1f} s{_how(life)}; "
            f"starting it again in {life.backoff_s:g} s"
        )
        life.process = None

    def _forget(self, life: _Life) -> None:
        self._selector.unregister(life.pidfd)
        os.close(life.pidfd)

    def _end(self, stage: list[_Life]) -> None:
        alive = [(life, life.process) for life in stage if life.process is not None]
        for life, process in alive:
            self._forget(life)
            process.send_signal(signal.SIGTERM)
        asked_at = time.monotonic()
        for life, process in alive:
            deadline = asked_at + life.child.grace_s
            # In slices, so that a second Ctrl-C is heard.
            while process.poll() is None and time.monotonic() < deadline and self._stops < 2:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=0.1)
            if process.poll() is None:
                self.say(f"{life.child.name} is killed: it did not end by itself")
                os.killpg(process.pid, signal.SIGKILL)  # it leads a session of its own
                process.wait()
            life.process = None


def _how(life: _Life) -> str:
    code = life.process.returncode if life.process is not None else None
    if code is None:
        return ""
    return f" by signal {-code}" if code < 0 else f" with status {code}"
