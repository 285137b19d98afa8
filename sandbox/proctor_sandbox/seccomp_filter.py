"""The seccomp profile as a kernel filter, for bubblewrap, which takes no JSON.

Docker compiles the same profile with the same library, libseccomp, which apt and systemd
depend on: it is there on every Debian and Ubuntu.
"""

import ctypes
import ctypes.util
import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from proctor_sandbox.errors import SandboxUnavailable

_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_EQUAL = 4
_MASKED_EQUAL = 7


class _Comparison(ctypes.Structure):
    """struct scmp_arg_cmp of seccomp.h."""

    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    )


@cache
def seccomp_filter(profile: Path) -> bytes:
    """The profile (Docker's JSON format) as a BPF program for this machine.

    A system call of another architecture (32-bit, x32) ends the process that makes it.
    Raises SandboxUnavailable when libseccomp is missing or refuses a rule.
    """
    library = _library()
    rules = json.loads(profile.read_text())
    context = library.seccomp_init(_ERRNO | rules["defaultErrnoRet"])
    if not context:
        raise SandboxUnavailable("libseccomp could not make a filter")
    try:
        for rule in rules["syscalls"]:
            _add(library, context, rule)
        return _export(library, context)
    finally:
        library.seccomp_release(context)


def _library() -> Any:
    name = ctypes.util.find_library("seccomp") or "libseccomp.so.2"
    try:
        library = ctypes.CDLL(name)
    except OSError:
        raise SandboxUnavailable(
            "libseccomp is missing, without which bubblewrap cannot filter system calls; "
            "install it with: apt-get install libseccomp2"
        ) from None
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = (ctypes.c_uint32,)
    library.seccomp_release.argtypes = (ctypes.c_void_p,)
    library.seccomp_syscall_resolve_name.argtypes = (ctypes.c_char_p,)
    library.seccomp_rule_add_array.argtypes = (
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.POINTER(_Comparison),
    )
    library.seccomp_export_bpf.argtypes = (ctypes.c_void_p, ctypes.c_int)
    return library


def _add(library: Any, context: int, rule: dict[str, Any]) -> None:
    action = _ALLOW if rule["action"] == "SCMP_ACT_ALLOW" else _ERRNO | rule["errnoRet"]
    comparisons = (_Comparison * len(rule.get("args", ())))(
        *(
            _Comparison(each["index"], _operator(each), each["value"], each.get("valueTwo", 0))
            for each in rule.get("args", ())
        )
    )
    for name in rule["names"]:
        number = library.seccomp_syscall_resolve_name(name.encode())
        # Below 0: this machine, or this libseccomp, has no such call, and so denies it.
        if number < 0:
            continue
        failed = library.seccomp_rule_add_array(
            context, action, number, len(comparisons), comparisons
        )
        if failed:
            raise SandboxUnavailable(
                f"libseccomp refuses the rule for {name}: {os.strerror(-failed)}"
            )


def _operator(comparison: dict[str, Any]) -> int:
    return _MASKED_EQUAL if comparison["op"] == "SCMP_CMP_MASKED_EQ" else _EQUAL


def _export(library: Any, context: int) -> bytes:
    fd = os.memfd_create("seccomp")
    try:
        failed = library.seccomp_export_bpf(context, fd)
        if failed:
            raise SandboxUnavailable(f"libseccomp made no filter: {os.strerror(-failed)}")
        os.lseek(fd, 0, os.SEEK_SET)
        with open(fd, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(fd)
