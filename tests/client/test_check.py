"""`proctor check` over the fake server: what is a fault, what a warning, how it exits."""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from proctor import Client, Problem, Retry, Verdict
from proctor.cli import cli
from proctor.harness.checking import Check, CheckedProblem, recommended_limit_s
from proctor.harness.probes import probes
from proctor.testing import FakeServer, Program

Judge = Callable[[Program], float | Verdict | None]

STDIN = {"kind": "stdin", "input": "1 2", "output": "hidden-3"}
CALL = {"kind": "call", "function": "f", "args": [1], "expected": "hidden-4"}
ASSERT = {"kind": "assertion", "code": "assert g(1) == 2", "entry_point": "g"}
PYTEST = {
    "kind": "pytest",
    "files": {
        "conftest.py": "import json, shop",
        "helpers.py": "",
        "test_a.py": "import pytest, helpers\nfrom shop.parts import nut\nfrom . import x\n"
        "import calendar\ndef test(): assert nut() == 'hidden-5'\n",
    },
    "modules": ["calendar"],
}
REFERENCE = {"language": "python", "source": "right"}


def problem(*tests: dict[str, Any], name: str = "p", **fields: Any) -> Problem:
    given = {"id": name, "tests": [*tests], "reference": REFERENCE, **fields}
    return Problem.model_validate(given)


def only_the_reference(program: Program) -> float:
    return float(program.text == "right")


def checked(*problems: Problem, judge: Judge = only_the_reference) -> list[CheckedProblem]:
    with Client(transport=FakeServer(judge)) as client:
        return Check("set", problems, repeats=3).run(client).problems


def earning(name: str, rate: float, *tests: dict[str, Any]) -> CheckedProblem:
    """What is found where one probe earns so much."""
    given = problem(*tests)
    source = next(probe.source for probe in probes(given) if probe.name == name)
    sources = {"right": 1.0, source: rate}
    return checked(given, judge=lambda program: sources.get(program.text, 0.0))[0]


def test_a_sound_problem_has_no_finding() -> None:
    (found,) = checked(problem(STDIN, CALL, ASSERT))
    assert (found.faults, found.warnings) == ([], [])
    assert (found.reference, found.free_pass_rate) == ({Verdict.AC: 3}, 0.0)


@pytest.mark.parametrize(
    ("tests", "names"),
    [
        ([STDIN], {"empty", "exit(0)", "prints a constant", "echo"}),
        ([CALL], {"empty", "exit(0)", "always equal", "returns a constant", "returns None"}),
        ([ASSERT], {"empty", "exit(0)", "always equal", "returns its argument", "returns True"}),
        ([{"kind": "assertion", "code": "assert f() == 1"}], {"empty", "exit(0)"}),
        ([PYTEST], {"empty", "exit(0)", "always equal", "returns its argument", "returns None"}),
    ],
)
def test_probes_are_made_for_the_kinds_of_tests(
    tests: list[dict[str, Any]], names: set[str]
) -> None:
    found = [probe.name for probe in probes(problem(*tests))]
    assert names <= set(found)
    assert len(set(found)) == len(found)


def test_every_probe_is_python_and_defines_what_is_called() -> None:
    method = {**CALL, "function": "Solution.solve"}
    for probe in probes(problem(method, ASSERT)):
        code = compile(probe.source, probe.name, "exec")
        if probe.name in ("empty", "exit(0)"):
            continue
        space: dict[str, Any] = {}
        exec(code, space)  # noqa: S102  our own
        space["Solution"]().solve(1)
        space["g"](1)


@pytest.mark.parametrize("name", ["empty", "exit(0)", "always equal"])
def test_what_answers_nothing_must_earn_nothing(name: str) -> None:
    found = earning(name, 0.25, CALL)
    assert any(f"the program {name!r} passes" in fault for fault in found.faults)
    assert found.free_pass_rate == 0.25


@pytest.mark.parametrize(("rate", "faults", "warnings"), [(0.5, 0, 0), (0.6, 0, 1), (1.0, 1, 0)])
@pytest.mark.parametrize(
    ("name", "test"),
    [
        ("echo", STDIN),
        ("prints a constant", STDIN),
        ("returns a constant", CALL),
        ("returns None", ASSERT),
    ],
)
def test_a_guess_may_earn_something_and_not_all(
    name: str, test: dict[str, Any], rate: float, faults: int, warnings: int
) -> None:
    found = earning(name, rate, test)
    assert (len(found.faults), len(found.warnings)) == (faults, warnings)


def test_a_reference_that_fails_is_a_fault() -> None:
    (found,) = checked(problem(STDIN), judge=lambda _: 0.0)
    assert found.faults == ["its reference is WA 3"]
    assert found.recommended_cpu_limit_s is None


def test_a_reference_that_fails_once_is_flaky() -> None:
    runs = iter([1.0, 0.0, 1.0])
    (found,) = checked(
        problem(STDIN), judge=lambda program: next(runs) if program.text == "right" else 0.0
    )
    assert found.faults == ["is flaky: its reference is AC 2, WA 1 in 3 runs"]


def test_repetitions_are_named_by_number() -> None:
    twice, contrary = (
        problem(STDIN, CALL, STDIN),
        problem(STDIN, {**STDIN, "output": "4"}, name="q"),
    )
    found = checked(
        twice, contrary, problem(CALL, STDIN, STDIN, name="r"), problem(ASSERT, name="s")
    )
    assert found[0].warnings == ["tests 1, 3 are the same", "has the same tests as r"]
    assert found[1].faults == ["tests 1, 2 have one input and several answers"]
    assert found[2].warnings == ["tests 2, 3 are the same", "has the same tests as p"]
    assert found[3].warnings == []


def test_an_id_twice_is_a_fault_of_both() -> None:
    found = checked(problem(STDIN), problem(CALL))
    assert [each.faults for each in found] == [["2 problems have this id; the last one counts"]] * 2


@pytest.mark.parametrize(
    ("cpu_time_s", "limit"), [(0.001, 1.0), (0.2, 1.0), (0.21, 1.5), (1.0, 5.0), (1.01, 5.5)]
)
def test_the_advised_limit_is_five_times_the_reference(cpu_time_s: float, limit: float) -> None:
    assert recommended_limit_s(cpu_time_s) == limit


def test_probes_of_a_project_have_the_modules_that_its_tests_import() -> None:
    probe = {probe.name: probe for probe in probes(problem(PYTEST))}["returns 0"]
    assert set(probe.files) == {
        "shop/__init__.py",
        "shop/parts/__init__.py",
        "calendar/__init__.py",
    }
    space: dict[str, Any] = {}
    exec(str(probe.files["shop/parts/__init__.py"]), space)  # noqa: S102  our own
    assert space["__getattr__"]("nut")() == 0


# -- the command ------------------------------------------------------------------------------


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """Check a problem with a judge: run(judge, *args, **fields of the problem)."""

    def ran(judge: Judge, *args: str, **fields: Any) -> Result:
        server = FakeServer(judge)
        monkeypatch.setattr("proctor._command_options._RETRY", Retry(base_s=0))
        monkeypatch.setattr(
            "proctor._command_options.Client", functools.partial(Client, transport=server)
        )
        path = tmp_path / "set.ndjson"
        path.write_text(problem(STDIN, **fields).model_dump_json() + "\n")
        return CliRunner().invoke(cli, ["check", str(path), *args], prog_name="proctor")

    return ran


@pytest.mark.parametrize(
    ("judge", "code"), [(only_the_reference, 0), (lambda _: 0.0, 1), (lambda _: None, 3)]
)
def test_it_exits_as_it_found_and_shows_no_hidden_data(
    run: Callable[..., Result], judge: Judge, code: int
) -> None:
    for args in ([], ["--json"], ["--all"]):
        done = run(judge, *args)
        assert done.exit_code == code, done.output
        assert "hidden" not in done.output


def test_json_has_every_problem(run: Callable[..., Result]) -> None:
    found = json.loads(run(only_the_reference, "--json", reference=None).stdout)
    (only,) = found["problems"]
    assert only["warnings"] == ["has no reference: nothing shows that it can be solved"]


def test_wrong_usage_exits_with_2(tmp_path: Path) -> None:
    (tmp_path / "set.ndjson").write_text('{"id": 3}\n')
    for path, told in (("HumanEval", "no such file or set"), (str(tmp_path / "set.ndjson"), ":1:")):
        done = CliRunner().invoke(cli, ["check", path])
        assert done.exit_code == 2
        assert told in done.output
