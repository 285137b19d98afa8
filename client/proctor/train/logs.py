"""Where a run's figures go: a line of JSON a step, TensorBoard, and a picture of the curves."""

import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from proctor.train.trainer import Metrics

METRICS = "metrics.jsonl"


class Log:
    """Writes figures as they come.

    A run that is resumed goes on with its file: what was written of steps after the checkpoint
    that it goes on from is dropped, since they come again.

    Args:
        folder: is made; gets metrics.jsonl and TensorBoard's files.
        after: the last step that stays in the file; None begins anew.
    """

    def __init__(self, folder: Path, *, after: int | None = None) -> None:
        from torch.utils.tensorboard import SummaryWriter  # half a second, which a reader needs not

        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / METRICS
        kept = [m for m in read(self.path) if m["step"] <= after] if after is not None else []
        self._lines = self.path.open("w")
        for metrics in kept:
            self._write(metrics)
        self._board = SummaryWriter(str(folder), purge_step=(after or 0) + 1)

    def add(self, metrics: Metrics) -> None:
        """Write the figures of one step; `step` is one of them."""
        self._write(metrics)
        for name, value in metrics.items():
            self._board.add_scalar(name, value, int(metrics["step"]))

    def _write(self, metrics: Metrics) -> None:
        self._lines.write(json.dumps(metrics) + "\n")
        self._lines.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lines.close()
        self._board.close()


def read(path: Path) -> list[Metrics]:
    """The figures in a metrics.jsonl; none where there is no file.

    A last line that a crash cut off is left out. Raises ValueError for any other bad line.
    """
    if not path.exists():
        return []
    lines = path.read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def draw(metrics: Sequence[Metrics], path: Path, title: str) -> None:
    """Draw the curves of a run as a PNG.

    Args:
        metrics: step after step.
        path: of the picture.
        title: above it.
    """
    from matplotlib.figure import Figure  # no pyplot: it would keep state, and look for a display

    figure = Figure(figsize=(11, 7), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(2, 2)
    _curve(axes[0, 0], metrics, "Pass rate", {"pass_rate": "sampled", "heldout": "held-out"}, top=1)
    verdicts = sorted({name for each in metrics for name in each if name.startswith("verdict/")})
    _curve(axes[0, 1], metrics, "Verdicts", {n: n.partition("/")[2] for n in verdicts}, top=1)
    _curve(axes[1, 0], metrics, "Tokens a completion", {"length": "mean"})
    times = {"step_s": "step", "sample_s": "sampling", "wait_s": "waiting for rewards"}
    _curve(axes[1, 1], metrics, "Seconds", times)
    figure.savefig(path, dpi=110)


def _curve(
    axis: Any,
    metrics: Sequence[Metrics],
    title: str,
    names: dict[str, str],
    *,
    top: float | None = None,
) -> None:
    for name, label in names.items():
        points = [(each["step"], each[name]) for each in metrics if name in each]
        if points:
            # What is measured now and then is shown where it was measured.
            mark = "o-" if name == "heldout" else "-"
            axis.plot(*zip(*points, strict=True), mark, label=label, markersize=4)
    axis.set_title(title, fontsize=10)
    axis.set_xlabel("step")
    axis.set_ylim(0, top)
    axis.grid(alpha=0.3)
    if axis.lines:  # matplotlib warns of a legend of nothing
        axis.legend(fontsize=8)
