"""The table of languages: one entry each, and an image family that holds its tools."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """How programs of one language are made and run.

    In commands `{source}` is the source's path, `{sources}` that and those of the files beside
    it with the same suffix, `{folder}` where they lie, and `{memory_mb}` (MiB) what the program
    may use. `{output}` is what the compiler is to make in its working directory, a file or a
    folder; to the program it is the path at which that then lies. An empty `run` is Python's:
    the zygote runs the source.

    `version` is what prints the version of its tools. `overhead_mb` (MiB) and `processes` are
    what the language's runtime takes for itself, on top of a program's limits.
    """

    name: str
    image: str
    file: str
    compile: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    aliases: tuple[str, ...] = ()
    version: tuple[str, ...] = ()
    overhead_mb: int = 0
    processes: int = 0


# Some compilers say what is wrong on stdout, where nobody looks for it.
_ON_STDERR = ("/bin/sh", "-c", 'exec "$0" "$@" >&2')


def _native(
    name: str, file: str, *compiler: str, version: tuple[str, ...], aliases: tuple[str, ...] = ()
) -> Language:
    """A language whose compiler makes an executable that needs nothing else."""
    return Language(name, "native", file, compiler, ("{output}",), (), aliases, version)


# -O2 and gnu++17 are what contest judges use (Codeforces, DMOJ), and what the precompiled
# bits/stdc++.h in images/families/native/prepare.sh is made for.
_CXX = ("g++", "-O2", "-pipe", "-o", "{output}", "{sources}")
_NATIVE = (
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
        "pascal", "main.pas", *_ON_STDERR,
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
_SYSTEMS = (
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
        compile=("rustc", "--edition=2021", "-O", "-o", "{output}", "{source}"),
        run=("{output}",),
        aliases=("rs",),
        version=("rustc", "--version"),
    ),
)  # fmt: skip


# -- Java's machine ---------------------------------------------------------------------------

# What images/families/jvm/prepare.sh has made: archives of loaded classes, and the jars that
# they were made with. Where they are missing, Java's machine starts as ever.
_READY = "/usr/local/lib/proctor/jvm"
_JARS = "/usr/share/java"
_KOTLIN = ":".join(f"{_JARS}/kotlin-stdlib{part}.jar" for part in ("", "-jdk7", "-jdk8"))
_KOTLINC = ":".join((
    "/usr/share/kotlin/kotlinc/lib/kotlin-compiler.jar",
    f"{_JARS}/libtrove-intellij.jar",
    *(f"{_JARS}/org.jetbrains.annotations-{part}.jar" for part in ("common", "java8")),
))  # fmt: skip
_SCALA = f"{_JARS}/scala-library.jar"
_SCALAC = ":".join(f"{_JARS}/scala-{part}.jar" for part in ("compiler", "library", "reflect"))
_CLOJURE = ":".join(f"{_JARS}/{part}.jar" for part in ("clojure", "spec.alpha", "core.specs.alpha"))

_SERIAL = ("-XX:+UseSerialGC",)
# Compilers are over before the better of the machine's own compilers pays.
_QUICK = (*_SERIAL, "-XX:TieredStopAtLevel=1", "-Xss16m", "-Xmx768m")
# A heap is kept close to what is in use, and its older part, two thirds, may take all that the
# program may: so it is the sandbox's limit that ends a program, and not an exception.
_HEAP = (
    *("/bin/sh", "-c", 'exec java "-Xmx$(($0 * 3 / 2))m" "$@"', "{memory_mb}"),
    *(*_SERIAL, "-Xss256m", "-XX:MinHeapFreeRatio=10", "-XX:MaxHeapFreeRatio=20"),
)
_OVERHEAD_MB = 96
_THREADS = 32


def _archive(name: str) -> str:
    return f"-XX:SharedArchiveFile={_READY}/{name}.jsa"


def _jvm(
    name: str,
    file: str,
    compiler: tuple[str, ...],
    classes: str,
    main: str,
    version: tuple[str, ...],
    aliases: tuple[str, ...] = (),
) -> Language:
    """A language of Java's machine; `classes` is the path of its own library."""
    path = f"{classes}:{_READY}/{name}.jar:{{output}}".removeprefix(":")
    return Language(
        name, "jvm", file, compiler,
        run=(*_HEAP, _archive(name), "-cp", path, main),
        aliases=aliases,
        version=version,
        overhead_mb=_OVERHEAD_MB,
        processes=_THREADS,
    )  # fmt: skip


_JVM = (
    _jvm(
        "java", "Main.java",
        compiler=(
            "javac", *(f"-J{option}" for option in (*_QUICK, _archive("javac"))),
            "-encoding", "UTF-8", "-d", "{output}", "{sources}",
        ),
        classes="",
        main="Main",
        version=("javac", "-version"),
    ),
    _jvm(
        "kotlin", "main.kt",
        compiler=(
            "java", *_QUICK, _archive("kotlinc"), "-cp", _KOTLINC,
            "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler", "-no-stdlib", "-no-reflect", "-nowarn",
            "-cp", _KOTLIN, "-d", "{output}", "{sources}",
        ),
        classes=_KOTLIN,
        main="MainKt",
        version=("kotlinc", "-version"),
        aliases=("kt",),
    ),
    _jvm(
        "scala", "Main.scala",
        compiler=(
            "/bin/sh", "-c", 'mkdir "$0" && exec "$@"', "{output}",
            "java", *_QUICK, _archive("scalac"), "-Dscala.usejavacp=true", "-cp", _SCALAC,
            "scala.tools.nsc.Main", "-nowarn", "-target:jvm-1.8", "-d", "{output}", "{sources}",
        ),
        classes=_SCALA,
        main="Main",
        version=("scalac", "-version"),
    ),
    Language(
        "clojure", "jvm", "main.clj",
        run=(
            *_HEAP, _archive("clojure"), "-cp", f"{_CLOJURE}:{{folder}}",
            "clojure.main", "{source}",
        ),
        aliases=("clj",),
        version=("clojure", "-e", "(clojure-version)"),
        overhead_mb=_OVERHEAD_MB,
        processes=_THREADS,
    ),
)  # fmt: skip

# -- interpreters -----------------------------------------------------------------------------

# Its garbage collector would end a program near a limit of its own, which is no verdict of ours.
_NODE = ("node", "--stack-size=65500", "--max-old-space-size=65536")
_NODE_OVERHEAD_MB = 48
_NODE_THREADS = 12
_TYPES = "/usr/share/nodejs/@types"
_SCRIPT = (
    Language(
        "javascript", "script", "main.js",
        run=(*_NODE, "{source}"),
        aliases=("js", "node", "nodejs"),
        version=("node", "--version"),
        overhead_mb=_NODE_OVERHEAD_MB,
        processes=_NODE_THREADS,
    ),
    Language(
        "typescript", "script", "main.ts",
        compile=(
            *_ON_STDERR,
            "tsc", "--target", "es2021", "--module", "commonjs", "--esModuleInterop",
            "--skipLibCheck", "--lib", "es2021", "--typeRoots", _TYPES, "--types", "node", "--outDir", "{output}", "{sources}",
        ),
        run=(*_NODE, "{output}/main.js"),
        aliases=("ts",),
        version=("tsc", "--version"),
        overhead_mb=_NODE_OVERHEAD_MB,
        processes=_NODE_THREADS,
    ),
    Language(
        "ruby", "script", "main.rb",
        run=("ruby", "--disable=gems", "{source}"),
        # Recursion is bounded by memory, as it is elsewhere.
        env=(("RUBY_THREAD_VM_STACK_SIZE", "134217728"),),
        aliases=("rb",),
        version=("ruby", "--version"),
        processes=4,
    ),
    Language(
        "php", "script", "main.php",
        run=("php", "-d", "memory_limit=-1", "-d", "display_errors=stderr", "{source}"),
        version=("php", "--version"),
    ),
    Language(
        "perl", "script", "main.pl",
        run=("perl", "-I{folder}", "{source}"),
        aliases=("pl",),
        version=("perl", "-e", "print $^V"),
    ),
    Language(
        "lua", "script", "main.lua",
        run=("lua5.4", "-e", "package.path='{folder}/?.lua;'..package.path", "{source}"),
        aliases=("lua5.4",),
        version=("lua5.4", "-v"),
    ),
    Language(
        "bash", "script", "main.sh",
        run=("bash", "{source}"),
        aliases=("sh", "shell"),
        version=("bash", "--version"),
    ),
    Language(
        "pypy", "script", "main.py",
        run=("pypy3", "-X", "utf8", "{source}"),
        aliases=("pypy3",),
        version=("pypy3", "-c", "import sys; print(sys.version.split('[PyPy ')[1].split()[0])"),
        overhead_mb=64,
    ),
    Language(
        "sql", "script", "main.sql",
        run=("sqlite3", "-batch", "-bail", ":memory:", ".read {source}"),
        aliases=("sqlite", "sqlite3"),
        version=("sqlite3", "--version"),
    ),
    Language(
        "verilog", "script", "main.v",
        compile=("iverilog", "-g2012", "-o", "{output}", "{sources}"),
        run=("vvp", "-n", "{output}"),
        aliases=("iverilog",),
        version=("iverilog", "-V"),
    ),
)  # fmt: skip

_NUMERIC = (
    Language(
        "r", "numeric", "main.R",
        run=("Rscript", "--vanilla", "{source}"),
        aliases=("rscript",),
        version=("Rscript", "--version"),
        overhead_mb=48,
    ),
    Language(
        "octave", "numeric", "main.m",
        run=("octave-cli", "--no-gui", "--norc", "--no-history", "--path", "{folder}", "{source}"),
        aliases=("matlab",),
        version=("octave-cli", "--version"),
        overhead_mb=96,
        processes=8,
    ),
)  # fmt: skip


# -- functional languages, C# -----------------------------------------------------------------

# ocamlopt puts what it makes beside the sources, so they are copied to where it may.
_OCAML = (
    'out=$1; shift; cp "$@" . && '
    'ocamlopt -o "$out" unix.cmxa str.cmxa $(ocamldep -sort *.ml)'
)
# raco does too, and the copy is what runs: the source is found beside what was made of it.
_RACKET = (
    'out=$1; shift; mkdir "$out" && cp "$@" "$out" && raco make "$out/main.rkt"'
)
# Undefined names are warnings, and the program's own risk; what can't be read is an error.
_LISP = (
    "(handler-bind ((sb-c::input-error-in-compile-file"
    ' (lambda (fault) (format *error-output* "~a~%" fault) (sb-ext:exit :code 1 :abort t))))'
    ' (compile-file "{source}" :output-file (ensure-directories-exist "{output}/main.fasl")))'
)
# Room for its collector, which copies; the sandbox is what bounds memory.
_SBCL = ("sbcl", "--dynamic-space-size", "8GB", "--control-stack-size", "200MB")
# One scheduler, since a program has one core; nothing is written when it crashes.
_ERL = ("+S", "1:1", "+A", "1", "+sbwt", "none")
_ERLANG_ENV = (("ERL_CRASH_DUMP_BYTES", "0"),)
_FUNCTIONAL = (
    Language(
        "haskell", "functional", "main.hs",
        compile=(
            "ghc", "-v0", "-O", "-outputdir", ".", "-i{folder}", "-o", "{output}", "{source}",
        ),
        run=("{output}",),
        aliases=("hs", "ghc"),
        version=("ghc", "--numeric-version"),
        processes=4,
    ),
    Language(
        "ocaml", "functional", "main.ml",
        compile=("/bin/sh", "-c", _OCAML, "ocaml", "{output}", "{sources}"),
        run=("{output}",),
        aliases=("ml",),
        version=("ocamlopt", "-version"),
    ),
    Language(
        "racket", "functional", "main.rkt",
        compile=("/bin/sh", "-c", _RACKET, "racket", "{output}", "{sources}"),
        run=("racket", "{output}/main.rkt"),
        # Times of files are those of their copies, and say nothing.
        env=(("PLT_COMPILED_FILE_CHECK", "exists"),),
        aliases=("rkt",),
        version=("racket", "--version"),
        overhead_mb=96,
    ),
    Language(
        "commonlisp", "functional", "main.lisp",
        compile=("sbcl", "--noinform", "--non-interactive", "--no-userinit", "--eval", _LISP),
        run=(*_SBCL, "--script", "{output}/main.fasl"),
        aliases=("lisp", "sbcl", "cl"),
        version=("sbcl", "--version"),
        overhead_mb=64,
    ),
    Language(
        "prolog", "functional", "main.pl",
        run=(
            "swipl", "-q", "--on-error=status", "--stack-limit=64g",
            "-g", "halt", "{source}",
        ),
        aliases=("swipl",),
        version=("swipl", "--version"),
        overhead_mb=32,
        processes=4,
    ),
    Language(
        "erlang", "functional", "main.erl",
        compile=(
            "/bin/sh", "-c", 'exec >&2; out=$1; shift; mkdir "$out" && erlc -o "$out" "$@"', "erlang",
            "{output}", "{sources}",
        ),
        run=(
            "erl", *_ERL, "-noshell", "-pa", "{output}",
            "-eval", "io:setopts([{{encoding,unicode}}]), main:main(), halt().",
        ),
        env=_ERLANG_ENV,
        aliases=("erl",),
        version=(
            "erl", "-noshell", "-eval", 'io:format("~s~n", [erlang:system_info(otp_release)]), halt().',
        ),
        overhead_mb=48,
        processes=24,
    ),
    Language(
        "elixir", "functional", "main.exs",
        run=("elixir", "--erl", " ".join(_ERL), "{source}"),
        env=_ERLANG_ENV,
        aliases=("exs",),
        version=("elixir", "--short-version"),
        overhead_mb=64,
        processes=24,
    ),
)  # fmt: skip

_MONO = (
    Language(
        "csharp", "mono", "main.cs",
        compile=(
            "mcs", "-optimize+", "-r:System.Numerics.dll", "-out:{output}", "{sources}",
        ),
        run=("mono", "{output}"),
        aliases=("c#", "cs", "mono"),
        version=("mono", "--version=number"),
        overhead_mb=48,
        processes=12,
    ),
)  # fmt: skip

LANGUAGES: dict[str, Language] = {
    language.name: language
    for language in (
        Language(
            "python", "python", "main.py", aliases=("python3", "py"),
            version=("python3", "--version"),
        ),
        *_NATIVE, *_SYSTEMS, *_JVM, *_SCRIPT, *_NUMERIC, *_FUNCTIONAL, *_MONO,
    )
}  # fmt: skip

FAMILIES = tuple(dict.fromkeys(language.image for language in LANGUAGES.values()))

ALIASES: dict[str, str] = {
    alias: language.name for language in LANGUAGES.values() for alias in language.aliases
}


def named(said: str) -> str:
    """The name that a language has here, by that or by an alias; what neither is stays as it is."""
    return ALIASES.get(said.lower(), said)
