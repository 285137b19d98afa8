"""The report: what the clients got against what they should have got, in one line."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

# A killed worker's work is to be in other hands by then.
MOST_RECOVERY_S = 10.0


@dataclass(frozen=True, slots=True)
class Read:
    """One batch as its client saw it: the rewards it should have got, and each result it got."""

    expected: Sequence[float]
    got: Sequence[tuple[int, float | None]]  # index and reward, in the order of arrival


@dataclass(slots=True)
class Report:
    """Counts of what went wrong; `notes` has each of it in words."""

    submissions: int = 0
    lost: int = 0
    doubled: int = 0
    differing: int = 0
    worst_recovery_s: float = 0.0
    faults: int = 0
    notes: list[str] = field(default_factory=list)

    def count(self, name: str, read: Read) -> None:
        """Take in a batch: every index must be there once, with its reward."""
        self.submissions += len(read.expected)
        found: dict[int, float | None] = {}
        for index, reward in read.got:
            if index in found or not 0 <= index < len(read.expected):
                self.doubled += 1
                self.notes.append(f"{name}: item {index} came a second time, or from nowhere")
            found.setdefault(index, reward)
        for index, expected in enumerate(read.expected):
            if index not in found:
                self.lost += 1
                self.notes.append(f"{name}: item {index} has no result")
            elif found[index] != expected:
                self.differing += 1
                self.notes.append(f"{name}: item {index} got {found[index]}, not {expected}")

    def recovered(self, seconds: Iterable[float]) -> None:
        """Take in how long the work of killed workers took to be in other hands."""
        self.worst_recovery_s = max([self.worst_recovery_s, *seconds])

    @property
    def good(self) -> bool:
        """Whether nothing was lost, doubled or different, and all was taken up in time."""
        wrong = self.lost + self.doubled + self.differing
        return wrong == 0 and self.worst_recovery_s <= MOST_RECOVERY_S

    def line(self) -> str:
        """All of it in one line."""
        return (
            f"{self.submissions} submissions, {self.lost} lost, {self.doubled} doubled, "
            f"{self.differing} rewards differing, worst recovery {self.worst_recovery_s:.1f} s, "
            f"faults {self.faults}"
        )
