"""Runs the programs that the task family itself puts together. Nothing that a model wrote."""

import contextlib
import functools
import io
from types import CodeType


def run_here(source: str, given: str) -> str | None:
    """What a program of ours prints for an input; None where it fails.

    Only for `proctor.train.pieces`, whose programs are put together from literals in this
    package: expected outputs are needed by the thousand before there is a judge to ask.
    """
    code = _code(source)
    if code is None:
        return None
    lines = iter(given.splitlines())
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            exec(code, {"input": lambda: next(lines)})  # noqa: S102  see above
        except Exception:
            return None  # a slip that ends in an error; the judge will call it RE
    return printed.getvalue().strip()


# A program is run for one input after the other, and compiling it takes most of the time.
@functools.lru_cache(maxsize=16)
def _code(source: str) -> CodeType | None:
    try:
        return compile(source, "task", "exec")
    except SyntaxError:
        return None
