"""The store's scripts over a real Redis: each change is whole, and done once."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
import redis
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from proctor.types import BatchStatus, Item, RewardPolicy, Verdict
from proctor_server.outcome import Cause, Outcome
from proctor_server.queue import Chunk, ChunkQueue, Size, Turn
from proctor_server.results import pack_items
from proctor_server.store import keys
from proctor_server.store.batches import Accepted, Batches, Busy, Draft, Full, Known, Stale
from proctor_server.store.chunks import Answer, Chunks
from proctor_server.store.connection import api_connection
from proctor_server.units import Unit
from tests.server.stand_in import outcome

T = TypeVar("T")
Accept = Callable[..., Accepted | Known | Busy | Stale | Full]


class Store:
    """Both sides of the store, for tests that play API and worker."""

    def __init__(self, url: str, client: "redis.Redis") -> None:
        self.url = url
        self.redis = client
        self.chunks = Chunks(client, results_ttl_s=60, outcome_ttl_s=60)
        self.queue = ChunkQueue("proctor", client)
        # So many that every chunk is released at once.
        client.zadd(keys.WORKERS, {f"worker-{number}": time.time() for number in range(100)})

    def api(self, call: Callable[[Batches], Awaitable[T]], max_pending: int = 10_000) -> T:
        async def run() -> T:
            async with api_connection(self.url) as client:
                return await call(Batches(client, 60, 60, max_pending, self.queue.key))

        return asyncio.run(run())

    def draft(self, name: str, sources: str, key: str = "", digest: str = "") -> Draft:
        """A draft whose units are the words of `sources`."""
        units = [Unit.of("python", source, "v") for source in sources.split()]
        items = [Item(problem_id="p", source="-") for _ in units]
        return Draft(
            id=name,
            created=time.time(),
            items=pack_items(items, RewardPolicy()),
            units=units,
            sizes={unit.key: Size(1, 1.0) for unit in units},
            problems={},
            idempotency=key,
            digest=digest,
        )

    def accept(
        self, *drafts: Draft, expect: str | None = None, max_pending: int = 10_000
    ) -> Accepted | Known | Busy | Stale | Full:
        """Accept drafts, in one chunk per unit expected to be new."""
        units = list({unit.key: unit for draft in drafts for unit in draft.units}.values())
        states = expect or "n" * len(units)
        chunks = [
            Chunk(f"{drafts[0].id}-{unit.source}", [unit], 100)
            for unit, state in zip(units, states, strict=True)
            if state == "n"
        ]
        commands = self.queue.commands(chunks)
        turns = [(chunk, Turn("", 1.0)) for chunk in chunks]
        return self.api(
            lambda batches: batches.accept(drafts, units, states, turns, commands), max_pending
        )

    def answer(self, source: str, verdict: Verdict = Verdict.AC) -> int:
        """Have a unit answered; returns how many were answered first."""
        unit = Unit.of("python", source, "v")
        found = (
            Outcome.internal_error("broken", Cause.FAILURE)
            if verdict is Verdict.IE
            else outcome(verdict, int(verdict is Verdict.AC), 1)
        )
        return self.chunks.complete([Answer(unit, found, time.time())], "c")

    def cancel(self, name: str) -> bool:
        """Cancel a batch, if there is one."""
        return self.api(lambda batches: batches.cancel(name))

    def status(self, name: str) -> BatchStatus:
        found = self.api(lambda batches: batches.status(name))
        assert found is not None
        return found

    def entries(self, name: str) -> list[tuple[int, str]]:
        """Index and kind ("0" run, "1" shared, "c" cancelled) of each entry."""
        page = self.api(lambda batches: batches.page(name, 0, 1000))
        assert page is not None
        words = [entry.split(b" ", 3) for entry in page.entries]
        return [(int(index), kind.decode()) for index, kind, _, _ in words]


@pytest.fixture
def store(redis_url: str, redis_client: "redis.Redis") -> Store:
    return Store(redis_url, redis_client)


def test_what_is_accepted_is_queued_in_the_same_step(store: Store) -> None:
    assert store.accept(store.draft("b", "x y x")) == Accepted(2)
    assert store.queue.job_ids == ["b-x", "b-y"]
    taken = store.chunks.take("b-x")
    assert taken is not None
    assert [unit.source for unit in taken.units] == ["x"]
    assert (taken.timeout_s, taken.revived) == (100, 0)
    assert store.status("b").state == "running"


def test_nothing_is_changed_when_a_state_is_not_as_expected(store: Store) -> None:
    store.accept(store.draft("b1", "x y"))
    store.answer("y")
    before = sorted(store.redis.keys())
    assert store.accept(store.draft("b2", "x y z")) == Stale("fcn")
    assert store.accept(store.draft("b2", "x y z"), expect="ncn") == Stale("fcn")
    assert sorted(store.redis.keys()) == before
    assert store.accept(store.draft("b2", "x y z"), expect="fcn") == Accepted(2)
    assert store.entries("b2") == [(1, "1")]
    assert store.queue.job_ids == ["b1-x", "b1-y", "b2-z"]


def test_a_full_queue_takes_nothing_new(store: Store) -> None:
    assert store.accept(store.draft("b1", "x y"), max_pending=2) == Accepted(2)
    assert store.accept(store.draft("b2", "z"), max_pending=2) == Full(2)
    assert not store.redis.exists("proctor:batch:b2")


def test_a_key_stands_for_its_first_batch(store: Store) -> None:
    store.accept(store.draft("b1", "x", key="k", digest="d"))
    again = store.accept(store.draft("b0", "w"), store.draft("b2", "x", key="k", digest="other"))
    assert again == Known(1, "b1", "d")
    assert not store.redis.exists("proctor:batch:b0")


def test_drafts_accepted_together_share_units(store: Store) -> None:
    assert store.accept(store.draft("b1", "x y"), store.draft("b2", "y z")) == Accepted(3)
    for source in "xyz":
        store.answer(source)
    assert store.entries("b1") == [(0, "0"), (1, "0")]
    assert store.entries("b2") == [(0, "1"), (1, "0")]


def test_the_first_answer_counts(store: Store) -> None:
    store.accept(store.draft("b", "x x"))
    assert store.answer("x", Verdict.WA) == 1
    assert store.answer("x", Verdict.AC) == 0
    status = store.status("b")
    assert (status.state, status.completed, status.verdicts) == ("done", 2, {"WA": 2})
    assert store.entries("b") == [(0, "0"), (1, "1")]


def test_a_lost_reply_to_accept_does_not_run_anything_twice(store: Store) -> None:
    drafts = store.draft("b1", "x", key="k"), store.draft("b2", "y")
    store.accept(*drafts)
    store.answer("x")
    # redis-py sends it again, as it can't know.
    assert store.accept(*drafts) == Accepted(1)
    assert store.queue.job_ids == ["b1-x", "b1-y"]
    assert store.status("b1").completed == 1


def test_an_ie_is_delivered_and_not_kept(store: Store) -> None:
    store.accept(store.draft("b", "x"))
    store.answer("x", Verdict.IE)
    assert store.status("b").verdicts == {"IE": 1}
    assert store.accept(store.draft("b2", "x")) == Accepted(1)


def test_pass_rates_are_counted_by_their_size(store: Store) -> None:
    rates = {
        "0": [(0, 7), (0, 1)],
        "below 0.2": [(1, 2000), (1, 6)],
        "below 0.4": [(1, 5)],
        "below 0.6": [(2, 5), (1, 2)],
        "below 0.8": [(3, 5)],
        "below 1": [(4, 5), (1999, 2000)],
        "1": [(7, 7), (2000, 2000), (1, 1)],
    }
    pairs = {f"{passed}-{total}": (passed, total) for of in rates.values() for passed, total in of}
    store.accept(store.draft("b", " ".join([*pairs, "ie", "never"])))
    store.answer("ie", Verdict.IE)
    # The second half has to be added to what the first half came to.
    for half in (list(pairs)[::2], list(pairs)[1::2]):
        answers = [
            Answer(Unit.of("python", one, "v"), outcome(Verdict.WA, *pairs[one]), time.time())
            for one in half
        ]
        store.chunks.complete(answers, "c")
    store.cancel("b")
    found = store.status("b")
    assert found.pass_rates == {name: len(of) for name, of in rates.items()}
    assert found.verdicts == {Verdict.WA: len(pairs), Verdict.IE: 1}


def test_an_end_sets_lifetimes_and_nothing_before(store: Store) -> None:
    store.accept(store.draft("b", "x y", key="k"))
    store.answer("x")
    kept = [f"proctor:{kind}:b" for kind in ("batch", "items", "done", "seen")] + ["proctor:idem:k"]
    assert [store.redis.ttl(key) for key in kept] == [-1] * 5
    store.answer("y")
    assert all(0 < int(str(store.redis.ttl(key))) <= 60 for key in kept)


def test_news_says_which_batches_moved_and_which_ended(store: Store) -> None:
    pubsub: Any = store.redis.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
    with pubsub as news:
        news.subscribe("proctor:news")
        assert news.get_message(timeout=1) is None
        store.accept(store.draft("b1", "x y"), store.draft("b2", "x"))
        store.answer("x")
        message = news.get_message(timeout=5)
    assert message is not None
    assert message["data"] == b"b1 b2!"


def test_what_is_taken_up_again_is_what_is_left(store: Store) -> None:
    units = [Unit.of("python", source, "v") for source in "xyz"]
    chunk = Chunk("c", units, 100)
    chunks = [(chunk, Turn("", 3.0))]
    store.api(lambda batches: batches.accept([store.draft("b", "x y z")], units, "nnn", chunks, []))
    store.answer("y")
    taken = store.chunks.take("c")
    assert taken is not None
    assert [unit.source for unit in taken.units] == ["x", "z"]
    store.chunks.give_up("c", "no good", Cause.FAILURE)
    assert store.status("b").verdicts == {"AC": 1, "IE": 2}
    assert store.chunks.take("c") is None
    assert store.redis.get("proctor:pending") == b"0"


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["accept", "answer", "ie", "cancel"]), st.sampled_from("uvwxyz")),
    max_size=25,
)


@hypothesis_settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(ACTIONS)
def test_whatever_happens_every_item_ends_once(
    store: Store, actions: list[tuple[str, str]]
) -> None:
    store.redis.flushall()
    batches: dict[str, int] = {}
    for action, letter in actions:
        if action == "accept":
            name = f"b{len(batches)}"
            draft = store.draft(name, f"{letter} x {letter}")
            reply = store.accept(draft)
            if isinstance(reply, Stale):
                assert isinstance(store.accept(draft, expect=reply.states), Accepted)
            batches[name] = 3
        elif action == "cancel":
            store.cancel(f"b{'uvwxyz'.index(letter)}")
        else:
            store.answer(letter, Verdict.IE if action == "ie" else Verdict.AC)
    # Every job is run, when its turn comes: what is still waited for gets its answer.
    while job_ids := store.queue.job_ids:
        store.redis.delete(store.queue.key)
        for job_id in job_ids:
            store.chunks.give_up(job_id, "the end", Cause.FAILURE)
        store.chunks.release(store.queue.key)
    assert store.redis.hgetall(keys.QUEUED) == {}
    assert store.redis.exists(keys.TURNS) == 0
    for name, total in batches.items():
        entries = store.entries(name)
        assert sorted(index for index, _ in entries) == list(range(total))
        assert store.status(name).state in ("done", "cancelled")
    assert int(store.redis.get("proctor:pending") or 0) == 0
    assert not store.redis.keys("proctor:waiters:*")
