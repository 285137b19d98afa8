"""What cannot be collected, and imports of a project that fail: pytest's part, over one backend."""

from collections.abc import Mapping

import pytest

from proctor_sandbox.programs import Way
from proctor_sandbox.seam import Sandbox
from tests.contract import conftest as contract
from tests.sandbox.test_pytest_files import failed, ran, told

# The contract's sandboxes.
pytest_generate_tests = contract.pytest_generate_tests
backend, pool, sandbox = contract.backend, contract.pool, contract.sandbox
BACKENDS = ("bubblewrap-unprivileged",)


@pytest.mark.parametrize(
    ("project", "kind"),
    [
        ({}, "ModuleNotFoundError"),
        ({"bank.py": "def total(x: return"}, "SyntaxError"),
        ({"bank.py": "raise KeyError(1)"}, "KeyError"),
        ({"bank.py": "rate = 1"}, "ImportError"),
        ({"bank.py": "import os; os._exit(0)"}, "CandidateGone"),
        ({"bank.py": "raise SystemExit"}, "CandidateGone"),
    ],
)
def test_a_file_whose_imports_fail_fails_whole(
    sandbox: Sandbox, project: Mapping[str, str], kind: str
) -> None:
    tests = {
        "test_a.py": "from bank import total\ndef test_1(): pass\ndef test_2(): pass\n",
        "test_b.py": "def test_3(): pass\n",
    }
    assert failed(told(sandbox, tests, project=project)) == {"test_1": kind, "test_2": kind}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("import bank\nx = bank.Account()\n", "NeedsProgram"),
        ("import bank\nif bank.CURRENCY == 'EUR': pass\n", "NeedsProgram"),
        ("import pytest, bank\n@pytest.mark.parametrize('x', bank.CURRENCY)\n", "NeedsProgram"),
        ("from bank import *\n", "NotAcross"),
        ("import bank\nclass Mine(bank.Account): pass\n", "NotAcross"),
        ("import json.nothing\n", "ModuleNotFoundError"),
        ("import pytest\npytest.exit('no')\n", "Exit"),
    ],
)
def test_what_cannot_be_collected_without_the_program_is_told(
    sandbox: Sandbox, code: str, kind: str
) -> None:
    tested = told(sandbox, {"test_it.py": f"{code}def test_it(x): pass\n"}, Way.COLLECT, {})
    assert ((tested.broken or "").partition(":")[0], tested.outcomes) == (kind, {})


def test_nothing_of_the_program_runs_before_all_is_collected(sandbox: Sandbox) -> None:
    tests = {"test_it.py": "import bank\nx = bank.x\nif x: pass\n"}
    run = ran(sandbox, tests, project={"bank.py": "print('here')"})
    assert run.tested is not None
    assert (run.tested.names, run.tested.outcomes, run.stdout) == ([], {}, b"")


def test_files_without_a_test_and_faulty_settings_are_told(sandbox: Sandbox) -> None:
    assert told(sandbox, {"test_it.py": "x = 1"}).broken == "NO_TESTS_COLLECTED"
    bad = {"test_it.py": "def test_it(): pass", "pytest.ini": "[pytest]\naddopts = --no-such"}
    assert told(sandbox, bad).broken == "USAGE_ERROR"
