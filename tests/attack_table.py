"""A pytest plugin that ends a run with a table, attack by backend, for `make test-adversarial`.

    python -m pytest -p tests.attack_table tests/adversarial tests/integrity

A test is in the table when it is marked `@pytest.mark.attack("name of the attack")`, or its
parameters are. Tests of one name share a line. The column is the test's parameter `backend`
where that is a word, else the marker's keyword `backend`, else "stack".
"""

from collections import defaultdict
from collections.abc import Iterator
from enum import StrEnum

import pytest
from rich.console import Console
from rich.table import Table

_ELSEWHERE = "stack"


class Outcome(StrEnum):
    """What became of an attack on a backend; of several tests the worst counts."""

    SKIPPED = "-"
    CONTAINED = "contained"
    FAILED = "FAILED"


class Scoreboard:
    """Attacks by name, and what became of each on each backend."""

    def __init__(self) -> None:
        self._outcomes: dict[str, dict[str, Outcome]] = defaultdict(dict)

    def note(self, attack: str, backend: str, outcome: Outcome) -> None:
        order = list(Outcome)
        before = self._outcomes[attack].get(backend, Outcome.SKIPPED)
        self._outcomes[attack][backend] = max(before, outcome, key=order.index)

    def lines(self, width: int = 120) -> Iterator[str]:
        """The table, and the one line that sums it up."""
        backends = list(dict.fromkeys(name for row in self._outcomes.values() for name in row))
        table = Table("attack", *backends)
        for attack, row in self._outcomes.items():
            table.add_row(attack, *(row.get(backend, "") for backend in backends))
        console = Console(width=width, no_color=True)
        with console.capture() as capture:
            console.print(table)
        yield from capture.get().splitlines()
        everything = [outcome for row in self._outcomes.values() for outcome in row.values()]
        yield (
            f"{len(self._outcomes)} attacks, {len(backends)} backends, "
            f"{everything.count(Outcome.CONTAINED)} contained, "
            f"{everything.count(Outcome.FAILED)} failed"
        )


_scoreboard = pytest.StashKey[Scoreboard]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_scoreboard] = Scoreboard()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report: pytest.TestReport = yield  # type: ignore[assignment]
    marker = item.get_closest_marker("attack")
    if marker is not None:
        outcome = {
            "passed": Outcome.CONTAINED if report.when == "call" else Outcome.SKIPPED,
            "skipped": Outcome.SKIPPED,
            "failed": Outcome.FAILED,
        }[report.outcome]
        item.config.stash[_scoreboard].note(marker.args[0], _backend(item, marker), outcome)
    return report  # type: ignore[return-value]


def _backend(item: pytest.Item, marker: pytest.Mark) -> str:
    callspec = getattr(item, "callspec", None)
    named = callspec.params.get("backend") if callspec else None
    return named if isinstance(named, str) else str(marker.kwargs.get("backend", _ELSEWHERE))


def pytest_unconfigure(config: pytest.Config) -> None:
    # After pytest's own last words: the sum is to be the last line.
    for line in config.stash[_scoreboard].lines():
        print(line)
