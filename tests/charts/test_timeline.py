"""Timelines of a history: what was covered, what is certain, the whole fleet, and very many."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.charts import style, timeline
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.formatting import state_rank
from fastlaunch_nb.schema.columns import INTERVAL_COLUMNS, INTERVAL_TIMES, STATES, TEXT, TIME
from tests.helpers.cases import costly
from tests.helpers.samples import HOSTILE

NOON = pd.Timestamp("2026-01-15T12:00:00Z")
HOUR = pd.Timedelta("1h")
DAY = pd.Timedelta("1D")


def told(*runs: tuple[int, str | None, float, float | None], **columns: Any) -> pd.DataFrame:
    """Return intervals: an image's number, a state, and days before noon; None is still so."""
    rows = [
        {
            "account_id": "999988887777",
            "region": "eu-west-1",
            "image_id": f"ami-{image:017x}",
            "state": state,
            "start": NOON - start * DAY,
            "end": pd.NaT if end is None else NOON - end * DAY,
            "last_seen": None if state == "unknown" else NOON - (end or 0) * DAY,
            "start_exact": True,
            "state_transition_reason": None,
            **columns,
        }
        for image, state, start, end in runs
    ]
    table = pd.DataFrame(rows).astype({"state": TEXT})
    times = {name: pd.to_datetime(table[name], utc=True) for name in INTERVAL_TIMES}
    return table.assign(**{name: values.astype(TIME) for name, values in times.items()})


def looks(*days: float) -> pd.DataFrame:
    """Return a coverage of looks so many days before noon."""
    at = pd.Series([NOON - day * DAY for day in days]).astype(TIME)
    return pd.DataFrame({"account_id": "999988887777", "region": "eu-west-1", "observed_at": at})


def span(figure: Any) -> tuple[float, float]:
    """Return where the axis begins and ends, in days before noon."""
    begin, end = (pd.Timestamp(moment, tz="UTC") for moment in figure.layout.xaxis.range)
    return (NOON - begin) / DAY, (NOON - end) / DAY


def bars(figure: Any) -> dict[str, Any]:
    return {trace.name: trace for trace in figure.data if trace.type == "bar"}


def named(figure: Any, name: str) -> Any:
    """Return the one trace of this name."""
    (trace,) = [trace for trace in figure.data if trace.name == name]
    return trace


def ids(figure: Any) -> list[int]:
    """Return the numbers of the images, from the top."""
    labels = [re.search(r"ami-([0-9a-f]+)", label) for label in figure.layout.yaxis.ticktext]
    return [int(label[1], 16) for label in labels if label]


# --- the axis -------------------------------------------------------------------------


def test_the_axis_is_what_was_covered() -> None:
    """It begins at the first look and ends at the last, whenever states began, and stays there."""
    runs = told((1, "enabled", 900, None), (2, "enabling", 4, 3), (2, "enabled", 3, None))
    figure = fl.timeline(runs, coverage=looks(5, 2, 0))
    assert span(figure) == (5, 0)
    axis = figure.layout.xaxis
    assert [axis.minallowed, axis.maxallowed] == list(axis.range)
    assert span(fl.timeline(runs, coverage=looks(5, 2, -1))) == (5, -1)
    assert span(fl.timeline(runs, coverage=looks(5, 2, 0), since="2D")) == (2, 0)
    asked = looks(6, 0).rename(columns={"observed_at": "asked_at"}).assign(observed_at=None)
    assert span(fl.timeline(runs, coverage=asked)) == (6, 0)


def test_without_a_coverage_intervals_prove_looks() -> None:
    """An exact first start proves none; what is seen for the first time, and what follows, do."""
    first = (1, "enabled", 900, None)
    assert span(fl.timeline(told(first, (2, "enabling", 8, 3), (2, "enabled", 3, None)))) == (3, 0)
    after_unknown = told(first, (2, "unknown", 8, 4), (2, "enabled", 4, None))
    assert span(fl.timeline(after_unknown)) == (4, 0)
    seen_first = told((2, "enabled", 6, None), start_exact=False)
    assert span(fl.timeline(pd.concat([told(first), seen_first]))) == (6, 0)


def test_one_look_shows_what_it_tells() -> None:
    """Of places that were looked at once each, if not at once, the axis goes back from the last."""
    runs = told((1, "enabled", 900, None), (2, "enabled", 3, None))
    runs["last_seen"] = [NOON, NOON - pd.Timedelta("7s")]
    for figure in (fl.timeline(runs), fl.timeline(runs, coverage=looks(0))):
        assert span(figure) == (14, 0)
        assert "share of time" not in fl.text(figure)
        assert "yaxis2" not in figure.layout


def test_what_is_not_drawn_is_counted() -> None:
    """An image that was not seen any more when the axis begins is spoken of, not left out."""
    assert not fl.timeline(told((1, "enabled", 9, None)).head(0)).data
    runs = told((1, "enabled", 9, 8), (1, "absent", 8, 7), (2, "enabled", 9, None))
    under = fl.timeline(runs, since="2D").layout.title.subtitle.text
    assert "1 image over 2 d" in under
    assert "1 not drawn: not seen in this time" in under
    just_over = fl.timeline(runs, coverage=looks(7, 0), since=None)
    assert {*bars(just_over)} == {"enabled"}
    gone = fl.timeline(runs.head(2), coverage=looks(3, 0))
    assert gone.layout.title.subtitle.text.startswith("None was seen in the time that is shown")


def test_buttons_fit_the_time() -> None:
    """There are buttons for shorter times than all of it, and none where there is no such."""
    runs = told((1, "enabled", 60, None))

    def labels(days: float) -> list[str]:
        selector = fl.timeline(runs, coverage=looks(days, 0), since=None).layout.xaxis.rangeselector
        return [button.label for button in selector.buttons]

    assert labels(20) == ["1 d", "7 d", "14 d", "all"]
    assert labels(7) == ["1 d", "all"]
    assert labels(0.5) == []


@pytest.mark.parametrize("other", [5, pd.DataFrame({"x": [1]})])
def test_what_is_no_coverage_is_refused(other: Any) -> None:
    """Something else than a coverage is refused, by both charts, saying what it lacks."""
    for chart in (fl.timeline, fl.state_mix):
        with pytest.raises(fl.InputError, match=r"Expected a coverage.*(Got a int|lacks account)"):
            chart(told((1, "enabled", 1, None)), coverage=other)


@pytest.mark.parametrize("column", INTERVAL_COLUMNS)
def test_intervals_that_lack_a_column_are_refused_as_such(column: str) -> None:
    """An answer about intervals is about intervals, not about images."""
    lacking = told((1, "enabled", 1, None)).drop(columns=column)
    for chart in (fl.timeline, fl.state_mix):
        with pytest.raises(
            fl.InputError, match=rf"Expected state intervals: .* intervals lacks {column}\."
        ):
            chart(lacking)


# --- what is certain ------------------------------------------------------------------


def test_ends_are_marked() -> None:
    """What began earlier, began at no known time, or is still so has a mark that is explained."""
    runs = told((1, "enabled", 9, 2), (1, "absent", 2, None)).assign(start_exact=[True, False])
    marks = named(figure := fl.timeline(runs, coverage=looks(5, 0)), "marks")
    found = dict(zip(marks.marker.symbol, marks.x, strict=True))
    assert found == {
        "triangle-left": "2026-01-10T12:00:00.000",
        "circle": "2026-01-13T12:00:00.000",
        "triangle-right": "2026-01-15T12:00:00.000",
    }
    under = figure.layout.title.subtitle.text
    assert under.endswith("<i>◀ began earlier   ○ start not exact   ▶ still so</i>")
    assert "◀" not in fl.text(figure)
    over = told((1, "enabled", 3, 2), (1, "enabling", 2, 0))
    assert fl.timeline(over, coverage=looks(5, 0)).layout.title.subtitle.text[-4:] != "</i>"


def test_a_state_is_drawn_as_long_as_it_was_seen() -> None:
    """An open bar ends when it was last seen; what is unknown goes on to the end."""
    runs = told((1, "enabled", 3, None), (2, "unknown", 2, None))
    runs.loc[0, "last_seen"] = NOON - DAY
    drawn = bars(fl.timeline(runs, coverage=looks(3, 0)))
    assert drawn["enabled"].x == (2 * 86_400_000,)
    assert drawn["unknown"].x == (2 * 86_400_000,)


def test_nothing_unseen_looks_healthy() -> None:
    """Unknown and absent show the page through, each in its own way; no state of AWS's does."""
    looked = {state: style.state_style(state) for state in (*STATES, "new")}
    assert {state for state, drawn in looked.items() if not drawn.solid} == {"unknown", "absent"}
    runs = [(1, "unknown", 4.0, 3.0), (1, "absent", 3.0, 2.0), (1, None, 2.0, 1.0)]
    drawn = bars(fl.timeline(told(*runs, (1, "brand-new", 1, None)), coverage=looks(4, 0)))
    assert set(drawn) == {"unknown", "absent", "brand-new"}
    assert drawn["unknown"].marker.pattern.shape
    assert drawn["absent"].width < drawn["unknown"].width / 3
    assert {drawn[name].marker.color for name in ("unknown", "absent")} == {style.CLEAR}


def test_what_goes_on_is_one_bar() -> None:
    """Intervals of one state that follow each other are one run; a hole between them stays."""
    runs = told((1, "enabled", 5, 4), (1, "enabled", 4, 3), (1, "enabled", 2, None))
    trace = bars(figure := fl.timeline(runs, coverage=looks(5, 0)))["enabled"]
    assert sorted(trace.x) == [2 * 86_400_000, 2 * 86_400_000]
    assert "until 2026-01-12 12:00 UTC" in fl.text(figure)


def test_the_worst_lies_on_top() -> None:
    """A failure of a moment has a bar, which no other state hides."""
    runs = told(
        (1, "enabled", 5, 1.0001), (1, "enabled-failed", 1.0001, 1), (1, "enabled", 1, None)
    )
    figure = fl.timeline(runs, coverage=looks(5, 0))
    assert [trace.name for trace in figure.data if trace.type == "bar"][-1] == "enabled-failed"
    assert bars(figure)["enabled-failed"].x[0] > 0.005 * 5 * 86_400_000


# --- rows -----------------------------------------------------------------------------

FLEET = pd.concat(
    [
        told((1, "enabling", 4, 1), (1, "enabled", 1, None), account_name="b", region="us-east-1"),
        told((2, "enabled", 4, None), account_name="a", region="us-east-1"),
        told((3, "enabled-failed", 3, None), account_name="b", region="eu-west-1"),
        told((4, "absent", 2, None), account_name="a", region="eu-west-1"),
    ]
).assign(account_id=lambda rows: rows["account_name"].map({"a": "1" * 12, "b": "2" * 12}))


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("worst", [3, 1, 2, 4]),
        ("recent", [1, 4, 3, 2]),
        ("name", [1, 2, 3, 4]),
        ("account", [2, 4, 1, 3]),
        ("region", [3, 4, 1, 2]),
    ],
)
def test_rows_have_an_order(sort: str, order: list[int]) -> None:
    """Rows stand in the order that was asked for; what is alike in that, by another."""
    assert ids(fl.timeline(FLEET, sort=sort)) == order
    shuffled = FLEET.sample(frac=1, random_state=1)
    assert fl.timeline(shuffled, sort=sort) == fl.timeline(FLEET, sort=sort)


@pytest.mark.parametrize(
    ("group", "headings", "order"),
    [
        ("account", ["b", "a"], [3, 1, 2, 4]),
        ("region", ["eu-west-1", "us-east-1"], [3, 4, 1, 2]),
        ("state", ["enabled-failed", "enabled", "absent"], [3, 1, 2, 4]),
    ],
)
def test_rows_of_a_group_stand_together(group: str, headings: list[str], order: list[int]) -> None:
    """Each group has a heading that says how many images there are, above its rows."""
    figure = fl.timeline(FLEET, group=group)
    assert ids(figure) == order
    notes = [note for note in figure.layout.annotations if note.yref != "y2"]
    assert [re.findall("<b>(.*)</b>", note.text)[0] for note in notes] == headings
    rows = figure.layout.yaxis.tickvals
    assert sorted([*rows, *(note.y for note in notes)]) == list(
        range(-len(rows) - len(notes) + 1, 1)
    )
    assert notes[0].y == 0


def test_too_many_groups_have_no_headings() -> None:
    """Headings leave the rows their room: of very many groups there is none, which is said."""
    many = told(*((n, "enabled", 2, None) for n in range(80)))
    few = many.assign(account_id=[f"{n % 30:012}" for n in range(80)])
    assert len(fl.timeline(few, group="account").layout.annotations) == 30
    figure = fl.timeline(many.assign(account_id=[f"{n:012}" for n in range(80)]), group="account")
    assert not figure.layout.annotations
    assert "by account, too many for headings" in fl.text(figure)


def test_accounts_of_one_name_are_two_groups() -> None:
    """Where two accounts have one name, headings have their ids as well."""
    same = FLEET.assign(account_name="build")
    notes = str(fl.timeline(same, group="account").layout.annotations)
    assert f"build · {'1' * 12}" in notes
    assert f"build · {'2' * 12}" in notes


def test_orders_are_refused() -> None:
    """An order, a group or a part that is none is refused, with the one that was meant."""
    with pytest.raises(fl.InputError, match=r"sort is 'wurst'.*Did you mean 'worst'"):
        fl.timeline(FLEET, sort="wurst")
    with pytest.raises(fl.InputError, match="group is 'image'"):
        fl.timeline(FLEET, group="image")
    with pytest.raises(fl.InputError, match="by is 'state'"):
        fl.state_mix(FLEET, by="state")


# --- the fleet, and very many ---------------------------------------------------------

_STATES = ["enabled", "enabling-failed", "enabling", "unknown", "absent", "disabled", "brand-new"]
_ROW = st.lists(
    st.tuples(st.sampled_from(_STATES), st.integers(1, 40 * 3600)), min_size=1, max_size=6
)


def history(rows: list[list[tuple[str, int]]]) -> pd.DataFrame:
    """Return intervals of images by states and their seconds, one after the other until noon."""
    runs: list[tuple[int, str, float, float]] = []
    for image, row in enumerate(rows):
        left = sum(seconds for _, seconds in row)
        for state, seconds in row:
            runs.append((image, state, left / 86_400, (left - seconds) / 86_400))
            left -= seconds
    return told(*runs)


def in_part(runs: pd.DataFrame, begin: Any, end: Any) -> set[str]:
    """Return the states of runs that touch a part of time, the naive way."""
    axis = NOON - 7 * DAY
    return {
        row["state"]
        for row in runs.to_dict("records")
        if max(row["start"], axis, begin) < min(row["end"], NOON, end)
    }


def parts(trace: Any, count: int) -> list[tuple[Any, Any]]:
    """Return the begin and end of each column of a trace."""
    width = pd.Timedelta(milliseconds=trace.dx)
    first = pd.Timestamp(trace.x0, tz="UTC") - width / 2
    return [(first + width * n, first + width * (n + 1)) for n in range(count)]


def colours(trace: Any) -> list[list[str]]:
    """Return the colour of each cell of a raster."""
    scale = [colour for _, colour in trace.colorscale[::2]]
    return [[scale[code] for code in row] for row in np.asarray(trace.z)]


@costly
@given(st.lists(_ROW, min_size=1, max_size=7), st.integers(1, 3))
def test_of_a_cell_the_worst_state_counts(rows: list[list[tuple[str, int]]], shared: int) -> None:
    """Law: each cell has the colour of the worst state in it, and is empty where there is none."""
    runs = history(rows)
    most = -(-len(rows) // shared)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timeline, "MOST_BARS", 0)
        patch.setattr(timeline, "MOST_ROWS", most)
        figure = fl.timeline(runs, coverage=looks(7, 0), sort="name")
    drawn = colours(trace := named(figure, "worst state"))
    per_row = -(-len(rows) // most)
    assert len(drawn) == -(-len(rows) // per_row)
    assert min(map(len, drawn)) > 100
    for number, row in enumerate(drawn):
        images = [f"ami-{n:017x}" for n in range(number * per_row, (number + 1) * per_row)]
        own = runs[runs["image_id"].isin(images)]
        for place, (begin, end) in enumerate(parts(trace, len(row))):
            states = in_part(own, begin, end)
            least = min(map(state_rank, states), default=None)
            worst = {style.state_style(s).cell for s in states if state_rank(s) == least}
            odd_unknown = {style.CLEAR} if (number + place) % 2 and "unknown" in states else set()
            assert row[place] in (worst | (odd_unknown if worst else set()) or {style.CLEAR})
    assert "the worst state in it is shown" in fl.text(figure)


@costly
@given(st.lists(_ROW, min_size=1, max_size=7))
def test_the_strip_counts_each_image_once(rows: list[list[tuple[str, int]]]) -> None:
    """Law: at each time the strip tells how many images were in which worst state, and no other."""
    runs = history(rows)
    trace = named(fl.timeline(runs, coverage=looks(7, 0)), "all images")
    (said,) = trace.hovertext
    assert len(said) > 100
    images = [own for _, own in runs.groupby("image_id")]
    for words, (begin, end) in zip(said, parts(trace, len(said)), strict=True):
        expected: dict[int, int] = {}
        for own in images:
            if states := in_part(own, begin, end):
                worst = min(map(state_rank, states))
                expected[worst] = expected.get(worst, 0) + 1
        found: dict[int, int] = {}
        for line in words.split("<br>")[2:]:
            count, state = line.split(" ", 1)
            found[state_rank(state)] = found.get(state_rank(state), 0) + int(count)
        assert found == expected


def test_few_are_seen_in_the_strip() -> None:
    """One image of a hundred that failed is high enough to be seen; the whole stays as it is."""
    runs = told(*((n, "enabled", 5, None) for n in range(99)), (99, "enabled-failed", 5, None))
    figure = fl.timeline(runs, coverage=looks(5, 0))
    failed, fine = (
        next(t for t in figure.data if t.name == state and t.type == "scatter")
        for state in ("enabled-failed", "enabled")
    )
    assert min(failed.y) > 0.05
    assert np.asarray(failed.y) + np.asarray(fine.y) == pytest.approx(1)


def test_very_many_intervals_are_a_raster() -> None:
    """Beyond some thousands there are cells, which it says; words stay few, and so do bytes."""
    rows = [[("enabled", 3600), ("enabling-failed", 1800), ("enabled", 7200)]] * 1200
    runs = history(rows)
    figure = fl.timeline(runs)
    assert not bars(figure)
    said = fl.text(figure).split("\n")
    assert said[0] == "Fast Launch states until 2026-01-15 12:00 UTC"
    assert said[2].startswith("each row is up to 3 images, each column is")
    assert said[-1] == "- and 1,180 images more"
    assert len(said) == 25
    assert len(figure.to_json()) < 500_000
    assert len(set(figure.data[0].y)) == len(figure.data[0].y) == 400
    assert bars(fl.timeline(runs.head(timeline.MOST_ROWS)))


def test_groups_of_a_raster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups share no row, and their headings stand where no cell is."""
    monkeypatch.setattr(timeline, "MOST_BARS", 0)
    monkeypatch.setattr(timeline, "MOST_ROWS", 3)
    figure = fl.timeline(FLEET, group="region", sort="name", coverage=looks(4, 0))
    drawn = colours(named(figure, "worst state"))
    notes = [note for note in figure.layout.annotations if note.yref != "y2"]
    assert [note.y for note in notes] == [0, 2]
    is_empty = [set(cells) == {style.CLEAR} for cells in drawn]
    assert is_empty == [True, False, True, False]


# --- shares ---------------------------------------------------------------------------


def test_shares_are_of_time() -> None:
    """A share is of the covered time, not of intervals; what is unknown is nothing else."""
    runs = told(
        *[(1, "enabling", 900, 3), (1, "enabled", 3, 1), (1, "unknown", 1, None)],
        (2, "enabled", 2, None),
    )
    figure = fl.state_mix(runs, coverage=looks(4, 0), by="image")
    assert figure.layout.yaxis.ticktext[0] == "all images"
    drawn = {trace.name: list(trace.x) for trace in figure.data}
    assert drawn["unknown"] == pytest.approx([100 / 6, 25, 0], abs=0.001)
    assert drawn["enabled"] == pytest.approx([400 / 6, 50, 100], abs=0.001)
    assert drawn["enabling"] == pytest.approx([100 / 6, 25, 0], abs=0.001)
    assert "unknown 1 · 17 %" in fl.timeline(runs, coverage=looks(4, 0)).layout.title.subtitle.text


@given(st.lists(_ROW, min_size=1, max_size=7), st.sampled_from([None, "region", "image"]))
def test_shares_are_all_of_it(rows: list[list[tuple[str, int]]], by: str | None) -> None:
    """Law: the shares of each bar are 100 % together, whatever the history is."""
    figure = fl.state_mix(history(rows), coverage=looks(7, 0), by=by)
    wholes = np.sum([trace.x for trace in figure.data], axis=0).tolist()
    assert wholes == pytest.approx([100] * len(figure.layout.yaxis.ticktext), abs=0.1)


def test_the_worst_part_is_on_top() -> None:
    """Below all images stand the parts, those that failed the longest first, at most so many."""
    failed = fl.state_mix(FLEET, by="account")
    assert list(failed.layout.yaxis.ticktext) == ["all images", "b", "a"]
    many = history([[("enabled", 3600)]] * 600)
    figure = fl.state_mix(many, by="image")
    assert len(figure.data[0].y) == 501
    assert "the worst 500 of 600 images are drawn" in fl.text(figure)


def test_one_look_tells_little_time() -> None:
    """The mix of one look says that it knows only the time since each state began."""
    images = fl.from_pages([{"ImageId": "ami-00000001"}], observed_at=NOON.isoformat())
    assert "one look" in fl.text(fl.state_mix(images))
    assert not fl.state_mix(fl.from_pages([])).data


# --- what AWS says, and where it goes -------------------------------------------------


@pytest.mark.parametrize("most", [0, timeline.MOST_BARS])
def test_hostile_text_is_text(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """Markup in states, names and reasons is escaped, in bars, cells, strips and shares."""
    monkeypatch.setattr(timeline, "MOST_BARS", most)
    hostile = dict.fromkeys(("image_name", "account_name", "state_transition_reason"), HOSTILE)
    runs = told((1, HOSTILE, 4, 2), (1, "enabled", 2, None), **hostile)
    figures = [
        fl.timeline(runs, coverage=looks(4, 0), group="account"),
        fl.timeline(runs, coverage=looks(4, 0), group="state"),
        *(fl.state_mix(runs, by=by) for by in ("account", "image")),
    ]
    for figure in figures:
        drawn = json.dumps(json.loads(figure.to_json()), ensure_ascii=False)
        title = figure.layout.title.text
        assert ("<img" in drawn, "</script" in drawn) == (False, False), title
        assert "&lt;img" in drawn, title


def test_the_demo_has_a_history(demo: Demo) -> None:
    """The demo's week, clamped to its looks, says what failed and since when."""
    week = demo.history
    runs = fl.intervals(week.observations, week.coverage)
    figure = fl.timeline(runs, coverage=week.coverage)
    assert figure.layout.xaxis.range == ("2026-01-08T12:00:00.000", "2026-01-15T12:00:00.000")
    assert "Demo data · 45 images over 7 d" in figure.layout.title.subtitle.text
    assert "enabled 28, 88 %" in fl.text(figure)
    assert fl.timeline(runs, coverage=week.coverage) == figure


@pytest.mark.usefixtures("drawing_browser")
@pytest.mark.parametrize("form", ["svg", "md"])
@pytest.mark.parametrize("most", [0, pytest.param(timeline.MOST_BARS, marks=pytest.mark.deep)])
def test_a_history_in_a_report(monkeypatch: pytest.MonkeyPatch, form: Any, most: int) -> None:
    """Bars, cells and shares become pictures, on which there are no buttons to press."""
    monkeypatch.setattr(timeline, "MOST_BARS", most)
    for figure in (fl.timeline(FLEET), fl.state_mix(FLEET)):
        picture = fl.embed(figure, form)
        assert figure.layout.title.text in picture.replace("\\", "")
        assert "rangeselector" not in picture
