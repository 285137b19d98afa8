"""pytest files against projects, run by a tester that asks them, and in their own process."""

import textwrap
from collections.abc import Mapping

import pytest

from proctor_sandbox.limits import MIB, Limits
from proctor_sandbox.programs import End, Program, PytestCase, Run, StdinCase, Tested, Way, Work
from proctor_sandbox.seam import Sandbox
from tests.contract import conftest as contract

# The contract's sandboxes.
pytest_generate_tests = contract.pytest_generate_tests
backend, pool, sandbox = contract.backend, contract.pool, contract.sandbox
BACKENDS = ("docker-runc", "bubblewrap")

LIMITS = Limits(cpu_time_s=2.0, wall_time_s=10.0, memory_bytes=128 * MIB, output_bytes=MIB)

BANK = {
    "bank/__init__.py": "from bank.accounts import Account, Overdrawn\nCURRENCY = 'EUR'\n",
    "bank/errors.py": """
        class BankError(Exception): pass
        class Marker: pass
        class Overdrawn(Marker, BankError, ValueError): pass
        """,
    "bank/accounts.py": """
        from bank.errors import BankError, Overdrawn
        class Account:
            def __init__(self, balance=0): self.balance, self.log = balance, []
            def draw(self, amount):
                if amount > self.balance: raise Overdrawn('too much', amount)
                self.balance -= amount
                self.log.append(amount)
                return self
            def __iter__(self): return iter(self.log)
            def __enter__(self): return self
            def __exit__(self, kind, error, trace): return True
        def fail(kind): raise kind
        def total(amounts):
            amounts.sort()
            return sum(amounts)
        """,
    "bank/tools/__init__.py": "",
    "bank/tools/rates.py": "RATES = {'USD': 1.25}\n",
    "main.py": "def hello(): return 'hello'\n",
}


def files(given: Mapping[str, str]) -> dict[str, bytes]:
    return {path: textwrap.dedent(text).encode() for path, text in given.items()}


def ran(
    sandbox: Sandbox,
    tests: Mapping[str, str],
    way: Way = Way.EXAMINE,
    project: Mapping[str, str] = BANK,
    modules: tuple[str, ...] = (),
    limits: Limits = LIMITS,
) -> Run:
    case = PytestCase(files(tests), way, modules)
    # What the test files import as `main` is the source.
    program = Program("python", project.get("main.py", ""), files(project))
    (report,) = sandbox.execute([Work(program, (case,), limits)])
    return report.runs[0]


def told(
    sandbox: Sandbox,
    tests: Mapping[str, str],
    way: Way = Way.EXAMINE,
    project: Mapping[str, str] = BANK,
    modules: tuple[str, ...] = (),
) -> Tested:
    run = ran(sandbox, tests, way, project, modules)
    assert run.tested is not None
    return run.tested


def failed(tested: Tested) -> dict[str, str]:
    """The tests that did not pass, without their file, and the kind of what ended them."""
    assert set(tested.outcomes) == set(tested.names)
    return {
        name.partition("::")[2]: why.partition(":")[0]
        for name, why in tested.outcomes.items()
        if why
    }


# All of these pass, whether the program is behind a pipe or beside them.
GOOD = {
    "tests/conftest.py": """
        import pytest
        import bank
        @pytest.fixture
        def account(): return bank.Account(100)
        """,
    "tests/helpers.py": "from bank import CURRENCY\n",
    "tests/data/expected.txt": "60",
    "pytest.ini": "[pytest]\nmarkers = slow: takes its time\naddopts = --strict-markers -v\n",
    "tests/test_bank.py": """
        import pathlib
        import unittest
        import pytest
        import bank.tools
        import helpers
        import main
        from bank import CURRENCY, Account, Overdrawn, accounts
        from bank.accounts import fail, total
        from bank.errors import BankError

        @pytest.mark.slow
        def test_values_cross(): assert CURRENCY == bank.CURRENCY == helpers.CURRENCY == "EUR"
        def test_modules_below():
            import bank.tools.rates
            from bank.tools import rates
            assert bank.tools.rates.RATES == rates.RATES == {"USD": 1.25}
        def test_the_main_file(): assert main.hello() == "hello"
        def test_fixtures_and_data(account):
            expected = (pathlib.Path(__file__).parent / "data/expected.txt").read_text()
            assert account.draw(40).balance == int(expected)
        def test_objects(account):
            account.balance = 7
            assert (account.draw(3).balance, list(account)) == (4, [3])
        def test_context():
            with Account(5) as account:
                account.draw(1)
            assert account.balance == 4
        @pytest.mark.parametrize("kind", [Overdrawn, BankError, ValueError, bank.Overdrawn])
        def test_exceptions(account, kind):
            with pytest.raises(kind, match="too much") as caught: account.draw(101)
            assert caught.value.args == ("too much", 101)
            try: account.draw(101)
            except kind: pass
        def test_other_exceptions(account):
            with pytest.raises(BankError):
                try: account.draw(101)
                except KeyError: pass
        @pytest.mark.parametrize("function", [bank.accounts.total, accounts.total, total])
        def test_functions_as_parameters(function):
            amounts = [3, 1, 2]
            assert function(amounts) == 6 and amounts == [1, 2, 3]
        @pytest.mark.parametrize(("one", "two"), [(1, CURRENCY), (2, "EUR")])
        def test_values_as_parameters(one, two): assert two == "EUR"
        def test_folders_of_its_own(tmp_path, monkeypatch, capsys):
            (tmp_path / "file").write_text("x")
            monkeypatch.setenv("NAME", "x")
            print("x")
            assert capsys.readouterr().out == "x\\n"
        class TestClass:
            rate = bank.tools
            def test_method(self): assert bank.accounts.total([1]) == 1
        class TestOld(unittest.TestCase):
            def test_it(self): self.assertEqual(total([1, 2]), 3)
        """,
}


def test_tests_work_as_if_the_program_were_beside_them(sandbox: Sandbox) -> None:
    collected = told(sandbox, GOOD, Way.COLLECT, project={})
    assert (len(collected.names), collected.outcomes, collected.broken) == (19, {}, None)
    examined = told(sandbox, GOOD)
    assert (examined.names, failed(examined), examined.broken) == (collected.names, {}, None)
    shared = told(sandbox, GOOD, Way.SHARE)
    assert (failed(shared), shared.broken) == ({}, None)
    assert shared.names == told(sandbox, GOOD, Way.COLLECT_SHARED, project={}).names


# What each of these ends with behind a pipe; beside the program all pass.
APART = """
    import pytest
    import bank
    from bank import Account
    from bank.accounts import fail
    def test_subclass():
        class Mine(Account): pass
        assert Mine(3).draw(1).balance == 2
    def test_subclass_of_a_value():
        class Mine(bank.Account): pass
    def test_instance(): assert isinstance(Account(), bank.Account)
    def test_patch(monkeypatch):
        monkeypatch.setattr(bank, "CURRENCY", "USD")
        assert bank.CURRENCY == "USD"
    def test_callback():
        with pytest.raises(ZeroDivisionError): fail(ZeroDivisionError())
    """


def test_what_cannot_be_done_across_the_pipe_says_so(sandbox: Sandbox) -> None:
    tests = {"test_apart.py": APART}
    assert failed(told(sandbox, tests)) == {
        "test_subclass": "NotAcross",
        "test_subclass_of_a_value": "NotAcross",
        "test_instance": "NotAcross",
        "test_patch": "NotAcross",
        "test_callback": "NotPlain",
    }
    assert failed(told(sandbox, tests, Way.SHARE)) == {}


def test_a_failure_is_told_by_its_kind(sandbox: Sandbox) -> None:
    tests = """
        import pytest
        import bank
        def test_false(): assert bank.CURRENCY == "USD"
        def test_not_raised():
            with pytest.raises(ValueError): bank.Account(1).draw(1)
        def test_raised(): bank.Account(1).draw(2)
        def test_no_such_name(): bank.accounts.nothing
        def test_skipped(): pytest.skip("no")
        @pytest.mark.xfail
        def test_expected_to_fail(): assert False
        @pytest.mark.xfail
        def test_unexpectedly_right(): pass
        @pytest.fixture
        def broken():
            yield
            raise OSError
        def test_teardown(broken): pass
        """
    tested = told(sandbox, {"test_it.py": tests})
    assert tested.outcomes["test_it.py::test_raised"] == "Overdrawn: ('too much', 2)"
    false = 'AssertionError: def test_false(): assert bank.CURRENCY == "USD"'
    assert tested.outcomes["test_it.py::test_false"] == false
    assert failed(tested) == {
        "test_false": "AssertionError",
        "test_not_raised": "Failed",
        "test_raised": "Overdrawn",
        "test_no_such_name": "AttributeError",
        "test_skipped": "Skipped",
        "test_expected_to_fail": "AssertionError",
        "test_unexpectedly_right": "it was expected to fail",
        "test_teardown": "OSError",
    }


def test_in_process_what_is_collected_may_be_made_of_the_program(sandbox: Sandbox) -> None:
    tests = {
        "test_it.py": "import bank\nBASE = bank.Account(3)\nclass Mine(bank.Account): pass\n"
        "def test_it(): assert Mine(2).draw(1).balance == 1 and BASE.balance == 3\n"
    }
    collected = told(sandbox, tests, Way.COLLECT_SHARED)
    shared = told(sandbox, tests, Way.SHARE)
    assert (shared.names, failed(shared)) == (collected.names, {})


def test_a_name_that_the_library_has_too_is_the_programs_where_the_problem_says_so(
    sandbox: Sandbox,
) -> None:
    project = {"calendar.py": "YEAR = 'ours'\n"}
    tests = {"test_it.py": "import calendar\ndef test_it(): assert calendar.YEAR == 'ours'\n"}
    assert failed(told(sandbox, tests, project=project)) == {"test_it": "AttributeError"}
    assert failed(told(sandbox, tests, project=project, modules=("calendar",))) == {}


def test_words_of_an_exception_that_nobody_can_read_harm_nobody(sandbox: Sandbox) -> None:
    project = {
        "odd.py": r"""
        import gc
        class Text:
            def __str__(self): raise ValueError
        def surrogate(): raise ValueError('\ud800')
        def textless():
            for thing in gc.get_objects():
                if type(thing).__name__ == 'ModuleDesk':
                    type(thing)._plain_args = lambda *_: (Text(),)
            raise ValueError
        """
    }
    tests = "import odd\ndef test_1(): odd.surrogate()\ndef test_2(): odd.textless()\n"
    for way in (Way.EXAMINE, Way.SHARE):
        tested = told(sandbox, {"test_it.py": f"{tests}def test_3(): pass\n"}, way, project)
        assert tested.broken is None
        assert tested.outcomes["test_it.py::test_1"] == "ValueError: ?"
        assert failed(tested) == {"test_1": "ValueError", "test_2": "ValueError"}


def test_what_was_run_before_a_limit_counts(sandbox: Sandbox) -> None:
    tests = "import loop\ndef test_1(): pass\ndef test_2(): loop.loop()\ndef test_3(): pass\n"
    project = {"loop.py": "def loop():\n    while True: pass\n"}
    limits = Limits(cpu_time_s=0.3, wall_time_s=5.0, memory_bytes=128 * MIB)
    run = ran(sandbox, {"test_it.py": tests}, project=project, limits=limits)
    assert run.tested is not None
    assert (run.end, run.tested.broken) == (End.CPU_LIMIT, "stopped")
    assert run.tested.outcomes == {"test_it.py::test_1": ""}
    assert len(run.tested.names) == 3


# A plug-in, settings and hooks that have every test pass, in all the ways that pytest knows.
_HOOKS = """
    import pytest
    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(item, call):
        report = yield
        report.outcome = 'passed'
        return report
    def pytest_collection_modifyitems(items): items.clear()
    """
FOREIGN = {
    "bank.py": "def total(x): return 0\n",
    "conftest.py": _HOOKS,
    "tests/conftest.py": _HOOKS,
    "plugin.py": _HOOKS,
    "pytest.py": _HOOKS.replace("import pytest", "import sys; sys.exit(0)"),
    "sitecustomize.py": "import os; os._exit(0)",
    "usercustomize.py": "import os; os._exit(0)",
    "evil.pth": "import os; os._exit(0)",
    "pytest.ini": "[pytest]\naddopts = -p plugin --co\n",
    ".pytest.ini": "[pytest]\naddopts = -p plugin --co\n",
    "pytest.toml": "[pytest]\naddopts = ['-p', 'plugin', '--co']\n",
    "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '-p plugin --co'\n",
    "tox.ini": "[pytest]\naddopts = -p plugin --co\n",
    "setup.cfg": "[tool:pytest]\naddopts = -p plugin --co\n",
    "evil-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: evil\nVersion: 1\n",
    "evil-1.dist-info/entry_points.txt": "[pytest11]\nevil = plugin\n",
}


@pytest.mark.parametrize("way", [Way.EXAMINE, Way.SHARE])
def test_settings_and_plug_ins_of_the_program_have_no_effect(sandbox: Sandbox, way: Way) -> None:
    tests = {
        "tests/test_it.py": "import bank\ndef test_right(): pass\n"
        "def test_wrong(): assert bank.total([1]) == 1\n"
    }
    assert failed(told(sandbox, tests, way, FOREIGN)) == {"test_wrong": "AssertionError"}


def test_nothing_of_the_tests_stays(sandbox: Sandbox) -> None:
    tests = """
        import pathlib
        def test_it(tmp_path):
            (tmp_path / "a").mkdir()
            pathlib.Path("/tmp/of/the/test").mkdir(parents=True)
            pathlib.Path("/dev/shm/of-the-test").write_text("x")
            (pathlib.Path(__file__).parent / "beside").write_text("x")
            pathlib.Path("here").write_text("x")
        """
    assert failed(told(sandbox, {"deep/er/test_it.py": tests})) == {}
    source = "import os; print(os.listdir('/tmp'), os.path.exists('/box/w/t'))"
    work = Work(Program("python", source), (StdinCase(b""),), LIMITS)
    (report,) = sandbox.execute([work])
    assert report.runs[0].stdout == b"[] False\n"


def test_test_files_are_hidden_from_the_program(sandbox: Sandbox) -> None:
    project = {
        "spy.py": """
        import os
        def look():
            seen = []
            for place, _, names in os.walk("/box"):
                seen += [name for name in names if "test" in name]
            for path in ("/box/w/t", "/box/w/t/tests", "/box/w/t/tests/test_it.py"):
                try: os.open(path, os.O_RDONLY)
                except PermissionError: pass
                else: seen.append(path)
            return seen
        """
    }
    tests = {"test_it.py": "import spy\ndef test_it(): assert spy.look() == []\n"}
    assert failed(told(sandbox, tests, project=project)) == {}
