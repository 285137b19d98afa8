"""From a fork of the zygote to a program: confinement first, then what it is to do.

The parent has opened every descriptor; the child takes on the program's uid and limits
before it reads a byte of the program.
"""

import ctypes
import os
import resource

from . import candidate, examiner, modules, script
from .spec import Spec

PR_SET_DUMPABLE = 4
_LINUX_CAPABILITY_VERSION_3 = 0x20080522
_MIB = 1024 * 1024

# Modes that hold test code.
_HIDDEN = ("examiner", "collect", "collect shared", "examine")

libc = ctypes.CDLL(None, use_errno=True)


def confine_zygote() -> None:
    """Limits that are the same for every test: set once, inherited by every fork."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for name, value in (
        (resource.RLIMIT_CORE, 0),
        # No POSIX message queue can be made, so none can be left behind.
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_NOFILE, 256 if hard == resource.RLIM_INFINITY else min(256, hard)),
        (resource.RLIMIT_FSIZE, 256 * _MIB),
        (resource.RLIMIT_MEMLOCK, 64 * 1024),
    ):
        resource.setrlimit(name, (value, value))
    _drop_inheritable_capabilities()


def _drop_inheritable_capabilities() -> None:
    """The one set that a change of uid leaves; bubblewrap fills it."""
    header = (ctypes.c_uint32 * 2)(_LINUX_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice 32 bits
    libc.capget(header, data)
    data[2] = data[5] = 0
    libc.capset(header, data)


def become(spec: Spec, fds: list[int]) -> None:
    """Turn this fork into the program. Never returns.

    `fds`: stdin, stdout, stderr, then the mode's own; a Python program's begin with the
    status pipe and, with `spec.compiled`, its code.
    """
    try:
        os.setsid()
        confine(spec, fds)
        MODES[spec.mode](spec, fds[3:])
    except BaseException as error:  # the one place where a fork of the zygote ends
        os.write(2, f"proctor: {type(error).__name__}: {error}\n".encode(errors="replace"))
    finally:
        os._exit(1)


def confine(spec: Spec, fds: list[int], oom_score: bytes = b"1000") -> None:
    """Take on the program's streams, limits, uid and working directory.

    With what a process has already it changes nothing, which is how a zygote rehearses it.
    """
    for number in (0, 1, 2):
        os.dup2(fds[number], number)
    # The zygote's socket is 3 and what came over it follows.
    os.closerange(3, fds[2] + 1)
    uid = spec.uid
    # An examiner that shares the program's uid stays what its zygote is: not to be looked
    # into by others of that uid, which would find the test code.
    if uid is not None or spec.mode not in _HIDDEN:
        if uid is None:
            libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
        _offer_to_oom_killer(oom_score)
    for name, soft, hard in spec.rlimits:
        resource.setrlimit(name, (soft, hard))
    if uid is not None:
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        # Changing uid makes /proc/self root's; /dev/stdin is a link through it. To execute a file
        # undoes that by itself.
        if spec.mode != "exec":
            libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
    os.chdir(spec.cwd)


def _offer_to_oom_killer(score: bytes) -> None:
    """When memory runs out the kernel is to take the program, not the zygote."""
    fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    os.write(fd, score)
    os.close(fd)


def _exec(spec: Spec, _fds: list[int]) -> None:
    # To look the command up, or to make an environment, would touch a hundred pages more.
    if spec.env:
        os.execve(spec.path, spec.argv, {**os.environ, **dict(spec.env)})  # noqa: S606 - no shell is the point
    os.execv(spec.path, spec.argv)  # noqa: S606 - the same


# The zygote with pytest adds those of `tester`.
MODES = {
    "exec": _exec,
    "script": script.run,
    "call": candidate.answer,
    "candidate": candidate.serve,
    "examiner": examiner.run,
    "modules": modules.serve,
}
