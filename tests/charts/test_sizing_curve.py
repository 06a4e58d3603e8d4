"""The sizing curve: the share of warm launches and the cost, by target."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl

SIZE = fl.right_size("40 at 08:00 on weekdays", min_warm_share=0.9, jitter=7200)


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
    assert "- 12 snapshots, 90.24 % warm, 30.00 USD a month, chosen" in lines
    assert len(lines) < 20


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
        (SIZE, {"min_warm_share": 0.99}, "min_warm_share is 0.99, but this size reaches 90.24 %"),
        (SIZE, {"prices": 2.5}, "prices is 2.5"),
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
