"""Units: distinct pieces of work, each known by its content.

Two submissions with the same source, language, problem version and stop policy are one unit:
it is run once, and its outcome is both's.
"""

import hashlib
import json
import secrets
from dataclasses import dataclass

from proctor.types import Problem


@dataclass(frozen=True, slots=True)
class Unit:
    """One distinct piece of work: a whole program and the problem version it is run against.

    A fresh one equals no other, whatever else has the same content.
    """

    key: str
    language: str
    source: str
    problem: str
    stop_on_failure: bool = False
    fresh: bool = False

    @classmethod
    def of(
        cls,
        language: str,
        source: str,
        problem: str,
        *,
        stop_on_failure: bool = False,
        fresh: bool = False,
    ) -> "Unit":
        """The unit of a program (`source`, extraction already done) for a problem version."""
        nonce = secrets.token_hex(16) if fresh else ""
        # The sources are last and the others have no NUL, so that no two contents run together.
        head = f"{language}\0{problem}\0{int(stop_on_failure)}\0{nonce}\0"
        key = hashlib.sha256(head.encode() + source.encode(errors="surrogatepass")).hexdigest()
        return cls(key, language, source, problem, stop_on_failure, fresh)

    @property
    def twin(self) -> str | None:
        """Of a fresh unit the key of its equal that is not; None for any other."""
        if not self.fresh:
            return None
        return Unit.of(
            self.language, self.source, self.problem, stop_on_failure=self.stop_on_failure
        ).key


# What decides an outcome. A new statement, prefix or reference leaves old outcomes right.
_DECISIVE = {"entry_point", "limits", "comparer", "tests"}


def problem_version(problem: Problem) -> str:
    """SHA-256 (hex) of what decides an outcome of this problem: tests, comparer, limits.

    Weights and public marks are the tests' own, so they count as well: outcomes carry them.
    """
    decisive = problem.model_dump(mode="json", include=_DECISIVE)
    canonical = json.dumps(decisive, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
