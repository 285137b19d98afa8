"""Attacks on compilers, and by what they make."""

from proctor_sandbox.programs import End
from tests.adversarial.attack import SHARED_UID, TIGHT, Attack, Row
from tests.contract.conftest import REAL

# Slow ones: over one backend with a cgroup and one without.
_TWO = frozenset({"docker-runc", SHARED_UID})

_REFUSED = frozenset({End.COMPILE_ERROR})

_DOUBLED = "\n".join(f"#define A{n} A{n - 1} A{n - 1}" for n in range(1, 40))


_SLOW = "takes seconds, and shows nothing that the other backends do not"


def _compile(
    name: str,
    source: str,
    language: str = "cpp",
    *,
    row: Row = Row.COMPILER,
    only_on: frozenset[str] = frozenset(REAL),
) -> Attack:
    """A source that no compiler may be held up by: refused, in time."""
    skipped = {backend: _SLOW for backend in REAL if backend not in only_on}
    # A compiler is let have 1 GiB; what holds the zygotes may be taken for its hunger.
    return Attack(
        name,
        row,
        source,
        _REFUSED,
        language=language,
        limits=TIGHT,
        may_cost_a_zygote=True,
        skipped=skipped,
    )


ATTACKS = [
    _compile("#include </dev/random>", "#include </dev/random>\nint main() {}", only_on=_TWO),
    _compile("#include of itself", "#include __FILE__\nint main() {}"),
    _compile("#include of standard input", "#include </dev/stdin>\nint main() {}\nx", "c"),
    _compile("#include of the agent's memory", '#include "/proc/1/mem"\nint main(void) {}', "c"),
    _compile(
        "template bomb",
        "template <int n> struct T { T<n + 1> t; };\nint main() { T<0> t; }",
    ),
    _compile(
        "macro bomb", f"#define A0 x\n{_DOUBLED}\nint main(void) {{ A39 }}", "c", only_on=_TWO
    ),
    _compile(
        "endless constexpr",
        "constexpr int f() { int n = 1; while (n) n = n % 7 + 1; return n; }\n"
        "static_assert(f());\nint main() {}",
    ),
    _compile("output flood of a compiler", "int main(void) {" + "x;{" * 20_000, "c"),
    _compile("output flood by #pragma", '#pragma message "' + "x" * 100_000 + '"\nx', "c"),
    Attack(
        "a Python source that is too deep",
        Row.COMPILER,
        "x = " + "(" * 5000 + ")" * 5000,
        _REFUSED,
    ),
    Attack(
        "a Python source that folds to a giant",
        Row.COMPILER,
        "x = (1 << 100_000) ** 100_000",
        frozenset({End.CPU_LIMIT, End.MEMORY_LIMIT, End.EXITED}),
        limits=TIGHT,
        may_cost_a_zygote=True,
    ),
    _compile("a 200 MB binary", "char a[200 << 20] = {1};\nint main(void) {}", "c", row=Row.CORES),
    Attack(
        "a core dump",
        Row.CORES,
        """
        #include <stdio.h>
        #include <stdlib.h>
        #include <sys/resource.h>
        int main(void) {
            struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
            if (setrlimit(RLIMIT_CORE, &all) == 0) puts("cores");
            fflush(stdout);
            abort();
        }
        """,
        frozenset({End.SIGNALED}),
        language="c",
        stdout=b"",
        signal=6,
    ),
    Attack(
        "a core dump of Python",
        Row.CORES,
        "import ctypes; ctypes.string_at(0)",
        frozenset({End.SIGNALED}),
        stdout=b"",
        signal=11,
    ),
    # The parser recurses for each of them, until its stack is full.
    _compile("a compiler that crashes", "int x = " + "(" * 200_000 + "1;", "c", row=Row.CORES),
]
