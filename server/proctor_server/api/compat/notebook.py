"""Cells of a notebook as a raw run: a driver runs them in one process and notes what each does."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from proctor.content import Content, to_bytes
from proctor.runs import RunRequest, RunResult
from proctor.types import LimitsSpec
from proctor_server.api.compat.peer import checked

_DRIVER = Path(__file__).with_name("jupyter_driver.py").read_text()
# As the driver has them; a notebook's own files of these names would be lost.
_CELLS, _OUTPUTS = ".proctor-cells.json", ".proctor-outputs.json"


class CellError(BaseModel):
    """An exception that ended a cell."""

    ename: str
    evalue: str
    traceback: list[str]


class CellOutput(BaseModel):
    """What a cell did. With `has_value` what it displayed last is its last expression's value."""

    stdout: str
    stderr: str
    display: list[dict[str, Any]]
    has_value: bool
    error: list[CellError]


_OUTPUT_LIST = TypeAdapter(list[CellOutput])


def notebook(
    cells: Sequence[str],
    limits: LimitsSpec,
    *,
    cell_timeout_s: float = 0,
    files: Mapping[str, Content] | None = None,
    fetch: Sequence[str] = (),
) -> RunRequest:
    """The raw run of cells; a cell that runs longer than `cell_timeout_s` is ended (0: never).

    Raises BadRequest.
    """
    asked = json.dumps({"cells": list(cells), "cell_timeout": cell_timeout_s})
    return checked(
        RunRequest,
        source=_DRIVER,
        files={**(files or {}), _CELLS: asked},
        fetch=[*fetch, _OUTPUTS],
        limits=limits,
    )


def outputs(result: RunResult) -> list[CellOutput] | None:
    """What each cell did; None where the run left nothing to tell it by."""
    left = result.files.get(_OUTPUTS)
    if left is None:
        return None
    try:
        return _OUTPUT_LIST.validate_json(to_bytes(left))
    except ValidationError:  # a cell may write whatever it likes there
        return None
