"""`make chaos`, short: each fault once, but those that need an engine of their own."""

from pathlib import Path

import pytest

from tests.chaos.faults import FAULTS
from tests.chaos.run import Plan, run


@pytest.mark.usefixtures("bubblewrap")
def test_nothing_is_lost_doubled_or_different_whatever_dies(tmp_path: Path) -> None:
    # Short pauses; tests/server/test_twins.py has those that outlast a worker's heart.
    plan = Plan(
        seed=7,
        submissions=240,
        sandbox="bubblewrap",
        rounds=1,
        workers=2,
        pause_s=1.0,
        gap_s=0.5,
    )
    report = run(plan, tmp_path)
    assert report.notes == []
    assert report.good, report.line()
    assert report.faults == len(FAULTS)
    assert report.submissions >= plan.submissions
