"""Units: distinct pieces of work, each known by its content.

Two submissions with the same source, language, problem version and stop policy are one unit:
it is run once, and its outcome is both's.
"""

import hashlib
import json
import secrets
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict
from pydantic_core import to_json

from proctor.content import Content, Files
from proctor.runs import RunRequest
from proctor.types import LimitsSpec, Problem

# In the place of a problem's version.
RAW = "raw"


class RawRun(BaseModel):
    """What a raw run is, beside its program."""

    model_config = ConfigDict(frozen=True)

    stdin: Content
    args: list[str]
    fetch: list[str]
    limits: LimitsSpec
    compile_wall_time_s: float | None


@dataclass(frozen=True, slots=True)
class Unit:
    """One distinct piece of work: a whole program and the problem version it is run against.

    A fresh one equals no other, whatever else has the same content. `files` are those beside the
    source. With `raw` it is no submission but a raw run, for the problem RAW, and always fresh.
    """

    key: str
    language: str
    source: str
    problem: str
    stop_on_failure: bool = False
    fresh: bool = False
    files: Files = field(default_factory=dict)
    raw: RawRun | None = None

    @classmethod
    def of(
        cls,
        language: str,
        source: str,
        problem: str,
        *,
        stop_on_failure: bool = False,
        fresh: bool = False,
        files: Files | None = None,
        raw: RawRun | None = None,
    ) -> "Unit":
        """The unit of a program (`source`, extraction already done) for a problem version."""
        nonce = secrets.token_hex(16) if fresh else ""
        beside = f"+{_digest(files)}" if files else ""
        # The sources are last and the others have no NUL, so that no two contents run together.
        head = f"{language}{beside}\0{problem}\0{int(stop_on_failure)}\0{nonce}\0"
        key = hashlib.sha256(head.encode() + source.encode(errors="surrogatepass")).hexdigest()
        return cls(key, language, source, problem, stop_on_failure, fresh, files or {}, raw)

    @classmethod
    def raw_run(cls, request: RunRequest) -> "Unit":
        """The unit of a raw run; no other is like it."""
        raw = RawRun.model_validate(request.model_dump(include=set(RawRun.model_fields)))
        return cls.of(
            request.language, request.source, RAW, fresh=True, files=request.files, raw=raw
        )

    @property
    def twin(self) -> str | None:
        """Of a fresh unit the key of its equal that is not; None for any other."""
        if not self.fresh:
            return None
        return Unit.of(
            self.language,
            self.source,
            self.problem,
            stop_on_failure=self.stop_on_failure,
            files=self.files,
        ).key


def _digest(files: Files) -> str:
    canonical = to_json({path: files[path] for path in sorted(files)})
    return hashlib.sha256(canonical).hexdigest()


# What decides an outcome. A new statement, prefix or reference leaves old outcomes right.
_DECISIVE = {"entry_point", "limits", "comparer", "tests", "files"}


def problem_version(problem: Problem) -> str:
    """SHA-256 (hex) of what decides an outcome of this problem: tests, comparer, limits.

    Weights and public marks are the tests' own, so they count as well: outcomes carry them.
    """
    decisive = problem.model_dump(mode="json", include=_DECISIVE)
    canonical = json.dumps(decisive, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
