"""What a program finds in a sandbox, and what it may not do there. Over every real backend."""

import re
import textwrap

import pytest

from proctor_sandbox.limits import MIB, Limits
from proctor_sandbox.programs import End, Program, Run, StdinCase, Work
from proctor_sandbox.seam import Sandbox
from tests.contract.conftest import REAL

BACKENDS = REAL

LIMITS = Limits(cpu_time_s=20.0, wall_time_s=90.0, memory_bytes=512 * MIB)


def run(sandbox: Sandbox, source: str) -> Run:
    program = Program("python", textwrap.dedent(source))
    (report,) = sandbox.execute([Work(program, (StdinCase(b""),), LIMITS)])
    return report.runs[0]


# Numbers are x86-64's and arm64's: where a call has no number there, it cannot be made.
_DENIED = {
    "unshare of a user namespace": ({"x86_64": 272, "aarch64": 97}, (0x10000000,)),
    "setns": ({"x86_64": 308, "aarch64": 268}, (0, 0)),
    "clone of a network namespace": ({"x86_64": 56, "aarch64": 220}, (0x40000000,)),
    "mount": ({"x86_64": 165, "aarch64": 40}, (0, 0, 0, 0, 0)),
    "umount2": ({"x86_64": 166, "aarch64": 39}, (0, 0)),
    "open_tree": ({"x86_64": 428, "aarch64": 428}, (0, 0, 0)),
    "pivot_root": ({"x86_64": 155, "aarch64": 41}, (0, 0)),
    "chroot": ({"x86_64": 161, "aarch64": 51}, (0,)),
    "ptrace": ({"x86_64": 101, "aarch64": 117}, (0, 0, 0, 0)),
    "process_vm_readv": ({"x86_64": 310, "aarch64": 270}, (1, 0, 0, 0, 0, 0)),
    "process_vm_writev": ({"x86_64": 311, "aarch64": 271}, (1, 0, 0, 0, 0, 0)),
    "pidfd_getfd": ({"x86_64": 438, "aarch64": 438}, (0, 0, 0)),
    "kcmp": ({"x86_64": 312, "aarch64": 272}, (1, 1, 0, 0, 0)),
    "keyctl": ({"x86_64": 250, "aarch64": 219}, (0, 0, 0)),
    "add_key": ({"x86_64": 248, "aarch64": 217}, (0, 0, 0, 0, 0)),
    "request_key": ({"x86_64": 249, "aarch64": 218}, (0, 0, 0, 0)),
    "userfaultfd": ({"x86_64": 323, "aarch64": 282}, (1,)),
    "bpf": ({"x86_64": 321, "aarch64": 280}, (0, 0, 0)),
    "perf_event_open": ({"x86_64": 298, "aarch64": 241}, (0, 0, 0, 0, 0)),
    "io_uring_setup": ({"x86_64": 425, "aarch64": 425}, (1, 0)),
    "io_setup": ({"x86_64": 206, "aarch64": 0}, (1, 0)),
    "shmget": ({"x86_64": 29, "aarch64": 194}, (0, 4096, 0o1600)),
    "semget": ({"x86_64": 64, "aarch64": 190}, (0, 1, 0o1600)),
    "msgget": ({"x86_64": 68, "aarch64": 186}, (0, 0o1600)),
    "mq_open": ({"x86_64": 240, "aarch64": 180}, (0, 0, 0, 0)),
    "clock_settime": ({"x86_64": 227, "aarch64": 112}, (0, 0)),
    "settimeofday": ({"x86_64": 164, "aarch64": 170}, (0, 0)),
    "memfd_secret": ({"x86_64": 447, "aarch64": 447}, (0,)),
    "fanotify_init": ({"x86_64": 300, "aarch64": 262}, (0, 0)),
    "open_by_handle_at": ({"x86_64": 304, "aarch64": 265}, (0, 0, 0)),
    "sync": ({"x86_64": 162, "aarch64": 81}, ()),
    "syslog": ({"x86_64": 103, "aarch64": 116}, (2, 0, 0)),
    "kexec_load": ({"x86_64": 246, "aarch64": 104}, (0, 0, 0, 0)),
    "init_module": ({"x86_64": 175, "aarch64": 105}, (0, 0, 0)),
    "seccomp": ({"x86_64": 317, "aarch64": 277}, (2, 0, 0)),
    "personality without address randomisation": ({"x86_64": 135, "aarch64": 92}, (0x0040000,)),
}


def test_system_calls_that_reach_beyond_the_sandbox_are_denied(sandbox: Sandbox) -> None:
    evidence = run(
        sandbox,
        f"""
        import ctypes, errno, os, platform
        libc = ctypes.CDLL(None, use_errno=True)
        for name, (numbers, args) in {_DENIED!r}.items():
            ctypes.set_errno(0)
            result = libc.syscall(numbers[platform.machine()], *args)
            print(name, "->", result, errno.errorcode.get(ctypes.get_errno()))
        """,
    )
    assert evidence.stdout.decode().splitlines() == [f"{name} -> -1 EPERM" for name in _DENIED]


@pytest.mark.parametrize(
    ("doing", "code", "expected"),
    [
        ("reach the network", "socket.create_connection(('192.0.2.1', 80), 2)", "OSError"),
        ("reach the metadata address", "socket.create_connection(('169.254.169.254', 80), 2)",
         "OSError"),
        ("resolve a name", "socket.getaddrinfo('example.com', 80)", "gaierror"),
        ("ask the kernel for its routes", "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
         "PermissionError"),
        ("talk to the hypervisor", "socket.socket(40, socket.SOCK_STREAM)", "PermissionError"),
        ("talk to itself", "a, b = socket.socketpair(); a.send(b'x')", "ok"),
        ("write beside its box", "open('/opt/proctor/x', 'w')", "OSError"),
        ("write to the root", "open('/x', 'w')", "OSError"),
        ("write to /etc", "open('/etc/passwd', 'a')", "OSError"),
        ("write to /usr", "open('/usr/lib/x', 'w')", "OSError"),
        ("write to /dev", "open('/dev/x', 'w')", "OSError"),
        ("write to /dev/mqueue", "open('/dev/mqueue/x', 'w')", "OSError"),
        ("write to its cgroup", "open('/sys/fs/cgroup/memory.max', 'w')", "OSError"),
        ("write to the kernel", "open('/proc/sys/kernel/core_pattern', 'w')", "OSError"),
        ("write in its box", "open('x', 'w').write('x')", "ok"),
        ("write to /tmp", "open('/tmp/x', 'w').write('x')", "ok"),
        ("write to /dev/shm", "open('/dev/shm/x', 'w').write('x')", "ok"),
        ("read the agent's memory", "open('/proc/1/mem', 'rb').read(1)", "OSError"),
        ("read the agent's environment", "open('/proc/1/environ').read()", "OSError"),
        ("become root", "os.setuid(0)", "OSError"),
        ("make a device", "os.mknod('d', 0o600 | stat.S_IFBLK, 0)", "PermissionError"),
        ("use a lock of multiprocessing", "multiprocessing.Lock().acquire()", "ok"),
        ("use a thread", "threading.Thread(target=print).start()", "ok"),
        ("use a subprocess", "subprocess.run(['true'], check=True)", "ok"),
    ],
)  # fmt: skip
def test_what_a_program_may_do(sandbox: Sandbox, doing: str, code: str, expected: str) -> None:
    if doing.startswith(("read the agent's", "write to /dev/")) and _shares_uid(sandbox):
        pytest.skip("as an ordinary user, bubblewrap has one uid for agent and program")
    evidence = run(
        sandbox,
        f"""
        import os, socket, stat, multiprocessing, subprocess, threading
        try:
            {code}
        except Exception as error:
            for kind in type(error).__mro__:
                print(kind.__name__)
        else:
            print("ok")
        """,
    )
    assert expected in evidence.stdout.decode().split(), evidence


def _shares_uid(sandbox: Sandbox) -> bool:
    return sandbox.info.backend == "bubblewrap" and sandbox.info.memory_meter == "watch"


def test_nothing_of_the_host_is_in_sight(sandbox: Sandbox) -> None:
    evidence = run(
        sandbox,
        """
        import os, socket
        print(sorted(os.listdir("/")))
        print(sorted(os.environ))
        print(socket.gethostname())
        print([line.split(":")[0] for line in open("/etc/passwd")])
        print(len([name for name in os.listdir("/proc") if name.isdigit()]))
        """,
    )
    roots, environment, host, users, processes = map(
        str.strip, evidence.stdout.decode().splitlines()
    )
    for name in ("work", "docker.sock", "workspace"):
        assert f"'{name}'" not in roots
    assert not re.search(r"KEY|TOKEN|SECRET|PROCTOR|PASSWORD|PROXY", environment, re.IGNORECASE)
    assert host == "sandbox"
    assert "'root'" in users
    # The agent, its zygotes, the program; no process of the host.
    assert int(processes) < 10


def test_programs_import_the_common_packages_and_nothing_of_ours(sandbox: Sandbox) -> None:
    evidence = run(
        sandbox,
        """
        import importlib
        for name in ("numpy", "scipy.optimize", "pandas", "sympy", "networkx", "sortedcontainers",
                     "requests", "proctor", "proctor_server", "proctor_sandbox", "docker", "rq",
                     "redis", "pytest", "hypothesis", "pip", "agent"):
            try:
                importlib.import_module(name)
            except ModuleNotFoundError:
                print("no", name)
        import numpy, scipy.linalg
        print(numpy.linalg.det(scipy.linalg.hilbert(2)).round(6))
        """,
    )
    missing = ["requests", "proctor", "proctor_server", "proctor_sandbox", "docker", "rq"]
    # pytest itself is for projects.
    missing += ["redis", "hypothesis", "pip", "agent"]
    assert evidence.stdout.decode().splitlines() == [
        *(f"no {name}" for name in missing),
        "0.083333",
    ], evidence.stderr


def test_the_next_program_finds_nothing_of_the_last(sandbox: Sandbox) -> None:
    leave = """
        import os, socket, subprocess, sys, tempfile
        for place in (".", "/tmp", "/dev/shm"):
            os.makedirs(place + "/left/behind")
            os.mkfifo(place + "/fifo")
            os.symlink("/etc", place + "/link")
            open(place + "/file", "w").write("x")
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.execlp("sleep", "sleep", "600")
            os._exit(0)
        print("left")
        """
    look = """
        import os
        found = [n for place in (".", "/tmp", "/dev/shm") for n in os.listdir(place)]
        me = os.getuid()
        others = []
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) != os.getpid():
                if "sleep" in open(f"/proc/{name}/cmdline").read():
                    others.append(name)
        print(found, others)
        """
    assert run(sandbox, leave).stdout == b"left\n"
    assert run(sandbox, look).stdout == b"[] []\n"


def test_tmpfs_is_bounded_in_bytes(sandbox: Sandbox) -> None:
    evidence = run(
        sandbox,
        """
        for place, most in ((".", 300), ("/tmp", 100), ("/dev/shm", 100)):
            written = 0
            try:
                with open(place + "/big", "wb", buffering=0) as file:
                    for _ in range(most):
                        written += file.write(bytes(1 << 20))
            except OSError as error:
                print(place, error.errno)
            open(place + "/big", "wb").close()
        """,
    )
    # EFBIG (27) where the program's own file size limit is reached before the disk is full.
    assert re.fullmatch(rb"\. (28|27)\n/tmp 28\n/dev/shm 28\n", evidence.stdout), evidence


def test_c_plus_plus_is_compiled_and_run(native_sandbox: Sandbox) -> None:
    source = """
        #include <bits/stdc++.h>
        int main() { long long a, b; std::cin >> a >> b; std::cout << a + b << std::endl; }
        """
    cases = [StdinCase(b"1 2"), StdinCase(b"40 2")]
    broken = Work(Program("cpp", "int main() { return x; }"), cases, LIMITS)
    good, bad, c = native_sandbox.execute(
        [
            Work(Program("cpp", source), cases, LIMITS),
            broken,
            Work(Program("c", '#include <stdio.h>\nint main(void){puts("c");}'), cases[:1], LIMITS),
        ]
    )
    assert [one.stdout for one in good.runs] == [b"3\n", b"42\n"]
    assert [one.end for one in bad.runs] == [End.COMPILE_ERROR]
    assert b"was not declared" in bad.runs[0].stderr
    assert c.runs[0].stdout == b"c\n"
