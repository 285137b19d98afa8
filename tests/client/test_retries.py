"""Retry: how long, how often."""

import time
from email.utils import formatdate

import pytest

from proctor import Retry


def test_delays_grow_up_to_a_cap_and_end() -> None:
    retry = Retry(attempts=6, base_s=1.0, cap_s=8.0)
    for failures, ceiling in enumerate([1, 2, 4, 8, 8, 8], 1):
        drawn = [retry.delay_s(failures) for _ in range(50)]
        assert all(delay is not None and ceiling / 2 <= delay <= ceiling for delay in drawn)
        assert len(set(drawn)) > 1
    assert retry.delay_s(7) is None


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("7", 7, 7),
        ("7200", 60, 60),
        ("0", 0, 0.2),
        ("soon", 0, 0.2),
        ("-5", 0, 0.2),
        ("²", 0, 0.2),
        (formatdate(time.time() + 3600, usegmt=True), 60, 60),
        (formatdate(time.time() - 3600, usegmt=True), 0, 0.2),
        ("Mon, 99 Foo 2026 00:00:00 GMT", 0, 0.2),
    ],
)
def test_retry_after_is_honoured_within_reason(header: str, least: float, most: float) -> None:
    delay = Retry().delay_s(1, {"retry-after": header})
    assert delay is not None
    assert least <= delay <= most
