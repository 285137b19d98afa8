"""The measures behind docs/scaling.md, small: that they measure, not how fast anything is."""

from pathlib import Path

import pytest

from tests.integration.benches import bench


@pytest.mark.usefixtures("bubblewrap")
def test_memory_is_measured_until_nothing_is_left(tmp_path: Path) -> None:
    options = ["--programs", "50", "--tests", "1", "--ttl", "5", "--sandbox", "bubblewrap"]
    (row,) = bench("bench.memory", tmp_path / "out.json", *options)["rows"]
    # The source alone is 1 KiB, and not kept once it was run.
    assert row["queued_bytes"] > 1024 > row["answered_by_kind"]["proctor:outcome"] > 0
    assert "proctor:chunk" in row["queued_by_kind"]
    assert "proctor:chunk" not in row["answered_by_kind"]
    # What stays is of Redis itself: its buffers for clients and for scripts.
    assert row["expired_bytes"] < row["answered_bytes"]


@pytest.mark.usefixtures("bubblewrap")
def test_throughput_is_measured_beside_what_the_model_says(tmp_path: Path) -> None:
    options = ["--workers", "1", "--workers", "2", "--rounds", "1", "--programs", "60"]
    written = bench("bench.scaling", tmp_path / "out.json", *options, "--sandbox", "bubblewrap")
    for figures in (written["programs_per_s"], written["predicted_per_s"]):
        assert set(figures) == {"1", "2"}
        assert all(value > 0 for value in figures.values())
