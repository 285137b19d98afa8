"""Validation of tasks by the judge itself: what is right passes, what is nothing does not."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from proctor._client import Client
from proctor.errors import ProctorError
from proctor.train.tasks import Task
from proctor.types import Item, Verdict

_ECHO = "import sys\nprint(sys.stdin.read())"


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

    The reference has to be accepted. A program that does nothing, one that prints what most
    tests expect, and one that prints its input must not be; and of programs with one mistake
    none should be, which is counted.

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
        commonest, _ = Counter(task.outputs).most_common(1)[0]
        programs = {
            "reference": task.reference,
            "empty": "pass",  # a server refuses a program without text
            "constant": f"print({commonest!r})",
            "echo": _ECHO,
        }
        tried = [source for source, _ in zip(task.near_misses(), range(near_misses), strict=False)]
        for name, source in [*programs.items(), *(("near miss", source) for source in tried)]:
            items.append(Item(problem_id=task.id, source=source))
            wanted.append((task, name))
    # One failing test says enough of the many that should fail.
    batch = client.submit(items, stop="first_failure", reward="all_or_nothing")
    verdicts: dict[int, Verdict] = {}
    for result in batch.results():
        if result.verdict is None or result.verdict is Verdict.IE:
            raise ProctorError(f"{result.problem_id} could not be judged: {result.reason}")
        verdicts[result.index] = result.verdict
    near = caught = 0
    for index, (task, name) in enumerate(wanted):
        if name == "near miss":
            near += 1
            caught += verdicts[index] is not Verdict.AC
        elif (verdicts[index] is Verdict.AC) != (name == "reference"):
            raise InvalidTask(
                f"{task.id}: its {name} program is judged {verdicts[index]} ({task.prompt})"
            )
    return Validation(len(tasks), len(items), near, caught)
