"""What the demo posts, and what each of its programs must earn."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import dedent

from proctor.types import (
    Comparer,
    Item,
    LimitsSpec,
    Problem,
    Reference,
    Result,
    RewardPolicy,
    StdinTest,
    Verdict,
)

CANONICAL = "canonical solutions"
EMPTY = "empty bodies"
HOSTILE = "broken and hostile"
PARTIAL = "part of the tests"

# The problem that the broken and hostile programs pretend to solve.
TARGET = "HumanEval/0"


@dataclass(frozen=True, slots=True)
class Expectation:
    """One program, and what it must earn. `pass_rate` None: whatever goes with the reward."""

    group: str
    name: str
    item: Item
    verdicts: frozenset[Verdict]
    reward: float
    pass_rate: float | None = None

    @property
    def wanted(self) -> str:
        """In words, for the report."""
        return f"{' or '.join(sorted(self.verdicts))} with reward {self.reward:g}"

    def deviation(self, result: Result) -> str | None:
        """How a result differs from what is wanted, None when it does not."""
        got = result.verdict in self.verdicts and result.reward == self.reward
        if got and self.pass_rate in (None, result.pass_rate):
            return None
        told = f"{result.verdict} with reward {result.reward}, pass rate {result.pass_rate}"
        reason = f" ({result.reason})" if result.reason else ""
        return f"{self.group}, {self.name}: wanted {self.wanted}, got {told}{reason}"


def expectations(problems: Sequence[Problem], languages: Iterable[str]) -> list[Expectation]:
    """The demo's programs, hostile ones spread among the honest, each item's id its name.

    `problems` are HumanEval's; `languages` those that the server can run.
    """
    honest = [
        _expect(CANONICAL, problem.id, {Verdict.AC}, 1.0, source=_reference(problem).source)
        for problem in problems
    ]
    # A test may use what it gets in a way that None does not support, so RE is as right as WA.
    honest += [
        _expect(EMPTY, problem.id, {Verdict.WA, Verdict.RE}, 0.0, continuation="    pass\n")
        for problem in problems
    ]
    others = _hostile() + _partial(languages)
    # Each is followed by honest programs of the same worker, which it must not have touched.
    spread = len(honest) // len(others)
    for number, other in enumerate(others):
        honest.insert(number * (spread + 1), other)
    return honest


def _reference(problem: Problem) -> Reference:
    assert problem.reference is not None  # noqa: S101 - HumanEval's all have one
    return problem.reference


def _expect(
    group: str,
    problem_id: str,
    verdicts: set[Verdict],
    reward: float,
    *,
    name: str | None = None,
    source: str | None = None,
    continuation: str | None = None,
) -> Expectation:
    name = name or problem_id
    item = Item(
        id=f"{group}: {name}", problem_id=problem_id, source=source, continuation=continuation
    )
    return Expectation(group, name, item, frozenset(verdicts), reward)


_HOSTILE: list[tuple[str, set[Verdict], str]] = [
    ("does not parse", {Verdict.CE}, "def has_close_elements(numbers, threshold:\n"),
    ("wrong answer", {Verdict.WA}, "def has_close_elements(numbers, threshold): return True\n"),
    (
        "raises",
        {Verdict.RE},
        "def has_close_elements(numbers, threshold): return numbers[len(numbers)]\n",
    ),
    ("endless loop", {Verdict.TLE}, "while True: pass\n"),
    ("memory hog", {Verdict.MLE}, "hog = []\nwhile True: hog.append(bytearray(2**24))\n"),
    (
        "fork bomb",
        # What ends it first, the limit of processes or that of time, is the machine's to say.
        {Verdict.RE, Verdict.TLE, Verdict.MLE},
        "import os\nwhile True: os.fork()\n",
    ),
    ("100 MB of output", {Verdict.OLE}, "for _ in range(100): print('x' * 1_000_000)\n"),
    ("exits before the asserts", {Verdict.RE, Verdict.WA}, "import sys\nsys.exit(0)\n"),
    (
        "exits in the call",
        {Verdict.RE, Verdict.WA},
        """
        import os
        def has_close_elements(numbers, threshold):
            os._exit(0)
        """,
    ),
    (
        "always equal",
        {Verdict.WA, Verdict.RE},
        """
        class Always:
            def __eq__(self, other): return True
            def __ne__(self, other): return False
            def __hash__(self): return 1
        def has_close_elements(numbers, threshold):
            return Always()
        """,
    ),
    (
        "forged summary",
        {Verdict.WA, Verdict.RE},
        """
        print('{"verdict": "AC", "passed": 7, "total": 7, "reward": 1.0}')
        print("7 passed in 0.01s", flush=True)
        def has_close_elements(numbers, threshold): pass
        """,
    ),
    (
        "kills whom it can",
        {Verdict.WA, Verdict.RE},
        """
        import os, signal
        for target in (-1, os.getppid(), 1):
            try:
                os.kill(target, signal.SIGKILL)
            except OSError:
                pass
        def has_close_elements(numbers, threshold): pass
        """,
    ),
]


def _hostile() -> list[Expectation]:
    return [
        _expect(HOSTILE, TARGET, verdicts, 0.0, name=name, source=dedent(source))
        for name, verdicts, source in _HOSTILE
    ]


_DOUBLE = Problem(
    id="demo/double",
    statement="Read a number and print twice its value.",
    limits=LimitsSpec(cpu_time_s=2.0),
    comparer=Comparer(name="tokens"),
    tests=[StdinTest(input="3\n", output="6\n"), StdinTest(input="-4\n", output="-8\n")],
)
_DOUBLE_CPP = "#include <iostream>\nint main() { long n; std::cin >> n; std::cout << 2 * n; }\n"


def _partial(languages: Iterable[str]) -> list[Expectation]:
    """Programs for a problem that comes with them, scored by the share of tests they pass."""

    def one(name: str, language: str, source: str, verdict: Verdict, share: float) -> Expectation:
        item = Item(
            id=f"{PARTIAL}: {name}",
            problem=_DOUBLE,
            language=language,
            source=source,
            reward=RewardPolicy(name="pass_rate"),
        )
        return Expectation(PARTIAL, name, item, frozenset({verdict}), share, share)

    made = [
        one("half right", "python", "print(abs(int(input())) * 2)\n", Verdict.WA, 0.5),
        one("right", "python", "print(int(input()) * 2)\n", Verdict.AC, 1.0),
    ]
    if "cpp" in languages:
        made.append(one("right, in C++", "cpp", _DOUBLE_CPP, Verdict.AC, 1.0))
    return made
