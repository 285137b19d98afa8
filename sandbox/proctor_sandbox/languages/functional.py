"""Functional languages, and Prolog."""

from proctor_sandbox.languages.language import Language

# ocamlopt puts what it makes beside the sources, so they are copied to where it may.
_OCAML = 'out=$1; shift; cp "$@" . && ocamlopt -o "$out" unix.cmxa str.cmxa $(ocamldep -sort *.ml)'
# raco does too, and the copy is what runs: the source is found beside what was made of it.
_RACKET = 'out=$1; shift; mkdir "$out" && cp "$@" "$out" && raco make "$out/main.rkt"'
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
FUNCTIONAL = (
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
            "/bin/sh", "-c", 'exec >&2; out=$1; shift; mkdir "$out" && erlc -o "$out" "$@"',
            "erlang", "{output}", "{sources}",
        ),
        run=(
            "erl", *_ERL, "-noshell", "-pa", "{output}",
            "-eval", "io:setopts([{{encoding,unicode}}]), main:main(), halt().",
        ),
        env=_ERLANG_ENV,
        aliases=("erl",),
        version=(
            "erl", "-noshell",
            "-eval", 'io:format("~s~n", [erlang:system_info(otp_release)]), halt().',
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
