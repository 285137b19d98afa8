"""Benchmarks run as a user runs them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def bench(module: str, out: Path, *options: str) -> dict[str, Any]:
    """What a benchmark (`python -m module`) writes to a file that it is told."""
    done = subprocess.run(
        [sys.executable, "-m", module, "--out", str(out), *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    written: dict[str, Any] = json.loads(out.read_text())
    return written
