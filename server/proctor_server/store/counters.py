"""Counters: what is counted of results, in a hash for every ten seconds and one for all time.

| field | counts |
| --- | --- |
| v:<verdict>:<language> | results |
| cached | those of them for which nothing was run |
| fault:<cause> | IEs |
| w:<n>, ws | queue waits, by duration; their sum, microseconds |
| r:<n>, rs | times in sandboxes |
| k:<n>, ks | chunks, from taken to ended; not in the tens of seconds |

Durations are counted in places a factor of 2^(1/4) apart, from 1 ms to 70 minutes: a percentile
read from them is within 9.1 % of the true one. What took less than 1 ms counts as 1 ms.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from proctor.types import Spread

LEAST_S = 0.001
STEPS_PER_DOUBLING = 4
# 1 ms x 2^(88/4) is 70 minutes; what takes longer counts in the last place.
LAST_PLACE = 88

TALLY = f"""
local tallies, places, sums = {{}}, {{}}, {{}}
local function count(field, n) tallies[field] = (tallies[field] or 0) + n end
local function took(kind, seconds)
  local place = math.ceil(math.log(seconds / {LEAST_S}) * {STEPS_PER_DOUBLING / math.log(2)})
  place = math.max(0, math.min({LAST_PLACE}, place))
  local of = places[kind] or {{}}
  of[place] = (of[place] or 0) + 1
  places[kind], sums[kind] = of, (sums[kind] or 0) + seconds
end
-- All that was counted, by field. Called once: names are made here and not for each duration.
local function tallied()
  for kind, of in pairs(places) do
    for place, n in pairs(of) do tallies[kind .. ':' .. place] = n end
    tallies[kind .. 's'] = math.floor(sums[kind] * 1e6)
  end
  return tallies
end
-- Two commands, however many counts: each is a line in the append-only file.
local function add(hash, counts)
  local fields, changed = {{}}, {{}}
  for field, n in pairs(counts) do
    if n ~= 0 then fields[#fields + 1] = field end
  end
  if #fields == 0 then return end
  for i, before in ipairs(redis.call('HMGET', hash, unpack(fields))) do
    changed[2 * i - 1] = fields[i]
    changed[2 * i] = string.format('%.0f', (before or 0) + counts[fields[i]])
  end
  redis.call('HSET', hash, unpack(changed))
end
"""


def most_s(place: int) -> float:
    """The longest duration, in seconds, that counts in a place."""
    return float(LEAST_S * 2.0 ** (place / STEPS_PER_DOUBLING))


@dataclass(slots=True)
class Durations:
    """How many durations there were by place, and their sum in seconds."""

    places: Counter[int] = field(default_factory=Counter)
    sum_s: float = 0.0

    def percentile(self, share: float) -> float:
        """The duration, in seconds, below which this share (0.0 to 1.0) of them is.

        The geometric middle of its place. Raises ValueError where there is none.
        """
        left = math.ceil(share * self.places.total())
        for place in sorted(self.places):
            left -= self.places[place]
            if left <= 0:
                return most_s(place) if place == 0 else math.sqrt(most_s(place - 1) * most_s(place))
        raise ValueError("there are no durations")

    def spread(self) -> Spread | None:
        """Median and 95th percentile, None where there is nothing."""
        if not self.places:
            return None
        return Spread(p50=round(self.percentile(0.5), 6), p95=round(self.percentile(0.95), 6))


@dataclass(slots=True)
class Counts:
    """What a hash of counters holds."""

    results: Counter[tuple[str, str]] = field(default_factory=Counter)  # by verdict and language
    cached: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    waits: Durations = field(default_factory=Durations)
    runs: Durations = field(default_factory=Durations)
    chunks: Durations = field(default_factory=Durations)

    @property
    def programs(self) -> int:
        """All results, whatever their verdict."""
        return self.results.total()

    @property
    def verdicts(self) -> Counter[str]:
        """Results by verdict."""
        found: Counter[str] = Counter()
        for (verdict, _), number in self.results.items():
            found[verdict] += number
        return found

    @classmethod
    def sum(cls, parts: Iterable["Counts"]) -> "Counts":
        """What several hashes hold together."""
        counts = cls()
        for part in parts:
            counts.results += part.results
            counts.cached += part.cached
            counts.faults += part.faults
            for own, more in zip(counts._durations(), part._durations(), strict=True):
                own.places += more.places
                own.sum_s += more.sum_s
        return counts

    def _durations(self) -> tuple[Durations, Durations, Durations]:
        return self.waits, self.runs, self.chunks

    @classmethod
    def of(cls, raw: Mapping[bytes, bytes]) -> "Counts":
        """Read a hash. Fields of another version of Proctor are passed over."""
        counts = cls()
        durations = {"w": counts.waits, "r": counts.runs, "k": counts.chunks}
        for name, value in raw.items():
            number = int(value)
            match name.decode().split(":"):
                case ["v", verdict, language]:
                    counts.results[verdict, language] += number
                case ["cached"]:
                    counts.cached = number
                case ["fault", cause]:
                    counts.faults[cause] = number
                case [("w" | "r" | "k") as kind, place]:
                    durations[kind].places[int(place)] = number
                case [("ws" | "rs" | "ks") as sums]:
                    durations[sums[0]].sum_s = number / 1e6
        return counts
