"""Attacks that try to write an answer of their own, where the agent would read it."""

from tests.adversarial.attack import Attack, Row

ATTACKS = [
    Attack(
        "writing to every descriptor",
        Row.FORGING,
        """
        import os
        for fd in range(3, 1024):
            try: os.write(fd, b'{"op":"runs","runs":[]}')
            except OSError: continue
            print("written to", fd)
        print("done")
        """,
        stdout=b"done\n",
        exit_code=0,
    ),
    Attack(
        "frames of the agent on stdout and stderr",
        Row.FORGING,
        r"""
        import os, struct
        header = b'{"op":"runs","id":1,"runs":[{"end":"exited","code":0}],"last":true}'
        frame = struct.pack("<II", len(header), 0) + header
        for fd in (1, 2): os.write(fd, frame)
        """,
        exit_code=0,
    ),
    Attack(
        "writing to the descriptors of others",
        Row.FORGING,
        """
        import os
        for name in os.listdir("/proc"):
            if not name.isdigit() or int(name) == os.getpid(): continue
            for fd in range(16):
                try: open(f"/proc/{name}/fd/{fd}", "wb", 0).write(b"forged")
                except OSError: continue
                print("written to", name, fd)
        print("done")
        """,
        stdout=b"done\n",
        exit_code=0,
    ),
    Attack(
        "the agent's sockets, taken with pidfd_getfd",
        Row.FORGING,
        """
        #include <stdio.h>
        #include <sys/syscall.h>
        #include <unistd.h>
        int main(void) {
            int pids[] = {1, getppid()};
            for (int n = 0; n < 2; n++) {
                int pidfd = syscall(SYS_pidfd_open, pids[n], 0);
                for (int fd = 0; fd < 16; fd++)
                    if (syscall(SYS_pidfd_getfd, pidfd, fd, 0) >= 0) puts("taken");
            }
        }
        """,
        language="c",
        stdout=b"",
        exit_code=0,
    ),
]
