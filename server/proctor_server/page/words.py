"""Words: numbers, times and sizes as the page writes them."""

import time

# In the place of what is not known, or not there.
NONE = "\N{EN DASH}"

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 24 * 3600


def number(value: float) -> str:
    """A number with as many digits as help: 12,345, 42, 3.1, 0.25."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.2g}"


def seconds(value: float | None) -> str:
    """A duration: 340 ms, 2.1 s, 3 min, 2 h."""
    if value is None:
        return NONE
    if value == 0:
        return "0 s"
    if value < 1:
        return f"{value * 1000:.2g} ms" if value < 0.1 else f"{value * 1000:.0f} ms"
    if value < 2 * _MINUTE_S:
        return f"{value:.0f} s" if value >= 10 or value == int(value) else f"{value:.1f} s"
    if value < 2 * _HOUR_S:
        return f"{value / _MINUTE_S:.0f} min"
    return f"{value / _HOUR_S:.0f} h" if value < 2 * _DAY_S else f"{value / _DAY_S:.0f} days"


def ago(moment: float) -> str:
    """How long ago a Unix time was."""
    passed_s = max(1, round(time.time() - moment))
    return f"{seconds(passed_s)} ago"


def at(moment: float) -> str:
    """A Unix time, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(moment))


def size(number_bytes: int) -> str:
    """A size in memory: 12 MiB, 3.6 GiB."""
    mib = number_bytes / 2**20
    return f"{mib:.0f} MiB" if round(mib) < 1024 else f"{mib / 1024:.1f} GiB"


def percent(share: float | None) -> str:
    """A share of 0.0 to 1.0. Little is never shown as nothing, nor much as all."""
    if share is None:
        return NONE
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{100 * share:.3g} %"
