"""Attacks on the kernel and the network: each call that must be refused, and how it is."""

import platform

from proctor_sandbox.programs import End
from tests.adversarial.attack import Attack, Row, probe

_ARM = platform.machine() == "aarch64"


def _denied(name: str, row: Row, x86: int, arm: int, *args: object) -> Attack:
    """A system call by its number, which must be refused with EPERM, nothing else."""
    source = f"""
        import ctypes, errno
        libc = ctypes.CDLL(None, use_errno=True)
        for call in (libc.syscall,):
            result = call({arm if _ARM else x86}, *{args!r})
            print(result, errno.errorcode.get(ctypes.get_errno()))
        """
    return Attack(name, row, source, stdout=b"-1 EPERM\n", exit_code=0)


_FLAGS = {
    "user": 0x10000000,
    "mount": 0x00020000,
    "pid": 0x20000000,
    "network": 0x40000000,
    "IPC": 0x08000000,
    "UTS": 0x04000000,
    "cgroup": 0x02000000,
}

ATTACKS = [
    *(
        _denied(f"unshare of a {name} namespace", Row.KERNEL, 272, 97, flag)
        for name, flag in _FLAGS.items()
    ),
    _denied("clone of a user namespace", Row.KERNEL, 56, 220, 0x10000011, 0, 0, 0, 0),
    _denied("setns", Row.KERNEL, 308, 268, 0, 0),
    _denied("mount", Row.KERNEL, 165, 40, 0, 0, 0, 0, 0),
    _denied("umount2", Row.KERNEL, 166, 39, 0, 2),
    _denied("the new mount calls: fsopen", Row.KERNEL, 430, 430, 0, 0),
    _denied("the new mount calls: move_mount", Row.KERNEL, 429, 429, 0, 0, 0, 0, 0),
    _denied("pivot_root", Row.KERNEL, 155, 41, 0, 0),
    _denied("chroot", Row.KERNEL, 161, 51, 0),
    _denied("ptrace", Row.TRACING, 101, 117, 0, 0, 0, 0),
    _denied("process_vm_readv", Row.TRACING, 310, 270, 1, 0, 0, 0, 0, 0),
    _denied("process_vm_writev", Row.TRACING, 311, 271, 1, 0, 0, 0, 0, 0),
    _denied("process_madvise", Row.TRACING, 440, 440, 0, 0, 0, 0, 0),
    _denied("shmget", Row.IPC, 29, 194, 0, 4096, 0o1600),
    _denied("semget", Row.IPC, 64, 190, 0, 1, 0o1600),
    _denied("msgget", Row.IPC, 68, 186, 0, 0o1600),
    _denied("mq_open", Row.IPC, 240, 180, 0, 0, 0, 0),
    _denied("keyctl", Row.KERNEL, 250, 219, 0, 0),
    _denied("userfaultfd", Row.KERNEL, 323, 282, 1),
    _denied("io_uring_setup", Row.KERNEL, 425, 425, 1, 0),
    _denied("io_uring_enter", Row.KERNEL, 426, 426, 0, 0, 0, 0, 0, 0),
    _denied("bpf", Row.KERNEL, 321, 280, 0, 0, 0),
    _denied("perf_event_open", Row.KERNEL, 298, 241, 0, 0, 0, 0, 0),
    _denied("memfd_secret", Row.KERNEL, 447, 447, 0),
    _denied("quotactl", Row.KERNEL, 179, 60, 0, 0, 0, 0),
    _denied("swapon", Row.KERNEL, 167, 224, 0, 0),
    _denied("init_module", Row.KERNEL, 175, 105, 0, 0, 0),
    _denied("kexec_load", Row.KERNEL, 246, 104, 0, 0, 0, 0),
    _denied("reboot", Row.KERNEL, 169, 142, 0, 0, 0, 0),
    _denied("sync of the host's disks", Row.KERNEL, 162, 81),
    _denied("sethostname", Row.KERNEL, 170, 161, b"x", 1),
    _denied("clock_settime", Row.CLOCK, 227, 112, 0, 0),
    _denied("settimeofday", Row.CLOCK, 164, 170, 0, 0),
    _denied("adjtimex", Row.CLOCK, 159, 171, 0),
    _denied("clock_adjtime", Row.CLOCK, 305, 266, 0, 0),
    probe(
        "the clock by way of Python",
        Row.CLOCK,
        ("time.clock_settime(time.CLOCK_REALTIME, 0)",),
        imports="time",
    ),
    Attack(
        "system calls of 32 bits",
        Row.KERNEL,
        # int 0x80 with eax 26 is ptrace there, 20 getpid: neither may reach the kernel.
        """
        #include <stdio.h>
        int main(void) {
            long got = 20;
        #ifdef __x86_64__
            __asm__ volatile("int $0x80" : "+a"(got) : : "memory", "r8", "r9", "r10", "r11");
        #else
            got = -1;
        #endif
            puts(got > 0 ? "answered" : "refused");
        }
        """,
        frozenset({End.SIGNALED, End.EXITED}),
        language="c",
        never=(b"answered",),
    ),
    Attack(
        "system calls of x32",
        Row.KERNEL,
        """
        #include <stdio.h>
        #include <unistd.h>
        int main(void) { puts(syscall(0x40000000 + 39) > 0 ? "answered" : "refused"); }
        """,
        frozenset({End.SIGNALED, End.EXITED}),
        language="c",
        never=(b"answered",),
    ),
    Attack(
        "clone3 with a new namespace",
        Row.KERNEL,
        """
        #include <errno.h>
        #include <stdio.h>
        #include <string.h>
        #include <sys/syscall.h>
        #include <unistd.h>
        int main(void) {
            unsigned long args[11] = {0x10000000};  // CLONE_NEWUSER
            long got = syscall(SYS_clone3, args, sizeof args);
            if (got == 0) _exit(0);
            puts(got == -1 && errno == ENOSYS ? "not there" : strerror(errno));
        }
        """,
        language="c",
        stdout=b"not there\n",
        exit_code=0,
    ),
    probe(
        "becoming somebody else",
        Row.KERNEL,
        (
            "os.setuid(0)",
            "os.setgid(0)",
            "os.setgroups([0])",
            "os.setresuid(0, 0, 0)",
            "os.setresuid(65534, 65534, 65534)",
        ),
    ),
    probe(
        "the kernel's own files",
        Row.KERNEL,
        (
            "open('/proc/sys/kernel/core_pattern', 'w')",
            "open('/proc/sys/vm/drop_caches', 'w')",
            "open('/proc/sysrq-trigger', 'w')",
            "open('/proc/self/uid_map', 'wb', 0).write(b'0 0 1')",
            "open('/proc/kcore', 'rb').read(1)[0]",
            "open('/sys/kernel/uevent_helper', 'w')",
            "open('/sys/fs/cgroup/memory.max', 'w')",
            "open('/sys/fs/cgroup/memory/memory.limit_in_bytes', 'w')",
            "os.mkdir('/sys/fs/cgroup/memory/mine')",
            "os.mkdir('/sys/fs/cgroup/mine')",
            "open('/sys/fs/cgroup/cgroup.procs', 'wb', 0).write(b'1')",
        ),
        allowed=("OSError", "IndexError"),
    ),
    *(
        probe(f"a socket of the family {name}", Row.NETWORK, (opens,), imports="socket")
        for name, opens in (
            ("AF_INET", "socket.socket()"),
            ("AF_INET6", "socket.socket(socket.AF_INET6)"),
            ("AF_VSOCK", "socket.socket(40, socket.SOCK_STREAM)"),
            ("AF_ALG", "socket.socket(38, socket.SOCK_SEQPACKET)"),
            ("AF_NETLINK", "socket.socket(16, socket.SOCK_RAW, 0)"),
            ("AF_PACKET", "socket.socket(17, socket.SOCK_RAW)"),
            ("AF_XDP", "socket.socket(44, socket.SOCK_RAW)"),
            ("AF_KEY", "socket.socket(15, socket.SOCK_RAW, 2)"),
            ("AF_BLUETOOTH", "socket.socket(31, socket.SOCK_RAW)"),
        )
    ),
    probe(
        "every address there might be",
        Row.NETWORK,
        (
            "socket.create_connection(('192.0.2.1', 80), 1)",
            "socket.create_connection(('169.254.169.254', 80), 1)",
            "socket.create_connection(('172.17.0.1', 2375), 1)",
            "socket.create_connection(('127.0.0.1', 6379), 1)",
            "socket.create_connection(('127.0.0.1', 8000), 1)",
            "socket.create_connection(('::1', 6379), 1)",
            "socket.create_connection(('2001:db8::1', 80), 1)",
            "socket.getaddrinfo('example.com', 80)",
            "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.53', 53))",
            "socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)",
        ),
        imports="socket",
    ),
    probe(
        "sockets of the host",
        Row.NETWORK,
        (
            "socket.socket(socket.AF_UNIX).connect('/var/run/docker.sock')",
            "socket.socket(socket.AF_UNIX).connect('/run/containerd/containerd.sock')",
            "socket.socket(socket.AF_UNIX).connect('/run/dbus/system_bus_socket')",
            "socket.socket(socket.AF_UNIX).connect('\\0/tmp/.X11-unix/X0')",
        ),
        imports="socket",
    ),
    Attack(
        "interfaces",
        Row.NETWORK,
        "import socket; print([name for _, name in socket.if_nameindex() if name != 'lo'])",
        frozenset({End.EXITED}),
        never=(b"eth", b"docker", b"ens", b"wlan"),
    ),
]
