"""Attacks that look for tests and answers."""

from proctor_sandbox.programs import End, ExamineCase, StdinCase
from tests.adversarial.attack import Attack, Row, probe

CANARY = b"canary-of-the-tests"

# The test code is run by an examiner beside the program: the canary is in that process alone.
_EXAMINED = (ExamineCase(f"expected = {CANARY.decode()!r}\nassert f() != expected"),)
# Another test's input, which lies in the agent's memory meanwhile.
_NEXT = (StdinCase(b""), StdinCase(b"canary-of-the-tests"))

_OTHERS = """
        import os
        others = [name for name in os.listdir("/proc") if name.isdigit() and
                  int(name) != os.getpid()]
        """

ATTACKS = [
    probe(
        "the agent's memory and descriptors",
        Row.TRACING,
        (
            "open('/proc/1/mem', 'rb').read(1)",
            "open('/proc/1/maps').read()[0]",
            "open('/proc/1/environ').read()[0]",
            "open('/proc/1/auxv', 'rb').read()[0]",
            "os.readlink('/proc/1/fd/0')",
            "os.listdir('/proc/1/map_files')[0]",
            "os.readlink('/proc/1/exe')",
            "os.readlink('/proc/1/cwd')",
            "os.listdir('/proc/1/root')",
            "open('/proc/1/stack').read()",
            "open('/proc/1/syscall').read()",
            "open('/proc/1/fd/0', 'rb')",
        ),
        allowed=("OSError", "IndexError"),
    ),
    probe(
        "the zygote's memory and descriptors",
        Row.TRACING,
        (
            "open(f'/proc/{os.getppid()}/mem', 'rb').read(1)",
            "open(f'/proc/{os.getppid()}/maps').read()[0]",
            "open(f'/proc/{os.getppid()}/environ').read()[0]",
            "os.readlink(f'/proc/{os.getppid()}/fd/3')",
            "os.readlink(f'/proc/{os.getppid()}/exe')",
            "open(f'/proc/{os.getppid()}/fd/0', 'rb')",
        ),
        allowed=("OSError", "IndexError"),
    ),
    probe(
        "the agent's list of descriptors, and its chances with the killer",
        Row.TRACING,
        (
            "os.listdir('/proc/1/fd')[0]",
            "os.listdir(f'/proc/{os.getppid()}/fd')[0]",
            "open('/proc/1/clear_refs', 'w')",
            "open('/proc/1/oom_score_adj', 'w')",
            "open(f'/proc/{os.getppid()}/oom_score_adj', 'w')",
        ),
        shared_uid=False,
    ),
    Attack(
        "every process's memory while an examiner is there",
        Row.TRACING,
        f"""{_OTHERS}
        def f():
            found = 0
            for name in {{*others, *os.listdir("/proc")}}:
                if not name.isdigit() or int(name) == os.getpid(): continue
                for file in ("mem", "maps", "environ", "fd/0", "fd/5"):
                    try: found += len(open(f"/proc/{{name}}/{{file}}", "rb").read(1))
                    except OSError: pass
            print(found)
        """,
        cases=_EXAMINED,
        stdout=b"0\n",
        never=(CANARY,),
    ),
    Attack(
        "process_vm_readv and ptrace of every process",
        Row.TRACING,
        """
        #include <dirent.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <sys/ptrace.h>
        #include <sys/uio.h>
        #include <unistd.h>
        int main(void) {
            char byte;
            struct iovec here = {&byte, 1}, there = {(void *)0x400000, 1};
            DIR *proc = opendir("/proc");
            for (struct dirent *entry; (entry = readdir(proc));) {
                int pid = atoi(entry->d_name);
                if (pid == 0 || pid == getpid()) continue;
                if (ptrace(PTRACE_SEIZE, pid, 0, 0) == 0) puts("seized");
                if (ptrace(PTRACE_ATTACH, pid, 0, 0) == 0) puts("attached");
                if (process_vm_readv(pid, &here, 1, &there, 1, 0) == 1) puts("read");
                if (process_vm_writev(pid, &here, 1, &there, 1, 0) == 1) puts("written");
            }
            if (ptrace(PTRACE_TRACEME, 0, 0, 0) == 0) puts("traced");
        }
        """,
        language="c",
        stdout=b"",
        exit_code=0,
    ),
    Attack(
        "every file that can be read",
        Row.READING,
        """
        import os
        for top in ("/box", "/tmp", "/dev/shm", "/opt/proctor", "/run", "/var/tmp"):
            for folder, _, names in os.walk(top):
                for name in names:
                    path = os.path.join(folder, name)
                    try: text = open(path, "rb").read(1 << 20)
                    except OSError: continue
                    if b"-of-the-" b"tests" in text: print("found in", path, text[:200])
        print("done")
        """,
        cases=_NEXT,
        stdout=b"done\n",
        exit_code=0,
        never=(CANARY,),
    ),
    Attack(
        "its environment",
        Row.READING,
        """
        import os
        print(sorted(os.environ))
        raw = open("/proc/self/environ", "rb").read().split(b"\\0")
        print(sorted({name.partition(b"=")[0].decode() for name in raw} - {""} - {*os.environ}))
        """,
        stdout=b"['HOME', 'LANG', 'MKL_NUM_THREADS', 'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', "
        b"'PATH', 'PYTHONHASHSEED']\n[]\n",
        exit_code=0,
    ),
    Attack(
        "its environment in C",
        Row.READING,
        """
        #include <stdio.h>
        #include <string.h>
        extern char **environ;
        int main(void) {
            for (char **each = environ; *each; each++)
                printf("%.*s\\n", (int)strcspn(*each, "="), *each);
        }
        """,
        language="c",
        stdout=b"PATH\nLANG\nPYTHONHASHSEED\nOMP_NUM_THREADS\nOPENBLAS_NUM_THREADS\n"
        b"MKL_NUM_THREADS\nHOME\n",
        exit_code=0,
    ),
    Attack(
        "command lines of others",
        Row.READING,
        f"""{_OTHERS}
        for name in others:
            line = open(f"/proc/{{name}}/cmdline").read()
            for word in ("canary", "expected", "redis", "http", "token", "secret"):
                if word in line.lower(): print(word, line)
        print(len(others) < 6)
        """,
        stdout=b"True\n",
        exit_code=0,
    ),
    Attack(
        "inherited descriptors",
        Row.READING,
        """
        import os
        print(sorted(os.listdir("/proc/self/fd"), key=int)[:-1])
        """,
        cases=(StdinCase(b""), StdinCase(b"x")),
        stdout=b"['0', '1', '2']\n",
        exit_code=0,
    ),
    Attack(
        "inherited descriptors in C",
        Row.READING,
        """
        #include <fcntl.h>
        #include <stdio.h>
        int main(void) {
            for (int fd = 3; fd < 4096; fd++) if (fcntl(fd, F_GETFD) != -1) printf("%d\\n", fd);
        }
        """,
        language="c",
        stdout=b"",
        exit_code=0,
    ),
    Attack(
        "its own memory, for what the zygote knew",
        Row.READING,
        """
        import os
        wanted = b"-of-the-" + b"tests"
        found = []
        with open("/proc/self/mem", "rb", buffering=0) as memory:
            for line in open("/proc/self/maps"):
                span, rights = line.split()[:2]
                begin, end = (int(part, 16) for part in span.split("-"))
                if rights[0] != "r" or end - begin > 64 << 20: continue
                try:
                    memory.seek(begin)
                    text = memory.read(end - begin)
                except (OSError, OverflowError): continue
                at = text.find(b"canary" + wanted)
                if at >= 0: found.append(line)
        print(len(found))
        """,
        # The canary is the second test's input: no process may know it before that.
        cases=(StdinCase(b""), StdinCase(b"")),
        stdout=b"0\n",
        exit_code=0,
    ),
    Attack(
        "frames and garbage of its process",
        Row.READING,
        """
        import gc, sys
        def f():
            names = set()
            frame = sys._getframe()
            while frame:
                names.update(map(repr, frame.f_locals.values()))
                frame = frame.f_back
            text = " ".join(names) + repr([o for o in gc.get_objects() if type(o) is str])
            print("canary" + "-of-the-tests" in text)
        """,
        cases=_EXAMINED,
        stdout=b"False\n",
        never=(CANARY,),
    ),
    Attack(
        "including what is not its own",
        Row.READING,
        """
        #include <stdio.h>
        asm(".pushsection .rodata\\nfound: .incbin \\"/proc/1/environ\\"\\n.byte 0\\n.popsection");
        extern char found[];
        int main(void) { if (found[0]) puts(found); puts("empty"); }
        """,
        ends=frozenset({End.COMPILE_ERROR, End.EXITED}),
        language="c",
        never=(b"PATH", b"PROCTOR"),
    ),
]
