"""Intake: drafts become stored and queued work; those that arrive together share one step."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from proctor.types import FieldProblem
from proctor_server.errors import BadRequest, Conflict, Overloaded, ServerError, TooManyQueued
from proctor_server.queue import Chunk, ChunkQueue, Size, Turn, into_chunks
from proctor_server.store.batches import Accepted, Batches, Busy, Draft, Full, Known, Stale
from proctor_server.units import Unit

# Other batches' units end or begin between two tries; so many in a row don't all hit that.
_TRIES = 20


@dataclass(slots=True)
class _Waiting:
    draft: Draft
    batch_id: "asyncio.Future[str]"


class Intake:
    """Accepts drafts, several in one step when they arrive while a step is under way.

    A lone draft never waits for company.
    """

    def __init__(self, batches: Batches, queue: ChunkQueue, workers: Callable[[], int]) -> None:
        self._batches = batches
        self._queue = queue
        self._workers = workers
        self._waiting: list[_Waiting] = []
        self._step: asyncio.Task[None] | None = None
        self.pending = 0
        # Whether the store has room for more, as far as was looked.
        self.room = True

    async def accept(self, draft: Draft) -> str:
        """Store and queue a draft; returns its batch id, or that of its first posting.

        Raises Conflict (its Idempotency-Key stands for another body), Overloaded and
        StoreUnavailable; then nothing of it is stored.
        """
        if not self.room:
            raise Overloaded("Redis's memory is nearly full; post again later")
        waiting = _Waiting(draft, asyncio.get_running_loop().create_future())
        # A caller that went away does not ask for the error that was meant for it.
        waiting.batch_id.add_done_callback(lambda done: done.exception())
        self._waiting.append(waiting)
        if self._step is None:
            self._step = asyncio.create_task(self._steps())
        # A caller that goes away must not take the others' step with it.
        return await asyncio.shield(waiting.batch_id)

    async def _steps(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting, []
                try:
                    await self._accept_all(group)
                except Exception as error:  # whatever it was, those who wait must hear of it
                    for one in group:
                        if not one.batch_id.done():
                            one.batch_id.set_exception(error)
        finally:
            self._step = None

    async def _accept_all(self, group: list[_Waiting]) -> None:
        group = _without_repeats(group)
        states: str | None = None
        for _ in range(_TRIES):
            if not group:
                return
            units, sizes = _distinct([one.draft for one in group])
            states = states or "n" * len(units)
            drafts = [one.draft for one in group]
            fresh = {
                unit.key: unit for unit, state in zip(units, states, strict=True) if state == "n"
            }
            chunks = self._chunks(drafts, fresh, sizes)
            commands = self._queue.commands([chunk for chunk, _ in chunks], push=False)
            reply = await self._batches.accept(drafts, units, states, chunks, commands)
            match reply:
                case Accepted():
                    self.pending = reply.pending
                    for one in group:
                        one.batch_id.set_result(one.draft.id)
                    return
                case Known():
                    _settle_known(group.pop(reply.draft), reply.batch_id, reply.digest)
                    states = None
                case Busy():
                    one = group.pop(reply.draft)
                    one.batch_id.set_exception(_too_many(one.draft, reply.queued))
                    states = None
                case Stale():
                    states = reply.states
                case Full():
                    raise Overloaded(
                        f"{reply.pending} programs are queued already; post again later"
                    )
        raise Overloaded("equal programs are being answered faster than they can be queued")

    def _chunks(
        self, drafts: Sequence[Draft], fresh: dict[str, Unit], sizes: dict[str, Size]
    ) -> list[tuple[Chunk, Turn]]:
        """Chunks of one caller each. A unit that several wait for is the first one's."""
        fresh = dict(fresh)
        cut = []
        for caller in dict.fromkeys(draft.caller for draft in drafts):
            own = [
                unit
                for draft in drafts
                if draft.caller == caller
                for key in dict.fromkeys(unit.key for unit in draft.units)
                if (unit := fresh.pop(key, None)) is not None
            ]
            for chunk in into_chunks(
                [(unit, sizes[unit.key]) for unit in own], self._workers(), self.pending
            ):
                tests = sum(sizes[unit.key].tests for unit in chunk.units)
                cut.append((chunk, Turn(caller.name, tests / caller.share)))
        return cut


def _too_many(draft: Draft, queued: int) -> ServerError:
    most = draft.caller.max_queued or 0
    if len(draft.units) > most:
        return BadRequest(
            f"this key may have {most} programs queued, and this is a batch of {len(draft.units)}",
            [
                FieldProblem(
                    field="items",
                    reason=f"has more entries than the {most} that this key may have queued",
                    remedy="post smaller batches, one after the other",
                )
            ],
        )
    return TooManyQueued(f"{queued} programs of this key are queued, and it may have {most}")


def _without_repeats(group: list[_Waiting]) -> list[_Waiting]:
    """The group without second postings under one Idempotency-Key, which follow the first."""
    first: dict[str, _Waiting] = {}
    kept = []
    for one in group:
        key = one.draft.idempotency
        leader = first.setdefault(key, one) if key else one
        if leader is one:
            kept.append(one)
        else:
            leader.batch_id.add_done_callback(_follow(one, leader.draft.digest))
    return kept


def _follow(one: _Waiting, digest: str) -> Callable[["asyncio.Future[str]"], None]:
    def done(leader: "asyncio.Future[str]") -> None:
        if one.batch_id.done():
            return
        error = leader.exception()
        if error is not None:
            one.batch_id.set_exception(error)
        else:
            _settle_known(one, leader.result(), digest)

    return done


def _settle_known(one: _Waiting, batch_id: str, digest: str) -> None:
    if digest == one.draft.digest:
        one.batch_id.set_result(batch_id)
    else:
        one.batch_id.set_exception(conflict())


def conflict() -> Conflict:
    """An Idempotency-Key that stands for another body."""
    fault = FieldProblem(
        field="Idempotency-Key",
        reason="was used for a request with another body",
        remedy="use a new key for new content; send the same bytes again to repeat a request",
    )
    return Conflict("this Idempotency-Key belongs to another request", [fault])


def _distinct(drafts: Sequence[Draft]) -> tuple[list[Unit], dict[str, Size]]:
    units: dict[str, Unit] = {}
    sizes: dict[str, Size] = {}
    for draft in drafts:
        for unit in draft.units:
            units.setdefault(unit.key, unit)
        sizes |= draft.sizes
    return list(units.values()), sizes
