"""The family of tasks: distinct, told apart by their tests, imperfectly demonstrated."""

import random
from collections import Counter

import pytest

from proctor import Client, Problem, ProctorError
from proctor.testing import FakeServer, Program
from proctor.train.pieces import LEVELS
from proctor.train.running import run_here
from proctor.train.tasks import TESTS, Task, generate
from proctor.train.validation import InvalidTask, Validation, validate


@pytest.fixture(scope="module")
def many() -> list[Task]:
    return generate(1500, seed=0)


def works(program: str, task: Task) -> bool:
    return all(
        run_here(program, given) == printed
        for given, printed in zip(task.inputs, task.outputs, strict=True)
    )


def test_a_seed_gives_the_same_tasks_and_another_gives_others() -> None:
    assert generate(40, seed=1) == generate(40, seed=1)
    first, second = ({task.id for task in generate(40, seed)} for seed in (1, 2))
    assert len(first & second) < 10


def test_a_longer_list_begins_with_the_shorter_one() -> None:
    assert generate(40, seed=1)[:20] == generate(20, seed=1)


def test_a_seed_gives_tasks_by_the_thousand(many: list[Task]) -> None:
    assert len({task.id for task in many}) == len({task.prompt for task in many}) == 1500
    counts = Counter(task.level for task in many)
    assert counts.keys() == LEVELS.keys() == {1, 2, 3, 4, 5}
    assert min(counts.values()) > 100


def test_a_sentence_asks_for_the_same_program_whatever_the_seed(many: list[Task]) -> None:
    known = {task.id: task for task in many}
    again = [task for task in generate(300, seed=7) if task.id in known]
    assert again
    for task in again:
        assert (task.prompt, task.reference) == (known[task.id].prompt, known[task.id].reference)


def test_references_print_the_outputs_and_near_misses_do_not(many: list[Task]) -> None:
    for task in many[::5]:
        assert works(task.reference, task), task
        misses = list(task.near_misses())
        assert misses, task
        for program in misses:
            assert program != task.reference
            assert not works(program, task), (task, program)


def test_hidden_tests_are_others_than_the_example(many: list[Task]) -> None:
    for task in many:
        assert len(task.inputs) == len(task.outputs) == TESTS == len(set(task.inputs))
        assert len(set(task.outputs)) > 1, task


def test_no_task_is_done_by_printing_its_input_or_nothing(many: list[Task]) -> None:
    for task in many:
        for given, printed in zip(task.inputs, task.outputs, strict=True):
            assert printed
            assert printed.split() != given.split()


def test_no_constant_passes_most_tests(many: list[Task]) -> None:
    for task in many:
        ((_, most),) = Counter(task.outputs).most_common(1)
        assert most <= TESTS - 2, task


def test_problems_are_what_a_server_takes_and_show_one_test(many: list[Task]) -> None:
    for task in many[::5]:
        problem = task.problem()
        assert Problem.model_validate_json(problem.model_dump_json()) == problem
        assert [test.public for test in problem.tests] == [True] + [False] * (TESTS - 1)
        assert task.inputs[0] in problem.statement
        assert task.outputs[0] in problem.statement
        assert task.prompt in problem.statement
        assert problem.reference is not None
        assert problem.reference.source == task.reference


def test_few_demonstrations_are_right(many: list[Task]) -> None:
    rng = random.Random(0)
    right = sum(works(task.demonstration(rng), task) for task in many)
    assert 0.1 * 1500 < right < 0.25 * 1500


def test_demonstrations_are_made_of_right_pieces_and_slips(many: list[Task]) -> None:
    rng = random.Random(0)
    for task in many[::50]:
        lines = {line for program in task.programs() for line in program.splitlines()}
        for _ in range(5):
            assert set(task.demonstration(rng).splitlines()) <= lines


@pytest.mark.parametrize("levels", [[], [0], [1, 6]])
def test_levels_that_are_none_are_refused(levels: list[int]) -> None:
    with pytest.raises(ValueError, match=r"levels are \[1, 2, 3, 4, 5\], not"):
        generate(1, seed=0, levels=levels)


def test_only_levels_that_are_asked_for_come() -> None:
    assert {task.level for task in generate(20, seed=0, levels=[2, 5])} == {2, 5}


# -- validation -------------------------------------------------------------------------------


def test_a_server_finds_tasks_to_be_what_they_should_be(tiny_url: str) -> None:
    tasks = generate(10, seed=3)
    with Client(tiny_url) as client:
        found = validate(tasks, client, near_misses=2)
        assert client.problem(tasks[0].id).tests == TESTS
    assert (found.tasks, found.near_misses) == (10, 20)
    assert found.programs == 10 * 5 + 20
    assert found.caught == 20


def fake(tasks: list[Task], wrong: dict[str, bool | None]) -> FakeServer:
    """A server that accepts references, and else what `wrong` says of a program's beginning."""
    references = {task.reference for task in tasks}

    def judge(program: Program) -> float | None:
        for beginning, accepted in wrong.items():
            if program.text.startswith(beginning):
                return None if accepted is None else float(accepted)
        return float(program.text in references)

    return FakeServer(judge, check_problems=True)


def validated(tasks: list[Task], wrong: dict[str, bool | None]) -> Validation:
    with Client(transport=fake(tasks, wrong)) as client:
        return validate(tasks, client)


def test_near_misses_that_pass_are_counted() -> None:
    tasks = generate(5, seed=0)
    assert validated(tasks, {}) == Validation(5, 30, near_misses=5, caught=5)
    passing = next(tasks[2].near_misses())
    assert validated(tasks, {passing: True}) == Validation(5, 30, near_misses=5, caught=4)


@pytest.mark.parametrize(
    ("beginning", "name"),
    [("print('", "prints a constant"), ("import sys", "echo"), ("pass", "empty")],
)
def test_a_weak_task_is_named_with_the_program_that_passed(beginning: str, name: str) -> None:
    (task,) = generate(1, seed=0)
    with pytest.raises(InvalidTask, match=f"{task.id}: its program '{name}' is judged AC"):
        validated([task], {beginning: True})


def test_a_wrong_reference_is_named() -> None:
    first, second = generate(2, seed=0)
    with pytest.raises(InvalidTask, match=f"{second.id}: its program 'reference' is judged WA"):
        validated([first, second], {second.reference: False})


def test_a_fault_of_the_judges_is_no_verdict_about_the_task() -> None:
    (task,) = generate(1, seed=0)
    with pytest.raises(ProctorError, match=f"{task.id} could not be judged: ") as raised:
        validated([task], {task.reference: None})
    assert not isinstance(raised.value, InvalidTask)
