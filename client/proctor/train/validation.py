"""Validation of tasks by the judge itself: what is right passes, what is nothing does not."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from proctor._client import Client
from proctor.errors import ProctorError
from proctor.harness.judging import judge
from proctor.harness.probes import probes
from proctor.train.tasks import Task
from proctor.types import Item, Verdict


class InvalidTask(ProctorError):
    """Raised when a program that is nobody's solution passes, or the reference does not."""


@dataclass(frozen=True, slots=True)
class Validation:
    """What was found.

    Attributes:
        tasks: how many were validated.
        programs: how many programs were judged for that.
        near_misses: how many of them were references with one mistake.
        caught: how many of those failed a test.
    """

    tasks: int
    programs: int
    near_misses: int
    caught: int


def validate(tasks: Sequence[Task], client: Client, *, near_misses: int = 1) -> Validation:
    """Store the tasks' problems and judge, for each, programs of which the worth is known.

    The reference has to be accepted. The probes, programs that solve nothing, must not be; and
    of programs with one mistake none should be, which is counted.

    Args:
        tasks: any number of them.
        client: of a server that may be given problems.
        near_misses: how many programs with one mistake are tried for each task.

    Raises:
        InvalidTask: a task is not what it should be; says which, and the verdict.
        ProctorError: the server could not be asked.
    """
    client.import_problems(task.problem() for task in tasks)
    items: list[Item] = []
    wanted: list[tuple[Task, str]] = []
    for task in tasks:
        programs = [("reference", task.reference)]
        programs += [(probe.name, probe.source) for probe in probes(task.problem())]
        programs += [("near miss", source) for source in islice(task.near_misses(), near_misses)]
        for name, source in programs:
            items.append(Item(problem_id=task.id, source=source))
            wanted.append((task, name))
    verdicts: dict[int, Verdict] = {}
    # One failing test says enough of the many that should fail.
    for place, result in judge(client, items, stop="first_failure", reward="all_or_nothing"):
        if result.verdict is None or result.verdict is Verdict.IE:
            raise ProctorError(f"{result.problem_id} could not be judged: {result.reason}")
        verdicts[place] = result.verdict
    near = caught = 0
    for place, (task, name) in enumerate(wanted):
        if name == "near miss":
            near += 1
            caught += verdicts[place] is not Verdict.AC
        elif (verdicts[place] is Verdict.AC) != (name == "reference"):
            raise InvalidTask(
                f"{task.id}: its program {name!r} is judged {verdicts[place]} ({task.prompt})"
            )
    return Validation(len(tasks), len(items), near, caught)
