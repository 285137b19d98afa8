"""Interpreted languages, and those that become one."""

from proctor_sandbox.languages.language import ON_STDERR, Language

# Its garbage collector would end a program near a limit of its own, which is no verdict of ours.
_NODE = ("node", "--stack-size=65500", "--max-old-space-size=65536")
_NODE_OVERHEAD_MB = 48
_NODE_THREADS = 12
# Node's own types: where Debian's nodejs has them, and where npm puts them beside NodeSource's.
_TYPES = "/usr/share/nodejs/@types,/usr/lib/node_modules/@types"
SCRIPT = (
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
            *ON_STDERR,
            "tsc", "--target", "es2021", "--module", "commonjs", "--esModuleInterop",
            "--skipLibCheck", "--lib", "es2021", "--typeRoots", _TYPES, "--types", "node",
            "--outDir", "{output}", "{sources}",
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

NUMERIC = (
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
