"""The board: what the page shows of the service, read and drawn once for all who look."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from proctor.types import Stats
from proctor_server.api.services import Services
from proctor_server.api.statistics import current
from proctor_server.errors import Overloaded
from proctor_server.page.charts import STEP_S, Chart, charts
from proctor_server.page.tally import Tallies

# As often as anything is sent to a browser.
TICK_S = 1.0
# Each watcher costs 3 ms a tick: so many are a team, and a seventh of a core.
_SEATS = 50


@dataclass(frozen=True, slots=True)
class Shown:
    """What is on the board."""

    stats: Stats
    charts: list[Chart]


class Board:
    """Nobody looks: nothing is read."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._reading = asyncio.Lock()
        self._read_at = 0.0
        self._shown: Shown | None = None
        self._drawn_for = 0
        self.watchers = 0
        self.tallies = Tallies(services.batches)

    @contextmanager
    def seat(self) -> Iterator[None]:
        """Watch. Raises Overloaded where enough watch already."""
        if self.watchers == _SEATS:
            raise Overloaded("as many browsers as may be are watching; look again later")
        self.watchers += 1
        try:
            yield
        finally:
            self.watchers -= 1

    async def shown(self) -> Shown:
        """The board, at most a tick old. Raises StoreUnavailable."""
        async with self._reading:
            if self._shown is None or time.monotonic() - self._read_at >= TICK_S:
                self._shown = await self._look()
                self._read_at = time.monotonic()
            return self._shown

    async def _look(self) -> Shown:
        stats = await current(self._services)
        # The last point is still growing: it is drawn again every ten seconds.
        drawing = int(stats.at) // (STEP_S // 3)
        if self._shown is not None and drawing == self._drawn_for:
            return Shown(stats, self._shown.charts)
        history = await self._services.statistics.history(stats.at)
        drawn = await asyncio.to_thread(charts, stats.at, history)
        self._drawn_for = drawing
        return Shown(stats, drawn)
