"""Tallies: what a batch's rewards come to, counted once however many look."""

from collections import OrderedDict
from dataclasses import dataclass, field

from proctor.types import Verdict
from proctor_server.api.waiting import ENTRIES_AT_ONCE
from proctor_server.results import ResultLines
from proctor_server.store.batches import Batches

# 0 and 1 are places of their own: all or nothing is what most rewards are.
PLACES = (
    "below 0",
    "0",
    "0 to 0.2",
    "0.2 to 0.4",
    "0.4 to 0.6",
    "0.6 to 0.8",
    "0.8 to 1",
    "1",
    "none",
)
# Of each verdict so many submissions are named; who needs more reads the results.
NAMED = 50
_BATCHES = 64


@dataclass(slots=True)
class Tally:
    """What was counted of a batch's entries so far: `counted` of them."""

    lines: ResultLines
    counted: int = 0
    places: list[int] = field(default_factory=lambda: [0] * len(PLACES))
    sum: float = 0.0
    named: dict[Verdict | None, list[int]] = field(default_factory=dict)

    @property
    def mean(self) -> float | None:
        """The mean of those rewards that are not null."""
        rewarded = self.counted - self.places[-1]
        return self.sum / rewarded if rewarded else None

    def add(self, entry: bytes) -> None:
        """Count one entry."""
        index, reward, verdict = self.lines.reward(entry)
        self.counted += 1
        self.places[_place(reward)] += 1
        self.sum += reward or 0.0
        named = self.named.setdefault(verdict, [])
        if len(named) < NAMED:
            named.append(index)


class Tallies:
    """The tallies of the batches that were looked at last."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self._known: OrderedDict[str, Tally] = OrderedDict()

    async def of(self, batch_id: str) -> Tally | None:
        """A batch's tally up to now; None where there is no such batch.

        Raises StoreUnavailable.
        """
        tally = self._known.pop(batch_id, None)
        if tally is None:
            known = await self._batches.items(batch_id)
            if known is None:
                return None
            tally = Tally(ResultLines(batch_id, *known))
        # Taken out while it is counted on: two at once would count the same entries twice.
        full = True
        while full:
            page = await self._batches.page(batch_id, tally.counted, ENTRIES_AT_ONCE)
            if page is None:
                return None
            for entry in page.entries:
                tally.add(entry)
            full = len(page.entries) == ENTRIES_AT_ONCE
        self._known[batch_id] = tally
        if len(self._known) > _BATCHES:
            self._known.popitem(last=False)
        return tally


def _place(reward: float | None) -> int:
    if reward is None:
        return PLACES.index("none")
    if reward < 0:
        return PLACES.index("below 0")
    if reward == 0:
        return PLACES.index("0")
    if reward >= 1:
        return PLACES.index("1")
    return PLACES.index("0 to 0.2") + min(4, int(reward * 5))
