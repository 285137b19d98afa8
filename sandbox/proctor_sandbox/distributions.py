"""Which installed packages programs may import under bubblewrap: the `programs` extra's, no more.

The Docker image has the same set in a folder of its own; here it is picked out of the
environment that Proctor runs in, so that no program sees Proctor's.
"""

import re
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

# As in pyproject.toml and images/python-requirements.txt; a test holds them together.
PROGRAM_DISTRIBUTIONS = (
    "networkx", "numpy", "pandas", "pytest", "scipy", "sortedcontainers", "sympy",
)  # fmt: skip

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@cache
def importable(names: tuple[str, ...] = PROGRAM_DISTRIBUTIONS) -> dict[str, Path]:
    """Entries of a folder to import these distributions, and what they need, from.

    Maps the entry's name to where it is installed. What is not installed is left out.
    """
    entries: dict[str, Path] = {}
    waiting = list(names)
    seen = set()
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in seen:
            continue
        seen.add(name)
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue  # not installed here, or needed on other platforms only
        for file in found.files or ():
            top = file.parts[0]
            if top not in ("..", "__pycache__"):
                entries[top] = Path(str(found.locate_file(top)))
        for requirement in found.requires or ():
            needed = _NAME.match(requirement)
            if needed and "extra ==" not in requirement:
                waiting.append(needed.group())
    return entries
