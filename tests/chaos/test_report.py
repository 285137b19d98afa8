"""The report counts what goes wrong: a harness that can't tell would prove nothing."""

import pytest

from tests.chaos.report import Read, Report

REWARDS = [1.0, 0.5, 0.0]
ALL = [(0, 1.0), (2, 0.0), (1, 0.5)]


@pytest.mark.parametrize(
    ("got", "lost", "doubled", "differing"),
    [
        (ALL, 0, 0, 0),
        ([], 3, 0, 0),
        (ALL[:2], 1, 0, 0),  # a line of the stream is missing
        ([*ALL, (1, 0.5)], 0, 1, 0),  # one came twice
        ([*ALL, (3, 1.0)], 0, 1, 0),  # one that nobody posted
        ([(0, 1.0), (1, 0.0), (2, 0.0)], 0, 0, 1),
        ([(0, None), (1, 0.5), (2, 0.0)], 0, 0, 1),  # an IE is no reward
        ([(0, 1.0), (0, 0.0)], 2, 1, 0),
    ],
)
def test_what_is_lost_doubled_and_different_is_counted(
    got: list[tuple[int, float | None]], lost: int, doubled: int, differing: int
) -> None:
    report = Report()
    report.count("batch", Read(REWARDS, got))
    assert (report.lost, report.doubled, report.differing) == (lost, doubled, differing)
    assert report.good == (got == ALL)
    assert len(report.notes) == lost + doubled + differing


def test_a_recovery_that_took_too_long_is_not_good() -> None:
    report = Report()
    report.recovered([0.5, 10.0, 3.0])
    assert report.good
    report.recovered([10.1])
    assert not report.good


def test_all_of_it_is_one_line() -> None:
    report = Report(faults=7)
    report.count("batch", Read(REWARDS, ALL[:2]))
    report.recovered([3.21])
    assert report.line() == (
        "3 submissions, 1 lost, 0 doubled, 0 rewards differing, worst recovery 3.2 s, faults 7"
    )
