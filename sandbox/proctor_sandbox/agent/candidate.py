"""The program under test as a module whose functions are called from outside.

It runs under the program's uid, with the program's own code beside it: whatever crosses from
here is a claim, and only ever a value. Requests and replies are u32-prefixed `values` text.

    request  (operation, target, args, kwargs)   target: a dotted name or a handle's number
    reply    ("value", value, changed arguments) | ("error", names, args) | ("end",)
"""

import builtins
import os
import struct
import sys
import types

from . import script, values
from .spec import Spec

TYPE_CHECKING = False  # what typing itself would say, but to import it takes 3 ms
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Stream(Protocol):
        """Both ends of a socket, unbuffered."""

        def read(self, size: int, /) -> bytes | None: ...
        def write(self, data: memoryview, /) -> int: ...


_MUTABLE = (list, dict, set, bytearray)

LENGTH = struct.Struct("!I")


def _module(spec: Spec, fds: list[int]) -> dict[str, object]:
    """The program imported as a module: no `__main__` block runs."""
    code = script.load(spec, fds)
    module = types.ModuleType("candidate")
    module.__dict__.update(__file__=spec.path, __builtins__=builtins)
    sys.modules["candidate"] = module
    sys.argv = [spec.path]
    sys.path.insert(0, os.path.dirname(spec.path))
    exec(code, module.__dict__)  # noqa: S102 - this is what we are for
    return module.__dict__


def answer(spec: Spec, fds: list[int]) -> None:
    """Answer one call: the request is a file, the reply goes down a pipe."""
    script.leave(script.guarded(_answer, spec, fds))


def serve(spec: Spec, fds: list[int]) -> None:
    """Answer an examiner's requests until it hangs up."""
    script.leave(script.guarded(_serve, spec, fds))


def _answer(spec: Spec, fds: list[int]) -> None:
    namespace = _module(spec, fds)
    request, reply = fds
    with open(request, "rb") as file:
        text = file.read()
    data = Desk(namespace).reply(text)
    with open(reply, "wb") as pipe:
        pipe.write(data)


def _serve(spec: Spec, fds: list[int]) -> None:
    desk = Desk(_module(spec, fds))
    (channel,) = fds
    converse(desk, channel)


def converse(desk: "Desk", channel: int) -> None:
    """Answer what is asked over a socket (a descriptor) until it is closed."""
    with open(channel, "r+b", buffering=0) as stream:
        while (text := read_message(stream)) is not None:
            write_message(stream, desk.reply(text))


def read_message(stream: "Stream", limit: int | None = None) -> bytes | None:
    """One message, or None at the end. Raises ValueError above the limit (bytes)."""
    head = _read_exactly(stream, LENGTH.size)
    if head is None:
        return None
    (length,) = LENGTH.unpack(head)
    if limit is not None and length > limit:
        raise ValueError(f"a message of {length} bytes")
    return _read_exactly(stream, length)


def write_message(stream: "Stream", text: bytes) -> None:
    view = memoryview(LENGTH.pack(len(text)) + text)
    while view:
        view = view[stream.write(view) :]


def _read_exactly(stream: "Stream", size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        part = stream.read(size - len(data))
        if not part:
            return None
        data += part
    return bytes(data)


def _text(value: object) -> bytes:
    return values.dumps(value, lambda _: 0)


class Desk:
    """Looks targets up, calls them, and keeps what can't cross."""

    def __init__(self, namespace: dict[str, object]) -> None:
        self._namespace = namespace
        self._kept: list[object] = []

    def reply(self, text: bytes) -> bytes:
        """The encoded reply to an encoded request. An exit of the program passes through."""
        operation, target, args, kwargs = values.loads(text, self._kept_value)
        try:
            result = getattr(self, f"_{operation}")(self._find(target), args, kwargs)
            return self._dump(("value", result, self._changed(text, args)))
        except StopIteration:
            return self._dump(("end",))
        except values.NotPlain as error:
            return self._dump(("error", ["TypeError"], (str(error),)))
        except Exception as error:  # the program's own exception is an answer like any other
            return self._dump(("error", *self._kind(type(error)), self._plain_args(error)))

    def _kind(self, kind: type) -> "tuple[Any, ...]":
        """How an exception's class crosses: its name and those of its bases."""
        return ([base.__name__ for base in kind.__mro__],)

    def _dump(self, reply: object) -> bytes:
        return values.dumps(reply, self._keep)

    def _keep(self, value: object) -> int:
        self._kept.append(value)
        return len(self._kept) - 1

    def _kept_value(self, number: int, _type_name: str) -> object:
        return self._kept[number]

    def _find(self, target: int | str) -> object:
        if isinstance(target, int):
            return self._kept[target]
        # `Solution().method`, as LeetCode's sets write it, is `Solution.method` here.
        first, *rest = target.replace("()", "").split(".")
        try:
            found = self._namespace[first]
        except KeyError:
            raise NameError(f"name '{first}' is not defined") from None
        for name in rest:
            # `Solution.method` is called on a fresh Solution, as the data sets mean it.
            found = getattr(found() if isinstance(found, type) else found, name)
        return found

    def _changed(self, request: bytes, args: list[object]) -> dict[int, object]:
        """Arguments that the call changed in place, by position."""
        if not any(type(arg) in _MUTABLE for arg in args):
            return {}
        originals = values.loads(request, self._kept_value)[2]
        return {
            place: arg
            for place, (arg, original) in enumerate(zip(args, originals, strict=True))
            if type(arg) in _MUTABLE and _text(arg) != _text(original)
        }

    def _plain_args(self, error: Exception) -> tuple[object, ...]:
        try:
            values.dumps(error.args)
        except values.NotPlain:
            return (str(error),)
        return error.args

    def _call(self, target: "Any", args: list[object], kwargs: dict[str, object]) -> object:
        return target(*args, **kwargs)

    def _get(self, target: object, args: "list[Any]", _kwargs: object) -> object:
        return getattr(target, *args)

    def _set(self, target: object, args: "list[Any]", _kwargs: object) -> None:
        setattr(target, *args)

    def _put(self, target: "Any", args: list[object], _kwargs: object) -> None:
        target[args[0]] = args[1]

    def _enter(self, target: "Any", _args: object, _kwargs: object) -> object:
        return type(target).__enter__(target)

    def _exit(self, target: "Any", args: list[object], _kwargs: object) -> None:
        """Leave a `with`: of an exception in it only the name crosses."""
        kind = getattr(builtins, str(args[0]), Exception) if args[0] else None
        type(target).__exit__(target, kind, kind and kind(), None)

    def _fetch(self, target: object, _args: object, _kwargs: object) -> object:
        return target

    def _truth(self, target: object, _args: object, _kwargs: object) -> bool:
        return bool(target)

    def _iterate(self, target: "Any", _args: object, _kwargs: object) -> int:
        return self._keep(iter(target))

    def _next(self, target: "Any", _args: object, _kwargs: object) -> object:
        return next(target)

    def _item(self, target: "Any", args: list[object], _kwargs: object) -> object:
        return target[args[0]]

    def _length(self, target: "Any", _args: object, _kwargs: object) -> int:
        return len(target)

    def _text(self, target: object, _args: object, _kwargs: object) -> str:
        return str(target)
