"""Languages whose compilers make executables that need nothing else."""

from proctor_sandbox.languages.language import ON_STDERR, Language


def _native(
    name: str, file: str, *compiler: str, version: tuple[str, ...], aliases: tuple[str, ...] = ()
) -> Language:
    """A language whose compiler makes an executable that needs nothing else."""
    return Language(name, "native", file, compiler, ("{output}",), (), aliases, version)


# -O2 and gnu++17 are what contest judges use (Codeforces, DMOJ), and what the precompiled
# bits/stdc++.h in images/families/native/prepare.sh is made for.
_CXX = ("g++", "-O2", "-pipe", "-o", "{output}", "{sources}")
NATIVE = (
    _native(
        "c", "main.c",
        "gcc", "-O2", "-std=gnu17", "-pipe", "-o", "{output}", "{sources}", "-lm",
        version=("gcc", "-dumpfullversion"),
        aliases=("c17", "gcc"),
    ),
    _native(
        "cpp", "main.cpp", *_CXX, "-std=gnu++17",
        version=("g++", "-dumpfullversion"),
        aliases=("c++", "cpp17", "c++17", "g++", "cxx"),
    ),
    _native(
        "cpp20", "main.cpp", *_CXX, "-std=gnu++20",
        version=("g++", "-dumpfullversion"),
        aliases=("c++20",),
    ),
    _native(
        "fortran", "main.f90",
        "gfortran", "-O2", "-o", "{output}", "{sources}",
        version=("gfortran", "-dumpfullversion"),
        aliases=("f90", "gfortran"),
    ),
    _native(
        "pascal", "main.pas", *ON_STDERR,
        "fpc", "-O2", "-v0e", "-l-", "-Fu{folder}", "-FE.", "-FU.", "-o{output}", "{source}",
        version=("fpc", "-iV"),
        aliases=("pas", "fpc", "freepascal"),
    ),
    _native(
        "d", "main.d",
        "gdc", "-O2", "-o", "{output}", "{sources}",
        version=("gdc", "-dumpfullversion"),
        aliases=("dlang", "gdc"),
    ),
    _native(
        "ada", "main.adb",
        "gnatmake", "-q", "-O2", "-gnat2012", "-aI{folder}", "-o", "{output}", "{source}",
        version=("gnatmake", "--version"),
        aliases=("gnat",),
    ),
)  # fmt: skip

# `go build` takes a second to find out that it has nothing to find out: its compiler and linker
# are called as it would call them. What the image has beside Go's own library is in _GO_EXTRA.
_GO_EXTRA = "/usr/local/lib/proctor/go"
_GO = (
    f'exec >&2; out=$1; shift; go tool compile -p main -I {_GO_EXTRA} -o main.o "$@" && '
    f'go tool link -s -w -L {_GO_EXTRA} -o "$out" main.o'
)
SYSTEMS = (
    Language(
        "go", "systems", "main.go",
        compile=("/bin/sh", "-c", _GO, "go", "{output}", "{sources}"),
        run=("{output}",),
        aliases=("golang",),
        version=("go", "version"),
        overhead_mb=16,
        processes=16,
    ),
    Language(
        "rust", "systems", "main.rs",
        compile=("rustc", "--edition=2021", "-O", "-Cstrip=symbols", "-o", "{output}", "{source}"),
        run=("{output}",),
        aliases=("rs",),
        version=("rustc", "--version"),
    ),
)  # fmt: skip

# `go test` itself here, with all that it says and checks: it takes the second that `go` is spared.
GO_TEST = Language(
    "go_test", "systems", "main_test.go",
    compile=(
        "/bin/sh", "-c",
        'export GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE="$PWD/.cache"; '
        'exec go test -c -o "$0" "$@" >&2',
        "{output}", "{sources}",
    ),
    run=("{output}",),
    overhead_mb=16,
    processes=16,
    base="go",
)  # fmt: skip
# A source without a main function is given one; its unittest blocks run before main does.
D_UNITTEST = Language(
    "d_unittest", "native", "main.d",
    compile=("gdc", "-funittest", "-fmain", "-o", "{output}", "{sources}"),
    run=("{output}",),
    base="d",
)  # fmt: skip
