"""Programs that the contract is tested with: as source, and as the fake's behaviour."""

from proctor_sandbox.fake import (
    Behaviour,
    asserts,
    does_not_compile,
    echoes,
    ends,
    never_ends,
    prints,
    returns,
)
from proctor_sandbox.programs import End

ECHO = "import sys; sys.stdout.write(sys.stdin.read())"
HELLO = "print('hello')"
TWICE = "print(2 * int(input()))"
EXIT_3 = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
KILLED = "import os; os.kill(os.getpid(), 11)"
SYNTAX_ERROR = "def f(:"
SPINS = "while True: pass"
MEMORY_HOG = "hoard = []\nwhile True: hoard.append(bytearray(10_000_000))"
FLOOD = "while True: print('x' * 1000)"
ADDS = "def add(a, b):\n    return a + b"

BEHAVIOURS: dict[str, Behaviour] = {
    ECHO: echoes(),
    HELLO: prints(b"hello\n"),
    TWICE: echoes(lambda stdin: b"%d\n" % (2 * int(stdin))),
    EXIT_3: ends(exit_code=3, stdout=b"out\n", stderr=b"err\n"),
    KILLED: ends(End.SIGNALED, exit_code=None, signal=11),
    SYNTAX_ERROR: does_not_compile(),
    SPINS: never_ends(),
    MEMORY_HOG: ends(End.MEMORY_LIMIT, exit_code=None, signal=9),
    FLOOD: ends(End.OUTPUT_LIMIT, exit_code=None, signal=9, stdout=b"x" * 10_000),
}
CALLED: dict[str, Behaviour] = {ADDS: returns(lambda a, b: a + b)}
EXAMINED: dict[str, Behaviour] = {ADDS: asserts(3, {1: "false"})}
