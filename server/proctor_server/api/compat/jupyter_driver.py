"""Runs a notebook's cells in one process, one after the other: a program for a sandbox.

It is not imported here: its text is the source of a raw run, and Python's standard library is all
that it has. A file beside it holds {"cells", "cell_timeout"}; it leaves another, a list of what
each cell wrote, displayed and raised.
"""

import ast
import base64
import builtins
import json
import linecache
import os
import signal
import sys
import tempfile
import threading
import traceback
import types
from typing import Any

_CELLS, _OUTPUTS = ".proctor-cells.json", ".proctor-outputs.json"
_REPRESENTATIONS = {
    "text/html": "_repr_html_",
    "text/markdown": "_repr_markdown_",
    "text/latex": "_repr_latex_",
    "image/svg+xml": "_repr_svg_",
    "image/png": "_repr_png_",
    "image/jpeg": "_repr_jpeg_",
    "application/json": "_repr_json_",
}


class CellTimeoutError(BaseException):
    """Raised in a cell when its time is over; no `except Exception` of its own catches it."""


class Stream:
    """One of the process's streams while a cell runs: whatever is written to it, by whomever."""

    def __init__(self, descriptor: int, python_stream: Any) -> None:
        self._descriptor = descriptor
        self._python_stream = python_stream
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  open as long as the process

    def open(self) -> None:
        """Write to this stream from here on."""
        os.dup2(self._file.fileno(), self._descriptor)

    def taken(self) -> str:
        """What was written since it was last asked."""
        self._python_stream.flush()
        end = os.lseek(self._descriptor, 0, os.SEEK_END)
        data = os.pread(self._descriptor, end, 0)
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        return data.decode(errors="replace")


class Notebook:
    """The namespace of the cells, which is `__main__` to them, and what they display."""

    def __init__(self, cell_timeout_s: float) -> None:
        self._main = types.ModuleType("__main__")
        self._main.__dict__["__builtins__"] = builtins
        sys.modules["__main__"] = self._main
        self._cell_timeout_s = cell_timeout_s
        self._displayed: list[dict[str, Any]] = []
        self._has_value = False
        self._streams = {"stdout": Stream(1, sys.stdout), "stderr": Stream(2, sys.stderr)}
        for stream in self._streams.values():
            stream.open()
        builtins.display = self.display  # type: ignore[attr-defined]
        signal.signal(signal.SIGALRM, self._late)

    def display(self, *values: object) -> None:
        """Show values, as the function of this name does in IPython."""
        self._displayed += [_shown(value) for value in values]

    def run(self, number: int, source: str) -> dict[str, Any]:
        """Run one cell."""
        self._displayed, self._has_value = [], False
        errors = []
        signal.setitimer(signal.ITIMER_REAL, self._cell_timeout_s)
        try:
            self._execute(f"<cell {number}>", source)
        except BaseException as error:
            errors.append(_described(error))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        written = {name: stream.taken() for name, stream in self._streams.items()}
        shown = {"display": self._displayed, "has_value": self._has_value}
        return {**written, **shown, "error": errors}

    def close(self) -> None:
        """Forget what cells made: files that they left open are flushed with that."""
        self._main.__dict__.clear()

    def _execute(self, name: str, source: str) -> None:
        # Where tracebacks find the text of a cell.
        linecache.cache[name] = len(source), None, source.splitlines(keepends=True), name
        tree = ast.parse(source, name)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, name, "exec"), self._main.__dict__)  # noqa: S102
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), name, "eval"), self._main.__dict__)  # noqa: S307
            if value is not None and not source.rstrip().endswith(";"):
                self.display(value)
                self._has_value = True

    def _late(self, *_: object) -> None:
        raise CellTimeoutError(f"the cell ran for more than {self._cell_timeout_s:g} s")


def _shown(value: object) -> dict[str, Any]:
    shown: dict[str, Any] = {"text/plain": repr(value)}
    for kind, method in _REPRESENTATIONS.items():
        made = getattr(value, method, None)
        found = made() if callable(made) and not isinstance(value, type) else None
        if isinstance(found, bytes):
            found = base64.b64encode(found).decode()
        if found is not None:
            shown[kind] = found
    return shown


def _described(error: BaseException) -> dict[str, Any]:
    # From the cell's own frame on, if the error came that far.
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename[:5] != "<cell":
        frames = frames.tb_next
    lines = traceback.format_exception(type(error), error, frames)
    return {"ename": type(error).__name__, "evalue": str(error), "traceback": lines}


def _main() -> None:
    # Cells may go to another folder.
    left = os.path.abspath(_OUTPUTS)
    with open(_CELLS) as file:
        asked = json.load(file)
    os.unlink(_CELLS)
    notebook = Notebook(asked["cell_timeout"])
    outputs = [notebook.run(number, cell) for number, cell in enumerate(asked["cells"], 1)]
    # Half of a surrogate pair is text to Python alone.
    with open(left, "w", encoding="utf-8", errors="replace") as file:
        json.dump(outputs, file, ensure_ascii=False, default=str)
    notebook.close()
    if threading.active_count() > 1:
        # Threads that a cell has left shall not keep the notebook.
        os._exit(0)


_main()
