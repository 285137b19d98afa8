"""Test code, run under a uid that the program has no power over.

The program is reached through a socket only. Every value that arrives is built anew here from
built-in types, so an assert compares what it was written to compare. How the asserts went is
told to the agent through a pipe that the program never sees:

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
from collections.abc import Callable, Iterator, Mapping, Sequence

from . import asserts, candidate, values
from .spec import Spec

TYPE_CHECKING = False  # what typing itself would say, but to import it takes 3 ms
if TYPE_CHECKING:
    from typing import Any

    # Test code compiled: code, total, the program's names, modules.
    Ready = tuple[types.CodeType, int, list[str], list[str]]

# One answer of the program. Far above any expected value, below what would hurt the examiner.
_MAX_ANSWER_BYTES = 32 * 1024 * 1024
# Of an exception's name, which is told to the agent: it keeps what it is told.
_LONGEST_NAME = 200


class CandidateError(Exception):
    """Base of what is wrong with the program rather than with its answer."""


class CandidateGone(CandidateError):
    """Raised when the program has exited, or was killed, and can't be asked any more."""


class BadAnswer(CandidateError):
    """Raised when the program's answer is no value."""


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


class Program:
    """The far side: asks, and raises here what was raised there."""

    def __init__(self, stream: "candidate.Stream") -> None:
        self._stream = stream
        self._is_lost = False  # what it sends makes no sense, and need not come to an end

    def ask(
        self,
        operation: str,
        target: int | str,
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> "Any":
        """The value that an operation on the program gave. Raises what the program raised,
        StopIteration at the end of an iterator, or CandidateError."""
        if self._is_lost:
            raise CandidateGone("the program answered no question")
        request = values.dumps((operation, target, args, kwargs or {}), _handle_number)
        try:
            candidate.write_message(self._stream, request)
            text = candidate.read_message(self._stream, _MAX_ANSWER_BYTES)
        except OSError:
            raise CandidateGone("the program is gone") from None
        except ValueError as error:
            self._is_lost = True
            raise BadAnswer(str(error)) from None
        if text is None:
            raise CandidateGone("the program is gone")
        try:
            kind, *rest = values.loads(text, self._handle)
        except (values.BadValue, TypeError, ValueError) as error:
            self._is_lost = True
            raise BadAnswer(str(error)[:200]) from None
        try:
            if kind == "end":
                # Raised by a call it would end the test's own loops: all(map(candidate, ...)).
                raise StopIteration if operation == "next" else RuntimeError("StopIteration")
            if kind == "value":
                value, changed = rest
                _apply(changed, args)
                return value
            names, error_args = rest
            raised = _rebuilt(names, error_args)
        except (TypeError, ValueError, KeyError, IndexError) as bad:
            raise BadAnswer(str(bad)[:200]) from None
        raise raised

    def _handle(self, number: int, type_name: str) -> "Handle":
        return Handle(self, number, type_name)


def _apply(changed: "dict[int, Any]", args: Sequence[object]) -> None:
    """Bring changes that the call made to its arguments home, into the same objects."""
    if type(changed) is not dict:
        raise BadAnswer("no table of changed arguments")
    for place, value in changed.items():
        original: Any = args[place]
        if type(value) is not type(original):
            raise BadAnswer("an argument changed its type")
        if isinstance(original, list | bytearray):
            original[:] = value
        elif isinstance(original, dict | set):
            original.clear()
            original.update(value)
        else:
            raise BadAnswer("an argument that can't change has changed")


def _rebuilt(names: list[str], args: Sequence[object]) -> Exception:
    """The program's exception: the built-in one, or one of its name under the nearest such."""
    for name in names:
        base = getattr(builtins, name, None)
        if isinstance(base, type) and issubclass(base, Exception) and base is not StopIteration:
            break
    else:
        base = RuntimeError
    # What is no identifier could be lines of what this process tells the agent.
    name = names[0]
    if not str.isidentifier(name) or len(name) > _LONGEST_NAME:
        name = base.__name__
    kind = base if base.__name__ == name else type(name, (base,), {})
    try:
        error: Exception = kind(*args)
    except TypeError:  # UnicodeDecodeError and its like want what did not cross
        error = type(base.__name__, (Exception,), {})(*args)
    return error


def _handle_number(value: object) -> int:
    if isinstance(value, Handle | Function):
        return value._number()
    raise values.NotPlain(f"{type(value).__name__} can't be given to the program")


class Handle:
    """Stands for an object that stayed with the program.

    It can be called, iterated, asked for its truth, attributes, items, length and text, since
    each of these gives a value that the test can judge. It has no comparison and no
    arithmetic: those would let the program judge itself.
    """

    def __init__(self, program: Program, number: int | str, type_name: str) -> None:
        self._program = program
        self._target = number
        self._type_name = type_name

    def _number(self) -> int:
        return int(self._target)

    def __call__(self, *args: object, **kwargs: object) -> object:
        return self._program.ask("call", self._target, args, kwargs)

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._program.ask("get", self._target, (name,))

    def __bool__(self) -> bool:
        return self._program.ask("truth", self._target) is True

    def __iter__(self) -> Iterator[object]:
        iterator = self._program.ask("iterate", self._target)
        while True:
            try:
                item = self._program.ask("next", iterator)
            except StopIteration:
                return
            yield item

    def __next__(self) -> object:
        return self._program.ask("next", self._target)

    def __len__(self) -> int:
        length: int = self._program.ask("length", self._target)
        return length

    def __getitem__(self, key: object) -> object:
        return self._program.ask("item", self._target, (key,))

    def __str__(self) -> str:
        return str(self._program.ask("text", self._target))

    def __repr__(self) -> str:
        return f"<{self._type_name} of the program>"


class Function(Handle):
    """A name of the program's, looked up when it is first used for more than a call."""

    def __init__(self, program: Program, name: str) -> None:
        super().__init__(program, name, "name")

    def _number(self) -> int:
        fetched: object = self._program.ask("fetch", self._target)
        if not isinstance(fetched, Handle):
            raise values.NotPlain(f"{self._target} is a plain value")
        return fetched._number()
