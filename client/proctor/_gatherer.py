"""Gathers what is asked for at about the same time into one batch, and hands out the results.

verl asks for each sample by itself, thousands at once: a request for each would cost more than
the judging. Every caller has its answer as soon as its own results are there, and only the
errors that are its own.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import httpx

from proctor import _flows as flows
from proctor import _requests as requests
from proctor._blame import blamed, is_too_much
from proctor._http import Async, Connection
from proctor._posting import Forgotten, parts
from proctor._requests import Options
from proctor._retries import Retry
from proctor._submissions import Submission
from proctor.errors import (
    BadAnswer,
    ConnectionFailed,
    InvalidRequest,
    NotFound,
    ProctorError,
    ServerFailed,
    WaitTimeout,
)
from proctor.types import Result, RewardPolicy

# Longer than a loop takes to start a thousand tasks, and nothing beside the judging.
GATHER_S = 0.005
# What is cancelled at the server's deadline is told about a second later, on a busy one more.
GRACE_S = 15.0
# A server that lost its Redis has forgotten the batch; one that does so again has no memory.
_LOSSES = 2
_CANCEL_S = 5.0


@dataclass(frozen=True, slots=True)
class Unjudged:
    """In place of a result: Proctor or the way to it failed."""

    reason: str


Outcome: TypeAlias = Result | Unjudged


@dataclass(frozen=True, slots=True)
class Terms:
    """How everything that is gathered is judged and waited for.

    Attributes:
        options: what a batch says of all its items.
        policy: the reward policy of the options.
        retry: how requests are tried again.
    """

    options: Options
    policy: RewardPolicy
    retry: Retry

    @property
    def wait_s(self) -> float | None:
        """Seconds to wait for results, retries included."""
        deadline_s = self.options.get("deadline_s")
        return None if deadline_s is None else deadline_s + GRACE_S


@dataclass(eq=False, slots=True)
class _Entry:
    """A submission and those who wait for its outcome."""

    submission: Submission
    future: "asyncio.Future[Outcome]"

    def settle(self, outcome: Outcome) -> None:
        if not self.future.done():
            self.future.set_result(outcome)

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)
            self.future.exception()  # a caller that is gone does not fetch it, which is no fault


@dataclass(eq=False, slots=True)
class _Gathering:
    """What is posted together, and how many wait for something of it."""

    entries: dict[tuple[str, ...], _Entry] = field(default_factory=dict)
    callers: int = 0
    task: "asyncio.Task[None] | None" = None


class Gatherer:
    """Judges submissions in one event loop. Made within it; it closes itself with the loop."""

    def __init__(
        self,
        connection: Connection,
        terms: Terms,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._terms = terms
        self._http = Async(connection, asyncio.sleep, transport)
        self._open: _Gathering | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._lifetime = _lifetime(self._http)

    async def outcomes(self, submissions: Sequence[Submission]) -> list[Outcome]:
        """The outcomes of submissions, in their order; equal ones are judged once.

        Raises:
            ProctorError: a fault of the caller's: InvalidRequest, NotPermitted, NotFound,
                Conflict, BadAnswer. Of an item's fault the message names the problem.
        """
        if not submissions:
            return []
        # An event loop that ends in an orderly way (asyncio.run) closes the generators begun in
        # it, and with this one the connections.
        await anext(self._lifetime, None)
        gathering = self._gathering()
        entries = [self._entry(gathering, submission) for submission in submissions]
        gathering.callers += 1
        try:
            await asyncio.wait(
                {entry.future for entry in entries}, return_when=asyncio.FIRST_EXCEPTION
            )
        finally:
            gathering.callers -= 1
            self._left(gathering)
        for entry in entries:
            if entry.future.done():
                entry.future.result()  # raises what is the caller's fault
        return [entry.future.result() for entry in entries]

    async def close(self) -> None:
        """Give up what is asked for and close every connection."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._lifetime.aclose()
        await self._http.close()

    # -- gathering ----------------------------------------------------------------------------

    def _gathering(self) -> _Gathering:
        if self._open is None:
            self._open = _Gathering()
            asyncio.get_running_loop().call_later(GATHER_S, self._send, self._open)
        return self._open

    def _entry(self, gathering: _Gathering, submission: Submission) -> _Entry:
        entry = gathering.entries.get(submission.key)
        if entry is None:
            entry = _Entry(submission, asyncio.get_running_loop().create_future())
            gathering.entries[submission.key] = entry
        return entry

    def _send(self, gathering: _Gathering) -> None:
        self._open = None
        if not gathering.callers:
            return
        entries = list(gathering.entries.values())
        gathering.task = asyncio.get_running_loop().create_task(self._judge_all(entries))
        self._tasks.add(gathering.task)

        def ended(task: "asyncio.Task[None]") -> None:
            self._tasks.discard(task)
            # Whatever ended it, perhaps before its first step: nobody may wait for it any more.
            for entry in entries:
                entry.settle(Unjudged("the reward was closed before the result came"))

        gathering.task.add_done_callback(ended)

    def _left(self, gathering: _Gathering) -> None:
        """A caller has its answer or went away; nobody is to run programs for no one."""
        if gathering.callers or gathering.task is None or gathering.task.done():
            return
        if not all(entry.future.done() for entry in gathering.entries.values()):
            gathering.task.cancel()

    # -- judging ------------------------------------------------------------------------------

    async def _judge_all(self, entries: list[_Entry]) -> None:
        deadline = flows.Deadline.after(self._terms.wait_s)
        await asyncio.gather(
            *(
                self._judge(part, deadline)
                for part in parts(entries, lambda entry: entry.submission.size)
            )
        )

    async def _judge(self, part: list[_Entry], deadline: flows.Deadline) -> None:
        """Settle every entry; whatever goes wrong is told to those who wait for them."""
        losses = 0
        try:
            while part:
                try:
                    await self._round(part, deadline)
                except Forgotten:
                    losses += 1
                    if losses > _LOSSES:
                        raise
                except InvalidRequest as error:
                    if is_too_much(error) and len(part) > 1:
                        half = len(part) // 2
                        await asyncio.gather(
                            self._judge(part[:half], deadline), self._judge(part[half:], deadline)
                        )
                    elif not self._settle_blamed(part, error):
                        raise
                part = [entry for entry in part if not entry.future.done()]
        except (ConnectionFailed, ServerFailed, WaitTimeout, Forgotten) as error:
            for entry in part:
                entry.settle(Unjudged(str(error)))
        except Exception as error:  # a caller must never wait for a task that is dead
            for entry in part:
                entry.fail(error)

    async def _round(self, part: list[_Entry], deadline: flows.Deadline) -> None:
        retry = self._terms.retry
        items = [entry.submission.item for entry in part]
        request = requests.batch_request(items, self._terms.options)
        batch = await self._http.run(flows.submit(request, None, retry, deadline))
        missing = set(range(len(part)))
        stream = self._http.iterate(flows.results(batch.id, retry, deadline))
        try:
            async with contextlib.aclosing(stream):
                async for result in stream:
                    if result.index not in missing:
                        raise BadAnswer(f"batch {batch.id}: result {result.index} was not expected")
                    missing.remove(result.index)
                    part[result.index].settle(result)
        except NotFound as error:
            raise Forgotten(f"the server forgot batch {batch.id} before it was read") from error
        except (WaitTimeout, asyncio.CancelledError):
            if missing:
                await self._cancel(batch.id)
            raise
        if missing:
            raise BadAnswer(f"batch {batch.id} ended with {len(missing)} result(s) missing")

    def _settle_blamed(self, part: list[_Entry], error: InvalidRequest) -> bool:
        """Tell those at whose submission the server found fault; whether there were any."""
        found = blamed([entry.submission for entry in part], error, self._terms.policy)
        for index, outcome in found.items():
            if isinstance(outcome, Result):
                part[index].settle(outcome)
            else:
                part[index].fail(outcome)
        return bool(found)

    async def _cancel(self, batch_id: str) -> None:
        """Nobody will read the rest. That it failed matters less than why it was tried."""
        with contextlib.suppress(ProctorError, TimeoutError):
            async with asyncio.timeout(_CANCEL_S):
                await self._http.run(flows.cancel(batch_id, Retry(attempts=0)))


# -- helpers ----------------------------------------------------------------------------------


async def _lifetime(http: Async) -> AsyncGenerator[None, None]:
    try:
        while True:
            yield
    finally:
        await http.close()
