"""Charts of the last hour: drawn here, so that a browser needs no library to show them."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from xml.etree.ElementTree import Element

import pygal
from markupsafe import Markup
from pygal.style import Style

from proctor.types import Spread, Verdict
from proctor_server.page.words import number, seconds
from proctor_server.store.counters import Counts
from proctor_server.store.keys import BUCKET_S, HISTORY_S

# Three buckets a point: as many points as a chart on a phone has pixels to tell apart.
STEP_S = 3 * BUCKET_S
_POINTS = HISTORY_S // STEP_S
_LABEL_EVERY_S = 600

Values = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a chart. `style` is a class of page.css."""

    name: str
    style: str
    values: Values


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawn chart, and in words what it shows."""

    name: str
    title: str
    series: Sequence[Series]
    svg: Markup
    words: str


def charts(now: float, history: Mapping[int, Counts]) -> list[Chart]:
    """The charts of an hour that ends at a Unix time."""
    points = _points(now, history)
    # The last point's time is not over yet.
    spans_s = [*[STEP_S] * (_POINTS - 1), max(BUCKET_S, now % STEP_S)]
    ran = [(one.programs - one.cached) / span for one, span in zip(points, spans_s, strict=True)]
    cached = [one.cached / span for one, span in zip(points, spans_s, strict=True)]
    verdicts = [
        Series(verdict, f"v-{verdict}", [_share(one, verdict) for one in points])
        for verdict in Verdict
        if any(verdict in one.verdicts for one in points)
    ]
    return [
        _drawn(
            "programs",
            "Programs per second",
            [Series("run", "c-run", ran), Series("cached", "c-cached", cached)],
            number,
            stacked=True,
        ),
        _drawn("verdicts", "Verdicts, percent", verdicts, number, stacked=True, most=100),
        _drawn(
            "wait", "Wait in the queue", _spreads([one.waits.spread() for one in points]), seconds
        ),
        _drawn(
            "run", "Run time of a program", _spreads([one.runs.spread() for one in points]), seconds
        ),
    ]


def _points(now: float, history: Mapping[int, Counts]) -> list[Counts]:
    last = int(now) // STEP_S * STEP_S
    begins = range(last - (_POINTS - 1) * STEP_S, last + STEP_S, STEP_S)
    return [
        Counts.sum(
            history[moment]
            for moment in range(begin, begin + STEP_S, BUCKET_S)
            if moment in history
        )
        for begin in begins
    ]


def _share(counts: Counts, verdict: Verdict) -> float:
    return 100 * counts.verdicts[verdict] / counts.programs if counts.programs else 0.0


def _spreads(spreads: Sequence[Spread | None]) -> list[Series]:
    return [
        Series("median", "c-median", [None if one is None else one.p50 for one in spreads]),
        Series("95 % below", "c-p95", [None if one is None else one.p95 for one in spreads]),
    ]


def _drawn(
    name: str,
    title: str,
    series: Sequence[Series],
    form: Callable[[float], str],
    *,
    stacked: bool = False,
    most: float | None = None,
) -> Chart:
    highest = max((value or 0.0 for one in series for value in one.values), default=0.0)
    kind = pygal.StackedLine if stacked else pygal.Line
    drawing = kind(
        width=560,
        height=190,
        margin=2,
        fill=stacked,
        min_scale=2,
        max_scale=4,
        include_x_axis=True,
        show_legend=False,
        show_dots=False,
        allow_interruptions=not stacked,
        show_minor_x_labels=False,
        no_data_text="",
        explicit_size=False,
        disable_xml_declaration=True,
        truncate_label=-1,
        js=[],
        css=[],
        style=Style(label_font_size=12, major_label_font_size=12),
    )
    drawing.value_formatter = form
    if most is not None:
        drawing.y_labels = [0, most / 2, most]
    labels = [_ago(place) for place in range(_POINTS)]
    drawing.x_labels = labels
    drawing.x_labels_major = labels[:: -_LABEL_EVERY_S // STEP_S]
    for one in series:
        drawing.add(one.name, one.values)
    drawing.add_xml_filter(partial(_plain, [one.style for one in series]))
    drawn = drawing.render(is_unicode=True) if highest else ""
    # Hundredths of a pixel are half the bytes and nobody's gain.
    svg = re.sub(r"(\d+\.\d)\d+", r"\1", drawn)
    return Chart(name, title, series, Markup(svg), _words(series, form))  # noqa: S704  # our own


def _ago(place: int) -> str:
    minutes = (_POINTS - 1 - place) * STEP_S / 60
    return f"-{minutes:g} min" if minutes else "now"


def _plain(styles: Sequence[str], root: Element) -> Element:
    """A drawing without styles and scripts of its own, which our pages' policy forbids.

    Each series has a class of page.css in their place.
    """
    for element in list(root.iter()):
        element.attrib.pop("style", None)
        drawn = re.match(r"series serie-(\d+)", element.get("class", ""))
        if drawn is not None:
            element.set("class", f"series {styles[int(drawn[1])]}")
        for child in list(element):
            kind = child.tag.rpartition("}")[2] if isinstance(child.tag, str) else "comment"
            hidden = "tooltip" in child.get("class", "")
            if kind in ("comment", "defs", "style", "script", "title", "desc") or hidden:
                element.remove(child)
    root.set("aria-hidden", "true")
    root.set("focusable", "false")
    return root


def _words(series: Sequence[Series], form: Callable[[float], str]) -> str:
    """What a chart shows, for who can't see it."""
    told = []
    for one in series:
        known = [value for value in one.values if value is not None]
        if any(known):
            told.append(f"{one.name}: now {form(known[-1])}, at most {form(max(known))}")
    return "; ".join(told) or "nothing in the last hour"
