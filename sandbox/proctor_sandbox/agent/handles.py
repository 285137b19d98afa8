"""The far side of an examiner's socket: what is asked of the program, and what stands for it.

Every value that arrives is built anew from built-in types (`values`), so that test code compares
what it was written to compare. What is no plain value stays with the program, behind a handle.
"""

import builtins
from collections.abc import Iterator, Mapping, Sequence

from . import candidate, values

TYPE_CHECKING = False  # what typing itself would say, but to import it takes 3 ms
if TYPE_CHECKING:
    from typing import Any

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


class NotAcross(TypeError):
    """Raised when test code does what can't be done to an object in another process."""


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
            raised = self._raised(*rest)
        except (TypeError, ValueError, KeyError, IndexError) as bad:
            raise BadAnswer(str(bad)[:200]) from None
        raise raised

    def _handle(self, number: int, type_name: str) -> object:
        return Handle(self, number, type_name)

    def _raised(self, names: list[str], args: Sequence[object]) -> Exception:
        """The program's exception: the built-in one, or one of its name under the nearest such."""
        for name in names:
            base = getattr(builtins, name, None)
            if isinstance(base, type) and issubclass(base, Exception) and base is not StopIteration:
                break
        else:
            base = RuntimeError
        name = names[0] if is_name(names[0]) else base.__name__
        return instance(base if base.__name__ == name else type(name, (base,), {}), args)


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


def is_name(name: str) -> bool:
    """Whether an exception may have this name: what is no identifier could be lines of what its
    process tells the agent."""
    return str.isidentifier(name) and len(name) <= _LONGEST_NAME


def instance(kind: type[Exception], args: Sequence[object]) -> Exception:
    """An exception of this kind; a plain one where these are not all that it wants."""
    try:
        return kind(*args)
    except TypeError:  # UnicodeDecodeError and its like want what did not cross
        plain = next(base for base in kind.__mro__ if base.__module__ == "builtins")
        error: Exception = type(plain.__name__, (Exception,), {})(*args)
        return error


def _handle_number(value: object) -> int:
    if isinstance(value, Handle | Function):
        return value._number()
    raise values.NotPlain(f"{type(value).__name__} can't be given to the program")


class Handle:
    """Stands for an object that stayed with the program.

    It can be called, iterated, entered, asked for its truth, attributes, items, length and text,
    since each of these gives a value that the test can judge. It has no comparison and no
    arithmetic: those would let the program judge itself.
    """

    def __init__(self, program: Program, number: int | str, type_name: str) -> None:
        self._program = program
        self._target = number
        self._type_name = type_name

    def __setattr__(self, name: str, value: object) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, value)
        else:
            self._program.ask("set", self._target, (name, value))

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

    def __setitem__(self, key: object, value: object) -> None:
        self._program.ask("put", self._target, (key, value))

    def __enter__(self) -> object:
        return self._program.ask("enter", self._target)

    def __exit__(self, kind: type | None, _error: object, _trace: object) -> None:
        # Whether it would swallow the exception is not asked: that may be a failed assert.
        self._program.ask("exit", self._target, (kind and kind.__name__,))

    def __instancecheck__(self, _value: object) -> bool:
        raise NotAcross("isinstance needs the program's class in this process")

    def __mro_entries__(self, _bases: object) -> tuple[type, ...]:
        raise NotAcross("a subclass needs the program's class in this process")

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
