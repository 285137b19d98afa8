"""One contract over the real API and the fake server that is shipped for users' tests."""

from collections.abc import Iterator

import pytest

from proctor import Client, Conflict, InvalidRequest, NotFound, Retry, Verdict
from proctor.testing import FakeServer, Program
from tests.integration.stack import running

# Prints what it reads, so a program that prints 1 passes one of the two.
PROBLEM = {
    "statement": "Print the number.",
    "tests": [
        {"kind": "stdin", "input": "1\n", "output": "1\n", "public": True},
        {"kind": "stdin", "input": "2\n", "output": "2\n"},
    ],
}
RIGHT, HALF, WRONG = "print(input())", "print(1)", "print(0)"


def judge(program: Program) -> float:
    return {RIGHT: 1.0, HALF: 0.5}.get(program.text, 0.0)


@pytest.fixture(scope="module", params=["fake", "real"])
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    """A client of either server, with the problem stored as contract/print."""
    retry = Retry(attempts=2, base_s=0.05)
    if request.param == "fake":
        with Client(transport=FakeServer(judge, check_problems=True), retry=retry) as client:
            client.put_problem({**PROBLEM, "id": "contract/print"})
            yield client
        return
    request.getfixturevalue("bubblewrap")
    with (
        running(request.getfixturevalue("redis_url"), queue="contract-tests") as stack,
        Client(stack.url, retry=retry) as client,
    ):
        client.put_problem({**PROBLEM, "id": "contract/print"})
        yield client


@pytest.mark.parametrize("name", ["plain", "with/slashes/0", "a:b@c+d-e_f.g"])
def test_a_problem_is_stored_described_and_listed_under_its_id(client: Client, name: str) -> None:
    problem_id = f"contract/{name}"
    stored = client.put_problem({**PROBLEM, "id": problem_id})
    described = client.problem(problem_id)
    assert described == stored
    assert (described.id, described.tests, len(described.public_tests)) == (problem_id, 2, 1)
    assert described.statement == "Print the number."
    assert problem_id in list(client.problems())


def test_storing_the_same_again_changes_nothing(client: Client) -> None:
    before = client.problem("contract/print").version
    report = client.import_problems([{**PROBLEM, "id": "contract/print"}])
    assert (report.stored, report.unchanged) == (0, 1)
    assert client.problem("contract/print").version == before


def test_a_version_is_of_what_decides_a_verdict(client: Client) -> None:
    first = client.put_problem({**PROBLEM, "id": "contract/version"})
    other = {**PROBLEM, "id": "contract/version", "tests": PROBLEM["tests"][:1]}
    assert client.put_problem(other).version != first.version


def test_programs_earn_their_rewards_in_order(client: Client) -> None:
    texts = [WRONG, RIGHT, HALF]
    assert client.score("contract/print", texts, form="source") == [0.0, 1.0, 0.5]


def test_a_submission_comes_back_with_its_own_id(client: Client) -> None:
    item = {"problem_id": "contract/print", "source": RIGHT, "id": "mine"}
    result = client.submission(item, timeout_s=30)
    assert (result.index, result.id, result.problem_id) == (0, "mine", "contract/print")
    assert (result.verdict, result.reward, result.pass_rate) == (Verdict.AC, 1.0, 1.0)
    assert (result.state, result.language) == ("done", "python")


def test_a_batch_is_followed_to_its_end(client: Client) -> None:
    items = [{"problem_id": "contract/print", "source": text} for text in (RIGHT, WRONG) * 3]
    batch = client.submit(items)
    done = batch.wait(timeout_s=30)
    assert (done.state, done.total, done.completed) == ("done", 6, 6)
    assert done.verdicts == {Verdict.AC: 3, Verdict.WA: 3}
    order = [result.index for result in batch.results()]
    assert sorted(order) == list(range(6))
    assert [result.index for result in batch.results(cursor=4)] == order[4:]
    assert list(batch.results(cursor=6)) == []
    # Nothing was left to cancel.
    assert batch.cancel().state == "done"
    assert client.batch(batch.id).total == 6


def test_a_key_stands_for_one_batch(client: Client) -> None:
    items = [{"problem_id": "contract/print", "source": RIGHT}]
    first = client.submit(items, idempotency_key="contract-1")
    assert client.submit(items, idempotency_key="contract-1").id == first.id
    assert client.submit(items, idempotency_key="contract-2").id != first.id
    with pytest.raises(Conflict):
        client.submit(items * 2, idempotency_key="contract-1")


def test_what_is_not_there_is_not_found(client: Client) -> None:
    with pytest.raises(NotFound):
        client.problem("contract/nowhere")
    with pytest.raises(NotFound):
        client.batch("nowhere")


def test_an_unknown_problem_is_refused_before_anything_is_run(client: Client) -> None:
    with pytest.raises(InvalidRequest, match="items"):
        client.score(["contract/print", "contract/nowhere"], [RIGHT, RIGHT], form="source")


def test_a_server_says_its_version(client: Client) -> None:
    assert client.info().version
