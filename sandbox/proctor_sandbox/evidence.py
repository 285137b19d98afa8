"""An agent's report as runs: converted once, here, and checked as it is.

An agent is ours, but it lives beside programs: what it says is believed only where it can be
true. Everything else is no report, and the sandbox that it came from is lost.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from proctor_sandbox.agent import values
from proctor_sandbox.artefacts import Artefact
from proctor_sandbox.programs import Answer, Assertions, End, Run

# Of an answer's dicts and sets together: made to collide, as many cost us most of a second.
_MOST_KEYS = 10_000
# Of what is only told to people: causes of failures.
_LONGEST_TEXT = 1000
_BLOBS = {"o", "e", "a"}


class BadReport(ValueError):
    """Raised when what an agent reports can't be true."""


def runs(header: dict[str, Any], blobs: list[bytes]) -> tuple[list[Run], bool]:
    """The runs that a report tells of, and whether they are the work's last.

    Raises BadReport.
    """
    with _checked(blobs) as rest:
        return [_run(one, rest) for one in header["runs"]], header["last"] is True


def artefact(header: dict[str, Any], blobs: list[bytes]) -> Artefact:
    """What a compiler made, and how it did. Raises BadReport."""
    with _checked(blobs) as rest:
        compilation = _run(header["run"], rest)
        # A list first: the end of the blobs would be another error inside of a generator.
        return Artefact(tuple([_made(one, rest) for one in header["made"]]), compilation)


@contextlib.contextmanager
def _checked(blobs: list[bytes]) -> Iterator[Iterator[bytes]]:
    rest = iter(blobs)
    try:
        yield rest
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise BadReport(f"{type(error).__name__}: {text(error)}") from None
    except StopIteration:
        raise BadReport("a blob is missing") from None
    if next(rest, None) is not None:
        raise BadReport("there are more blobs than are told of")


def _made(told: Any, blobs: Iterator[bytes]) -> tuple[str, bytes, bool]:
    name, executable = told
    if type(name) is not str or not {"", ".", ".."}.isdisjoint(name.split("/")):
        raise BadReport("a path that can't be")
    return name, next(blobs), executable is True


def text(told: object) -> str:
    """What an agent says in words, no more of it than people read."""
    return str(told)[:_LONGEST_TEXT]


def count(told: object, most: int = 2**62) -> int:
    """A whole number from 0 to `most`. Raises BadReport."""
    if type(told) is not int or not 0 <= told <= most:
        raise BadReport("a number that can't be")
    return told


def _run(header: dict[str, Any], blobs: Iterator[bytes]) -> Run:
    names = header["b"]
    if not set(names) <= _BLOBS or len(set(names)) != len(names):
        raise BadReport("blobs that there are not")
    parts = {name: next(blobs) for name in names}
    code, signal = header["code"], header["signal"]
    return Run(
        end=End(header["end"]),
        exit_code=None if code is None else count(code, 255),
        signal=None if signal is None else count(signal, 255),
        cpu_time_s=_seconds(header["cpu"]),
        wall_time_s=_seconds(header["wall"]),
        memory_bytes=count(header["mem"]),
        stdout=parts.get("o", b""),
        stderr=parts.get("e", b""),
        answer=_answer(parts["a"]) if "a" in parts else None,
        assertions=_assertions(header.get("assertions")),
        fetched={text(name): next(blobs) for name in header.get("fetched", ())},
        stopped=None if header.get("stopped") is None else End(header["stopped"]),
        unfetched={text(name): text(why) for name, why in header.get("unfetched", {}).items()},
    )


def _seconds(told: object) -> float:
    # NaN is in no order with a limit: it would pass as being in time.
    if not isinstance(told, int | float) or isinstance(told, bool) or not 0 <= told < 1e9:
        raise BadReport("a time that can't be")
    return told


def _assertions(told: Any) -> Assertions | None:
    if told is None:
        return None
    total = count(told["total"])
    broken = told["broken"]
    return Assertions(
        total=total,
        passed=count(told["passed"], total),
        failures={int(ordinal): text(why) for ordinal, why in told["failures"].items()},
        broken=None if broken is None else text(broken),
    )


class _NotPlain:
    """Stands for what stayed in the sandbox; equal to nothing but itself."""


def _answer(said: bytes) -> Answer | None:
    """What a call's reply says; None when it is no reply, which is the program's doing."""
    handles: list[_NotPlain] = []

    def handle(_number: int, _type_name: str) -> _NotPlain:
        handles.append(_NotPlain())
        return handles[-1]

    try:
        kind, *rest = values.loads(said, handle, _MOST_KEYS)
        if kind == "error":
            return Answer(error=text(rest[0][0]))
        if kind == "value" and len(rest) == 2:
            return Answer(value=rest[0], plain=not handles)
        if kind == "end":
            return Answer(error="StopIteration")
    except (values.BadValue, TypeError, ValueError, LookupError, RecursionError):
        pass  # not a reply: the program wrote to the pipe itself, and so gave no answer
    return None
