"""The workload: distinct programs whose rewards are known, from a seed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from proctor.importers import humaneval, packaged_humaneval
from proctor.types import Item, Problem, RewardPolicy, StdinTest

# Programs take a while, so that a fault finds some of them under way.
_LONGEST_S = 0.3
# Of the submissions, those for the stdin problem; the rest are HumanEval's.
_STDIN_SHARE = 0.3
_MOST_ITEMS = 40

_WHOLE = RewardPolicy(name="all_or_nothing")

SUM = Problem(
    id="chaos/sum",
    tests=[StdinTest(input=f"{n} {n + 1}\n", output=f"{2 * n + 1}\n") for n in range(4)],
)
_RIGHT = "print(sum(map(int, input().split())))\n"
# What a program for SUM does, and its pass rate.
_SUMS = [
    (_RIGHT, 1.0),
    ("a, b = map(int, input().split())\nprint(a + b if a < 3 else 0)\n", 0.75),
    ("a, b = map(int, input().split())\nprint(a + b if a % 2 else 0)\n", 0.5),
    ("a, b = map(int, input().split())\nprint((a + b) // (a == 3))\n", 0.25),
    ("print('no')\n", 0.0),
    ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", 0.0),
    (f"{_RIGHT}raise SystemExit(3)\n", 0.0),
    ("print(sum(map(int, input().split()))\n", 0.0),  # does not compile
]
# A body that does not come to an answer: no test of HumanEval is passed as a whole by these.
_BROKEN = ["    pass\n", "    raise ValueError('no')\n", "    import sys; sys.exit(0)\n"]


@dataclass(frozen=True, slots=True)
class Task:
    """One submission and the reward that it has earned, whatever else happens."""

    item: Item
    reward: float


def problems() -> list[Problem]:
    """The problems that tasks are for."""
    return [SUM, *humaneval(packaged_humaneval())]


def batches(seed: int) -> Iterator[list[Task]]:
    """Batches of several sizes, without end. The same seed gives the same."""
    chance = random.Random(seed)
    tasks = _tasks(chance, f"seed {seed}")
    while True:
        yield list(islice(tasks, chance.randint(1, _MOST_ITEMS)))


def _tasks(chance: random.Random, mark: str) -> Iterator[Task]:
    number = 0
    sets = humaneval(packaged_humaneval())
    while True:
        number += 1
        # Distinct programs: an equal one would be answered without being run.
        head = f"# {mark}, number {number}\n"
        if chance.random() < _STDIN_SHARE:
            body, reward = chance.choice(_SUMS)
            yield Task(Item(problem_id=SUM.id, source=head + body), reward)
            continue
        head += f"import time; time.sleep({chance.uniform(0, _LONGEST_S):.3f})\n"
        problem = chance.choice(sets)
        assert problem.reference is not None
        right = chance.random() < 0.5
        body = problem.reference.source if right else problem.prefix + chance.choice(_BROKEN)
        item = Item(problem_id=problem.id, source=head + body, reward=_WHOLE)
        yield Task(item, 1.0 if right else 0.0)
