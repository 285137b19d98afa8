"""A problem's pytest files, collected and run; what came of each test is told line by line.

In the examiner's way they run under a uid of their own, with stand-ins for the program's modules.
Shared, they run in the program's own process, which can then tell what it likes. A line is JSON:

    {"tests": [name, ...]}             first, before the program is asked anything
    {"test": name, "why": text}        what kept a test from passing; "" where nothing did
    {"end": text}                      what kept the tests from being run; "" where nothing did
"""

import collections
import contextlib
import io
import json
import os
import sys
import tempfile
import types
from collections.abc import Callable, Generator, Iterable

import pytest

from . import script
from .spec import Spec
from .stand_ins import Finder, Name, Project, World, imported

Tell = Callable[[dict[str, object]], None]

# Of what is told: who reads it wants a line, and the agent keeps it all.
_LONGEST_NAME = 300
_LONGEST_WHY = 500
# What is printed goes nowhere, and asserts are not rewritten for words that nobody reads.
_OPTIONS = (
    "--capture=no", "--assert=plain", "--tb=no", "--no-summary", "-q", "-p", "no:cacheprovider",
    "-p", "no:faulthandler",
)  # fmt: skip
# What a zygote rehearses: test files in their ways.
_REHEARSAL = """
import pytest

@pytest.fixture
def number(): return 1

@pytest.mark.parametrize("other", [1, 2.5, "x", None])
def test_parameters(number, other, tmp_path): assert number

class TestClass:
    def test_method(self, monkeypatch):
        with pytest.raises(ValueError, match="x"): raise ValueError("x")

def test_failing(): assert 1 == pytest.approx(2)
"""


def collect(spec: Spec, fds: list[int]) -> None:
    """Tell which tests there are. No program is there."""
    (status,) = fds
    shared = spec.mode == "collect shared"
    _expect(spec, World(lenient=shared))
    _run(spec.path, _Report(_teller(status), shared), ["--collect-only"])
    os._exit(0)


def examine(spec: Spec, fds: list[int]) -> None:
    """Run the tests with the program behind a socket."""
    status, channel = fds
    world = World()
    _expect(spec, world)
    tempfile.tempdir = os.path.dirname(spec.path)
    with open(channel, "r+b", buffering=0) as stream:
        binding = _Binding(spec.path, world, Project(stream))
        report = _Report(_teller(status))
        _run(spec.path, report, [f"--basetemp={tempfile.tempdir}/own"], [binding])
    os._exit(0)


def share(spec: Spec, fds: list[int]) -> None:
    """Run the tests with the program beside them, in its own process."""
    (status,) = fds
    # At the end: of a name that others have, theirs is found.
    sys.path.extend(spec.argv)
    script.leave(script.guarded(_run, spec.path, _Report(_teller(status), shared=True)))


def rehearse() -> None:
    """Collect and run tests once, in the zygote: what pytest loads and looks up at first use is
    then in every fork."""
    path = sys.path[:]
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        with open(f"{folder}/test_rehearsal.py", "w") as file:
            file.write(_REHEARSAL)
        _run(folder, _Report(lambda _line: None), [f"--basetemp={folder}/own"])
    sys.path[:] = path
    del sys.modules["test_rehearsal"]


def _expect(spec: Spec, world: World) -> None:
    """Have imports of the program's modules find stand-ins."""
    for name in list(sys.modules):
        if name.partition(".")[0] in spec.argv:
            del sys.modules[name]
    sys.meta_path.insert(0, Finder({*spec.argv, *imported(spec.path)}, world))


def _teller(status: int) -> Tell:
    def tell(line: dict[str, object]) -> None:
        view = memoryview(json.dumps(line).encode() + b"\n")
        while view:
            view = view[os.write(status, view) :]

    return tell


def _run(
    folder: str, report: "_Report", options: Iterable[str] = (), plugins: Iterable[object] = ()
) -> None:
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    sys.dont_write_bytecode = True
    # Settings are looked for from this folder upwards, where nobody else may write.
    places = [folder, f"--rootdir={folder}", f"--confcutdir={folder}"]
    # Of the same hooks the last plug-in's go first: the tests are told of before all else.
    code = pytest.main([*places, *_OPTIONS, *options], plugins=[*plugins, report])
    report.end(pytest.ExitCode(code).name)


def _why(error: BaseException, statement: object = "") -> str:
    """An exception in a line: its name, and what it says, or else where it was raised."""
    try:
        text = str(error).strip()
    except Exception:  # its arguments may be objects of the program's, whose text fails
        text = ""
    said = text or str(statement).strip()
    return f"{type(error).__name__}: {said}".partition("\n")[0][:_LONGEST_WHY].rstrip(": ")


class _Report:
    """Tells what pytest finds and does, and why it does not begin."""

    def __init__(self, tell: Tell, shared: bool = False) -> None:
        """With `shared` names hold nothing that depends on the program."""
        self._tell = tell
        self._shared = shared
        self._names: dict[str, str] = {}
        self._failed: dict[str, str] = {}
        self._fault = ""

    def end(self, code: str) -> None:
        """Tell what kept the tests from being run, by pytest's exit code."""
        went = code in ("OK", "TESTS_FAILED")
        self._tell({"end": self._fault or ("" if went else code)})

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        report = yield
        call = getattr(report, "call", None)
        if report.failed and call and call.excinfo and not self._fault:
            error = call.excinfo.value
            self._fault = _why(error.__cause__ or error)
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        seen: collections.Counter[str] = collections.Counter()
        taken: set[str] = set()
        for item in session.items:
            name = item.nodeid
            if self._shared and name.endswith("]"):
                # What a parameter is called may depend on the program; its place does not.
                function = name.partition("[")[0]
                seen[function] += 1
                name = f"{function}[{seen[function]}]"
            name = name[:_LONGEST_NAME]
            name = f"{name} {len(taken)}" if name in taken else name
            taken.add(name)
            self._names[item.nodeid] = name
        self._tell({"tests": list(self._names.values())})

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if not report.passed:
            raised = call.excinfo
            why = _why(raised.value, raised.traceback[-1].statement) if raised else report.outcome
            self._failed.setdefault(item.nodeid, why)
        elif hasattr(report, "wasxfail"):
            self._failed.setdefault(item.nodeid, "it was expected to fail")
        if report.when == "teardown":
            why = self._failed.get(item.nodeid, "")
            self._tell({"test": self._names[item.nodeid], "why": why})
        return report


class _Binding:
    """Lets the program come in between collection and the first test."""

    def __init__(self, folder: str, world: World, project: Project) -> None:
        self._folder = folder
        self._world = world
        self._project = project
        # By module of the tests, what its imports raise.
        self._errors: dict[types.ModuleType, Exception] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._world.far = self._project
        if not session.items or session.testsfailed:
            return
        for module in list(sys.modules.values()):
            if (getattr(module, "__file__", None) or "").startswith(self._folder):
                try:
                    self._world.bind(vars(module))
                except Exception as error:  # whatever its imports raise is its tests' result
                    self._errors[module] = error

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if error := self._errors.get(getattr(item, "module", None)):  # type: ignore[arg-type]
            raise error
        params = item.callspec.params if hasattr(item, "callspec") else {}
        for name, value in params.items():
            if isinstance(value, Name):
                params[name] = value._value()


MODES = {
    "collect": collect,
    "collect shared": collect,
    "examine": examine,
    "share": share,
}
