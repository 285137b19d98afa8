"""What tools say of their versions."""

import pytest

from proctor_sandbox.languages import ALIASES, FAMILIES, LANGUAGES, named
from proctor_sandbox.versions import answer, question


@pytest.mark.parametrize("family", FAMILIES)
def test_every_language_of_a_family_is_asked(family: str) -> None:
    asked = question(family)
    for name, language in LANGUAGES.items():
        assert (f"language: {name}'" in asked) == (language.image == family)


def test_versions_are_read_from_what_the_tools_print() -> None:
    said = """language: java
javac 17.0.19
language: r
Rscript (R) version 4.2.2 (2022-10-31)
language: erlang
25
language: go
sh: 3: go: not found
language: octave
"""
    assert answer(said) == {"java": "17.0.19", "r": "4.2.2", "erlang": "25"}


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("python", "python"),
        ("Python", "python"),
        ("JS", "javascript"),
        ("c++", "cpp"),
        ("c#", "csharp"),
        ("klingon", "klingon"),
    ],
)
def test_a_language_is_known_by_its_aliases(said: str, name: str) -> None:
    assert named(said) == name


def test_no_alias_is_two_languages() -> None:
    aliases = [alias for language in LANGUAGES.values() for alias in language.aliases]
    assert len(aliases) == len(ALIASES)
    assert not ALIASES.keys() & LANGUAGES.keys()
