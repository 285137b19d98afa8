"""Example programs of each language, from the files in languages/.

A file has `obeys`, a program that does what the first line of its input says; `broken`, which no
compiler takes; and `parts`, a program in several files, the first of them its main one. Where a
language can't obey, `does` has a program for each word. `cannot` says why a word is left out,
`depth` how deep it recurses, and `like` whose programs it takes.
"""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from proctor_sandbox.languages import LANGUAGES

_FOLDER = Path(__file__).parent / "languages"


@dataclass(frozen=True, slots=True)
class Examples:
    """One language's programs."""

    broken: str
    parts: dict[str, str]
    obeys: str = ""
    does: dict[str, str] = field(default_factory=dict)
    cannot: dict[str, str] = field(default_factory=dict)
    depth: int = 100_000

    def program(self, word: str) -> str:
        """The program that is to do this."""
        return self.does.get(word, self.obeys)


def _read(name: str) -> Examples:
    found = tomllib.loads((_FOLDER / f"{name}.toml").read_text())
    like = found.pop("like", None)
    return _read(like) if like else Examples(**found)


EXAMPLES = {name: _read(name) for name in LANGUAGES}
