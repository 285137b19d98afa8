"""A file of results that a run adds to as they come, so that a later run need not ask again."""

import json
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import pydantic

from proctor.types import Item, ProblemInfo, Result


class BadResults(ValueError):
    """Raised when a file of results is none; says which line."""


class _Line(pydantic.BaseModel):
    sample: str
    result: Result


def sample_key(item: Item, problem: ProblemInfo) -> str:
    """What decides an item's result, as a digest: program, language, and the problem's version."""
    source = item.source
    if item.continuation is not None:
        # The prefix is a part of the program, and none of what makes a version.
        source = problem.prefix + item.continuation
    decisive = [problem.id, problem.version, item.language, source, item.completion]
    return sha256(json.dumps(decisive).encode()).hexdigest()


class ResultsFile:
    """Results by what decides them; in memory alone where there is no path.

    What a run that was killed left half written is dropped. Results that are our own failure are
    not kept: the next run asks again.

    Args:
        path: of JSON lines, `sample` (a `sample_key`) and `result`; made where it is not there.

    Raises:
        BadResults: the file is something else.
        OSError: it can't be read or written.
    """

    def __init__(self, path: Path | None) -> None:
        self._known: dict[str, Result] = {}
        self._file: IO[str] | None = None
        if path is None:
            return
        if path.exists():
            self._read(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")

    def get(self, key: str) -> Result | None:
        """The result of a sample, if it is known."""
        return self._known.get(key)

    def add(self, key: str, result: Result) -> None:
        """Keep a result, on disk as soon as it is there. Raises OSError."""
        if result.reward is None:
            return
        # What a public test shows is of no use here, and may be long.
        tests = [test.model_copy(update={"public": None}) for test in result.tests]
        kept = result.model_copy(update={"tests": tests})
        self._known[key] = kept
        if self._file is not None:
            self._file.write(_Line(sample=key, result=kept).model_dump_json() + "\n")
            self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()

    # -- helpers ------------------------------------------------------------------------------

    def _read(self, path: Path) -> None:
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        for number, line in enumerate(content[:whole].splitlines(), 1):
            try:
                kept = _Line.model_validate_json(line)
            except pydantic.ValidationError as error:
                raise BadResults(
                    f"{path}:{number}: no result of an earlier run; give another --output"
                ) from error
            self._known[kept.sample] = kept.result
        if whole == 0 and content:
            raise BadResults(f"{path}: holds no results; give another --output")
        if whole < len(content):
            with path.open("r+b") as file:
                file.truncate(whole)
