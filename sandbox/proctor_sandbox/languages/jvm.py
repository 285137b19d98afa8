"""Languages of Java's machine."""

from proctor_sandbox.languages.language import Language

# What images/families/jvm/prepare.sh has made: archives of loaded classes, and the jars that
# they were made with. Where they are missing, Java's machine starts as ever.
_READY = "/usr/local/lib/proctor/jvm"
_JARS = "/usr/share/java"
_KOTLIN = ":".join(f"{_JARS}/kotlin-stdlib{part}.jar" for part in ("", "-jdk7", "-jdk8"))
_KOTLIN_LIB = "/usr/share/kotlin/kotlinc/lib"
_KOTLINC = ":".join((
    f"{_KOTLIN_LIB}/kotlin-compiler.jar",
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


_JAVAC = (
    "javac",
    *(f"-J{option}" for option in (*_QUICK, _archive("javac"))),
    "-encoding",
    "UTF-8",
)


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


JVM = (
    _jvm(
        "java", "Main.java",
        compiler=(
            *_JAVAC, "-d", "{output}", "{sources}",
        ),
        classes="",
        main="Main",
        version=("javac", "-version"),
    ),
    _jvm(
        "kotlin", "main.kt",
        compiler=(
            "java", *_QUICK, _archive("kotlinc"), "-cp", _KOTLINC,
            "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler", "-no-stdlib", "-no-reflect",
            "-nowarn", "-jvm-target", "1.8",
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

_JUNIT = ":".join(f"{_JARS}/{part}.jar" for part in (
    "junit-jupiter-api", "junit-jupiter-engine", "junit-jupiter-params", "junit-platform-commons",
    "junit-platform-console", "junit-platform-engine", "junit-platform-launcher",
    "junit-platform-reporting", "apiguardian-api", "opentest4j", "open-test-reporting-events",
    "open-test-reporting-schema", "picocli", "univocity-parsers",
))  # fmt: skip
JUNIT = Language(
    "junit", "jvm", "Main.java",
    compile=(
        *_JAVAC, "-cp", _JUNIT, "-d", "{output}", "{sources}",
    ),
    run=(
        *_HEAP, "-cp", _JUNIT, "org.junit.platform.console.ConsoleLauncher",
        "--disable-banner", "--disable-ansi-colors", "--fail-if-no-tests",
        "--class-path", "{output}", "--scan-class-path", "{output}", "--include-classname", ".*",
    ),
    overhead_mb=_OVERHEAD_MB,
    processes=_THREADS,
    base="java",
    needs=(f"{_JARS}/junit-platform-console.jar",),
)  # fmt: skip
KOTLIN_SCRIPT = Language(
    "kotlin_script", "jvm", "main.kts",
    run=(
        # As kotlinc does it: its loader finds the plugin for scripts.
        "java", *_QUICK, "-cp", f"{_KOTLIN_LIB}/kotlin-preloader.jar",
        "org.jetbrains.kotlin.preloading.Preloader", "-cp", f"{_KOTLIN_LIB}/kotlin-compiler.jar",
        "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler", "-nowarn", "-script", "{source}",
    ),
    overhead_mb=_OVERHEAD_MB,
    processes=_THREADS,
    base="kotlin",
)  # fmt: skip
