"""The time window: its axis, the images it omits, and the segments it draws."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.charts.time_window import intervals_of_one_scan
from fastlaunch_nb.schema.columns import INTERVAL_COLUMNS, TIME
from tests.charts.chart_helpers import (
    DAY,
    DAY_MS,
    NOON,
    SCAN,
    find_bars,
    find_trace,
    make_coverage,
    make_intervals,
    read_axis,
    read_subtitle,
)
from tests.helpers.histories import SECOND, START, assert_same
from tests.helpers.samples import item

CHARTS = [fl.timeline, fl.state_mix]


# --- the axis -------------------------------------------------------------------------


def test_the_axis_is_the_coverage() -> None:
    """The axis begins at the first scan and ends at the last one, whenever states began."""
    intervals = make_intervals(
        (1, "enabled", 900, None), (2, "enabling", 4, 3), (2, "enabled", 3, None)
    )
    figure = fl.timeline(intervals, coverage=make_coverage(5, 2, 0))
    assert read_axis(figure) == (5, 0)
    axis = figure.layout.xaxis
    assert [axis.minallowed, axis.maxallowed] == list(axis.range)
    later = fl.timeline(intervals, coverage=make_coverage(5, 2, -1))
    assert read_axis(later) == (5, -1)
    shorter = fl.timeline(intervals, coverage=make_coverage(5, 2, 0), since="2D")
    assert read_axis(shorter) == (2, 0)
    asked_at = make_coverage(6, 0).rename(columns={"observed_at": "asked_at"})
    figure = fl.timeline(intervals, coverage=asked_at.assign(observed_at=None))
    assert read_axis(figure) == (6, 0)


def test_without_a_coverage_intervals_prove_scans() -> None:
    """An exact first start proves no scan; an inexact one, and any later start, proves one."""
    first = (1, "enabled", 900, None)
    later = make_intervals(first, (2, "enabling", 8, 3), (2, "enabled", 3, None))
    assert read_axis(fl.timeline(later)) == (3, 0)
    after_unknown = make_intervals(first, (2, "unknown", 8, 4), (2, "enabled", 4, None))
    assert read_axis(fl.timeline(after_unknown)) == (4, 0)
    inexact = make_intervals((2, "enabled", 6, None), start_exact=False)
    assert read_axis(fl.timeline(pd.concat([make_intervals(first), inexact]))) == (6, 0)


def test_after_a_single_scan_the_axis_goes_back_from_it() -> None:
    """The axis goes back from the last scan if each region was scanned once, at its own time."""
    intervals = make_intervals((1, "enabled", 900, None), (2, "enabled", 3, None))
    intervals["last_seen"] = [NOON, NOON - pd.Timedelta("7s")]
    for figure in (fl.timeline(intervals), fl.timeline(intervals, coverage=make_coverage(0))):
        assert read_axis(figure) == (14, 0)
        assert "share of time" not in fl.alt_text(figure)
        assert "yaxis2" not in figure.layout


def test_earlier_starts_are_cut_and_marked() -> None:
    """A bar that began before the axis is cut there and marked; the axis is not extended."""
    old = item(1, StateTransitionTime="2020-01-01T00:00:00Z")
    images = fl.from_pages([old, item(2)], observed_at=SCAN)
    figure = fl.timeline(images, since="7D")
    assert figure.layout.xaxis.range[0] == "2026-01-08T12:00:00.000"
    marks = find_trace(figure, "marks")
    assert list(marks.marker.symbol).count("triangle-left") == 1
    assert marks.x[0] == "2026-01-08T12:00:00.000"
    assert fl.timeline(images, since=None).layout.xaxis.range[0].startswith("2020-01-01")


def test_times_are_converted_to_utc(images: pd.DataFrame) -> None:
    """A frame with times in another zone gives the same figure."""
    tokyo = {
        name: images[name].dt.tz_convert("Asia/Tokyo")
        for name in ("observed_at", "state_transition_time")
    }
    assert fl.timeline(images.assign(**tokyo)) == fl.timeline(images)


# --- omitted images -------------------------------------------------------------------


def test_omitted_images_are_counted() -> None:
    """An image that was last seen before the axis begins is counted in the subtitle."""
    assert not fl.timeline(make_intervals((1, "enabled", 9, None)).head(0)).data
    intervals = make_intervals((1, "enabled", 9, 8), (1, "absent", 8, 7), (2, "enabled", 9, None))
    subtitle = read_subtitle(fl.timeline(intervals, since="2D"))
    assert "1 image over 2 d" in subtitle
    assert "1 not drawn: not seen in this period" in subtitle
    just_ended = fl.timeline(intervals, coverage=make_coverage(7, 0), since=None)
    assert {*find_bars(just_ended)} == {"enabled"}
    ended = fl.timeline(intervals.head(2), coverage=make_coverage(3, 0))
    assert read_subtitle(ended).startswith("No image was seen in this period.")


def test_images_never_observed_are_counted() -> None:
    """An image without a time of observation is not drawn, but counted in the subtitle."""
    observed = fl.from_pages([item(1)], observed_at=SCAN)
    both = pd.concat([observed, fl.from_pages([item(2, "enabling-failed")])], ignore_index=True)
    assert "1 image · 1 not drawn: never observed" in read_subtitle(fl.timeline(both))


def test_a_figure_of_images_never_observed_explains_it() -> None:
    """A figure without any time of observation names the argument that adds one."""
    assert "pass observed_at to from_pages" in read_subtitle(fl.timeline(fl.from_pages([item(1)])))


def test_states_before_the_axis_are_not_in_the_legend() -> None:
    """An interval that is not drawn has no legend entry, though its image is drawn."""
    intervals = intervals_of_one_scan(fl.from_pages([item(1)], observed_at=SCAN))
    month, weeks = (pd.Timestamp(SCAN) - pd.Timedelta(days=days) for days in (30, 20))
    before = intervals.assign(state="enabling-failed", start=month, end=weeks)
    figure = fl.timeline(pd.concat([before, intervals.assign(start=weeks)]))
    assert [*find_bars(figure)] == ["enabled"]
    subtitle = read_subtitle(figure)
    assert "enabling-failed" not in subtitle
    assert "1 image" in subtitle
    assert "not drawn" not in subtitle
    with pytest.raises(fl.InputError, match="no start"):
        fl.timeline(intervals.assign(start=pd.Series([None], dtype=TIME)))


# --- segments -------------------------------------------------------------------------


def test_open_segments_end_when_they_were_last_seen() -> None:
    """An open bar ends when its state was last seen; an unknown one ends with the axis."""
    intervals = make_intervals((1, "enabled", 3, None), (2, "unknown", 2, None))
    intervals.loc[0, "last_seen"] = NOON - DAY
    bars = find_bars(fl.timeline(intervals, coverage=make_coverage(3, 0)))
    assert bars["enabled"].x == (2 * DAY_MS,)
    assert bars["unknown"].x == (2 * DAY_MS,)


def test_intervals_of_one_state_are_merged() -> None:
    """Intervals of one state that follow each other are one bar; a hole between them stays."""
    intervals = make_intervals((1, "enabled", 5, 4), (1, "enabled", 4, 3), (1, "enabled", 2, None))
    figure = fl.timeline(intervals, coverage=make_coverage(5, 0))
    assert sorted(find_bars(figure)["enabled"].x) == [2 * DAY_MS, 2 * DAY_MS]
    assert "until 2026-01-12 12:00 UTC" in fl.alt_text(figure)


def test_intervals_are_merged_without_reasons() -> None:
    """A timeline needs no column of reasons, also where intervals are merged."""
    intervals = make_intervals((1, "enabled", 5, 4), (1, "enabled", 4, None))
    figure = fl.timeline(intervals.drop(columns="state_transition_reason"))
    assert find_bars(figure)["enabled"].x == (5 * DAY_MS,)


# --- invalid arguments ----------------------------------------------------------------


@pytest.mark.parametrize("since", ["soon", 0, 14, "-1D", []])
def test_since_must_be_a_duration(images: pd.DataFrame, since: Any) -> None:
    """Anything else than a duration is refused, with the name of the argument."""
    with pytest.raises(fl.InputError, match="since is"):
        fl.timeline(images, since=since)


@pytest.mark.parametrize("other", [5, pd.DataFrame({"x": [1]})])
@pytest.mark.parametrize("chart", CHARTS)
def test_other_objects_are_no_coverage(chart: Any, other: Any) -> None:
    """Anything else than a coverage is refused, with the column that it lacks."""
    with pytest.raises(fl.InputError, match=r"Expected a coverage.*(Got a int|lacks account)"):
        chart(make_intervals((1, "enabled", 1, None)), coverage=other)


@pytest.mark.parametrize("column", INTERVAL_COLUMNS)
@pytest.mark.parametrize("chart", CHARTS)
def test_intervals_need_all_columns(chart: Any, column: str) -> None:
    """Intervals that lack a column are refused as intervals, and not as images."""
    lacking = make_intervals((1, "enabled", 1, None)).drop(columns=column)
    with pytest.raises(
        fl.InputError, match=rf"Expected state intervals: .* intervals lacks {column}\."
    ):
        chart(lacking)


def test_one_scan_has_the_intervals_of_the_pipeline() -> None:
    """Start, end and last sight are the same, wherever the transition lies."""
    observed_at = START + 0.25 * SECOND
    seconds_ahead = [None, -60, 0, 0.1, 0.999, 1, 5, 5.001, 6]
    times = [None if ahead is None else START + ahead * SECOND for ahead in seconds_ahead]
    items = [item(n, StateTransitionTime=time) for n, time in enumerate(times)]
    images = fl.from_pages(items, account_id="1" * 12, region="x-1", observed_at=observed_at)
    names = ["image_id", "start", "end", "last_seen", "start_exact"]
    intervals = intervals_of_one_scan(images)[names]
    assert_same(intervals, fl.intervals(images)[names])
    assert intervals["start_exact"].tolist() == [False, *[True] * 6, False, False]
