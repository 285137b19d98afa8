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

from . import asserts, candidate, values

# One answer of the program. Far above any expected value, below what would hurt the examiner.
_MAX_ANSWER_BYTES = 32 * 1024 * 1024


class CandidateError(Exception):
    """Base of what is wrong with the program rather than with its answer."""


class CandidateGone(CandidateError):
    """Raised when the program has exited, or was killed, and can't be asked any more."""


class BadAnswer(CandidateError):
    """Raised when the program's answer is no value."""


def run(spec, fds):
    """Run the test code against a candidate. Exits with 0 once it has told how it went."""
    status, channel, test = fds
    code, total, remote, modules = _prepared(spec, status, test)
    tell = lambda line: os.write(status, line.encode() + b"\n")  # noqa: E731
    tell(f"T {total}")
    namespace = {"__name__": "test", "__builtins__": builtins}
    with open(channel, "r+b", buffering=0) as stream:
        program = Program(stream)
        for name in remote:
            namespace[name] = Function(program, name)
        # Named by the problem's author, so even where a built-in has that name (MBPP/126: sum).
        if entry_point := spec["entry_point"]:
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


def _prepared(spec, status, test):
    """Code object, total and free names; compiled once per problem and kept by the agent."""
    with open(test, "rb") as file:
        text = file.read()
    if spec["prepared"]:
        return marshal.loads(text)  # noqa: S302 - the agent's own, from an examiner
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

    def __init__(self, tell):
        self._tell = tell
        self._seen = {}

    def held(self, ordinal):
        if ordinal not in self._seen:
            self._seen[ordinal] = True
            self._tell(f"H {ordinal}")

    def failed(self, ordinal):
        self._fail(ordinal, "false")

    def raised(self, ordinal, error):
        self._fail(ordinal, type(error).__name__)

    def _fail(self, ordinal, why):
        if self._seen.get(ordinal, True):
            self._seen[ordinal] = False
            self._tell(f"F {ordinal} {why}")


class Program:
    """The far side: asks, and raises here what was raised there."""

    def __init__(self, stream):
        self._stream = stream

    def ask(self, operation, target, args=(), kwargs=None):
        """The value that an operation on the program gave. Raises what the program raised,
        StopIteration at the end of an iterator, or CandidateError."""
        request = values.dumps((operation, target, args, kwargs or {}), _handle_number)
        try:
            candidate.write_message(self._stream, request)
            text = candidate.read_message(self._stream, _MAX_ANSWER_BYTES)
        except OSError:
            raise CandidateGone("the program is gone") from None
        except ValueError as error:
            raise BadAnswer(str(error)) from None
        if text is None:
            raise CandidateGone("the program is gone")
        try:
            kind, *rest = values.loads(text, self._handle)
            if kind == "end":
                # Raised by a call it would end the test's own loops: all(map(candidate, ...)).
                raise StopIteration if operation == "next" else RuntimeError("StopIteration")
            if kind == "value":
                value, changed = rest
                _apply(changed, args)
                return value
            names, error_args = rest
            error = _rebuilt(names, error_args)
        except (values.BadValue, TypeError, ValueError, KeyError, IndexError) as bad:
            raise BadAnswer(str(bad)[:200]) from None
        raise error

    def _handle(self, number, type_name):
        return Handle(self, number, type_name)


def _apply(changed, args):
    """Bring changes that the call made to its arguments home, into the same objects."""
    for place, value in changed.items():
        original = args[place]
        if type(original) is not type(value):
            raise BadAnswer("an argument changed its type")
        if isinstance(original, list | bytearray):
            original[:] = value
        elif isinstance(original, dict | set):
            original.clear()
            original.update(value)
        else:
            raise BadAnswer("an argument that can't change has changed")


def _rebuilt(names, args):
    """The program's exception: the built-in one, or one of its name under the nearest such."""
    for name in names:
        base = getattr(builtins, name, None)
        if isinstance(base, type) and issubclass(base, Exception) and base is not StopIteration:
            break
    else:
        base = RuntimeError
    kind = base if base.__name__ == names[0] else type(str(names[0]), (base,), {})
    try:
        return kind(*args)
    except TypeError:  # UnicodeDecodeError and its like want what did not cross
        return type(base.__name__, (Exception,), {})(*args)


def _handle_number(value):
    if isinstance(value, Handle | Function):
        return value._number()
    raise values.NotPlain(f"{type(value).__name__} can't be given to the program")


class Handle:
    """Stands for an object that stayed with the program.

    It can be called, iterated, asked for its truth, attributes, items, length and text, since
    each of these gives a value that the test can judge. It has no comparison and no
    arithmetic: those would let the program judge itself.
    """

    def __init__(self, program, number, type_name):
        self._program = program
        self._target = number
        self._type_name = type_name

    def _number(self):
        return self._target

    def __call__(self, *args, **kwargs):
        return self._program.ask("call", self._target, args, kwargs)

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return self._program.ask("get", self._target, (name,))

    def __bool__(self):
        return self._program.ask("truth", self._target) is True

    def __iter__(self):
        iterator = self._program.ask("iterate", self._target)
        while True:
            try:
                item = self._program.ask("next", iterator)
            except StopIteration:
                return
            yield item

    def __next__(self):
        return self._program.ask("next", self._target)

    def __len__(self):
        return self._program.ask("length", self._target)

    def __getitem__(self, key):
        return self._program.ask("item", self._target, (key,))

    def __str__(self):
        return str(self._program.ask("text", self._target))

    def __repr__(self):
        return f"<{self._type_name} of the program>"


class Function(Handle):
    """A name of the program's, looked up when it is first used for more than a call."""

    def __init__(self, program, name):
        super().__init__(program, name, "name")

    def _number(self):
        fetched = self._program.ask("fetch", self._target)
        if not isinstance(fetched, Handle):
            raise values.NotPlain(f"{self._target} is a plain value")
        return fetched._number()
