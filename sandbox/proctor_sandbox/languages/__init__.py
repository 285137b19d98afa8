"""The table of languages: one entry each, and an image family that holds its tools."""

from proctor_sandbox.languages.functional import FUNCTIONAL
from proctor_sandbox.languages.jvm import JVM
from proctor_sandbox.languages.language import Language
from proctor_sandbox.languages.modes import MODES
from proctor_sandbox.languages.native import NATIVE, SYSTEMS
from proctor_sandbox.languages.script import NUMERIC, SCRIPT

__all__ = ["ALIASES", "FAMILIES", "LANGUAGES", "RUNNABLE", "Language", "named", "tools"]

_PYTHON = Language(
    "python",
    "python",
    "main.py",
    aliases=("python3", "py"),
    version=("python3", "--version"),
)
_MONO = (
    Language(
        "csharp", "mono", "main.cs",
        compile=(
            "mcs", "-optimize+", "-r:System.Numerics.dll", "-out:{output}", "{sources}",
        ),
        run=("mono", "{output}"),
        aliases=("c#", "cs", "mono"),
        version=("mono", "--version=number"),
        overhead_mb=48,
        processes=12,
    ),
)  # fmt: skip

LANGUAGES: dict[str, Language] = {
    language.name: language
    for language in (_PYTHON, *NATIVE, *SYSTEMS, *JVM, *SCRIPT, *NUMERIC, *FUNCTIONAL, *_MONO)
}

# What a raw run may be of.
RUNNABLE = LANGUAGES | {mode.name: mode for mode in MODES}

FAMILIES = tuple(dict.fromkeys(language.image for language in LANGUAGES.values()))

ALIASES: dict[str, str] = {
    alias: language.name for language in LANGUAGES.values() for alias in language.aliases
}


def tools(one: Language) -> Language:
    """The language whose tools something runnable takes: a mode has another's."""
    return LANGUAGES[one.base] if one.base else one


def named(said: str) -> str:
    """A language's name in the table, said so or by an alias; what is neither stays as it is."""
    lower = said.lower()
    return lower if lower in LANGUAGES else ALIASES.get(lower, said)
