"""The table of languages: one entry each, and an image family that holds its tools."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """How programs of one language are made and run.

    In commands `{source}` is the source's path, `{sources}` that and those of the files beside
    it with the same suffix, `{folder}` where they lie, and `{memory_mb}` (MiB) what the program
    may use. `{output}` is what the compiler is to make in its working directory, a file or a
    folder; to the program it is the path at which that then lies. An empty `run` is Python's:
    the zygote runs the source.

    `overhead_mb` (MiB) and `processes` are what the language's runtime takes for itself, on top
    of a program's limits.
    """

    name: str
    image: str
    file: str
    compile: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    aliases: tuple[str, ...] = ()
    version: tuple[str, ...] = ()
    overhead_mb: int = 0
    processes: int = 0


# -O2 and the static C++ library are what contest judges use (Codeforces, DMOJ); gnu++17 is
# also what the precompiled bits/stdc++.h in images/native.Dockerfile is made for.
_CXX = ("g++", "-O2", "-std=gnu++17", "-pipe", "-o", "{output}", "{sources}")
_CC = ("gcc", "-O2", "-std=gnu17", "-pipe", "-o", "{output}", "{sources}", "-lm")

LANGUAGES: dict[str, Language] = {
    language.name: language
    for language in (
        Language("python", image="python", file="main.py"),
        Language("cpp", image="native", file="main.cpp", compile=_CXX, run=("{output}",)),
        Language("c", image="native", file="main.c", compile=_CC, run=("{output}",)),
    )
}
