"""proctor.verl, called as verl calls it."""

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any

import pytest

from proctor import InvalidRequest, Unscored
from proctor import verl as module
from proctor.testing import FakeServer, Program
from proctor.verl import Score, compute_score, compute_score_sync
from tests.client.served import served


def shown(program: Program) -> float | None:
    """Rewards with the length of the text in tenths; IE is a fault of Proctor's."""
    return None if program.text == "IE" else len(program.text) / 10


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    """A fake server at PROCTOR_URL."""
    fake = FakeServer(shown)
    with served(fake) as url:
        monkeypatch.setenv("PROCTOR_URL", url)
        yield fake
    module._made.cache_clear()


def asked(asynchronous: bool, *args: Any, **named: Any) -> Score:
    if asynchronous:
        return asyncio.run(compute_score(*args, **named))
    return compute_score_sync(*args, **named)


both = pytest.mark.parametrize("asynchronous", [True, False])


@both
@pytest.mark.usefixtures("server")
def test_a_sample_has_all_the_numbers_every_time(asynchronous: bool) -> None:
    right = asked(asynchronous, "set", "x" * 10, "a", {"index": 3})
    assert right == {"score": 1.0, "acc": 1.0, "pass_rate": 1.0, "unscored": 0.0}
    wrong = asked(asynchronous, "set", "x", "a", None)
    assert wrong == {"score": 0.1, "acc": 0.0, "pass_rate": 0.1, "unscored": 0.0}


@both
@pytest.mark.usefixtures("server")
def test_a_fault_of_proctors_stops_the_run_unless_zero_was_asked_for(asynchronous: bool) -> None:
    with pytest.raises(Unscored):
        asked(asynchronous, "set", "IE", "a")
    given = asked(asynchronous, "set", "IE", "a", on_failure="zero")
    assert given == {"score": 0.0, "acc": 0.0, "pass_rate": 0.0, "unscored": 1.0}
    with pytest.raises(ValueError, match="verl has no reward for unknown"):
        asked(asynchronous, "set", "x", "a", on_failure="none")


@pytest.mark.usefixtures("server")
def test_the_problem_is_the_extra_infos_or_the_ground_truth() -> None:
    judged: list[Program] = []

    def judge(program: Program) -> float:
        judged.append(program)
        return 1.0

    with served(FakeServer(judge)) as url:
        for truth, extra in [
            ("a", {}),
            ("a", {"problem_id": "b", "language": "c"}),
            ('{"inputs": ["1"], "outputs": ["2"]}', {}),
            ({"inputs": ["1"], "outputs": ["2"]}, {}),
        ]:
            compute_score_sync("set", "x", truth, extra, url=url)
    assert [program.problem_id for program in judged[:2]] == ["a", "b"]
    assert judged[1].language == "c"
    assert judged[2].problem_id == judged[3].problem_id != "a"


@pytest.mark.parametrize("truth", ["", None, {}])
def test_a_sample_without_a_problem_is_refused(truth: Any) -> None:
    with pytest.raises(InvalidRequest, match="names no problem, and neither does extra_info"):
        compute_score_sync("set", "x", truth, {})


def test_samples_asked_for_at_once_go_out_together(server: FakeServer) -> None:
    async def ask() -> list[Score]:
        calls = [compute_score("set", "x" * n, "a", policy={"name": "weighted"}) for n in range(9)]
        return await asyncio.gather(*calls)

    assert [score["score"] for score in asyncio.run(ask())] == [n / 10 for n in range(9)]
    assert sum(request.method == "POST" for request in server.requests) == 1


@pytest.mark.usefixtures("server")
def test_settings_are_those_of_a_reward() -> None:
    named: dict[str, Any] = {
        "policy": {"name": "threshold", "threshold": 0.5},
        "extraction": {"missing_fence": "whole"},
        "retry": {"attempts": 1},
    }
    compute_score_sync("set", "x", "a", **named)
    compute_score_sync("set", "x", "a", **named, reward_router_address="host:1")
    assert module._made.cache_info().currsize == 1
    with pytest.raises(TypeError, match="polcy"):
        compute_score_sync("set", "x", "a", polcy="weighted")


def test_verl_can_tell_which_of_the_two_is_async() -> None:
    assert inspect.iscoroutinefunction(compute_score)
    assert not inspect.iscoroutinefunction(compute_score_sync)
