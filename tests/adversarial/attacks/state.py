"""Attacks that leave something for the next program, or the next test, to find."""

from proctor_sandbox.programs import CallCase, StdinCase
from tests.adversarial.attack import SHARED_UID, Attack, Row, probe

_TWO = (StdinCase(b""), StdinCase(b""))

ATTACKS = [
    Attack(
        "notes in every folder that can be written to",
        Row.STATE,
        """
        import os
        mounts = {line.split()[1] for line in open("/proc/self/mounts")} - {"/proc"}
        folders = {entry.path for mount in mounts if os.path.isdir(mount)
                   for entry in os.scandir(mount) if entry.is_dir(follow_symlinks=False)}
        notes = [os.path.join(folder, ".note") for folder in mounts | folders]
        print([note for note in notes if os.path.exists(note)])
        for note in notes:
            try: open(note, "w").close()
            except OSError: continue
        """,
        cases=_TWO,
        times=2,
        stdout=b"[]\n",
        exit_code=0,
        skipped={SHARED_UID: "the one uid there can write to /box between tests of a program"},
    ),
    Attack(
        "notes in /tmp, /var/tmp, /dev/shm, its home and the module path",
        Row.STATE,
        """
        import os, site, sys, tempfile
        places = ["/tmp", "/var/tmp", "/dev/shm", os.path.expanduser("~"), ".",
                  tempfile.gettempdir(), site.getusersitepackages(), *sys.path[1:]]
        print([place for place in places if os.path.exists(place + "/note.py")])
        for place in places:
            try:
                os.makedirs(place, exist_ok=True)
                open(place + "/note.py", "w").close()
            except OSError: continue
        """,
        cases=_TWO,
        times=2,
        stdout=b"[]\n",
        exit_code=0,
    ),
    Attack(
        "patched modules and builtins",
        Row.STATE,
        """
        import builtins, json, os, sys
        print(hasattr(builtins, "mark"), hasattr(json, "mark"), "mark" in os.environ,
              "mark" in sys.modules)
        builtins.mark = json.mark = sys.modules["mark"] = 1
        os.environ["mark"] = "1"
        builtins.print = lambda *_: None
        """,
        cases=_TWO,
        times=2,
        stdout=b"False False False False\n",
        exit_code=0,
    ),
    Attack(
        "globals kept from call to call",
        Row.STATE,
        """
        seen = []
        def f():
            seen.append(1)
            print(len(seen))
            return 0
        """,
        cases=(CallCase("f"), CallCase("f")),
        times=2,
        stdout=b"1\n",
    ),
    Attack(
        "a compiler's droppings",
        Row.STATE,
        """
        #include <stdio.h>
        #include <dirent.h>
        int main(void) {
            const char *places[] = {".", "/tmp", "/dev/shm"};
            for (int n = 0; n < 3; n++) {
                DIR *folder = opendir(places[n]);
                for (struct dirent *entry; (entry = readdir(folder));)
                    if (entry->d_name[0] != '.') puts(entry->d_name);
                char path[64];
                snprintf(path, sizeof path, "%s/note", places[n]);
                fclose(fopen(path, "w"));
            }
        }
        """,
        language="c",
        cases=_TWO,
        times=2,
        stdout=b"",
        exit_code=0,
    ),
    Attack(
        "System V IPC by way of libc",
        Row.IPC,
        """
        import ctypes
        libc = ctypes.CDLL(None)
        made = (libc.shmget(0x5ec, 4096, 0o1666), libc.semget(0x5ec, 1, 0o1666),
                libc.msgget(0x5ec, 0o1666), libc.shmget(0, 4096, 0o1666))
        print(made)
        """,
        times=2,
        stdout=b"(-1, -1, -1, -1)\n",
        exit_code=0,
    ),
    Attack(
        "POSIX queues by way of libc and of /dev/mqueue",
        Row.IPC,
        """
        #include <fcntl.h>
        #include <mqueue.h>
        #include <stdio.h>
        int main(void) {
            if (mq_open("/left", O_CREAT | O_RDWR, 0666, NULL) != -1) puts("a queue");
            if (fopen("/dev/mqueue/left", "w")) puts("a file for a queue");
        }
        """,
        language="c",
        times=2,
        stdout=b"",
        exit_code=0,
    ),
    Attack(
        "POSIX shared memory and semaphores",
        Row.IPC,
        """
        #include <fcntl.h>
        #include <semaphore.h>
        #include <stdio.h>
        #include <sys/mman.h>
        int main(void) {
            if (shm_open("/left", O_RDWR, 0) != -1 || sem_open("/left", 0) != SEM_FAILED)
                puts("found what the last one left");
            if (shm_open("/left", O_CREAT | O_RDWR, 0666) == -1) puts("none for honest ones");
            sem_open("/left", O_CREAT, 0666, 1);
        }
        """,
        language="c",
        cases=_TWO,
        times=2,
        stdout=b"",
        exit_code=0,
    ),
    Attack(
        "locks held by a daemon",
        Row.IPC,
        """
        import fcntl, os, sys, time
        held = [open(path) for path in ("/etc/passwd", sys.executable or "/bin/sh", "/dev/null")]
        for file in held:
            try: fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError: print("locked by the last one:", file.name)
        if os.fork() == 0: time.sleep(600)
        """,
        cases=_TWO,
        times=2,
        stdout=b"",
        exit_code=0,
    ),
    Attack(
        "sockets without a file",
        Row.IPC,
        r"""
        import os, socket, time
        listener = socket.socket(socket.AF_UNIX)
        try: listener.bind("\0left")
        except OSError: print("the last one's is there")
        listener.listen()
        if os.fork() == 0: time.sleep(600)
        """,
        cases=_TWO,
        times=2,
        stdout=b"",
        exit_code=0,
    ),
    probe(
        "keyrings",
        Row.IPC,
        tuple(
            f"if libc.syscall({number}, {args}) == -1: raise OSError"
            for number, args in (
                # x86-64: add_key, request_key, keyctl(KEYCTL_GET_KEYRING_ID, session, create)
                (248, "b'user', b'left', b'x', 1, -3"),
                (249, "b'user', b'left', 0, -3"),
                (250, "0, -3, 1"),
            )
        ),
        imports="ctypes; libc = ctypes.CDLL(None)",
    ),
]
