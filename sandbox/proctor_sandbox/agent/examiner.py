"""Test code, run under a uid that the program has no power over.

The program is reached through a socket only, and by values only (`handles`). How the asserts went
is told to the agent through a pipe that the program never sees:

    T <total>           first, before the program is asked anything
    H <ordinal>         an assert held, when first reached
    F <ordinal> <why>   an assert failed, the first time
    D | B <exception>   the test code ran to its end, or was ended by an exception
"""

import builtins
import importlib
import marshal
import os
import sys
import types
from collections.abc import Callable

from . import asserts
from .handles import Function, Program
from .spec import Spec

TYPE_CHECKING = False  # what typing itself would say, but to import it takes 3 ms
if TYPE_CHECKING:
    # Test code compiled: code, total, the program's names, modules.
    Ready = tuple[types.CodeType, int, list[str], list[str]]


def run(spec: Spec, fds: list[int]) -> None:
    """Run the test code against a candidate. Exits with 0 once it has told how it went."""
    status, channel, test = fds
    code, total, remote, modules = _prepared(spec, status, test)

    def tell(line: str) -> None:
        os.write(status, line.encode() + b"\n")

    tell(f"T {total}")
    namespace: dict[str, object] = {"__name__": "test", "__builtins__": builtins}
    with open(channel, "r+b", buffering=0) as stream:
        program = Program(stream)
        for name in remote:
            namespace[name] = Function(program, name)
        # Named by the problem's author, so even where a built-in has that name (MBPP/126: sum).
        if entry_point := spec.entry_point:
            namespace["candidate"] = namespace[entry_point] = Function(program, entry_point)
        for name in modules:
            namespace[name] = importlib.import_module(name)
        namespace[asserts.RECORDER] = Recorder(tell)
        module = types.ModuleType("test")
        module.__dict__.update(namespace)
        sys.modules["test"] = module
        try:
            exec(code, module.__dict__)  # noqa: S102 - this is what we are for
        except BaseException as error:  # whatever ends the test code is its result
            tell(f"B {type(error).__name__}")
        else:
            tell("D")
    os._exit(0)


def _prepared(spec: Spec, status: int, test: int) -> "Ready":
    """Code object, total and free names; compiled once per problem and kept by the agent."""
    with open(test, "rb") as file:
        text = file.read()
    if spec.prepared:
        ready: Ready = marshal.loads(text)  # noqa: S302 - the agent's own, from an examiner
        return ready
    prepared = asserts.prepare(text.decode())
    code = compile(prepared.tree, "test.py", "exec", dont_inherit=True)
    result = (code, prepared.total, prepared.remote, prepared.modules)
    kept = marshal.dumps(result)
    os.write(status, b"M %d\n" % len(kept))
    view = memoryview(kept)
    while view:
        view = view[os.write(status, view) :]
    return result


class Recorder:
    """Notes how each assert went; a statement that failed once has failed."""

    Caught = Exception

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._seen: dict[int, bool] = {}

    def held(self, ordinal: int) -> None:
        if ordinal not in self._seen:
            self._seen[ordinal] = True
            self._tell(f"H {ordinal}")

    def failed(self, ordinal: int) -> None:
        self._fail(ordinal, "false")

    def raised(self, ordinal: int, error: Exception) -> None:
        self._fail(ordinal, type(error).__name__)

    def _fail(self, ordinal: int, why: str) -> None:
        if self._seen.get(ordinal, True):
            self._seen[ordinal] = False
            self._tell(f"F {ordinal} {why}")
