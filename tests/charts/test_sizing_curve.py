"""The sizing curve: the share of warm launches and the cost, by target."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl

SIZE = fl.right_size(
    "40 at 08:00 on weekdays", min_warm_share=0.9, jitter=7200, fill_time=1800, days=91
)
EXACT = fl.right_size("100 at 08:00", days=7)


@given(st.floats(0, 1), st.integers(1, 2000))
def test_the_lines_are_the_curve_and_its_cost(price: float, gib: int) -> None:
    """Law: one line is the curve in percent; the other is target times volume times price."""
    prices = fl.Prices(snapshot_gib_month=price)
    figure = fl.sizing_curve(SIZE, prices=prices, root_volume_gib=gib)
    lines = {trace.name: trace for trace in figure.data}
    assert list(lines["warm launches"].x) == SIZE.curve.target_count.tolist()
    assert list(lines["warm launches"].y) == pytest.approx(SIZE.curve.warm_share * 100)
    costs = [int(target) * gib * price for target in SIZE.curve.target_count]
    assert list(lines["cost a month"].y) == pytest.approx(costs)
    assert lines["cost a month"].yaxis == "y2"
    assert f"{SIZE.target_count * gib * price:,.2f} USD a month" in figure.layout.title.text


def test_the_chosen_target_is_marked_and_named() -> None:
    """The chosen target has a mark on the curve and a label; the required share has a line."""
    figure = fl.sizing_curve(SIZE, min_warm_share=0.9)
    (mark,) = (trace for trace in figure.data if trace.name == "chosen")
    assert (list(mark.x), list(mark.y)) == ([SIZE.target_count], [100 * SIZE.warm_share])
    assert [note.text for note in figure.layout.annotations] == [
        f"<b>target {SIZE.target_count}</b>"
    ]
    assert [shape.y0 for shape in figure.layout.shapes] == [90, 0]
    assert len(fl.sizing_curve(SIZE).layout.shapes) == 1
    lines = fl.alt_text(figure).split("\n")
    assert "- 12 snapshots, 90.15 % warm (89.11 % to 91.17 %), 30.00 USD a month, chosen" in lines
    assert len(lines) < 20


def test_todays_target_is_marked() -> None:
    """Today's target has a mark of its own, a label in another row, and its numbers as text."""
    figure = fl.sizing_curve(SIZE, current_target=5)
    (mark,) = (trace for trace in figure.data if trace.name == "today")
    share = SIZE.curve.warm_share[SIZE.curve.target_count.tolist().index(5)]
    assert (list(mark.x), list(mark.y), mark.marker.symbol) == ([5], [100 * share], "diamond")
    labels = {note.text: note.y for note in figure.layout.annotations}
    assert labels.keys() == {"<b>target 12</b>", "<b>today 5</b>"}
    assert labels["<b>target 12</b>"] - labels["<b>today 5</b>"] > 10
    lines = fl.alt_text(figure).split("\n")
    assert lines[3].startswith("today: 5 snapshots, ")
    assert lines[3].endswith(", 12.50 USD a month at most")
    assert [line[-5:] for line in lines if line.startswith("- 5 snapshots")] == ["today"]
    assert "today" in lines[4]


@pytest.mark.parametrize(
    ("current", "share"), [(1, 0.01), (40, 0.4), (99, 0.99), (100, 1.0), (700, 1.0)]
)
def test_today_may_be_beside_the_curve(current: int, share: float) -> None:  # 64 points of 100
    """Today's target reaches at least the share of the point below, also beyond the last one."""
    figure = fl.sizing_curve(EXACT, current_target=current)
    (mark,) = (trace for trace in figure.data if trace.name == "today")
    below = max([0.0, *EXACT.curve.warm_share[EXACT.curve.target_count <= current]])
    assert mark.y[0] == 100 * below
    assert share - 0.02 < below <= share
    assert figure.layout.xaxis.range[1] == max(current, 100) * 1.03


@pytest.mark.parametrize("unknown", [None, pd.NA, float("nan")], ids=str)
def test_an_unknown_target_has_no_mark(unknown: Any) -> None:
    """Where today's target is unknown, nothing is marked."""
    assert fl.sizing_curve(SIZE, current_target=unknown) == fl.sizing_curve(SIZE)


def test_one_target_may_be_both() -> None:
    """If today's target is the chosen one, both marks and labels are there."""
    figure = fl.sizing_curve(SIZE, current_target=12)
    assert [note.x for note in figure.layout.annotations] == [12, 12]
    assert "USD a month, chosen, today" in fl.alt_text(figure)


def test_the_band_is_the_interval() -> None:
    """The band has the interval of each point; an exact size has none."""
    figure = fl.sizing_curve(SIZE)
    lines = {trace.name: list(trace.y) for trace in figure.data}
    assert SIZE.band is not None
    assert lines["low"] == pytest.approx(SIZE.band.low * 100)
    assert lines["high"] == pytest.approx(SIZE.band.high * 100)
    assert [trace.fill for trace in figure.data[1:3]] == [None, "tonexty"]
    names = [trace.name for trace in fl.sizing_curve(EXACT).data]
    assert names == ["cost a month", "warm launches", "chosen"]
    assert "95 of 100" not in fl.alt_text(fl.sizing_curve(EXACT))


def test_the_text_has_what_makes_it_less_sure() -> None:
    """The lines below the title have the interval, the fill time's targets, and all warnings."""
    start = datetime(2026, 1, 5, tzinfo=UTC)
    times = [start + timedelta(days=n % 8, minutes=n) for n in range(60)]
    size = fl.right_size(times)
    text = fl.alt_text(fl.sizing_curve(size))
    low, high = size.fill_time_targets or (0, 0)
    assert f"fill time assumed, not measured, target {low} at 4 min and {high} at 30 min" in text
    assert "Caution: Only 8 days: other weeks may differ." in text
    assert "Caution: Only 60 launches" in text
    assert max(map(len, text.split("\n"))) < 100
    busy = fl.right_size("200 an hour evenly", days=1)
    assert "none is enough at 30 min" in fl.alt_text(fl.sizing_curve(busy))


def test_axes_have_the_colours_of_their_lines() -> None:
    """Each axis has a title in the colour of its line; the lines differ by more than colour."""
    figure = fl.sizing_curve(SIZE)
    layout, lines = figure.layout, {trace.name: trace.line for trace in figure.data}
    for axis, name in ((layout.yaxis, "warm launches"), (layout.yaxis2, "cost a month")):
        assert axis.title.text
        assert axis.title.font.color == axis.tickfont.color == lines[name].color
    assert lines["warm launches"].dash != lines["cost a month"].dash


SIZING_CURVE: Any = fl.sizing_curve  # without its types, which have only the new names


def test_the_old_name_of_an_argument_works_with_a_warning() -> None:
    """The argument `warm` means `min_warm_share`, and warns at the line that uses it."""
    old: dict[str, Any] = {"warm": 0.9}
    with pytest.warns(DeprecationWarning, match=r"^sizing_curve\(warm=\) is now") as caught:
        figure = fl.sizing_curve(SIZE, **old)
    assert [warning.filename for warning in caught] == [__file__]
    assert figure == fl.sizing_curve(SIZE, min_warm_share=0.9)
    with pytest.raises(fl.InputError, match=r"warm is now min_warm_share.*Got both"):
        fl.sizing_curve(SIZE, min_warm_share=0.9, **old)


@pytest.mark.parametrize(
    ("sizing", "arguments", "message"),
    [
        (12, {}, "Got a int"),
        (SIZE.curve, {}, "Got a Curve"),
        (SIZE, {"min_warm_share": 0}, "min_warm_share is 0"),
        (SIZE, {"min_warm_share": True}, "min_warm_share is True"),
        (SIZE, {"min_warm_share": 0.99}, "min_warm_share is 0.99, but this size reaches 90.15 %"),
        (SIZE, {"prices": "2.5"}, "prices is '2.5'"),
        (SIZE, {"prices": -1}, "prices is -1"),
        (SIZE, {"current_target": 0}, "current_target is 0. Expected a whole number of 1 or more"),
        (SIZE, {"current_target": 2.5}, "current_target is 2.5"),
        (SIZE, {"root_volume_gib": 0}, "root_volume_gib is 0"),
        (SIZE, {"root_volume_gib": "50"}, "root_volume_gib is '50'"),
        (SIZE, {"root_volume_gib": float("nan")}, "root_volume_gib is nan"),
    ],
)
def test_invalid_arguments_are_refused(
    sizing: Any, arguments: dict[str, Any], message: str
) -> None:
    """The error names the invalid argument and its value."""
    with pytest.raises(fl.InputError, match=message):
        fl.sizing_curve(sizing, **arguments)
