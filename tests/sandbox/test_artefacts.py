"""Artefacts kept by what they were made from."""

import pytest

from proctor_sandbox.artefacts import Artefact, Artefacts, artefact_key
from proctor_sandbox.languages import LANGUAGES, Language
from proctor_sandbox.programs import End, Program, Run

_COMPILED = Run(End.EXITED, 0, None, 0.1, 0.1, 1, b"", b"")


def artefact(size: int) -> Artefact:
    return Artefact((("program", bytes(size), True),), _COMPILED)


def test_what_was_put_is_there() -> None:
    kept = Artefacts()
    kept.put(b"a", artefact(1))
    assert kept.get(b"a") == artefact(1)
    assert kept.get(b"b") is None


def test_those_not_used_for_longest_make_room() -> None:
    kept = Artefacts(room_bytes=3 * artefact(100).size_bytes)
    for key in (b"a", b"b", b"c"):
        kept.put(key, artefact(100))
    kept.get(b"a")
    kept.put(b"d", artefact(100))
    assert [key for key in (b"a", b"b", b"c", b"d") if kept.get(key)] == [b"a", b"c", b"d"]


def test_putting_one_again_takes_no_more_room() -> None:
    kept = Artefacts(room_bytes=2 * artefact(100).size_bytes)
    kept.put(b"a", artefact(100))
    for _ in range(5):
        kept.put(b"b", artefact(100))
    assert kept.get(b"a")


def test_one_that_is_large_pushes_no_others_out() -> None:
    kept = Artefacts()
    kept.put(b"a", artefact(1))
    kept.put(b"large", artefact(9 * 1024 * 1024))
    assert kept.get(b"large") is None
    assert kept.get(b"a")


@pytest.mark.parametrize(
    ("language", "program"),
    [
        (LANGUAGES["c"], Program("c", "int x;")),
        (LANGUAGES["cpp"], Program("cpp", "int main;")),
        (LANGUAGES["c"], Program("c", "int main;", {"a.h": b""})),
        (LANGUAGES["c"], Program("c", "int main;", {"a.h": b"x", "b.h": b""})),
        (LANGUAGES["c"], Program("c", "int main;", {"a.h": b"", "b.h": b"x"})),
    ],
)
def test_whatever_differs_makes_another_key(language: Language, program: Program) -> None:
    assert artefact_key(language, program) != artefact_key(
        LANGUAGES["c"], Program("c", "int main;")
    )


def test_the_same_makes_the_same_key() -> None:
    program = Program("c", "int main;", {"a.h": b"x"})
    assert artefact_key(LANGUAGES["c"], program) == artefact_key(LANGUAGES["c"], program)
