"""What those who hold test code tell the agent, as it goes on to the host."""

import json
from collections.abc import Iterable

TYPE_CHECKING = False  # what typing itself would say, but to import it takes 3 ms
if TYPE_CHECKING:
    from .frames import Header


def assertions(told: bytes) -> "tuple[Header, bytes | None]":
    """What an examiner told, and its compiled test code where that came with it."""
    prepared = None
    if told.startswith(b"M "):
        head, _, rest = told.partition(b"\n")
        size = int(head[2:])
        prepared, told = rest[:size], rest[size:]
    lines = [line.split(" ", 2) for line in told.decode(errors="replace").split("\n") if line]
    total = next((int(line[1]) for line in lines if line[0] == "T"), 0)
    held = {int(line[1]) for line in lines if line[0] == "H"}
    failures = {int(line[1]): line[2] for line in lines if line[0] == "F"}
    if lines and lines[-1][0] == "D":
        passed, broken = total - len(failures), None
    else:
        # What was not reached has failed, and so has reaching the end.
        broken = lines[-1][1] if lines and lines[-1][0] == "B" else "stopped"
        passed = min(len(held - failures.keys()), max(total - 1, 0))
    return {"total": total, "passed": passed, "failures": failures, "broken": broken}, prepared


def tested(told: bytes) -> "Header":
    """What a tester told: the tests' names, what became of each, and why there is no more.

    A program that has its tests in its own process may tell anything, and nothing here minds.
    """
    names: list[str] = []
    outcomes: dict[str, str] = {}
    broken: str | None = "stopped"
    for line in told.splitlines():
        try:
            match json.loads(line):
                case {"tests": [*tests]}:
                    names = [str(name) for name in tests]
                case {"test": str(name), "why": str(why)}:
                    outcomes.setdefault(name, why)
                case {"end": str(why)}:
                    broken = why or None
        except (ValueError, RecursionError):
            break  # cut off, or no line of a tester's
    return {"names": names, "outcomes": outcomes, "broken": broken}


def parts(names: "Iterable[tuple[str, int]]", whole: bytes) -> dict[str, bytes]:
    """Files that came one after the other: their names and sizes (bytes) tell where each ends."""
    files = {}
    for name, size in names:
        files[name], whole = whole[:size], whole[size:]
    return files
