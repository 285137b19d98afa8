"""This host's clock beside Redis's: by the time of day hearts are told to have stopped."""

import logging
import time
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoPermissionError

if TYPE_CHECKING:
    import redis

# A heart may miss 7 s of its 9 (rq_worker.LIFE_S). Two hosts, each this far off, one ahead and
# one behind, still believe each other alive.
MOST_APART_S = 3.0

_log = logging.getLogger(__name__)


class ClockApart(Exception):
    """Raised when this host's clock is too far from Redis's to work beside other hosts."""


def check(client: "redis.Redis") -> None:
    """Compare the clocks. Raises ClockApart.

    A host ahead of the others would take up again and again what they are at, until it ended
    as IE; the work of one behind would be taken up late.
    """
    before = time.time()
    try:
        told: Any = client.time()
    except NoPermissionError:
        _log.warning("Redis's users are of an older version, without +time: clocks not compared")
        return
    apart_s = _apart_s(before, told[0] + told[1] / 1e6, time.time())
    if apart_s > MOST_APART_S:
        raise ClockApart(
            f"this host's clock is {apart_s:.0f} s off that of Redis's host: set both "
            "(timedatectl set-ntp true), then start the worker again"
        )


def _apart_s(before: float, told: float, after: float) -> float:
    """How far off a clock is at least that was read between two moments of ours."""
    return max(before - told, told - after, 0.0)
