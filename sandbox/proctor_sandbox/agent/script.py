"""A source run as `python3 main.py` would run it, in a fork of a warm interpreter."""

import atexit
import builtins
import marshal
import os
import sys
import types
from collections.abc import Callable

from .spec import Spec

COMPILED = b"M"
REFUSED = b"E"

_HERE = os.path.dirname(os.path.abspath(__file__))


def load(spec: Spec, fds: list[int]) -> types.CodeType:
    """The program's code object; takes its descriptors off the front of `fds`.

    The first is the status pipe, through which the agent hears that the source is refused,
    or gets the code for later tests: nothing of the program has run yet, so it is still ours
    to write to. With `spec.compiled` the second holds such code and nothing is compiled.
    """
    status = fds.pop(0)
    if spec.compiled:
        with open(fds.pop(0), "rb") as file:
            code: types.CodeType = marshal.loads(file.read())  # noqa: S302 - under the program's own uid
        os.close(status)
        return code
    path = spec.path
    with open(path, "rb", buffering=0) as file:
        source = file.read()
    try:
        code = compile(source, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        sys.excepthook(type(error), error.with_traceback(None), None)
        sys.stderr.flush()
        os.write(status, REFUSED)
        os._exit(1)
    if spec.keep:
        _write_all(status, COMPILED + marshal.dumps(code))
    os.close(status)
    return code


def run(spec: Spec, fds: list[int]) -> None:
    """Run as `__main__` and exit as the interpreter would."""
    code = load(spec, fds)
    namespace = main_namespace(spec.path, spec.argv)
    finish(guarded(exec, code, namespace), namespace)


def main_namespace(path: str, args: tuple[str, ...] = ()) -> dict[str, object]:
    """What `__main__` is made of before the first line of a program runs."""
    main = types.ModuleType("__main__")
    namespace = main.__dict__
    namespace["__file__"] = path
    namespace["__builtins__"] = builtins
    sys.modules["__main__"] = main
    sys.argv = [path, *args]
    sys.path.insert(0, os.path.dirname(path))
    return namespace


def guarded(run: Callable[..., object], *args: object) -> int:
    """Run something of the program's; returns the exit status the interpreter would end with."""
    try:
        run(*args)
    except SystemExit as stop:
        return _status(stop.code)
    except BaseException as error:  # as the interpreter does with whatever comes out
        # Our own frames are none of the program's business.
        trace = error.__traceback__
        while trace and trace.tb_frame.f_code.co_filename.startswith(_HERE):
            trace = trace.tb_next
        error.__traceback__ = trace
        sys.excepthook(type(error), error, trace)
        return 1
    return 0


def finish(status: int, namespace: dict[str, object]) -> None:
    """End as the interpreter would: threads, exit handlers, open files, streams."""
    try:
        if "threading" in sys.modules:
            sys.modules["threading"]._shutdown()
        atexit._run_exitfuncs()
        # Files that the program left open are flushed when their last reference goes.
        namespace.clear()
    except BaseException as error:  # an exit handler's own failure
        sys.excepthook(type(error), error, error.__traceback__)
    leave(status)


def leave(status: int) -> None:
    """End at once, with what was printed: threads and exit handlers are left behind."""
    os._exit(flush(status))


def flush(status: int) -> int:
    """Send what was printed on its way; returns the exit status, which a failure changes."""
    for stream in (sys.stdout, sys.stderr, sys.__stdout__):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except BaseException:  # the program may have put anything there
            status = status or 120  # what CPython exits with when it can't flush stdout
    return status


def _status(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
