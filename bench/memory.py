"""`python -m bench.memory`: what a submission takes of Redis's memory, queued and answered."""

import builtins
import json
import keyword
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click
import redis
from rich.console import Console
from rich.table import Table

from bench import machine, workloads
from proctor import Client
from proctor.types import Item, Problem, StdinTest
from proctor_server.backends import SandboxKind
from proctor_server.up import StackOptions, background_stack, free_port, redis_server

_OUT = Path(__file__).parent / "out"
_PATIENCE_S = 300.0
_SOURCE_BYTES = 1024
_WORDS = [*keyword.kwlist, *dir(builtins)]


def problem(tests: int) -> Problem:
    """A problem with so many tests that no program here fails."""
    every = [StdinTest(input=f"{n}\n", output=f"{n + 1}\n") for n in range(tests)]
    return Problem(id=f"memory/{tests}", tests=every)


def measured(programs: int, tests: int, ttl_s: int, sandbox: SandboxKind) -> dict[str, Any]:
    """Bytes a submission, at each stage of its life, and by kind of key.

    Results are kept for `ttl_s`, which all programs must be answered within. Raises StackError.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="proctor-memory-")))
        url = stack.enter_context(_redis(folder))
        server = stack.enter_context(redis.Redis.from_url(url))
        client = stack.enter_context(Client(stack.enter_context(_api(url, ttl_s))))
        client.put_problem(problem(tests))
        before = _used(server)
        chance = random.Random(tests)  # noqa: S311  # the same each time
        items = [
            Item(problem_id=problem(tests).id, source=_program(chance)) for _ in range(programs)
        ]
        batch = client.submit(items)
        queued, queued_kinds = _used(server) - before, _kinds(server)
        options = StackOptions(folder / "state", port=free_port(), sandbox=sandbox, redis_url=url)
        with (folder / "log").open("w+b") as log, background_stack(options, log):
            _until(lambda: batch.status().state == "done", "the batch's end")
            answered, answered_kinds = _used(server) - before, _kinds(server)
        _until(lambda: not server.exists(f"proctor:done:{batch.id}"), "the results' end")
        _until(lambda: not any(server.scan_iter("proctor:outcome:*")), "the outcomes' end")
        return {
            "programs": programs,
            "tests": tests,
            "queued_bytes": round(queued / programs),
            "answered_bytes": round(answered / programs),
            "expired_bytes": round((_used(server) - before) / programs),
            "queued_by_kind": _each(queued_kinds, programs),
            "answered_by_kind": _each(answered_kinds, programs),
        }


def _program(chance: random.Random) -> str:
    """A program of its own, whose bytes are as many and as varied as those of real ones.

    Real samples for one problem have more in common, and so take less where they are packed.
    """
    words = " ".join(chance.choices(_WORDS, k=_SOURCE_BYTES))[:_SOURCE_BYTES]
    return f"{workloads.TRIVIAL_SOURCE}# {words}\n"


@click.command()
@click.option("--programs", type=click.IntRange(1), default=2000, show_default=True)
@click.option("--tests", multiple=True, type=click.IntRange(1), help="[default: 1, 10]")
@click.option(
    "--ttl",
    type=click.IntRange(1),
    default=60,
    show_default=True,
    help="Seconds that results are kept: more than it takes to run all.",
)
@click.option("--sandbox", type=click.Choice(["auto", "docker", "bubblewrap"]), default="auto")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), default=_OUT / "memory.json"
)
def main(programs: int, tests: tuple[int, ...], ttl: int, sandbox: SandboxKind, out: Path) -> None:
    """Measure Redis's memory by submission, each with a source of 1 KiB."""
    console = Console(highlight=False)
    rows = [measured(programs, count, ttl, sandbox) for count in tests or (1, 10)]
    recorded: dict[str, Any] = {"date": machine.today(), "git_revision": machine.revision()}
    recorded |= {"machine": machine.facts(), "source_bytes": _SOURCE_BYTES, "rows": rows}
    table = Table(title=f"Redis, bytes a submission ({programs} programs of 1 KiB)")
    for name in ("tests", "queued", "answered", "after their time"):
        table.add_column(name, justify="right")
    for row in rows:
        stages = (row[f"{stage}_bytes"] for stage in ("queued", "answered", "expired"))
        table.add_row(str(row["tests"]), *(f"{stage:,}" for stage in stages))
    console.print(table)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(recorded, indent=2) + "\n")
    console.print(f"Written to {out}.")


@contextmanager
def _redis(folder: Path) -> Iterator[str]:
    address = folder / "redis.sock"
    options = {"port": "0", "unixsocket": str(address), "dir": str(folder), "save": ""}
    argv = [redis_server(), *(word for k, v in options.items() for word in (f"--{k}", v))]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as server:
        try:
            _until(address.exists, "Redis")
            yield f"unix://{address}"
        finally:
            server.terminate()


@contextmanager
def _api(redis_url: str, ttl_s: int) -> Iterator[str]:
    port = free_port()
    settings = {"REDIS_URL": redis_url, "PORT": port}
    settings |= {"RESULTS_TTL_S": ttl_s, "OUTCOME_TTL_S": ttl_s}
    os.environ |= {f"PROCTOR_{name}": str(said) for name, said in settings.items()}
    with subprocess.Popen([sys.executable, "-m", "proctor", "api"]) as api:
        try:
            _until(lambda: _listens(port), "the API")
            yield f"http://127.0.0.1:{port}"
        finally:
            api.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _used(server: "redis.Redis") -> int:
    return int(server.info("memory")["used_memory"])


def _kinds(server: "redis.Redis") -> Counter[str]:
    """Bytes by the first two parts of a key's name."""
    found: Counter[str] = Counter()
    for key in server.scan_iter(count=1000):
        kind = ":".join(key.decode(errors="replace").split(":")[:2])
        found[kind] += server.memory_usage(key, samples=0) or 0
    return found


def _each(kinds: Counter[str], programs: int) -> dict[str, int]:
    return {kind: round(size / programs) for kind, size in kinds.most_common() if size >= programs}


def _until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            raise click.ClickException(f"waited in vain for {what}")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
