"""What the doctor finds: one thing of a machine, and how it is."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Whether a thing is as Proctor likes it."""

    OK = "ok"
    NOTE = "note"  # works, but say so; or missing, and needed only for some things
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's: a thing, how it is, and what to do when that is not well."""

    name: str
    state: State
    found: str
    remedy: str = ""
