"""Piston's runtimes: our languages by its names, and the versions that a range asks for."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from semantic_version import NpmSpec, Version

# What Piston calls a language, what else, and what we call it.
_NAMES: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("python", ("py", "py3", "python3"), "python"),
    ("c++", ("cpp", "g++"), "cpp"),
    ("c", ("gcc",), "c"),
    ("javascript", ("node-javascript", "node-js", "js", "node"), "javascript"),
    ("typescript", ("ts", "node-ts", "tsc", "typescript5"), "typescript"),
    ("java", (), "java"),
    ("kotlin", ("kt",), "kotlin"),
    ("scala", ("sc",), "scala"),
    ("clojure", ("clj",), "clojure"),
    ("csharp", ("mono", "mono-csharp", "mono-c#", "mono-cs", "c#", "cs"), "csharp"),
    ("go", ("golang",), "go"),
    ("rust", ("rs",), "rust"),
    ("ruby", ("ruby3", "rb"), "ruby"),
    ("php", ("php8",), "php"),
    ("perl", ("pl",), "perl"),
    ("lua", (), "lua"),
    ("bash", ("sh",), "bash"),
    ("rscript", ("r",), "r"),
    ("julia", ("jl",), "julia"),
    ("haskell", ("hs",), "haskell"),
    ("ocaml", ("ml",), "ocaml"),
    ("pascal", ("freepascal", "pp", "pas"), "pascal"),
    ("d", ("gdc",), "d"),
    ("fortran", ("f90",), "fortran"),
    ("racket", ("rkt",), "racket"),
    ("lisp", ("cl", "sbcl", "commonlisp"), "commonlisp"),
    ("prolog", ("plg",), "prolog"),
    ("erlang", ("erl", "escript"), "erlang"),
    ("elixir", ("exs",), "elixir"),
    ("octave", ("matlab", "m"), "octave"),
    ("sqlite3", ("sqlite", "sql"), "sql"),
    ("iverilog", ("verilog", "vvp"), "verilog"),
    ("ada", ("adb",), "ada"),
)


@dataclass(frozen=True, slots=True)
class Runtime:
    """One language: Piston's name for it, its other names, its version, and our name."""

    name: str
    aliases: tuple[str, ...]
    version: str
    language: str

    def described(self) -> dict[str, Any]:
        """An entry of /runtimes."""
        return {"language": self.name, "version": self.version, "aliases": list(self.aliases)}


def runtimes(languages: Collection[str], versions: Mapping[str, str]) -> list[Runtime]:
    """The runtimes of our languages; one that says no version has 0.0.0."""
    return [
        Runtime(name, aliases, _semantic(versions.get(language, "")), language)
        for name, aliases, language in _NAMES
        if language in languages
    ]


def newest(name: str, wanted: str, among: Iterable[Runtime]) -> Runtime | None:
    """The runtime of a name whose version is in a range as npm has them; None: there is none."""
    try:
        accepted = NpmSpec(wanted)
    except ValueError:
        return None
    for runtime in among:
        if name in (runtime.name, *runtime.aliases) and Version(runtime.version) in accepted:
            return runtime
    return None


def _semantic(said: str) -> str:
    """The first number in what a compiler says of itself, as a version of three parts."""
    found = re.search(r"(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?", said)
    parts = found.groups("0") if found else ("0", "0", "0")
    return ".".join(str(int(part)) for part in parts)
