"""`python -m bench.languages`: each language's start-up, in a sandbox beside bare in its image.

A program that reads a number and prints it is made and run on one test, in turn: in a warm
sandbox, and by the same image's tools as their manuals call them, without a sandbox.
"""

import json
import shlex
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from tests.contract.examples import EXAMPLES

from proctor_sandbox.docker_backend import IMAGES, DockerBackend, DockerOptions
from proctor_sandbox.languages import LANGUAGES, Language
from proctor_sandbox.limits import Limits
from proctor_sandbox.programs import End, Program, StdinCase, Work
from proctor_sandbox.seam import Sandbox
from proctor_server.settings import read_settings

_OUT = Path(__file__).parent / "out" / "languages.json"
_LIMITS = Limits.for_cpu(20.0)
# Where bare programs are made and run, in a container of their own.
_FOLDER = "/tmp"  # noqa: S108 - inside that container
_WANTED = "hello, wörld\n".encode()
# How the manuals have it, where that is not what the table says: no archives, no other options.
_BARE = {
    "java": ("javac -d made Main.java", "java -cp made Main"),
    "kotlin": (
        "kotlinc -nowarn -jvm-target 1.8 -d made main.kt",
        "java -cp made:/usr/share/java/kotlin-stdlib.jar MainKt",
    ),
    "scala": ("mkdir -p made; scalac -target:jvm-1.8 -d made Main.scala", "scala -cp made Main"),
    "clojure": ("", "clojure main.clj"),
    "go": ("go build -o made main.go", "./made"),
    "ocaml": ("ocamlopt -o made unix.cmxa str.cmxa main.ml", "./made"),
    "racket": ("raco make main.rkt", "racket main.rkt"),
    "python": ("", "python3 main.py"),
}


class _Bare:
    """A shell in a container, which runs what it is told and says when it is done."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def seconds(self, command: str) -> float:
        """How long a command takes."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        began = time.perf_counter()
        self._process.stdin.write(f"{command}\necho done\n")
        self._process.stdin.flush()
        said = ""
        while (line := self._process.stdout.readline()) != "done\n":
            assert line, "the shell has ended"
            said += line
        assert said.encode().endswith(_WANTED), said
        return time.perf_counter() - began


@contextmanager
def _bare(image: str) -> Iterator[_Bare]:
    argv = ["docker", "run", "--rm", "-i", "--network", "none", "--env", f"HOME={_FOLDER}"]
    argv += ["--env", "LANG=C.UTF-8", "--workdir", _FOLDER, "--entrypoint", "/bin/sh", image]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield _Bare(process)
        process.terminate()


def _command(language: Language, source: str) -> str:
    """A shell's words for a program made and run once."""
    if language.name in _BARE:
        make, run = _BARE[language.name]
    else:
        make, run = (" ".join(_words(language, part)) for part in (language.compile, language.run))
    write = f"rm -rf made *.o *.ali; printf %s {shlex.quote(source)} > {language.file}"
    told = "printf 'hello\\n'"
    return f"{write}; {make or ':'} 2>&1 && {told} | {run}"


def _words(language: Language, template: tuple[str, ...]) -> Iterator[str]:
    places = {"source": f"{_FOLDER}/{language.file}", "folder": _FOLDER, "memory_mb": 512}
    made = f"{_FOLDER}/made" if template is language.run else "made"
    for part in template:
        yield shlex.quote(part.format(**places, sources=language.file, output=made))


def _sandboxed(sandbox: Sandbox, language: str, source: str) -> float:
    began = time.perf_counter()
    (report,) = sandbox.execute([Work(Program(language, source), [StdinCase(b"hello\n")], _LIMITS)])
    seconds = time.perf_counter() - began
    (run,) = report.runs
    assert (run.end, run.stdout) == (End.EXITED, _WANTED), run
    return seconds


@click.command()
@click.option("--only", multiple=True, type=click.Choice(list(LANGUAGES)), help="Repeatable.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--out", default=_OUT, type=click.Path(path_type=Path, dir_okay=False))
def main(only: tuple[str, ...], rounds: int, out: Path) -> None:
    """Measure every language that has an image here, sandboxed and bare in turn."""
    images = {**IMAGES, **read_settings().own_images()}
    backend = DockerBackend(DockerOptions(images))
    figures: dict[str, dict[str, float]] = {}
    for name, image in backend.languages().items():
        if name not in (only or LANGUAGES):  # modes are no languages
            continue
        sandbox = backend.start(image)
        try:
            with _bare(images[image]) as bare:
                figures[name] = _measured(sandbox, bare, LANGUAGES[name], rounds)
        finally:
            sandbox.close()
    _show(figures)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=2) + "\n")


def _measured(sandbox: Sandbox, bare: _Bare, language: Language, rounds: int) -> dict[str, float]:
    sandboxed_s, bare_s = [], []
    for number in range(rounds + 1):  # the first warms both up
        # Another program each time, or what was compiled would be known.
        source = EXAMPLES[language.name].program("hello") + "\n" * (number + 1)
        sandboxed_s.append(_sandboxed(sandbox, language.name, source))
        bare_s.append(bare.seconds(_command(language, source)))
    medians = [statistics.median(one[1:]) * 1000 for one in (sandboxed_s, bare_s)]
    return {"sandbox_ms": medians[0], "bare_ms": medians[1], "ratio": medians[0] / medians[1]}


def _show(figures: dict[str, dict[str, float]]) -> None:
    table = Table(title="One program, made and run on one test; medians, ms")
    for column in ("language", "sandbox", "bare", "sandbox / bare"):
        table.add_column(column, justify="left" if column == "language" else "right")
    for name, one in figures.items():
        table.add_row(
            name, f"{one['sandbox_ms']:.1f}", f"{one['bare_ms']:.1f}", f"{one['ratio']:.2f}"
        )
    Console().print(table)


if __name__ == "__main__":
    main()
