"""What the page is made of: words, charts and tallies, without a browser."""

import re
import time

import pytest

from proctor.types import Item, RewardPolicy, Verdict
from proctor_server.outcome import Outcome
from proctor_server.page import words
from proctor_server.page.charts import charts
from proctor_server.page.tally import NAMED, PLACES, Tally
from proctor_server.results import ResultLines, pack_items
from proctor_server.store.counters import Counts


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1234567, "1,234,567"), (123.4, "123"), (3.14, "3.1"), (0.254, "0.25")],
)
def test_numbers(value: float, text: str) -> None:
    assert words.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, words.NONE),
        (0, "0 s"),
        (0.0042, "4.2 ms"),
        (0.34, "340 ms"),
        (2.14, "2.1 s"),
        (80, "80 s"),
        (600, "10 min"),
        (8000, "2 h"),
        (400_000, "5 days"),
    ],
)
def test_durations(value: float | None, text: str) -> None:
    assert words.seconds(value) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 MiB"), (12_900_000, "12 MiB"), (1_073_741_823, "1.0 GiB"), (2**32, "4.0 GiB")],
)
def test_sizes(number: int, text: str) -> None:
    assert words.size(number) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (None, words.NONE),
        (0, "0 %"),
        (0.00001, "< 0.1 %"),
        (0.12345, "12.3 %"),
        (0.99999, "> 99.9 %"),
        (1, "100 %"),
    ],
)
def test_little_is_not_nothing_and_much_is_not_all(share: float | None, text: str) -> None:
    assert words.percent(share) == text


def test_times() -> None:
    assert words.at(0) == "1970-01-01 00:00:00 UTC"
    assert words.ago(time.time() - 30) == "30 s ago"
    assert words.ago(time.time() + 30) == "1 s ago"  # another machine's clock


def bucket(verdicts: dict[str, int], cached: int = 0, wait_place: int = 0) -> Counts:
    counts = Counts(cached=cached)
    for verdict, number in verdicts.items():
        counts.results[verdict, "python"] = number
    counts.waits.places[wait_place] = sum(verdicts.values()) - cached
    return counts


def test_charts_say_in_words_what_they_show() -> None:
    now = 1_800_000_000.0
    history = {
        int(now) - 1200: bucket({"AC": 300}),
        int(now) - 20: bucket({"AC": 30, "WA": 30}, cached=30, wait_place=40),
    }
    programs, verdicts, wait, run = charts(now, history)
    assert programs.words == "run: now 0, at most 10; cached: now 0, at most 1"
    assert verdicts.words == "AC: now 0, at most 100; WA: now 0, at most 50"
    assert wait.words.startswith("median: now 939 ms, at most 939 ms")
    assert run.words == "nothing in the last hour"
    assert run.svg == ""


def test_a_drawing_has_nothing_that_the_pages_policy_forbids() -> None:
    for chart in charts(1_800_000_000.0, {1_799_999_000: bucket({"AC": 1, "IE": 1})}):
        assert not re.search(r"<style|<script|\sstyle=|\son\w+=|href", chart.svg)
    assert 'class="series v-IE"' in charts(1.8e9, {1_799_999_000: bucket({"IE": 2})})[1].svg


def entry(index: int, verdict: Verdict, passed: int) -> bytes:
    outcome = Outcome(verdict=verdict, passed=passed, total=10, total_weight=10.0)
    return b"%d 0 1.0 %s" % (index, outcome.to_json())


def test_a_tally_counts_rewards_by_place_and_names_some_of_each_verdict() -> None:
    entries = [
        entry(0, Verdict.AC, 10),
        entry(1, Verdict.WA, 0),
        entry(2, Verdict.WA, 1),
        entry(3, Verdict.WA, 2),
        entry(4, Verdict.WA, 9),
        entry(5, Verdict.CE, 0),
        entry(6, Verdict.IE, 0),
        b"7 c 0 ",
        *(entry(index, Verdict.TLE, 0) for index in range(8, 80)),
    ]
    items = [Item(problem_id="two", source="ac")] * len(entries)
    tally = Tally(ResultLines("batch", pack_items(items, RewardPolicy(compile_error=-1.0)), 0.0))
    assert tally.mean is None
    for one in entries:
        tally.add(one)
    assert dict(zip(PLACES, tally.places, strict=True)) == {
        "below 0": 1,
        "0": 73,
        "0 to 0.2": 1,
        "0.2 to 0.4": 1,
        "0.4 to 0.6": 0,
        "0.6 to 0.8": 0,
        "0.8 to 1": 1,
        "1": 1,
        "none": 2,
    }
    assert tally.mean == pytest.approx((1 + 0.1 + 0.2 + 0.9 - 1) / 78)
    assert tally.named[None] == [7]
    assert tally.named[Verdict.WA] == [1, 2, 3, 4]
    assert tally.named[Verdict.TLE] == list(range(8, 8 + NAMED))
