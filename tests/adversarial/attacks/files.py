"""Attacks with files: too many, too large, of odd kinds, left behind for the next program."""

from dataclasses import replace

from proctor_sandbox.programs import End, StdinCase
from tests.adversarial.attack import EXITED, RING, SHARED_UID, STOPPED, TIGHT, Attack, Row, probe

_SLOW = replace(TIGHT, cpu_time_s=1.5, wall_time_s=8.0)

ATTACKS = [
    Attack(
        "filling every disk",
        Row.DISK,
        """
        import errno
        for place in ("/tmp", "/dev/shm", "."):
            try:
                with open(place + "/full", "wb", buffering=0) as file:
                    while True: file.write(bytes(1 << 20))
            except OSError as error: print(errno.errorcode[error.errno])
        """,
        EXITED | STOPPED,
        limits=_SLOW,
        may_cost_a_zygote=True,
    ),
    Attack(
        "many files",
        Row.DISK,
        """
        import errno
        try:
            for number in range(10**7): open(f"/tmp/{number}", "w").close()
        except OSError as error: print(errno.errorcode[error.errno])
        """,
        EXITED | STOPPED,
        limits=TIGHT,
        may_cost_a_zygote=True,
    ),
    Attack(
        "many links to one file",
        Row.DISK,
        """
        import os
        open("x", "w").close()
        try:
            for number in range(10**7): os.link("x", f"l{number}")
        except OSError as error: print("refused")
        """,
        EXITED | STOPPED,
        limits=TIGHT,
        may_cost_a_zygote=True,
    ),
    Attack(
        "a giant file without content",
        Row.DISK,
        """
        import os, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        for place in ("/tmp", "/dev/shm", "."):
            with open(place + "/sparse", "wb") as file:
                try: file.truncate(1 << 40)
                except OSError as error: print(error.errno)
        """,
        stdout=b"27\n" * 3,
        exit_code=0,
    ),
    Attack(
        "files kept by a ring of sockets",
        Row.DISK,
        f"""{RING}
        for place in ("/tmp", "/dev/shm", "."):
            with open(place + "/kept", "wb") as file:
                file.write(bytes(10 << 20))
                put(file.fileno())
        print("kept")
        """,
        times=2,
        limits=_SLOW,
        stdout=b"kept\n",
        exit_code=0,
    ),
    Attack(
        "space taken ahead",
        Row.DISK,
        """
        import os, errno
        try:
            with open("/tmp/x", "wb") as file: os.posix_fallocate(file.fileno(), 0, 200 << 20)
        except OSError as error: print(errno.errorcode[error.errno])
        """,
        EXITED | frozenset({End.MEMORY_LIMIT}),
        limits=_SLOW,
        may_cost_a_zygote=True,
    ),
    Attack(
        "deep folders",
        Row.DISK,
        """
        import os
        for place in ("/tmp", "."):
            os.chdir(place)
            for _ in range(1500):
                os.mkdir("d")
                os.chdir("d")
        print("deep")
        """,
        stdout=b"deep\n",
        exit_code=0,
    ),
    Attack(
        "every descriptor",
        Row.DESCRIPTORS,
        """
        import errno, os
        try:
            while True: os.dup(0)
        except OSError as error: print(errno.errorcode[error.errno])
        """,
        stdout=b"EMFILE\n",
        exit_code=0,
    ),
    Attack(
        "every descriptor, in many processes",
        Row.DESCRIPTORS,
        """
        #include <stdio.h>
        #include <unistd.h>
        int main(void) {
            int p[2], made = 0;
            for (int n = 0; n < 4; n++) fork();
            while (pipe(p) == 0) made++;
            usleep(50000);
            if (made > 1000) puts("no bound");
        }
        """,
        language="c",
        stdout=b"",
    ),
    Attack(
        "a higher limit of descriptors",
        Row.DESCRIPTORS,
        """
        import resource
        for most in (4096, 10**6, resource.RLIM_INFINITY):
            try: resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
            except (ValueError, OSError): print("refused")
        """,
        stdout=b"refused\n" * 3,
    ),
    Attack(
        "odd things in every folder",
        Row.LINKS,
        r"""
        import os, socket
        home = os.getcwd()
        for place in (home, "/tmp", "/dev/shm"):
            os.chdir(place)
            os.mkfifo("fifo")
            os.symlink("/etc/passwd", "link")
            os.symlink("/opt/proctor", "folder")
            os.symlink("loop", "loop")
            socket.socket(socket.AF_UNIX).bind("socket")
            open(b"\xff\n\x1b[2J", "w").close()
            os.makedirs("a/b/c")
            open("a/b/c/file", "w").close()
            os.link("a/b/c/file", "hard")
            os.chmod("a/b", 0)
            os.chmod("hard", 0o4000)
        os.chdir(home)
        os.chmod(".", 0)
        print("left")
        """,
        stdout=b"left\n",
        exit_code=0,
    ),
    Attack(
        "its folder replaced by a link",
        Row.LINKS,
        """
        import os
        home = os.getcwd()
        for there in ("/etc", "/opt/proctor", "/box"):
            try:
                os.rename(home, home + "x")
                os.symlink(there, home)
                print("replaced")
            except OSError: pass
        print("done")
        """,
        stdout=b"done\n",
        exit_code=0,
        may_lose=frozenset({SHARED_UID}),
    ),
    Attack(
        "links to what is not its own",
        Row.LINKS,
        """
        import os
        for there in ("/etc/passwd", "/opt/proctor/agent/main.py", __file__, "/proc/1/environ"):
            try:
                os.link(there, "/tmp/own")
                os.chmod("/tmp/own", 0o777)
                print("linked and changed", there)
            except OSError: pass
        print("done")
        """,
        stdout=b"done\n",
        exit_code=0,
        skipped={SHARED_UID: "its source lies in a folder of the one uid there"},
    ),
    probe(
        "devices",
        Row.LINKS,
        (
            "os.mknod('/tmp/mem', 0o600 | stat.S_IFCHR, os.makedev(1, 1))",
            "os.mknod('disk', 0o600 | stat.S_IFBLK, os.makedev(8, 0))",
            "open('/dev/mem')",
            "open('/dev/kmsg')",
            "open('/dev/fuse')",
            "open('/dev/kvm')",
            "open('/dev/net/tun')",
        ),
        imports="os, stat",
    ),
    probe(
        "writing beside its box",
        Row.LINKS,
        (
            "open('/x', 'w')",
            "open('/box/x', 'w')",
            "open('/box/w/x', 'w')",
            "open('/box/src/x', 'w')",
            "open('/box/in/x', 'w')",
            "os.listdir('/box/in')",
            "open(__file__, 'w')",
            "os.chmod(__file__, 0o666)",
            "os.unlink(__file__)",
            "open('/etc/passwd', 'a')",
            "open('/opt/proctor/agent/main.py', 'a')",
            "os.chown('/tmp', os.getuid(), -1)",
            "os.chmod('/tmp', 0o777)",
        ),
        shared_uid=False,
    ),
    Attack(
        "a compiled program that is a link",
        Row.LINKS,
        """
        #include <stdio.h>
        #include <unistd.h>
        int main(int argc, char **argv) {
            char path[256] = "";
            readlink("/proc/self/exe", path, sizeof path - 1);
            if (unlink(path) == 0 || symlink("/bin/sh", path) == 0 || fopen(path, "w"))
                puts("its own binary can be changed");
            puts("done");
        }
        """,
        language="c",
        cases=(StdinCase(b""), StdinCase(b"")),
        stdout=b"done\n",
        exit_code=0,
        skipped={SHARED_UID: "its binary lies in a folder of the one uid there"},
    ),
]
