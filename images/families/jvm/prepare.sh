# Archives of loaded classes (JEP 350), with which Java's machine is up in half the time: one for
# each compiler and one for each language's programs, made by running it on a program in warm/.
# Options and class paths are those of proctor_sandbox/languages.py, or an archive is not taken.
ready=/usr/local/lib/proctor/jvm
jars=/usr/share/java
kotlin_library=$jars/kotlin-stdlib.jar:$jars/kotlin-stdlib-jdk7.jar:$jars/kotlin-stdlib-jdk8.jar
kotlin_compiler=/usr/share/kotlin/kotlinc/lib/kotlin-compiler.jar:$jars/libtrove-intellij.jar
kotlin_compiler=$kotlin_compiler:$jars/org.jetbrains.annotations-common.jar:$jars/org.jetbrains.annotations-java8.jar
scala_compiler=$jars/scala-compiler.jar:$jars/scala-library.jar:$jars/scala-reflect.jar
clojure=$jars/clojure.jar:$jars/spec.alpha.jar:$jars/core.specs.alpha.jar
warm=$(dirname "$0")/warm

archiving() { # name, options of java
    name=$1
    shift
    java -XX:+UseSerialGC -Xlog:disable -Xlog:all=error:stderr -XX:ArchiveClassesAtExit="$ready/$name.jsa" "$@"
}
running() { # language, main class, class path
    jar --create --file "$ready/$1.jar" -C "/tmp/made/$1" .
    archiving "$1" -cp "${3:+$3:}$ready/$1.jar" "$2" <"$warm/input.txt"
}

mkdir -p "$ready" /tmp/made/java /tmp/made/kotlin /tmp/made/scala
javac -J-XX:+UseSerialGC -J-XX:ArchiveClassesAtExit="$ready/javac.jsa" \
    -encoding UTF-8 -d /tmp/made/java "$warm/Warm.java"
running java proctor.Warm ''
archiving kotlinc -cp "$kotlin_compiler" org.jetbrains.kotlin.cli.jvm.K2JVMCompiler \
    -no-stdlib -no-reflect -cp "$kotlin_library" -d /tmp/made/kotlin "$warm/Warm.kt"
running kotlin proctor.WarmKt "$kotlin_library"
archiving scalac -Dscala.usejavacp=true -cp "$scala_compiler" scala.tools.nsc.Main \
    -target:jvm-1.8 -d /tmp/made/scala "$warm/Warm.scala"
running scala proctor.Warm "$jars/scala-library.jar"
archiving clojure -cp "$clojure" clojure.main "$warm/warm.clj" <"$warm/input.txt"
rm -r /tmp/made
