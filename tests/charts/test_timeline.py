"""Timelines as bars: their lengths, their marks, the buttons below them, and hostile text."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.charts import style, timeline
from fastlaunch_nb.charts.style import state_style
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.schema import arrow
from fastlaunch_nb.schema.columns import STATES
from tests.charts.chart_helpers import (
    DAY_MS,
    FLEET,
    SCAN,
    find_bars,
    find_trace,
    make_coverage,
    make_intervals,
    read_hover_labels,
    read_subtitle,
)
from tests.helpers.cases import some
from tests.helpers.samples import HOSTILE, item

# --- bars -----------------------------------------------------------------------------


def test_every_image_has_a_bar(images: pd.DataFrame) -> None:
    """Every observed image has one bar in the style of its state, which ends at the scan."""
    figure = fl.timeline(images)
    assert sum(len(trace.y) for trace in find_bars(figure).values()) == len(images)
    for name, trace in some(find_bars(figure).items()):
        expected = state_style(name)
        colour = trace.marker.color if expected.solid else trace.marker.line.color
        assert (colour, trace.marker.pattern.shape) == (expected.colour, expected.pattern), name
        starts = pd.to_datetime(list(trace.base), utc=True)
        lengths = pd.to_timedelta(list(trace.x), unit="ms")
        assert min(lengths) > pd.Timedelta(0), name
        assert set(starts + lengths) == {pd.Timestamp(SCAN)}, name


def test_a_bar_starts_at_the_transition() -> None:
    """A bar starts at its transition to the millisecond, or at the first scan without one."""
    items = [item(1), item(2, StateTransitionTime=None)]
    figure = fl.timeline(fl.from_pages(items, observed_at=SCAN), since=None)
    (trace,) = find_bars(figure).values()
    assert trace.base[0] == "2026-01-14T09:30:15.552"
    exact, inexact = read_hover_labels(trace)
    assert "since 2026-01-14 09:30 UTC" in exact
    assert "first seen 2026-01-15 12:00 UTC" in inexact


@pytest.mark.parametrize("since", [None, SCAN, "2026-01-15T12:00:00.552Z"])
def test_a_state_that_has_just_begun_is_visible(since: str | None) -> None:
    """A state without a start, or that began at the scan or after it, has a visible bar."""
    images = fl.from_pages([item(1, StateTransitionTime=since)], observed_at=SCAN)
    figure = fl.timeline(images)
    begin, end = map(pd.Timestamp, figure.layout.xaxis.range)
    assert end - begin >= pd.Timedelta("1h")
    (length,) = figure.data[0].x
    assert length >= 0.005 * (end - begin).total_seconds() * 1000


@pytest.mark.parametrize("since", ["14D", None])
def test_distant_years_are_drawn(since: str | None) -> None:
    """A scan that a wrong clock dated in the year 9999 is drawn, without an error."""
    times = ["2026-01-02T00:00:00Z", "2026-01-02T06:00:00Z", "9999-12-31T23:59:59Z"]
    known = {"account_id": "123456789012", "region": "eu-west-1"}
    observed = pd.concat([fl.from_pages([item(1)], **known, observed_at=time) for time in times])
    scan = {**known, "sweep_id": "s", "scope": "", "status": "complete"}
    coverage = arrow.make_coverage([{**scan, "observed_at": pd.Timestamp(time)} for time in times])
    states = fl.intervals(observed, coverage)
    figure = fl.timeline(states, coverage=coverage, since=since)
    assert "9999-12-31" in fl.alt_text(figure)


def test_the_worst_bars_lie_on_top() -> None:
    """A failure of a moment has a visible bar that no other state hides."""
    intervals = make_intervals(
        (1, "enabled", 5, 1.0001), (1, "enabled-failed", 1.0001, 1), (1, "enabled", 1, None)
    )
    figure = fl.timeline(intervals, coverage=make_coverage(5, 0))
    assert [trace.name for trace in figure.data if trace.type == "bar"][-1] == "enabled-failed"
    assert find_bars(figure)["enabled-failed"].x[0] > 0.005 * 5 * DAY_MS


def test_unobserved_states_do_not_look_healthy() -> None:
    """Unknown and absent are transparent, each in its own way; no state of AWS is."""
    styles = {state: style.state_style(state) for state in (*STATES, "new")}
    assert {state for state in styles if not styles[state].solid} == {"unknown", "absent"}
    segments = [(1, "unknown", 4.0, 3.0), (1, "absent", 3.0, 2.0), (1, None, 2.0, 1.0)]
    intervals = make_intervals(*segments, (1, "brand-new", 1, None))
    bars = find_bars(fl.timeline(intervals, coverage=make_coverage(4, 0)))
    assert set(bars) == {"unknown", "absent", "brand-new"}
    assert bars["unknown"].marker.pattern.shape
    assert bars["absent"].width < bars["unknown"].width / 3
    assert {bars[name].marker.color for name in ("unknown", "absent")} == {style.CLEAR}


# --- marks and buttons ----------------------------------------------------------------


def test_marks_are_explained() -> None:
    """An earlier start, an inexact start and an open end have marks, explained below the legend."""
    intervals = make_intervals((1, "enabled", 9, 2), (1, "absent", 2, None))
    intervals["start_exact"] = [True, False]
    figure = fl.timeline(intervals, coverage=make_coverage(5, 0))
    marks = find_trace(figure, "marks")
    assert dict(zip(marks.marker.symbol, marks.x, strict=True)) == {
        "triangle-left": "2026-01-10T12:00:00.000",
        "circle": "2026-01-13T12:00:00.000",
        "triangle-right": "2026-01-15T12:00:00.000",
    }
    assert read_subtitle(figure).endswith("<i>◀ began earlier   ○ start not exact   ▶ ongoing</i>")
    assert "◀" not in fl.alt_text(figure)
    without_marks = make_intervals((1, "enabled", 3, 2), (1, "enabling", 2, 0))
    figure = fl.timeline(without_marks, coverage=make_coverage(5, 0))
    assert read_subtitle(figure)[-4:] != "</i>"


def test_buttons_fit_the_time() -> None:
    """There is a button for each time shorter than the axis, and none for a short axis."""
    intervals = make_intervals((1, "enabled", 60, None))

    def read_buttons(days: float) -> list[str]:
        figure = fl.timeline(intervals, coverage=make_coverage(days, 0), since=None)
        return [button.label for button in figure.layout.xaxis.rangeselector.buttons]

    assert read_buttons(20) == ["1 d", "7 d", "14 d", "all"]
    assert read_buttons(7) == ["1 d", "all"]
    assert read_buttons(0.5) == []


# --- hostile text, the demo, and pictures ---------------------------------------------


@pytest.mark.parametrize("most", [0, timeline.MOST_BARS])
def test_hostile_text_is_escaped(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """Markup in states, names and reasons is escaped, in bars, cells, strips and shares."""
    monkeypatch.setattr(timeline, "MOST_BARS", most)
    hostile = dict.fromkeys(("image_name", "account_name", "state_transition_reason"), HOSTILE)
    intervals = make_intervals((1, HOSTILE, 4, 2), (1, "enabled", 2, None), **hostile)
    figures = [
        fl.timeline(intervals, coverage=make_coverage(4, 0), group="account"),
        fl.timeline(intervals, coverage=make_coverage(4, 0), group="state"),
        *(fl.state_mix(intervals, by=by) for by in ("account", "image")),
    ]
    for figure in figures:
        document = json.dumps(json.loads(figure.to_json()), ensure_ascii=False)
        title = figure.layout.title.text
        assert ("<img" in document, "</script" in document) == (False, False), title
        assert "&lt;img" in document, title


def test_the_demo_has_a_history(demo: Demo) -> None:
    """The timeline of the demo's week is clamped to its scans, and the same each time."""
    week = demo.history
    intervals = fl.intervals(week.observations, week.coverage)
    figure = fl.timeline(intervals, coverage=week.coverage)
    assert figure.layout.xaxis.range == ("2026-01-08T12:00:00.000", "2026-01-15T12:00:00.000")
    assert "Demo data · 45 images over 7 d" in read_subtitle(figure)
    assert "enabled 28, 88 %" in fl.alt_text(figure)
    assert fl.timeline(intervals, coverage=week.coverage) == figure


@pytest.mark.parametrize("form", ["svg", "md"])
@pytest.mark.parametrize("most", [0, pytest.param(timeline.MOST_BARS, marks=pytest.mark.deep)])
def test_pictures_have_no_buttons(monkeypatch: pytest.MonkeyPatch, form: Any, most: int) -> None:
    """Bars, cells and shares become pictures, without buttons that nobody can press."""
    monkeypatch.setattr(timeline, "MOST_BARS", most)
    for figure in (fl.timeline(FLEET), fl.state_mix(FLEET)):
        picture = fl.embed(figure, form)
        assert figure.layout.title.text in picture.replace("\\", "")
        assert "rangeselector" not in picture
