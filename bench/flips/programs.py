"""What is judged again and again: programs far from every limit, and programs close to one."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, islice

from bench import workloads
from bench.flips.calibration import DONE, Calibration
from proctor.types import LimitsSpec, Problem, StdinTest

# How much of a limit programs use, in per cent. Those within WITHIN of it count as near.
LEVELS = (60, 80, 90, 95, 100, 105, 110, 120, 150)
FAR_LEVELS = (60, 150)
WITHIN = 20

# Short, so that many such programs can be run. A few have the limit that problems usually have,
# and a wall limit of twice that, as other judges do: a busy machine takes longer for them.
SHORT_S = 0.25
USUAL_S = 2.0
MEMORY_MB = 128
_SHORT = LimitsSpec(cpu_time_s=SHORT_S)
_USUAL = LimitsSpec(cpu_time_s=USUAL_S, wall_time_s=2 * USUAL_S)

_SUM = Problem(id="flips/sum", tests=[StdinTest(input="1 2 39\n", output="42\n")])
# Far from every limit, each with an end of its own.
_PLAIN = (
    "print(sum(map(int, input().split())))\n",
    "print(max(map(int, input().split())))\n",
    "print([int(word) for word in input().split()][7])\n",
    "import sys\nprint(42)\nsys.exit(3)\n",
    "print(sum(map(int, input().split()))\n",
    "import threading\nanswer = []\ndef work():\n    answer.append(sum(map(int, input().split())))"
    "\nthread = threading.Thread(target=work)\nthread.start()\nthread.join()\nprint(*answer)\n",
    "import os\nif os.fork():\n    os.wait()\nelse:\n    print(sum(map(int, input().split())))\n",
)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many programs there are of each kind."""

    programs: int  # in all; plain ones fill up what the others leave
    humaneval: int  # problems; each with a right and a wrong program
    cpu_short: int  # of each level and kind
    cpu_usual: int  # of each far level
    memory: int  # of each level


FULL = Sizes(programs=2000, humaneval=164, cpu_short=3, cpu_usual=3, memory=12)
QUICK = Sizes(programs=30, humaneval=3, cpu_short=0, cpu_usual=0, memory=1)


@dataclass(frozen=True, slots=True)
class Submission:
    """One program; `level` is the per cent of a limit that it uses, None far below all."""

    kind: str
    level: int | None
    problem: Problem
    source: str

    @property
    def near(self) -> bool:
        """Whether it comes within WITHIN per cent of a limit."""
        return self.level is not None and abs(self.level - 100) <= WITHIN


def submissions(sizes: Sizes, calibration: Calibration) -> list[Submission]:
    """All programs, no two equal, in an order that is the same each time."""
    clock, work = calibration.by_the_clock, calibration.by_the_work
    special = [
        *_cpu("CPU by the clock", _SHORT, LEVELS, clock, sizes.cpu_short),
        *_cpu("CPU by the work", _SHORT, LEVELS, work, sizes.cpu_short),
        *_cpu("CPU, tight wall", _USUAL, FAR_LEVELS, clock, sizes.cpu_usual),
        *_memory(calibration, sizes.memory),
        *_humaneval(sizes.humaneval),
    ]
    made = [*special, *islice(_plain(), max(0, sizes.programs - len(special)))]
    # Slow ones lie among quick ones, as in a real batch.
    random.Random(4).shuffle(made)  # noqa: S311 - an order, not a secret
    return made


def _cpu(
    kind: str,
    limits: LimitsSpec,
    levels: tuple[int, ...],
    source: Callable[[float], str],
    copies: int,
) -> Iterator[Submission]:
    assert limits.cpu_time_s is not None
    problem = _limited(f"flips/cpu-{limits.cpu_time_s}", limits)
    for level in levels:
        yield from _copies(kind, level, problem, source(level / 100 * limits.cpu_time_s), copies)


def _memory(calibration: Calibration, copies: int) -> Iterator[Submission]:
    # Writing the pages takes CPU time, which is not what is tried here.
    problem = _limited("flips/memory", LimitsSpec(cpu_time_s=USUAL_S, memory_mb=MEMORY_MB))
    for level in LEVELS:
        yield from _copies("memory", level, problem, calibration.holding(level / 100), copies)


def _humaneval(most: int) -> Iterator[Submission]:
    for problem in workloads.humaneval_problems(most):
        assert problem.reference is not None
        right = problem.reference.source
        yield Submission("HumanEval", None, problem, right)
        wrong = f"{right}\n\ndef {problem.entry_point}(*args):\n    return None\n"
        yield Submission("HumanEval", None, problem, wrong)


def _plain() -> Iterator[Submission]:
    for number in count():
        source = f"{_PLAIN[number % len(_PLAIN)]}# {number}\n"
        yield Submission("stdin", None, _SUM, source)


def _copies(
    kind: str, level: int, problem: Problem, source: str, copies: int
) -> Iterator[Submission]:
    for number in range(copies):
        yield Submission(kind, level, problem, f"{source}# {number}\n")


def _limited(name: str, limits: LimitsSpec) -> Problem:
    return Problem(id=name, limits=limits, tests=[StdinTest(input="", output=DONE)])
