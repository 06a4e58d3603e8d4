"""Charts: what is drawn, what is said, and what is never drawn."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.charts import alt_text, style
from fastlaunch_nb.charts.style import state_style
from fastlaunch_nb.formatting import single_line
from fastlaunch_nb.schema.columns import API_STATES, STATES, TIME
from fastlaunch_nb.sources.pages import empty_images
from fastlaunch_nb.state_intervals.one_scan import intervals_of_one_scan
from tests.helpers.cases import costly, some
from tests.helpers.samples import HOSTILE, item

LOOK = "2026-01-15T12:00:00Z"


def bars(figure: Any) -> dict[str, Any]:
    return {trace.name: trace for trace in figure.data if trace.type == "bar"}


def labels(figure: Any) -> list[str]:
    return list(figure.layout.yaxis.ticktext)


def test_timeline_has_a_bar_an_image(images: pd.DataFrame) -> None:
    """Every image that was seen has one bar, in the colour of its state, until it was seen."""
    figure = fl.timeline(images)
    assert sum(len(trace.y) for trace in bars(figure).values()) == len(images)
    for name, trace in some(bars(figure).items()):
        look_of = state_style(name)
        drawn = trace.marker.color if look_of.solid else trace.marker.line.color
        assert (drawn, trace.marker.pattern.shape) == (look_of.colour, look_of.pattern), name
        begins = pd.to_datetime(list(trace.base), utc=True)
        spans = pd.to_timedelta(list(trace.x), unit="ms")
        assert min(spans) > pd.Timedelta(0), name
        assert set(begins + spans) == {pd.Timestamp(LOOK)}, name


def test_timeline_starts_at_the_transition() -> None:
    """An exact start is where the bar begins, to the millisecond; else the first look."""
    items = [item(1), item(2, StateTransitionTime=None)]
    figure = fl.timeline(fl.from_pages(items, observed_at=LOOK), since=None)
    (trace,) = bars(figure).values()
    assert trace.base[0] == "2026-01-14T09:30:15.552"
    exact, inexact = trace.hovertext
    assert "since 2026-01-14 09:30 UTC" in exact
    assert "first seen 2026-01-15 12:00 UTC" in inexact


@pytest.mark.parametrize("since", [None, LOOK, "2026-01-15T12:00:00.552Z"])
def test_what_has_just_begun_is_seen(since: str | None) -> None:
    """A state without a start, or that began as it was seen, has a bar; time runs forward."""
    images = fl.from_pages([item(1, StateTransitionTime=since)], observed_at=LOOK)
    figure = fl.timeline(images)
    begin, end = map(pd.Timestamp, figure.layout.xaxis.range)
    assert end - begin >= pd.Timedelta("1h")
    (span,) = figure.data[0].x
    assert span >= 0.005 * (end - begin).total_seconds() * 1000


def test_hundreds_of_rows_stay_legible() -> None:
    """Where rows are tight there are no marks in them, small diamonds, and one note for many."""
    gaps = [item(n, SnapshotConfiguration={}) for n in range(300, 340)]
    old = [item(n, StateTransitionTime="2020-01-01T00:00:00Z") for n in range(300)]
    images = fl.from_pages([*old, *gaps], observed_at=LOOK)
    assert "◀" not in str(fl.timeline(images).to_dict())
    figure = fl.capacity(images, top=len(images))
    assert figure.data[1].marker.size < 9
    assert [note.text for note in figure.layout.annotations] == [
        "<i>target unknown for 40 images</i>"
    ]
    assert "◀" in str(fl.timeline(images.head(20)).to_dict())


def test_what_ended_before_the_axis_is_not_in_the_legend() -> None:
    """An interval that is not drawn is not spoken of; its image is one image."""
    look = fl.from_pages([item(1)], observed_at=LOOK)
    told = intervals_of_one_scan(look)
    ago = [pd.Timestamp(LOOK) - pd.Timedelta(days=days) for days in (30, 20)]
    before = told.assign(state="enabling-failed", start=ago[0], end=ago[1])
    figure = fl.timeline(pd.concat([before, told.assign(start=ago[1])]))
    assert [*bars(figure)] == ["enabled"]
    subtitle = figure.layout.title.subtitle.text
    assert "enabling-failed" not in subtitle
    assert "1 image" in subtitle
    assert "not drawn" not in subtitle
    with pytest.raises(fl.InputError, match="no start"):
        fl.timeline(told.assign(start=pd.Series([None], dtype=TIME)))


def test_rows_that_were_never_seen_are_counted() -> None:
    """A row without a time of observation is not drawn at a guess, and not left out silently."""
    seen = fl.from_pages([item(1)], observed_at=LOOK)
    both = pd.concat([seen, fl.from_pages([item(2, "enabling-failed")])], ignore_index=True)
    subtitle = fl.timeline(both).layout.title.subtitle.text
    assert "1 image · 1 not drawn: never observed" in subtitle


def test_other_time_zones_are_shown_in_utc(images: pd.DataFrame) -> None:
    """What says UTC is UTC, whatever zone the frame is in."""
    tokyo = {
        name: images[name].dt.tz_convert("Asia/Tokyo")
        for name in ("observed_at", "state_transition_time")
    }
    assert fl.timeline(images.assign(**tokyo)) == fl.timeline(images)


def test_timeline_puts_the_worst_on_top(images: pd.DataFrame) -> None:
    """The rows begin with failures and end with what is enabled."""
    traces = bars(fl.timeline(images))
    top = {name: max(trace.y) for name, trace in traces.items()}
    failures = [name for name in top if name.endswith("-failed")]
    assert min(top[name] for name in failures) > top["enabling"] > top["enabled"]


def test_timeline_is_clamped() -> None:
    """What began before the axis is cut there and marked; the axis does not reach back for it."""
    old = item(1, StateTransitionTime="2020-01-01T00:00:00Z")
    images = fl.from_pages([old, item(2)], observed_at=LOOK)
    figure = fl.timeline(images, since="7D")
    assert figure.layout.xaxis.range[0] == "2026-01-08T12:00:00.000"
    marks = figure.data[-1]
    assert list(marks.marker.symbol).count("triangle-left") == 1
    assert marks.x[0] == "2026-01-08T12:00:00.000"
    assert fl.timeline(images, since=None).layout.xaxis.range[0].startswith("2020-01-01")


@pytest.mark.parametrize("since", ["soon", 0, 14, "-1D", []])
def test_timeline_refuses(images: pd.DataFrame, since: Any) -> None:
    """A window that is no duration is refused by name."""
    with pytest.raises(fl.InputError, match="since is"):
        fl.timeline(images, since=since)


def test_capacity_draws_numbers_and_says_what_is_unknown(images: pd.DataFrame) -> None:
    """A bar for each known target, none for an unknown one, which is said in words."""
    figure = fl.capacity(images)
    target, parallel = figure.data
    assert list(target.x) == [5] * 6
    assert list(parallel.x) == [6] * 6
    said = [note for note in figure.layout.annotations if "target unknown" in note.text]
    assert len(said) == 2
    assert not {note.y for note in said} & set(target.y)
    assert figure.layout.title.text == "Target: 30 snapshots for 6 images, stock unknown"
    assert "8 images · target unknown for 2" in figure.layout.title.subtitle.text


def test_capacity_of_unknown_numbers_only() -> None:
    """Where no number is known, nothing is drawn as 0."""
    figure = fl.capacity(fl.from_pages([{"ImageId": "ami-00000001"}]))
    assert [list(trace.x) for trace in figure.data] == [[], []]
    assert figure.layout.title.text == "Target unknown for 1 image"


@pytest.mark.parametrize("chart", [fl.timeline, fl.capacity])
@pytest.mark.parametrize("kept", ["none", "by pandas", "by Filters"])
def test_empty_figures_claim_no_more_than_they_know(
    images: pd.DataFrame, chart: Any, kept: str
) -> None:
    """However a frame became empty, a figure says the same: it cannot know why."""
    empty = {
        "none": empty_images(),
        "by pandas": images[images["state"] == "zzz"],
        "by Filters": fl.Filters(text="zzz").apply(images),
    }[kept]
    title = chart(empty).layout.title
    assert title.text == "No image to show."
    assert "nothing could be read, or a filter kept no row" in title.subtitle.text
    assert "0 images" not in str(title)


def test_a_timeline_of_what_was_never_seen_says_so() -> None:
    """Rows without a time of observation are not drawn at a guess; the figure says what to do."""
    assert "observed_at" in fl.timeline(fl.from_pages([item(1)])).layout.title.subtitle.text


@pytest.mark.parametrize("chart", [fl.timeline, fl.capacity])
def test_what_is_no_frame_is_refused(chart: Any) -> None:
    """Something else than a frame of images is refused, naming what it lacks."""
    with pytest.raises(fl.InputError, match="Got a list"):
        chart([])
    with pytest.raises(fl.InputError, match="lacks"):
        chart(pd.DataFrame({"x": [1]}))


@pytest.mark.parametrize("chart", [fl.timeline, fl.capacity])
def test_names_over_ids(images: pd.DataFrame, chart: Any) -> None:
    """Where names are known they are shown; an image without one keeps its id."""
    assert "nan" not in chart(images.assign(image_name=float("nan"))).to_json().casefold()
    named = images.assign(image_name=images["image_id"].map({"ami-00000000000000001": "base"}))
    assert "base · us-east-1" in labels(chart(named))
    assert any(label.startswith("ami-") for label in labels(chart(named)))


@pytest.mark.parametrize("chart", [fl.timeline, fl.capacity])
def test_hostile_text_is_text(images: pd.DataFrame, chart: Any) -> None:
    """Markup in names and reasons is escaped wherever it is drawn."""
    drawn = chart(images.assign(image_name=HOSTILE, account_name=HOSTILE)).to_json()
    texts = _strings(json.loads(drawn))
    assert [text for text in texts if "<img" in text or "</script" in text] == []
    assert [text for text in texts if "&lt;img" in text], "the hostile text is not drawn at all"


def test_quotes_stay_quotes(images: pd.DataFrame) -> None:
    """plotly decodes no quotes: they are drawn as they are."""
    named = images.head(1).assign(image_name='my "golden" image')
    assert labels(fl.capacity(named)) == ['my "golden" image · us-east-1']


JENKINS, GITLAB = (f"windows-2022-{kind}-agent-2026.01-x86_64" for kind in ("jenkins", "gitlab"))


@pytest.mark.parametrize("chart", [fl.timeline, fl.capacity])
def test_rows_are_told_apart(chart: Any) -> None:
    """Long names that differ in their middle, and one AMI in two accounts, have labels apart."""
    frames = [
        fl.from_pages([item(1), item(2)], account_id=account, region="us-east-1", observed_at=LOOK)
        for account in ("123456789012", "111122223333")
    ]
    rows = pd.concat(frames, ignore_index=True).assign(image_name=[JENKINS, GITLAB] * 2)
    shown = labels(chart(rows))
    assert len(set(shown)) == 4
    for part in ("2022-j…", "2022-g…", "123456789012", "111122223333"):
        assert sum(part in label for label in shown) == 2, (part, shown)
    alone = labels(chart(rows.assign(image_name="base").head(2)))
    assert sorted(alone) == [f"base · us-east-1 · ami-0…0000{n}" for n in (1, 2)]


@given(
    st.lists(st.text("ab-\u05d0\u202e ", max_size=40), min_size=1, max_size=12),
    st.integers(12, 30),
)
def test_no_two_texts_become_alike(texts: list[str], room: int) -> None:
    """Law: texts that differ before the eye differ in labels too; short ones stay as they are."""
    short = alt_text.shorten_labels(texts, room)
    seen = {text: single_line(text) for text in texts}
    assert len({short[text] for text in texts}) == len(set(seen.values()))
    fitting = {text for text in texts if len(seen[text]) <= room and text.isascii()}
    assert {text: short[text] for text in fitting} == {text: seen[text] for text in fitting}


def _strings(node: Any) -> list[str]:
    if isinstance(node, str):
        return [node]
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
    return [text for child in children for text in _strings(child)]


@pytest.mark.parametrize("chart", [fl.timeline, fl.capacity])
def test_demo_data_is_marked(images: pd.DataFrame, chart: Any) -> None:
    """Rows of the demo's accounts carry the mark in the figure; others do not."""
    assert "Demo data" in chart(images).layout.title.subtitle.text
    real = images[images["account_id"] == "999988887777"]
    assert "Demo data" not in chart(real).layout.title.subtitle.text
    raw = images[images["account_id"] == "111122223333"].assign(account_id=None)
    assert "Demo data" in chart(raw).layout.title.subtitle.text


@pytest.mark.parametrize("chart", [fl.timeline, fl.capacity])
def test_nothing_can_be_uploaded(images: pd.DataFrame, chart: Any) -> None:
    """plotly's button that sends the data to its cloud is off in the figure itself."""
    assert "sendChartToCloud" in chart(images).layout.modebar.remove
    assert "sendChartToCloud" in chart(empty_images()).layout.modebar.remove


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour, as WCAG 2.2 has it."""
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


@pytest.mark.parametrize("page", ["#ffffff", "#111111", "#212121"])
def test_what_matters_stands_out(page: str) -> None:
    """Text has as much contrast as any grey can on light and dark; the colour of a failure 3:1."""
    wanted = {style.GREY: 4.0}
    failed = [state for state in STATES if state.endswith("-failed")]
    wanted |= {state_style(state).colour: 3.0 for state in failed}
    assert len(wanted) == 1 + 3
    for colour, least in wanted.items():
        dark, light = sorted((luminance(page), luminance(colour)))
        assert (light + 0.05) / (dark + 0.05) >= least, f"{colour} on {page}"


def test_state_looks_differ() -> None:
    """No two states look the same, and failures differ by pattern, not by colour alone."""
    looks = [state_style(state) for state in (*STATES, "new")]
    assert len(set(looks)) == len(looks)
    failures = [state_style(state) for state in STATES if state.endswith("-failed")]
    assert len({look.pattern for look in failures} - {""}) == len(failures)


@costly
@given(
    count=st.integers(1, 400),
    states=st.lists(st.sampled_from([*API_STATES, "new", None]), min_size=1, max_size=8),
)
def test_any_fleet_can_be_drawn(count: int, states: list[str | None]) -> None:
    """Law: every image of any fleet has its row, and labels never stand too close to read."""
    images = fl.from_pages(
        [item(n, states[n % len(states)]) for n in range(count)], observed_at=LOOK
    )
    for figure in (fl.timeline(images), fl.capacity(images, top=count)):
        layout = figure.layout
        inside = layout.height - layout.margin.t - layout.margin.b
        assert inside / len(layout.yaxis.ticktext) >= 12, layout.title.text
        assert sum(len(trace.y) for trace in figure.data) >= count
