"""What was posted, looked at again: batches, one submission, what came of problems."""

from typing import Any

import pytest

from proctor import NotFound, ProblemStats, Verdict
from proctor.testing import FakeServer

PROBLEM = {"tests": [{"kind": "stdin", "input": "1 2", "output": "3"}] * 2}


@pytest.fixture
def stored(client: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of a server with the problems a, b/1 and c, which it asks for two at a time."""
    monkeypatch.setattr("proctor._flows.PAGE", 2)
    client.import_problems({**PROBLEM, "id": name} for name in ("c", "b/1", "a"))
    return client


def items(problem_id: str, *sources: str) -> list[dict[str, str]]:
    return [{"problem_id": problem_id, "source": source} for source in sources]


def test_batches_are_listed_newest_first_over_all_pages(client: Any, server: FakeServer) -> None:
    server.hold(after=1)
    posted = [client.submit(items("a", "x" * 10, "y", "z")) for _ in range(5)]
    listed = list(client.batches())
    assert [one.id for one in listed] == [batch.id for batch in reversed(posted)]
    newest = listed[0].model_dump()
    assert newest.pop("caller") == ""
    assert newest == posted[-1].status().model_dump()
    assert (listed[0].state, listed[0].verdicts) == ("running", {Verdict.AC: 1})
    server.release()
    assert client.batch(posted[0].id).status().pass_rates == {"1": 1, "below 0.2": 2}


def test_all_pages_are_read(stored: Any, server: FakeServer) -> None:
    posted = [stored.submit(items("a", f"{n}")) for n in range(5)]
    server.requests.clear()
    assert [one.id for one in stored.batches()] == [batch.id for batch in reversed(posted)]
    assert [one.id for one in stored.problems_stats()] == ["a", "b/1", "c"]
    assert len(server.requests) == 3 + 2


def test_no_batch_is_no_fault(client: Any) -> None:
    assert list(client.batches()) == []
    assert list(client.problems_stats()) == []


def test_a_submission_is_told_with_its_program_and_its_result_once_there(
    client: Any, server: FakeServer
) -> None:
    server.hold(after=1)
    batch = client.submit(items("a", "x" * 10, "y"))
    first, second = batch.submission(0), client.batch(batch.id).submission(1)
    assert (first.source, first.result.verdict) == ("x" * 10, Verdict.AC)
    assert (second.index, second.problem_id, second.language) == (1, "a", "python")
    assert (second.source, second.result) == ("y", None)
    server.release()
    assert batch.submission(1).result.reward == 0.1


@pytest.mark.parametrize("index", [2, -1])
def test_a_submission_that_is_not_there_is_not_found(client: Any, index: int) -> None:
    with pytest.raises(NotFound):
        client.submit(items("a", "x", "y")).submission(index)


def test_problems_tell_what_came_of_their_submissions(stored: Any, server: FakeServer) -> None:
    stored.submit([*items("b/1", "x" * 10, "y"), *items("a", "x")])
    server.hold()
    stored.submit(items("b/1", "not judged yet"))
    told = stored.problem_stats("b/1")
    assert told == ProblemStats(
        id="b/1",
        tests=2,
        submissions=2,
        accepted=1,
        pass_rate=0.55,
        internal_errors=0,
        reruns=0,
        flaky=0,
    )
    assert {one.id: one.submissions for one in stored.problems_stats()} == {
        "a": 1,
        "b/1": 2,
        "c": 0,
    }
    assert stored.problem_stats("c").pass_rate is None
    with pytest.raises(NotFound):
        stored.problem_stats("none")


def test_a_fault_of_ours_is_in_no_problems_pass_rate(connect: Any) -> None:
    client = connect(transport=FakeServer(lambda program: None if program.text == "x" else 0.5))
    client.put_problem({**PROBLEM, "id": "a"})
    client.submit(items("a", "x", "y"))
    told = client.problem_stats("a")
    assert (told.submissions, told.internal_errors, told.pass_rate) == (2, 1, 0.5)
