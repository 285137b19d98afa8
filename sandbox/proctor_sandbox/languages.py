"""The table of languages: one entry each, and an image family that holds its tools."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """How programs of one language are made and run.

    An empty `compile` means that the zygote runs the source as Python. Paths are relative to
    the box; `{source}` and `{output}` stand for the source file and the compiled program.
    """

    name: str
    image: str
    file: str
    compile: tuple[str, ...] = ()
    run: tuple[str, ...] = ("{output}",)


# -O2 and the static C++ library are what contest judges use (Codeforces, DMOJ); gnu++17 is
# also what the precompiled bits/stdc++.h in images/native.Dockerfile is made for.
_CXX = ("g++", "-O2", "-std=gnu++17", "-pipe", "-o", "{output}", "{source}")
_CC = ("gcc", "-O2", "-std=gnu17", "-pipe", "-o", "{output}", "{source}", "-lm")

LANGUAGES: dict[str, Language] = {
    language.name: language
    for language in (
        Language("python", image="python", file="main.py"),
        Language("cpp", image="native", file="main.cpp", compile=_CXX),
        Language("c", image="native", file="main.c", compile=_CC),
    )
}
