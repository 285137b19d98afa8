"""Where figures go: lines that survive a crash, TensorBoard's files, a picture."""

import json
from pathlib import Path

import pytest

from proctor.train.logs import METRICS, Log, draw, read
from proctor.train.trainer import Metrics


def steps(first: int, last: int) -> list[Metrics]:
    return [
        {"step": step, "pass_rate": step / 10, "verdict/AC": 0.25, "step_s": 2.0, "length": 7.0}
        for step in range(first, last + 1)
    ]


def write(folder: Path, first: int, last: int, *, after: int | None = None) -> None:
    with Log(folder, after=after) as log:
        for metrics in steps(first, last):
            log.add(metrics)


def test_each_step_is_a_line(tmp_path: Path) -> None:
    write(tmp_path / "new" / "folder", 1, 3)
    path = tmp_path / "new" / "folder" / METRICS
    assert [json.loads(line) for line in path.read_text().splitlines()] == steps(1, 3)
    assert read(path) == steps(1, 3)


def test_a_line_is_there_as_soon_as_its_step_ended(tmp_path: Path) -> None:
    with Log(tmp_path) as log:
        for metrics in steps(1, 3):
            log.add(metrics)
            assert read(tmp_path / METRICS)[-1] == metrics


def test_a_run_from_its_beginning_drops_what_was_there(tmp_path: Path) -> None:
    write(tmp_path, 1, 5)
    write(tmp_path, 1, 2)
    assert read(tmp_path / METRICS) == steps(1, 2)


def test_a_resumed_run_drops_the_steps_that_come_again(tmp_path: Path) -> None:
    write(tmp_path, 1, 5)
    write(tmp_path, 4, 6, after=3)
    assert read(tmp_path / METRICS) == steps(1, 6)


def test_a_resumed_run_without_a_file_begins_one(tmp_path: Path) -> None:
    write(tmp_path, 4, 6, after=3)
    assert read(tmp_path / METRICS) == steps(4, 6)


@pytest.mark.parametrize("characters", [1, 10, 40])
def test_a_last_line_that_a_crash_cut_off_is_left_out(tmp_path: Path, characters: int) -> None:
    write(tmp_path, 1, 3)
    path = tmp_path / METRICS
    path.write_text(path.read_text()[:-characters])
    assert read(path) == steps(1, 2)
    write(tmp_path, 3, 4, after=2)
    assert read(path) == steps(1, 4)


def test_another_bad_line_is_an_error_and_no_file_is_none(tmp_path: Path) -> None:
    path = tmp_path / METRICS
    assert read(path) == []
    path.write_text('{"step": 1}\n{"step\n{"step": 3}\n')
    with pytest.raises(ValueError, match="Invalid control character"):
        read(path)


def scalars(folder: Path, name: str) -> list[tuple[int, float]]:
    """What TensorBoard shows of a run."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder))
    found.Reload()
    return [(event.step, event.value) for event in found.Scalars(name)]


def test_tensorboard_shows_the_figures(tmp_path: Path) -> None:
    write(tmp_path, 1, 3)
    places, values = zip(*scalars(tmp_path, "pass_rate"), strict=True)
    assert places == (1, 2, 3)
    assert values == pytest.approx((0.1, 0.2, 0.3))
    assert scalars(tmp_path, "verdict/AC") == [(1, 0.25), (2, 0.25), (3, 0.25)]


def test_tensorboard_shows_each_step_of_a_resumed_run_once(tmp_path: Path) -> None:
    write(tmp_path, 1, 5)
    write(tmp_path, 4, 6, after=3)
    assert [step for step, _ in scalars(tmp_path, "pass_rate")] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("metrics", [steps(1, 30), steps(1, 1), [{"step": 1, "loss": 0.0}], []])
def test_the_curves_are_a_picture(tmp_path: Path, metrics: list[Metrics]) -> None:
    for place in range(9, len(metrics), 10):
        metrics[place]["heldout"] = 0.5
    draw(metrics, tmp_path / "curves.png", "A title")
    found = (tmp_path / "curves.png").read_bytes()
    assert found.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(found) > 10_000
