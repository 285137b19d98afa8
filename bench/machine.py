"""What the figures were measured on."""

import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

_ROOT = Path(__file__).parents[1]


def facts() -> dict[str, str | int | float]:
    """The machine in a few words; the load average says who else was busy at the start."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "kernel": platform.release(),
        "system": _system(),
        "python": platform.python_version(),
        "load_average": round(os.getloadavg()[0], 2),
    }


def today() -> str:
    """Now, in UTC, to the second."""
    return datetime.fromtimestamp(int(time.time()), UTC).isoformat()


def revision() -> str | None:
    """The commit that is measured, with "+" where files differ from it; None outside of git."""
    try:
        argv = ["git", "-C", str(_ROOT), "describe", "--always", "--abbrev=12", "--dirty=+"]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()
