"""Charts of a report as SVG, to stand inside a page whose style sheet colours them.

matplotlib, of the extra `report`, is imported when a chart is drawn.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from proctor.harness.report import Report
from proctor.types import Verdict

# matplotlib knows no CSS: it draws in these, and each stands for one of the page's colours.
_INK, _MARK, _OURS, _FAINT = "#010101", "#020202", "#030303", "#040404"
_COLOURS = {_INK: "--ink", _MARK: "--mark", _OURS: "--ours", _FAINT: "--faint"}
_BINS = 10
# Else matplotlib writes its name and the date into each chart.
_NO_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart.

    Attributes:
        title: what it shows.
        text: the same in words, for those who do not see it.
        svg: the element.
    """

    title: str
    text: str
    svg: str


def charts(report: Report) -> list[Chart]:
    """The charts that a report has figures for. Raises ModuleNotFoundError without matplotlib."""
    made = [_pass_rates(report), _verdicts(report)]
    if sum(value is not None for value in report.pass_at_k.values()) > 1:
        made.append(_pass_at_k(report))
    return made


# -- helpers ----------------------------------------------------------------------------------


def _pass_rates(report: Report) -> Chart:
    rates = [each.mean_pass_rate for each in report.problems if each.mean_pass_rate is not None]
    counts = [0] * _BINS
    for rate in rates:
        counts[min(int(rate * _BINS), _BINS - 1)] += 1
    title = "Problems by mean pass rate"
    words = [f"{place * 10} to {place * 10 + 10} %: {n}" for place, n in enumerate(counts) if n]
    with _drawn(title) as drawing:
        axes = drawing.axes
        axes.bar([place + 0.5 for place in range(_BINS)], counts, width=0.9, color=_MARK)
        axes.set_xticks(range(0, _BINS + 1, 2), [f"{10 * tick} %" for tick in range(0, 11, 2)])
        axes.set_ylabel("problems")
        axes.yaxis.get_major_locator().set_params(integer=True)
    return Chart(title, "; ".join(words) or "none was scored", drawing.svg)


def _verdicts(report: Report) -> Chart:
    names = [str(verdict) for verdict in report.verdicts]
    counts = list(report.verdicts.values())
    title = "Samples by verdict"
    with _drawn(title) as drawing:
        axes = drawing.axes
        colours = [_OURS if name == Verdict.IE else _MARK for name in names]
        bars = axes.barh(names, counts, color=colours, height=0.7)
        axes.bar_label(bars, padding=4, color=_INK)
        axes.invert_yaxis()
        axes.margins(x=0.12)
        axes.grid(visible=False)
        axes.set_xticks([])
    words = [f"{name}: {count}" for name, count in zip(names, counts, strict=True)]
    return Chart(title, "; ".join(words), drawing.svg)


def _pass_at_k(report: Report) -> Chart:
    known = [(k, value) for k, value in sorted(report.pass_at_k.items()) if value is not None]
    title = "pass@k with its 95 % interval"
    places = range(len(known))
    middles = [value.value for _, value in known]
    with _drawn(title) as drawing:
        axes = drawing.axes
        down = [max(0.0, value.value - value.low) for _, value in known]
        up = [max(0.0, value.high - value.value) for _, value in known]
        axes.errorbar(places, middles, yerr=[down, up], color=_MARK, marker="o", capsize=5)
        axes.set_xticks(places, [f"k = {k}" for k, _ in known])
        axes.set_ylim(-0.02, 1.02)
        axes.margins(x=0.15)
    words = [f"pass@{k}: {v.value:.4f}, {v.low:.4f} to {v.high:.4f}" for k, v in known]
    return Chart(title, "; ".join(words), drawing.svg)


@dataclass
class _Drawing:
    axes: Any
    svg: str = ""


@contextmanager
def _drawn(name: str) -> Iterator[_Drawing]:
    """Axes to draw on; when the context ends, the drawing's SVG is there."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style: Any = {
        # Text stays text: it is smaller, takes the page's font, and is found by a search.
        "svg.fonttype": "none",
        "svg.hashsalt": name,
        "font.size": 12,
        "font.family": "sans-serif",
        "text.color": _INK,
        "axes.labelcolor": _INK,
        "xtick.color": _INK,
        "ytick.color": _INK,
        "axes.edgecolor": _FAINT,
        "grid.color": _FAINT,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=(5.2, 2.9), layout="constrained")
        drawing = _Drawing(figure.add_subplot())
        yield drawing
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata=_NO_METADATA)
    drawing.svg = _inline(out.getvalue())


def _inline(document: str) -> str:
    """The SVG element of a document, in the page's colours; its words are beside it."""
    svg = document[document.index("<svg") :]
    for colour, variable in _COLOURS.items():
        svg = svg.replace(colour, f"var({variable})")
    return svg.replace("<svg", '<svg aria-hidden="true" focusable="false"', 1)
