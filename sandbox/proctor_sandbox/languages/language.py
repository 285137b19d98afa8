"""How programs of one language are made and run."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """How programs of one language are made and run.

    In commands `{source}` is the source's path, `{sources}` that and those of the files beside
    it with the same suffix, `{folder}` where they lie, and `{memory_mb}` (MiB) what the program
    may use. `{output}` is what the compiler is to make in its working directory, a file or a
    folder; to the program it is the path at which that then lies. An empty `run` is Python's:
    the zygote runs the source.

    `version` is what prints the version of its tools. `overhead_mb` (MiB) and `processes` are
    what the language's runtime takes for itself, on top of a program's limits.

    A mode has in `base` the language whose tools it takes, and in `needs` files that it needs too.
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
    base: str = ""
    needs: tuple[str, ...] = ()


# What some compilers have to say comes on stdout, where nobody looks for it.
ON_STDERR = ("/bin/sh", "-c", 'exec "$0" "$@" >&2')
