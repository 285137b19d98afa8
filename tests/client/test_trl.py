"""ProctorReward, called as TRL calls it."""

import asyncio
import inspect
import pickle
from typing import Any

import pytest

from proctor import InvalidRequest, Reward
from proctor.testing import FakeServer, Program
from proctor.trl import ProctorReward

TESTS = {"language": "cpp", "test_cases": [{"input": "1", "output": "2"}]}


def shown(program: Program) -> float | None:
    """Rewards with the length of the text in tenths; IE is a fault of Proctor's."""
    return None if program.text == "IE" else len(program.text) / 10


class Seen:
    """A judge that remembers which programs it was shown."""

    def __init__(self) -> None:
        self.programs: list[Program] = []

    def __call__(self, program: Program) -> float | None:
        self.programs.append(program)
        return shown(program)


def called(reward: ProctorReward, completions: list[Any], **columns: Any) -> list[float | None]:
    return asyncio.run(reward(prompts=["?"] * len(completions), completions=completions, **columns))


def test_a_column_of_ids_names_the_problems() -> None:
    judge = Seen()
    reward = ProctorReward(transport=FakeServer(judge))
    given = called(
        reward,
        ["x", [{"role": "assistant", "content": "xx"}]],
        problem_id=["a", "b"],
        language=["c", None],
        completion_ids=[[1], [2]],
        trainer_state=object(),
    )
    assert given == [0.1, 0.2]
    assert [(p.problem_id, p.language) for p in judge.programs] == [("a", "c"), ("b", "python")]


@pytest.mark.parametrize(
    "columns",
    [
        {"verification_info": [TESTS]},
        {"problem": [{"tests": [{"kind": "stdin", "input": "1", "output": "2"}]}]},
        {"problem_id": [None], "verification_info": [TESTS]},
        {"problem_id": [""], "verification_info": [TESTS], "problem": ["Add one."]},
    ],
)
def test_tests_may_come_along(columns: dict[str, Any]) -> None:
    judge = Seen()
    assert called(ProctorReward(transport=FakeServer(judge)), ["x"], **columns) == [0.1]
    assert judge.programs[0].problem_id.startswith("inline/")


def test_a_row_that_names_no_problem_has_no_reward() -> None:
    server = FakeServer(shown)
    reward = ProctorReward(transport=server)
    assert called(reward, ["x", "poem"], problem_id=["a", None]) == [0.1, None]
    server.requests.clear()
    assert called(reward, ["poem"], problem_id=[None]) == [None]
    assert server.requests == []


@pytest.mark.parametrize("columns", [{"answer": ["4"]}, {"problem": ["Add one."], "answer": [""]}])
def test_a_data_set_without_problems_is_refused_with_its_columns(columns: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match=r"there are answer .*column problem_id"):
        called(ProctorReward(transport=FakeServer()), ["x"], **columns)


def test_verdicts_and_numbers_are_logged_where_trl_takes_them() -> None:
    extra: dict[str, list[Any]] = {}
    numbers: dict[str, float] = {}
    given = called(
        ProctorReward(transport=FakeServer(shown), name="tests"),
        ["x" * 10, "IE", "poem"],
        problem_id=["a", "a", None],
        log_extra=extra.__setitem__,
        log_metric=numbers.__setitem__,
    )
    assert given == [1.0, None, None]
    assert extra == {"tests_verdict": ["AC", "IE", ""]}
    assert (numbers["tests/verdict/AC"], numbers["tests/null_share"]) == (0.5, 0.5)


def test_it_has_a_name_is_async_and_pickles() -> None:
    reward = ProctorReward("http://127.0.0.1:1", name="tests")
    assert isinstance(reward, Reward)
    assert inspect.iscoroutinefunction(reward.__call__)
    assert reward.__name__ == "tests"
    assert pickle.loads(pickle.dumps(reward)).__name__ == "tests"  # noqa: S301  our own bytes
