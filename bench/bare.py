"""What Proctor is compared with: the same programs with no judge, and in a container each."""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from bench import workloads
from proctor_sandbox.languages import LANGUAGES
from proctor_server.up import cores

_DEBIAN_PYTHON = "/usr/bin/python3"
# Programs handed to a process of the pool at a time; one by one the pool itself would cost more.
_CHUNK = 8
_TIMEOUT_S = 60


class NoSuchInterpreter(Exception):
    """Raised when no bare interpreter here is of the version that the sandbox has."""


def interpreter(version: str) -> str:
    """A Python outside of the sandbox that is as near as can be to the one in it.

    That is the distribution's where its version (up to the minor one) is the sandbox's, else
    the one that this process was made from. Raises NoSuchInterpreter.
    """
    wanted = version.rpartition(".")[0]
    base = str(Path(sys.base_prefix) / "bin" / "python3")
    for candidate in (_DEBIAN_PYTHON, base):
        if Path(candidate).exists() and _version(candidate).rpartition(".")[0] == wanted:
            return candidate
    raise NoSuchInterpreter(f"programs run on Python {version}, which is not installed here")


def described(python: str) -> str:
    """A bare interpreter's path and version, in words."""
    return f"{python} ({_version(python)})"


def python_alone(python: str, programs: int, mark: str) -> float:
    """Seconds for some trivial programs, run with `python3 prog.py` one after the other."""
    sources = list(islice(workloads.trivial(mark), programs))
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        for number, source in enumerate(sources):
            _run_python(python, folder, number, source)
        return time.perf_counter() - began


class Pool:
    """Processes on all cores that run `python3 prog.py`, as HumanEval's own harness does."""

    def __init__(self, python: str, executor: ProcessPoolExecutor, folder: str) -> None:
        self._python = python
        self._executor = executor
        self._folder = folder

    def seconds(self, programs: int, mark: str) -> float:
        """Seconds for some trivial programs."""
        sources = list(islice(workloads.trivial(mark), programs))
        began = time.perf_counter()
        done = self._executor.map(
            _run_python,
            [self._python] * programs,
            [self._folder] * programs,
            range(programs),
            sources,
            chunksize=_CHUNK,
        )
        for _ in done:
            pass
        return time.perf_counter() - began


@contextmanager
def pool(python: str) -> Iterator[Pool]:
    """A process for each core, up and warm."""
    with (
        tempfile.TemporaryDirectory() as folder,
        # Small processes of their own: forks of this one would carry its threads' locks along.
        ProcessPoolExecutor(cores(), mp_context=get_context("spawn")) as executor,
    ):
        pool = Pool(python, executor, folder)
        pool.seconds(_CHUNK * cores(), "warm")
        yield pool


def docker_image() -> str | None:
    """An image with a Python for `docker run`; None without an engine, client or image."""
    image = "proctor-python"
    if shutil.which("docker") is None:
        return None
    found = subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False)
    return image if found.returncode == 0 else None


def docker_runs(image: str, programs: int, mark: str) -> float:
    """Seconds for some trivial programs, each in a container that `docker run` makes."""
    began = time.perf_counter()
    for source in islice(workloads.trivial(mark), programs):
        argv = ["docker", "run", "--rm", "-i", "--network", "none", "--memory", "512m"]
        _checked([*argv, image, "python3", "-c", source])
    return time.perf_counter() - began


def cpp_alone(programs: int, mark: str) -> float | None:
    """Seconds for some C++ programs, each compiled and run on its tests; None without g++."""
    language = LANGUAGES["cpp"]
    if shutil.which(language.compile[0]) is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        source_file, binary = f"{folder}/{language.file}", f"{folder}/main"
        argv = [word.format(sources=source_file, output=binary) for word in language.compile]
        began = time.perf_counter()
        for source in islice(workloads.cpp(mark), programs):
            Path(source_file).write_text(source)
            subprocess.run(argv, check=True, timeout=_TIMEOUT_S)
            for text, wanted in workloads.cpp_tests():
                _checked([binary], text, wanted)
        return time.perf_counter() - began


def _run_python(python: str, folder: str, number: int, source: str) -> None:
    path = f"{folder}/{number}.py"
    with open(path, "w") as file:
        file.write(source)
    _checked([python, path])


def _checked(argv: list[str], text: str | None = None, wanted: str | None = None) -> None:
    (test,) = workloads.TRIVIAL.tests
    assert test.kind == "stdin"
    text, wanted = text or test.input, wanted or test.output
    done = subprocess.run(
        argv, input=text, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True
    )
    assert done.stdout == wanted, done.stdout


def _version(python: str) -> str:
    argv = [python, "-c", "import platform; print(platform.python_version())"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True)
    return done.stdout.strip()
