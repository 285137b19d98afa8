"""The keyboard: single keys of a terminal as they are pressed."""

import os
import select
import sys
import termios
import tty
from types import TracebackType
from typing import Self

# Ctrl-D, and the end of the input.
END = "\x04"


class Keyboard:
    """Takes keys without waiting for a line's end while it is open; Ctrl-C still interrupts."""

    def __init__(self) -> None:
        self._fd = sys.stdin.fileno()
        self._before = termios.tcgetattr(self._fd)

    def pressed(self, within_s: float) -> str:
        """What is pressed within so many seconds; "" for nothing, END where no more can come."""
        ready, _, _ = select.select([self._fd], [], [], within_s)
        return (os.read(self._fd, 100).decode(errors="replace") or END) if ready else ""

    def __enter__(self) -> Self:
        tty.setcbreak(self._fd)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)
