"""Files beside programs and tests, arguments, files that come back; artefacts kept."""

import os
from collections.abc import Mapping

import pytest

from proctor_sandbox.limits import MIB, Limits
from proctor_sandbox.programs import Program, Run, StdinCase, Work
from proctor_sandbox.seam import Sandbox
from tests.contract.conftest import REAL

BACKENDS = REAL

_READ = "import sys; print(open(sys.argv[1]).read(), end='')"
_ADD_C = b"int add(int a, int b) { return a + b; }"
_MAIN_C = '#include <stdio.h>\n#include "add.h"\nint main(void) { printf("%d", add(2, 3)); }'


def run(
    sandbox: Sandbox, program: Program, *cases: StdinCase, limits: Limits | None = None
) -> list[Run]:
    (report,) = sandbox.execute([Work(program, cases, limits or Limits())])
    return report.runs


def python(source: str, files: Mapping[str, bytes] | None = None) -> Program:
    return Program("python", source, files or {})


def test_a_program_finds_its_files_where_it_starts_and_imports_its_modules(
    sandbox: Sandbox,
) -> None:
    files = {"data/in.txt": b"here", "lib/__init__.py": b"", "lib/inner.py": b"NAME = 'inner'"}
    source = "from lib.inner import NAME\nprint(NAME, open('data/in.txt').read())"
    (one,) = run(sandbox, python(source, files), StdinCase(b""))
    assert (one.stdout, one.stderr) == (b"inner here\n", b"")


def test_arguments_come_after_the_programs_name(sandbox: Sandbox) -> None:
    source = "import sys; print(sys.argv[1:], sys.argv[0] == __file__)"
    (one,) = run(sandbox, python(source), StdinCase(b"", ("a b", "", "--é")))
    assert one.stdout.decode() == "['a b', '', '--é'] True\n"


def test_a_tests_files_take_the_place_of_the_programs(sandbox: Sandbox) -> None:
    program = python(_READ, {"in.txt": b"the program's", "other.txt": b"kept"})
    runs = run(
        sandbox,
        program,
        StdinCase(b"", ("in.txt",), {"in.txt": b"the test's"}),
        StdinCase(b"", ("other.txt",), {"in.txt": b"the test's"}),
        StdinCase(b"", ("in.txt",)),
    )
    assert [one.stdout for one in runs] == [b"the test's", b"kept", b"the program's"]


def test_what_a_program_does_to_its_files_is_gone_for_the_next_test(sandbox: Sandbox) -> None:
    source = (
        "print(open('a').read(), end=''); open('a', 'w').write('changed'); open('new', 'w')\n"
        "import os; print(sorted(os.listdir()))"
    )
    runs = run(sandbox, python(source, {"a": b"same"}), StdinCase(b""), StdinCase(b""))
    assert [one.stdout for one in runs] == [b"same['a', 'new']\n"] * 2


def test_the_sources_own_folder_is_not_the_programs_to_change(sandbox: Sandbox) -> None:
    if sandbox.info.memory_meter == "watch":
        pytest.skip("where all share a uid, sources are apart by the working directory alone")
    source = "import os\ntry: open(os.path.dirname(__file__) + '/a', 'w')\nexcept OSError: print(1)"
    (one,) = run(sandbox, python(source, {"a": b""}), StdinCase(b""))
    assert one.stdout == b"1\n"


@pytest.mark.parametrize(
    "files",
    [
        {"main.py": b"print('a file')"},
        {"main.py/inside": b""},
        {"a": b"first", "a/b": b"second"},
        {"a/b": b"first", "a": b"second"},
    ],
    ids=["the source's name", "below the source's name", "below a file", "a folder's name"],
)
def test_where_two_files_cannot_be_the_first_stays(
    sandbox: Sandbox, files: Mapping[str, bytes]
) -> None:
    source = "import os; print(sorted(f for _, _, fs in os.walk('.') for f in fs))"
    (one,) = run(sandbox, python(source, files), StdinCase(b""))
    expected = [next(iter(files)).rpartition("/")[2]]
    assert one.stdout.decode() == f"{expected}\n"


def test_files_come_back_as_the_program_left_them(sandbox: Sandbox) -> None:
    source = (
        "import os\nopen('out.bin', 'wb').write(bytes(range(256)))\nos.makedirs('d/e')\n"
        "open('d/e/f', 'w').write('deep')\nopen('empty', 'w')\nos.symlink('/etc/passwd', 'link')\n"
        "os.mkfifo('pipe')"
    )
    names = ("out.bin", "d/e/f", "empty", "given", "link", "pipe", "d", "none", "empty/x")
    (one,) = run(sandbox, python(source, {"given": b"g"}), StdinCase(b"", fetch=names))
    assert one.fetched == {
        "out.bin": bytes(range(256)),
        "d/e/f": b"deep",
        "empty": b"",
        "given": b"g",
    }
    assert set(one.unfetched) == {"link", "pipe", "d", "none", "empty/x"}


def test_no_more_comes_back_than_the_output_limit(sandbox: Sandbox) -> None:
    source = "open('a', 'w').write('a' * 600_000); open('b', 'w').write('b' * 600_000)"
    limits = Limits(output_bytes=MIB)
    case = StdinCase(b"", fetch=("a", "b"))
    (one,) = run(sandbox, python(source), case, limits=limits)
    assert set(one.fetched) == {"a"}
    assert "600000 bytes" in one.unfetched["b"]


def test_sources_beside_the_first_are_compiled_with_it(native_sandbox: Sandbox) -> None:
    files = {"add.h": b"int add(int, int);", "add.c": _ADD_C}
    (one,) = run(native_sandbox, Program("c", _MAIN_C, files), StdinCase(b""))
    assert (one.stdout, one.stderr) == (b"5", b"")


def test_an_equal_program_is_compiled_once(native_sandbox: Sandbox) -> None:
    # A number of its own, so that no other test has had it compiled.
    number = int.from_bytes(os.urandom(3))
    source = f'#include <stdio.h>\nint main(void) {{ printf(__TIME__ __DATE__ "{number}"); }}'
    reports = [
        report
        for _ in range(2)
        for report in native_sandbox.execute([Work(Program("c", source), [StdinCase(b"")])])
    ]
    first, second = (report.compilation for report in reports)
    assert first is not None
    assert first == second
    assert first.cpu_time_s > 0
    assert reports[0].runs[0].stdout == reports[1].runs[0].stdout


def test_a_program_with_another_file_beside_it_is_another(native_sandbox: Sandbox) -> None:
    outputs = [
        run(
            native_sandbox,
            Program("c", _MAIN_C, {"add.h": b"int add(int, int);", "add.c": code}),
            StdinCase(b""),
        )[0].stdout
        for code in (_ADD_C, _ADD_C.replace(b"+", b"*"))
    ]
    assert outputs == [b"5", b"6"]
