"""What the routes work with, made once per application."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import redis
import redis.asyncio
from starlette.requests import Request

from proctor_server.api.wakeups import Wakeups
from proctor_server.callers import Callers
from proctor_server.door import Door, DoorRules
from proctor_server.errors import StoreUnavailable
from proctor_server.fleet import Announcement, present
from proctor_server.intake import Intake
from proctor_server.queue import ChunkQueue
from proctor_server.settings import Settings
from proctor_server.store import keys
from proctor_server.store.batches import Batches
from proctor_server.store.connection import api_connection, translated
from proctor_server.store.listing import Listing
from proctor_server.store.memory import Memory, read_memory
from proctor_server.store.problems import Problems
from proctor_server.store.sessions import Sessions
from proctor_server.store.statistics import Statistics

# Workers come and go in seconds, and only the sizes of chunks depend on it.
_LOOK_S = 1.0
# Between two cancellations of a task that has not ended.
_AGAIN_S = 0.1

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Services:
    """The store, the door and the intake of one application."""

    settings: Settings
    redis: "redis.asyncio.Redis"
    problems: Problems
    batches: Batches
    door: Door
    intake: Intake
    wakeups: Wakeups
    callers: Callers
    statistics: Statistics
    listing: Listing
    sessions: Sessions
    workers: list[Announcement] = field(default_factory=list)
    # All that workers have had since this process began: one that is started again may be away.
    languages: set[str] = field(default_factory=set)
    memory: Memory = field(default_factory=Memory)

    async def look(self) -> None:
        """Look who works, how much waits and what room there is. Raises StoreUnavailable."""
        self.workers = await present(self.redis)
        self.languages.update(*(one.languages for one in self.workers))
        self.memory = await read_memory(self.redis)
        self.intake.room = not self.memory.nearly_full
        with translated():
            self.intake.pending = int(await self.redis.get(keys.PENDING) or 0)

    async def keep_looking(self) -> None:
        """Look again and again, until cancelled; end batches whose time is over."""
        away = False
        while True:
            self.callers.refresh()
            try:
                await self.look()
                await self.batches.cancel_overdue()
                await self.listing.forget_ended()
            except StoreUnavailable as error:
                if not away:
                    _log.warning("requests get 503 until Redis answers (%s)", error)
                away = True
            else:
                if away:
                    _log.warning("Redis answers")
                away = False
            await asyncio.sleep(_LOOK_S)


def of(request: Request) -> Services:
    """The services of the application that a request came to."""
    services: Services = request.app.state.services
    return services


@asynccontextmanager
async def services(settings: Settings, callers: Callers) -> AsyncIterator[Services]:
    """Open what an application needs, and close it."""
    client = api_connection(settings.redis_url, settings.redis_password())
    # RQ only writes its commands down here; it never talks to Redis from the API.
    queue = ChunkQueue(settings.queue, redis.Redis.from_url(settings.redis_url))
    rules = settings.limit_rules()
    problems = Problems(client, settings.orphan_problem_ttl_s, rules)
    batches = Batches(
        client,
        settings.results_ttl_s,
        settings.orphan_problem_ttl_s,
        settings.max_pending,
        queue.key,
    )
    door = Door(
        problems,
        DoorRules(
            limits=rules,
            languages=lambda: made.languages,
            max_source_bytes=settings.max_source_bytes,
            max_batch_items=settings.max_batch_items,
            max_tests=settings.max_tests,
            max_files_bytes=settings.max_files_bytes,
            keep_sources=settings.keep_sources,
        ),
    )
    made: Services
    intake = Intake(batches, queue, lambda: sum(one.slots for one in made.workers))
    wakeups = Wakeups(client)
    statistics = Statistics(client, queue.key)
    made = Services(
        settings,
        client,
        problems,
        batches,
        door,
        intake,
        wakeups,
        callers,
        statistics,
        Listing(client),
        Sessions(client),
    )
    tasks = [asyncio.create_task(made.wakeups.run()), asyncio.create_task(made.keep_looking())]
    try:
        yield made
    finally:
        await _end(tasks)
        await client.aclose()
        queue.connection.close()


async def _end(tasks: Iterable["asyncio.Task[None]"]) -> None:
    """Cancel tasks until they have ended.

    redis-py turns a cancellation that comes while it connects into an error of its own.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        ended, left = await asyncio.wait(left, timeout=_AGAIN_S)
        await asyncio.gather(*ended, return_exceptions=True)
