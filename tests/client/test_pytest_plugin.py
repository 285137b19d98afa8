"""The pytest plug-in, in a pytest of its own, over the fake server behind a socket."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

# A pytest within this one forgets what it imports; what both share has to be there before.
import httpcore  # noqa: F401
import pytest

from proctor import Binary, Verdict
from proctor.harness import task_file
from proctor.stack import NoStack
from proctor.testing import FakeServer, Program
from pytest_proctor import grader, task_items  # noqa: F401
from tests.client.served import served

pytest_plugins = ["pytester"]

TASK = """\
problem:
  id: sum
  tests:
    - {kind: stdin, input: "hidden 1", output: "hidden 2"}
candidates:
"""
ONE = "  - {name: a, source: x}\n"
PROBLEM = '{"id": "p", "tests": [{"kind": "stdin", "input": "hidden", "output": "hidden"}]}'


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server at which programs earn the number or the verdict that they are."""

    def judge(program: Program) -> float | Verdict | None:
        word = program.text.strip()
        return None if word == "lost" else Verdict(word) if word in list(Verdict) else float(word)

    with served(FakeServer(judge)) as url:
        yield url


@pytest.fixture(autouse=True)
def apart(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pytest that reads none of our settings."""
    monkeypatch.delenv("PROCTOR_URL", raising=False)
    others = " ".join(f"-p no:{name}" for name in ("schemathesis", "hypothesispytest", "anyio"))
    pytester.makeini(f"[pytest]\naddopts = {others}\nfilterwarnings = error\n")


def task(pytester: pytest.Pytester, candidates: str, name: str = "t") -> None:
    (pytester.path / f"{name}.proctor.yaml").write_text(TASK + candidates)


def test_each_candidate_is_a_test(pytester: pytest.Pytester, url: str) -> None:
    task(
        pytester,
        """\
  - {name: right, source: "1.0"}
  - {name: half, source: "0.5", verdict: WA, pass_rate: 0.5}
  - {name: either, source: "TLE", verdict: [WA, TLE]}
  - {name: too good, source: "1.0", verdict: WA}
  - {name: other rate, source: "0.5", verdict: WA, pass_rate: 0.4}
  - {name: ours, source: "lost"}
""",
    )
    done = pytester.runpytest("--proctor-url", url)
    done.assert_outcomes(passed=3, failed=3)
    done.stdout.fnmatch_lines(
        [
            "sum: expected WA, got AC: 1 of 1 test case(s) passed",
            "sum: expected WA with pass rate 0.4, got WA: 0 of 1 test case(s) passed",
            "not the program's fault, Proctor failed: sum could not be judged: *",
        ]
    )
    assert "hidden" not in done.stdout.str()


def test_a_program_may_be_in_a_file_that_says_its_language(
    pytester: pytest.Pytester, url: str
) -> None:
    (pytester.path / "x.cpp").write_text("1.0\n")
    task(pytester, "  - {name: a, file: x.cpp}\n  - {name: b, file: none.py}\n", "one")
    task(pytester, "  - {name: a, file: x.cpp}\n", "two")
    done = pytester.runpytest("--proctor-url", url, "--continue-on-collection-errors")
    done.assert_outcomes(passed=1, errors=1)
    done.stdout.fnmatch_lines(["*one.proctor.yaml:7: b: *No such file*"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("problem: a: b\n", "t.proctor.yaml:1:11: is no YAML: mapping values are not allowed here"),
        ("", "t.proctor.yaml:1: request: Input should be a valid dictionary"),
        (TASK, "t.proctor.yaml:5: candidates: Input should be a valid list"),
        (TASK + "  - {name: a}\n", ":6: candidates[[]0]: *give source or file, or a project's *"),
        (TASK + "  - {name: a, source: x, file: y}\n", "*give one of source and file, not both*"),
        (TASK + "  - {name: a, folder: none}\n", ":6: a: none is no folder beside it"),
        (TASK + "  - name: a\n    source: 5\n", ":7: candidates[[]0].source: * (put it in quotes)"),
        (
            TASK + "  - name: a\n    source: x\n    verdict: OK\n",
            ":8: candidates[[]0].verdict[[]0]: Input should be 'AC', 'WA', *",
        ),
        (TASK + ONE.replace("}", ", colour: red}"), ":6: candidates[[]0].colour: *remove it*"),
        (TASK.replace('"hidden 2"', "2") + ONE, ":4: problem.tests*put it in quotes*"),
        (TASK + ONE + ONE, "two candidates are named 'a'*"),
    ],
)  # fmt: skip
def test_a_bad_task_file_is_told_what_where_and_how_to_mend_it(
    pytester: pytest.Pytester, url: str, text: str, told: str
) -> None:
    (pytester.path / "t.proctor.yaml").write_text(text)
    done = pytester.runpytest("--proctor-url", url)
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines([f"*{told}*"])
    assert "Traceback" not in done.stdout.str()
    assert "hidden" not in done.stdout.str()


def test_without_pyyaml_a_task_file_says_what_to_install(
    pytester: pytest.Pytester, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    task(pytester, "  - {name: a, source: x}\n")
    done = pytester.runpytest("--proctor-url", url)
    done.stdout.fnmatch_lines(["*task files need pyyaml: pip install 'proctor[[]pytest]'*"])


def test_the_fixture_grades_and_tells_why_a_program_failed(
    pytester: pytest.Pytester, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROCTOR_URL", url)
    pytester.makepyfile(
        f"""
        import pytest
        from proctor import Unscored

        def test_right(proctor):
            assert proctor.grade("any", "1.0").pass_rate == 1.0

        def test_expected(proctor):
            proctor.grade({PROBLEM}, "0.5", verdict=["RE", "WA"], pass_rate=0.5)

        def test_ours_is_no_failed_assertion(proctor):
            with pytest.raises(Unscored):
                proctor.grade("any", "lost")

        def test_wrong(proctor):
            proctor.grade({PROBLEM}, "RE")
        """
    )
    done = pytester.runpytest()
    done.assert_outcomes(passed=3, failed=1)
    done.stdout.fnmatch_lines(["E*p: expected AC, got RE: 0 of 1 test case(s) passed"])


def test_one_server_is_started_for_a_run_and_ends_with_it(
    pytester: pytest.Pytester, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []

    class Embedded:
        def __enter__(self) -> str:
            started.append("started")
            return url

        def __exit__(self, *_: object) -> None:
            started.append("ended")

    monkeypatch.setattr(grader, "embedded_stack", Embedded)
    task(pytester, '  - {name: a, source: "1.0"}\n  - {name: b, source: "1.0"}\n')
    pytester.makepyfile("def test_it(proctor): proctor.grade('any', '1.0')")
    pytester.runpytest().assert_outcomes(passed=3)
    assert started == ["started", "ended"]


def test_a_server_that_does_not_start_is_tried_once(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    def fail() -> None:
        tries.append(1)
        raise NoStack("no bubblewrap")

    monkeypatch.setattr(grader, "embedded_stack", fail)
    task(pytester, '  - {name: a, source: "1.0"}\n  - {name: b, source: "1.0"}\n')
    done = pytester.runpytest()
    done.assert_outcomes(failed=2)
    done.stdout.fnmatch_lines(["not the program's fault, Proctor failed: no bubblewrap"])
    assert len(tries) == 1


def test_the_plug_in_costs_no_import_before_it_is_used() -> None:
    code = "import sys, pytest_proctor; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"proctor", "httpx", "pydantic", "yaml"} & set(done.stdout.split())


def test_the_client_does_not_import_pytest() -> None:
    code = "import sys, proctor, proctor.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pytest", "yaml", "matplotlib", "jinja2"} & set(done.stdout.split())


def test_the_example_is_collected(pytester: pytest.Pytester) -> None:
    examples = Path(__file__).parents[2] / "examples" / "tasks"
    shutil.copytree(examples, pytester.path / "tasks")
    done = pytester.runpytest("--collect-only", "-q")
    wanted = ["*bank.proctor.yaml::right", "*sum.proctor.yaml::right in C++", "7 tests collected*"]
    done.stdout.fnmatch_lines(wanted)


def test_a_project_is_a_folder_or_files(tmp_path: Path) -> None:
    (tmp_path / "mine/bank/__pycache__").mkdir(parents=True)
    (tmp_path / "mine/bank/__init__.py").write_text("x = 1")
    (tmp_path / "mine/bank/data.bin").write_bytes(b"\xff")
    (tmp_path / "mine/bank/__pycache__/a.pyc").write_bytes(b"")
    path = tmp_path / "t.proctor.yaml"
    files = "files: {bank/__init__.py: x = 2, a.py: y}"
    both = f"  - {{name: b, source: z, folder: mine, {files}}}\n"
    path.write_text(f"{TASK}  - {{name: a, folder: mine}}\n{both}")
    one, two = (candidate.item for candidate in task_file.read(path))
    binary = Binary(base64="/w==")
    assert (one.source, one.files) == ("", {"bank/__init__.py": "x = 1", "bank/data.bin": binary})
    assert (two.source, two.files) == (
        "z",
        {"bank/__init__.py": "x = 2", "bank/data.bin": binary, "a.py": "y"},
    )
