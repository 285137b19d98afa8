"""Task files, `*.proctor.yaml`: a problem, candidate programs for it, and what each should earn."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pydantic

from proctor._faults import faults
from proctor.content import Content, Files, to_content
from proctor.harness.expectation import Expectation, Share
from proctor.types import Item, Problem, ProblemId, Verdict

ENDING = ".proctor.yaml"
_LANGUAGES = {".py": "python", ".cpp": "cpp", ".cc": "cpp", ".c": "c"}
# YAML reads 42 as a number and no as False, where a problem wants text.
_REMEDIES = {"string_type": "put it in quotes", "missing": "add it", "extra_forbidden": "remove it"}


class BadTaskFile(Exception):
    """Raised when a task file is none; says what is wrong, where, and how to mend it."""


class _Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


class _Candidate(_Model):
    name: str = pydantic.Field(min_length=1)
    source: str | None = None
    file: str | None = None
    files: Files = {}
    folder: str | None = None
    language: str | None = None
    verdict: Annotated[
        list[Verdict], pydantic.BeforeValidator(_as_list), pydantic.Field(min_length=1)
    ] = [Verdict.AC]
    pass_rate: Share | None = None

    @pydantic.model_validator(mode="after")
    def _one_program(self) -> "_Candidate":
        if self.source is not None and self.file is not None:
            raise ValueError("give one of source and file, not both")
        if self.source is self.file is self.folder and not self.files:
            raise ValueError("give source or file, or a project's files or folder")
        return self


def _kind(value: object) -> str:
    return "id" if isinstance(value, str) else "whole"


class _TaskFile(_Model):
    problem: Annotated[
        Annotated[Problem, pydantic.Tag("whole")] | Annotated[ProblemId, pydantic.Tag("id")],
        pydantic.Discriminator(_kind),
    ]
    candidates: list[_Candidate] = pydantic.Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A program of a task file, ready to be judged.

    Attributes:
        name: of its own in the file.
        line: of the file, from 1, where it begins.
        item: the program with its problem.
        expectation: what it should earn.
    """

    name: str
    line: int
    item: Item
    expectation: Expectation


def read(path: Path) -> list[Candidate]:
    """The candidates of a task file.

    Raises:
        BadTaskFile: the file has a fault, or pyyaml is not installed.
    """
    value, root = _parsed(path)
    try:
        task = _TaskFile.model_validate(value)
    except pydantic.ValidationError as error:
        raise BadTaskFile(_all_faults(path, error, root)) from error
    names = [candidate.name for candidate in task.candidates]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise BadTaskFile(f"{path}: two candidates are named {twice[0]!r}; give each its own name")
    return [
        _candidate(path, task.problem, candidate, _line(root, ("candidates", place)))
        for place, candidate in enumerate(task.candidates)
    ]


# -- helpers ----------------------------------------------------------------------------------


def _parsed(path: Path) -> tuple[Any, Any]:
    """The file's value, and its tree of nodes, which know their lines."""
    try:
        import yaml
    except ModuleNotFoundError as error:
        raise BadTaskFile(
            f"{path}: task files need pyyaml: pip install 'proctor[pytest]'"
        ) from error
    try:
        text = path.read_text("utf-8")
        return yaml.safe_load(text), yaml.compose(text, yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise BadTaskFile(f"{path}: {error}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise BadTaskFile(
            f"{path}{where}: is no YAML: {error.problem}; look at the indentation, and put text "
            "that holds ': ' or begins with a sign in quotes or after |"
        ) from error
    except yaml.YAMLError as error:
        raise BadTaskFile(f"{path}: is no YAML: {error}") from error


def _all_faults(path: Path, error: pydantic.ValidationError, root: Any) -> str:
    told = []
    details = error.errors(include_input=False, include_url=False, include_context=False)
    for fault, detail in zip(faults(error), details, strict=True):
        remedy = _REMEDIES.get(detail["type"], "docs/ci.md has the form of a task file")
        field = fault.field.replace("problem.whole", "problem", 1).replace("problem.id", "problem")
        told.append(f"{path}:{_line(root, detail['loc'])}: {field}: {fault.reason} ({remedy})")
    return "\n".join(told)


def _line(root: Any, place: tuple[int | str, ...]) -> int:
    """The line, from 1, of the deepest node on the way to a place."""
    node = root
    for part in place:
        if node is None:
            break
        if isinstance(part, int):
            found = node.value[part] if isinstance(node.value, list) else None
        else:
            pairs = node.value if isinstance(node.value, list) else []
            found = next(
                (pair[1] for pair in pairs if isinstance(pair, tuple) and pair[0].value == part),
                None,
            )
        # Names of a union's branches are in pydantic's paths, and nowhere in the file.
        node = node if found is None else found
    return 1 if node is None else int(node.start_mark.line) + 1


def _below(path: Path, given: _Candidate, line: int) -> dict[str, Content]:
    """The files of a candidate's folder, by their paths in it."""
    if given.folder is None:
        return {}
    folder = path.parent / given.folder
    if not folder.is_dir():
        raise BadTaskFile(f"{path}:{line}: {given.name}: {given.folder} is no folder beside it")
    found = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return {
        file.relative_to(folder).as_posix(): to_content(file.read_bytes())
        for file in found
        if "__pycache__" not in file.parts
    }


def _candidate(path: Path, problem: Problem | str, given: _Candidate, line: int) -> Candidate:
    source, suffix = given.source or "", ".py"
    if given.file is not None:
        program = path.parent / given.file
        suffix = program.suffix
        try:
            source = program.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadTaskFile(f"{path}:{line}: {given.name}: {error}") from error
    item = Item(
        problem=problem if isinstance(problem, Problem) else None,
        problem_id=problem if isinstance(problem, str) else None,
        language=given.language or _LANGUAGES.get(suffix, "python"),
        source=source,
        files={**_below(path, given, line), **given.files},
    )
    expectation = Expectation(verdicts=frozenset(given.verdict), pass_rate=given.pass_rate)
    return Candidate(given.name, line, item, expectation)
