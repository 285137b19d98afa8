import json
import re
from pathlib import Path

import pytest

from proctor_sandbox.bubblewrap import SECCOMP_PROFILE
from proctor_sandbox.errors import SandboxUnavailable
from proctor_sandbox.seccomp_filter import seccomp_filter

# Calls that reach the kernel's keyrings, other processes, namespaces, mounts, clocks, shared
# objects that outlive a process, or parts of the kernel with a history of holes.
_NEVER = """
    ptrace process_vm_readv process_vm_writev process_madvise pidfd_getfd kcmp
    keyctl add_key request_key userfaultfd bpf perf_event_open
    io_uring_setup io_uring_enter io_uring_register io_setup io_submit
    shmget shmat shmctl semget semop semctl msgget msgsnd msgrcv msgctl ipc
    mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr
    unshare setns mount umount umount2 move_mount open_tree fsopen fsconfig fsmount fspick
    mount_setattr pivot_root chroot clock_settime clock_adjtime adjtimex settimeofday stime
    memfd_secret fanotify_init inotify_init open_by_handle_at name_to_handle_at
    kexec_load init_module finit_module delete_module reboot swapon swapoff syslog acct
    iopl ioperm modify_ldt quotactl nfsservctl lookup_dcookie seccomp landlock_restrict_self
    setxattr lsetxattr fsetxattr sync syncfs sethostname setdomainname vhangup
"""


def test_the_profile_denies_what_is_not_listed_and_lists_none_of_these() -> None:
    profile = json.loads(SECCOMP_PROFILE.read_text())
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    allowed = [name for rule in profile["syscalls"] for name in rule["names"]]
    assert not set(_NEVER.split()) & set(allowed)
    for rule in profile["syscalls"]:
        assert rule["comment"]
        assert rule["names"] == sorted(rule["names"])
        assert all(re.fullmatch(r"[a-z_0-9]+", name) for name in rule["names"])


def test_no_call_is_allowed_twice_without_conditions() -> None:
    profile = json.loads(SECCOMP_PROFILE.read_text())
    plain = [name for rule in profile["syscalls"] if "args" not in rule for name in rule["names"]]
    conditional = [name for rule in profile["syscalls"] if "args" in rule for name in rule["names"]]
    assert len(plain) == len(set(plain))
    assert not set(plain) & set(conditional)


def test_a_profile_becomes_a_filter_of_whole_instructions() -> None:
    program = seccomp_filter(SECCOMP_PROFILE)
    assert len(program) > 100 * 8
    assert len(program) % 8 == 0


def test_a_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.util.find_library", lambda _name: "/nowhere/libseccomp.so.2")
    seccomp_filter.cache_clear()
    with pytest.raises(SandboxUnavailable, match="apt-get install libseccomp2"):
        seccomp_filter(SECCOMP_PROFILE)


def test_a_rule_of_unknown_calls_only_is_no_error(tmp_path: Path) -> None:
    profile = tmp_path / "profile.json"
    rule = {"comment": "", "names": ["not_a_call"], "action": "SCMP_ACT_ALLOW"}
    profile.write_text(json.dumps({"defaultErrnoRet": 1, "syscalls": [rule]}))
    assert len(seccomp_filter(profile)) % 8 == 0
