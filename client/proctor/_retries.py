"""When a request is sent again, and after how long."""

import email.utils
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass

# Overload and restarts. 500 is left out: a server's bug does not go away by asking again.
RETRIED = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how patiently to try again.

    The delay before try n is drawn from [0.5, 1] x min(cap_s, base_s x 2^n), so that a
    cluster's clients do not return in step; a Retry-After of the server is waited out in full.
    """

    # 8 tries after the first span about half a minute: longer than a restart of the API.
    attempts: int = 8
    base_s: float = 0.2
    cap_s: float = 10.0
    # A server may ask for more patience than a training step has.
    retry_after_cap_s: float = 60.0

    def delay_s(self, failures: int, headers: Mapping[str, str] | None = None) -> float | None:
        """Seconds to wait after so many failures in a row (from 1); None: give up."""
        if failures > self.attempts:
            return None
        ceiling = min(self.cap_s, self.base_s * 2.0 ** (failures - 1))
        delay = ceiling * random.uniform(0.5, 1.0)  # noqa: S311  jitter needs no secrecy
        return max(delay, min(_retry_after_s(headers or {}), self.retry_after_cap_s))


def _retry_after_s(headers: Mapping[str, str]) -> float:
    """Retry-After in seconds, given as a number or as a date (RFC 9110, 10.2.3); 0 if absent."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return 0.0
    if text.isdecimal():
        return float(text)
    try:
        when = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    return max(0.0, when.timestamp() - time.time())
