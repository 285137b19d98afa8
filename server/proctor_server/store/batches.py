"""Batches: accepted, followed and cancelled by the API."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis.asyncio
from pydantic_core import to_json

from proctor.types import BatchStatus
from proctor_server import journal
from proctor_server.callers import EVERYBODY, Caller
from proctor_server.queue import Chunk, Size, Turn
from proctor_server.store import keys
from proctor_server.store.chunks import pack
from proctor_server.store.connection import run_script_async, translated
from proctor_server.store.scripts import ACCEPT, CANCEL, CANCEL_OVERDUE, PAGE
from proctor_server.store.status import STATUS_FIELDS, State, read_ended, read_status, state_of
from proctor_server.units import Unit

# A script holds up everybody else: of large batches each takes milliseconds.
_OVERDUE_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Draft:
    """A checked batch, about to be accepted.

    `units[i]` is what item i needs run; `sizes` are by the units' keys;
    `problems` has the inline problems by version, packed; `deadline_s` seconds after `created`
    what is left is cancelled. `request` is the id of the request that brought it. `sources` are
    packed by sources.py.
    """

    id: str
    created: float
    items: bytes
    units: Sequence[Unit]
    sizes: dict[str, Size]
    problems: dict[str, bytes]
    deadline_s: float | None = None
    caller: Caller = EVERYBODY
    request: str = ""
    sources: Sequence[bytes] = ()
    idempotency: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """Everything is stored and queued; `pending` units wait in all."""

    pending: int


@dataclass(frozen=True, slots=True)
class Known:
    """Nothing was done: the Idempotency-Key of one of the drafts has been used before."""

    draft: int
    batch_id: str
    digest: str


@dataclass(frozen=True, slots=True)
class Stale:
    """Nothing was done: the units' states ("n"ew, in "f"light, "c"ached) are these."""

    states: str


@dataclass(frozen=True, slots=True)
class Busy:
    """Nothing was done: the caller of one of the drafts has so many items queued already."""

    draft: int
    queued: int


@dataclass(frozen=True, slots=True)
class Full:
    """Nothing was done: so many units wait already."""

    pending: int


@dataclass(frozen=True, slots=True)
class Page:
    """Some of a batch's result entries, in completion order, and how far it was then."""

    state: State
    entries: list[bytes]


class Batches:
    """The API's side. Every method raises StoreUnavailable where Redis does not answer."""

    def __init__(
        self,
        client: "redis.asyncio.Redis",
        results_ttl_s: int,
        orphan_ttl_s: int,
        max_pending: int,
        queue_key: str,
    ) -> None:
        """`queue_key` is the Redis key of RQ's queue."""
        self._redis = client
        self._results_ttl_s = results_ttl_s
        self._orphan_ttl_s = orphan_ttl_s
        self._max_pending = max_pending
        self._queue_key = queue_key

    async def accept(
        self,
        drafts: Sequence[Draft],
        units: Sequence[Unit],
        expect: str,
        chunks: Sequence[tuple[Chunk, Turn]],
        commands: Sequence[tuple[Any, ...]],
    ) -> Accepted | Known | Busy | Stale | Full:
        """Store drafts, their chunks and their jobs in one step, or nothing of them.

        `units` are the drafts' distinct units, `expect` is their states as the chunks were
        made for them, one letter each. `commands` make the jobs; their turn puts them into
        the queue.
        """
        number = {unit.key: place for place, unit in enumerate(units)}
        problems: dict[str, bytes] = {}
        for draft in drafts:
            problems |= draft.problems
        plan = {
            # Numbers as text: cjson would round the time, and Redis wants text anyway.
            "now": f"{time.time():.6f}",
            "ttl": str(self._results_ttl_s),
            "orphan_ttl": str(self._orphan_ttl_s),
            "limit": self._max_pending,
            "expect": expect,
            "units": [unit.key for unit in units],
            # By place: what a known outcome does not say of itself.
            "known": {
                place: {"language": unit.language, "version": unit.problem}
                for place, (unit, state) in enumerate(zip(units, expect, strict=True))
                if state == "c"
            },
            "tests": list(problems),
            "batches": [
                {
                    "id": draft.id,
                    "created": f"{draft.created:.6f}",
                    "total": str(len(draft.units)),
                    "deadline": _moment(draft),
                    "caller": draft.caller.name,
                    "request": draft.request,
                    "groups": len(draft.sources),
                    "most": -1 if draft.caller.max_queued is None else draft.caller.max_queued,
                    "idem": draft.idempotency,
                    "digest": draft.digest,
                    "units": [number[unit.key] for unit in draft.units],
                }
                for draft in drafts
            ],
            "chunks": [
                {"id": chunk.id, "caller": turn.caller, "cost": f"{turn.cost:.9f}"}
                for chunk, turn in chunks
            ],
            "commands": len(commands),
            "queue": self._queue_key,
        }
        args: list[Any] = [to_json(plan)]
        for draft in drafts:
            args += [draft.items, " ".join(unit.key for unit in draft.units), *draft.sources]
        args += problems.values()
        for chunk, _ in chunks:
            args += pack(chunk)
        for command in commands:
            args += [len(command), *command]
        with translated():
            reply = await run_script_async(self._redis, ACCEPT, *args)
        read = _read_reply(reply)
        if isinstance(read, Accepted):
            for draft in drafts:
                journal.batch_accepted(draft.id, draft.caller.name, draft.request, len(draft.units))
            _log_ended(reply[2])
        return read

    async def known(self, idempotency: str) -> tuple[str, str] | None:
        """The batch id and body digest that an Idempotency-Key was used for."""
        with translated():
            found: Any = await self._redis.get(keys.IDEMPOTENCY + idempotency)
        return None if found is None else _id_and_digest(found)

    async def status(self, batch_id: str) -> BatchStatus | None:
        """How far a batch is, None where there is no such batch."""
        with translated():
            # Not all of it: the keys of a large batch's units are megabytes.
            found: Any = await self._redis.hmget(keys.BATCH + batch_id, STATUS_FIELDS)
        return read_status(batch_id, found)

    async def owner(self, batch_id: str) -> str | None:
        """The name of the caller who posted a batch, None where there is no such batch."""
        with translated():
            found: Any = await self._redis.hget(keys.BATCH + batch_id, "caller")
        return None if found is None else found.decode()

    async def state(self, batch_id: str) -> State | None:
        """A batch's state, None where there is no such batch."""
        with translated():
            found: Any = await self._redis.hget(keys.BATCH + batch_id, "state")
        return None if found is None else state_of(found)

    async def items(self, batch_id: str) -> tuple[bytes, float] | None:
        """What result lines need of a batch: its packed items and when it was accepted."""
        with translated():
            # No transaction: a Redis whose memory is full refuses those, readers' too.
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.get(keys.ITEMS + batch_id)
                pipe.hget(keys.BATCH + batch_id, "created_at")
                items, created = await pipe.execute()
        return None if items is None or created is None else (items, float(created))

    async def page(self, batch_id: str, cursor: int, limit: int) -> Page | None:
        """Up to `limit` entries from `cursor` on, None where there is no such batch."""
        with translated():
            # In one step: where the state says "done", the entries are all there.
            found = await run_script_async(self._redis, PAGE, batch_id, cursor, cursor + limit - 1)
        return None if found is None else Page(state_of(found[0]), found[1])

    async def drop_results(self, batch_id: str) -> None:
        """Forget what came of a batch, before its time; its status stays until then."""
        with translated():
            await self._redis.delete(
                keys.ITEMS + batch_id, keys.DONE + batch_id, keys.SOURCES + batch_id
            )

    async def cancel(self, batch_id: str) -> bool:
        """Cancel what of a batch is not done; False where there is no such batch."""
        with translated():
            before, ended = await run_script_async(
                self._redis, CANCEL, batch_id, f"{time.time():.6f}", self._results_ttl_s
            )
        _log_ended(ended)
        return before is not None

    async def cancel_overdue(self) -> None:
        """Cancel what is left of batches whose deadline is over."""
        with translated():
            now = f"{time.time():.6f}"
            args = (now, self._results_ttl_s, _OVERDUE_AT_ONCE)
            overdue = 1
            while overdue:
                overdue, ended = await run_script_async(self._redis, CANCEL_OVERDUE, *args)
                _log_ended(ended)


def _log_ended(raw: Any) -> None:
    for one in read_ended(raw):
        journal.batch_ended(one)


def _moment(draft: Draft) -> str:
    """The Unix time of a draft's deadline, "" without one."""
    return "" if draft.deadline_s is None else f"{draft.created + draft.deadline_s:.6f}"


def _read_reply(reply: list[Any]) -> Accepted | Known | Busy | Stale | Full:
    match reply[0]:
        case b"ok":
            return Accepted(int(reply[1]))
        case b"known":
            return Known(int(reply[1]), *_id_and_digest(reply[2]))
        case b"busy":
            return Busy(int(reply[1]), int(reply[2]))
        case b"stale":
            return Stale(reply[1].decode())
        case b"full":
            return Full(int(reply[1]))
    raise ValueError(f"the accept script answered {reply[0]!r}")


def _id_and_digest(value: bytes) -> tuple[str, str]:
    batch_id, _, digest = value.decode().partition(" ")
    return batch_id, digest
