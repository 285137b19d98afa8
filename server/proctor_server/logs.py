"""Logs: a line an event on standard error, JSON for machines and text on a terminal.

A line never has a program's source, its output, or hidden test data. So what an exception says is
left out: it may quote any of them. Its type and its frames are there.
"""

import json
import logging
import sys
import traceback
from types import TracebackType
from typing import Any, Literal

from proctor_server import request_id

LogFormat = Literal["auto", "json", "text"]

# What is ours is told from INFO on, of libraries only what is wrong.
_OURS = "proctor_server"


def configure(form: LogFormat, **always: str) -> None:
    """Set up this process's logs. `auto` is text on a terminal, else JSON.

    `always` is on every line: which process it is.
    """
    if form == "auto":
        form = "text" if sys.stderr.isatty() else "json"
    handler = logging.StreamHandler()
    handler.setFormatter(_Json(always) if form == "json" else _Text())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger(_OURS).setLevel(logging.INFO)


def fields(**values: Any) -> dict[str, Any]:
    """The `extra` of a logging call: fields of its line. What is None or empty is left out."""
    return {"fields": {name: value for name, value in values.items() if value not in (None, "")}}


def frames(trace: TracebackType | None) -> list[str]:
    """Where an exception came from, the innermost last."""
    return [f"{one.filename}:{one.lineno} {one.name}" for one in traceback.extract_tb(trace)]


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    request = request_id.current.get()
    found: dict[str, Any] = {"request": request} if request else {}
    found |= getattr(record, "fields", {})
    if record.exc_info and record.exc_info[0] is not None:
        kind, _, trace = record.exc_info
        found |= {"exception": kind.__name__, "trace": frames(trace)}
    return found


class _Json(logging.Formatter):
    def __init__(self, always: dict[str, str]) -> None:
        super().__init__()
        self._always = always

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "logger": record.name,
        }
        return json.dumps(line | self._always | _fields(record))


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        found = _fields(record)
        trace = found.pop("trace", [])
        parts = [self.formatTime(record, "%H:%M:%S"), record.levelname.lower().ljust(7)]
        parts += [record.getMessage(), *(f"{name}={_shown(of)}" for name, of in found.items())]
        return "\n  ".join([" ".join(parts), *trace])


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}:{number}" for name, number in value.items()) or "-"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
