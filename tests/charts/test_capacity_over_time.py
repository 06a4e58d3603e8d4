"""The capacity chart over time: steps of the stock, bars of launches, and gaps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.schema.columns import COUNT, KEY
from fastlaunch_nb.schema.joins import METRICS
from fastlaunch_nb.sources.pages import empty_images
from tests.helpers.samples import HOSTILE, item

NOON = pd.Timestamp("2026-01-15T12:00:00Z")
HOUR = 3600
TARGETS = (10, 5, None)

METRIC_ROWS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 60),
        st.none() | st.integers(0, 12),
        st.none() | st.integers(0, 9),
        st.none() | st.integers(0, 9),
    ),
    min_size=1,
    max_size=40,
    unique_by=lambda row: row[:2],
)
"""Image number, hour, stock, fast launches and cold launches."""


def make_images(*targets: int | None) -> pd.DataFrame:
    """Return an image for each target count."""
    items = [item(number) for number in range(len(targets))]
    images = fl.from_pages(items, observed_at=NOON, region="us-east-1")
    return images.assign(target_resource_count=pd.array(targets, dtype=COUNT))


def make_metrics(images: pd.DataFrame, *rows: tuple[Any, ...]) -> pd.DataFrame:
    """Return metrics: image number, hours after noon, seconds, stock, fast and cold launches."""
    numbers, hours, periods, stocks, fast, cold = zip(*rows, strict=True)
    table = images[list(KEY)].iloc[list(numbers)].reset_index(drop=True)
    table = table.assign(
        time=[NOON + pd.Timedelta(hours=hour) for hour in hours],
        period=periods,
        available_snapshots=stocks,
        fast_launches=fast,
        cold_launches=cold,
    )
    dtypes = {column.name: column.dtype for column in METRICS}
    return table.reindex(columns=[*dtypes]).astype(dtypes)


def find_traces(figure: Any, name: str) -> list[Any]:
    return [trace for trace in figure.data if trace.name == name]


def read_heading(figure: Any) -> str:
    """Return the title and the lines below it."""
    return fl.alt_text(figure).partition("\n- ")[0]


def read_stock(trace: Any, time: pd.Timestamp) -> int | None:
    """Return the stock that a line of steps has at a time."""
    stock = None
    for x, y in zip(trace.x, trace.y, strict=True):
        if pd.Timestamp(x, tz="UTC") <= time:
            stock = y
    return stock


@given(METRIC_ROWS)
def test_every_launch_is_drawn_and_counted(metric_rows: list[Any]) -> None:
    """Law: the bars and the title count all launches of the metrics, at any time."""
    images = make_images(*TARGETS)
    rows = [(number, hour, HOUR, *counts) for number, hour, *counts in metric_rows]
    figure = fl.capacity(images, metrics=make_metrics(images, *rows))
    fast, cold = ([row[n] or 0 for row in metric_rows if row[n] is not None] for n in (3, 4))
    for name, counts in (("fast launches", fast), ("cold launches", cold)):
        assert sum(sum(trace.y) for trace in find_traces(figure, name)) == sum(counts)
    total = sum(fast) + sum(cold)
    title = f"{sum(cold)} of {total} launches were cold"
    assert (figure.layout.title.text == title) == (bool(fast and cold) and total > 1)
    bars, crosses = find_traces(figure, "cold launches"), find_traces(figure, "cold")
    assert sum(len(trace.x) for trace in bars) == sum(len(trace.x) for trace in crosses)


@given(METRIC_ROWS)
def test_the_line_has_the_stock_and_breaks_where_it_is_unknown(metric_rows: list[Any]) -> None:
    """Law: the line is at the stock of each period; an hour with unknown stock is hatched."""
    images = make_images(*TARGETS)
    by_hour = {hour: counts for _, hour, *counts in metric_rows}
    rows = [(0, hour, HOUR, *counts) for hour, counts in by_hour.items()]
    figure = fl.capacity(images, metrics=make_metrics(images, *rows))
    (line,), (gaps,) = find_traces(figure, "in stock"), find_traces(figure, "stock unknown")
    stock_by_hour = {hour: counts[0] for hour, counts in by_hour.items()}
    corners = [pd.Timestamp(x, tz="UTC") for x in gaps.x if x is not None]
    spans = list(zip(corners[::4], corners[2::4], strict=True))
    for hour in range(min(by_hour), max(by_hour) + 1):
        middle = NOON + pd.Timedelta(hours=hour + 0.5)
        assert read_stock(line, middle) == stock_by_hour.get(hour)
        is_hatched = any(start < middle < end for start, end in spans)
        assert is_hatched == (stock_by_hour.get(hour) is None)


def test_most_cold_launches_are_on_top() -> None:
    """The image with the most cold launches is on top, then the one with the lowest stock."""
    images = make_images(10, 10, 10, 10)
    rows = ((0, 0, HOUR, 9, 5, 0), (1, 0, HOUR, 2, 5, 0), (2, 0, HOUR, 9, 1, 4))
    figure = fl.capacity(images, metrics=make_metrics(images, *rows), top=2)
    lines = fl.alt_text(figure).split("\n- ")[1:]
    assert [line.split(",")[0][-1] for line in lines] == ["2", "1"]
    assert "worst 2 of 3 drawn; the rest: 0 of 5 launches cold" in read_heading(figure)
    assert "3 images over 1 h, 1 without metrics" in read_heading(figure)
    assert len(find_traces(figure, "in stock")) == 2


def test_the_text_has_the_lowest_highest_and_latest_stock() -> None:
    """The text of a panel has the range of the stock, and the stock of the last period."""
    images = make_images(10)
    rows = ((0, 0, HOUR, 9, 0, 0), (0, 1, HOUR, 2, 0, 0), (0, 2, HOUR, 5, 0, 0))
    figure = fl.capacity(images, metrics=make_metrics(images, *rows))
    assert "stock 2 to 9, latest 5" in fl.alt_text(figure)


def test_metrics_of_other_images_are_left_out() -> None:
    """Metrics of an image that is not in the frame are neither drawn nor counted in the title."""
    images = make_images(10, 10)
    metrics = make_metrics(images, (0, 0, HOUR, 9, 5, 1), (1, 90, HOUR, 2, 50, 10))
    figure = fl.capacity(images.head(1), metrics=metrics)
    assert figure.layout.title.text == "1 of 6 launches were cold"
    assert "1 image over 1 h, metrics of 1 image left out" in read_heading(figure)
    empty = fl.capacity(images.head(1), metrics=metrics.tail(1))
    assert empty.layout.title.text == "No metrics of these images."
    no_images = fl.capacity(empty_images(), metrics=metrics)
    assert no_images.layout.title.text.startswith("No image to show")


def test_cold_launches_differ_by_more_than_colour() -> None:
    """A cold launch has a cross as well as a colour; the current target is a dashed line."""
    images = make_images(10)
    figure = fl.capacity(images, metrics=make_metrics(images, (0, 0, HOUR, 9, 5, 1)))
    (cross,), (target,) = find_traces(figure, "cold"), find_traces(figure, "target now")
    assert cross.marker.symbol == "x-thin"
    assert list(target.y) == [10, 10]
    assert target.line.dash == "dash"
    assert {trace.name for trace in figure.data} >= {"fast launches", "cold launches"}


@pytest.mark.parametrize(
    ("fast", "cold", "title"),
    [
        (None, None, "Stock over time, no launches counted"),
        (3, None, "3 fast launches, no cold ones counted"),
        (None, 0, "0 cold launches, no fast ones counted"),
        (0, 0, "No launch"),
        (1, 0, "0 of 1 launch was cold"),
    ],
)
def test_an_unknown_number_of_launches_is_not_zero(
    fast: int | None, cold: int | None, title: str
) -> None:
    """Where CloudWatch has no number, the title has no zero: it names what was not counted."""
    images = make_images(10)
    figure = fl.capacity(images, metrics=make_metrics(images, (0, 0, HOUR, 9, fast, cold)))
    assert figure.layout.title.text == title


def test_an_unknown_target_has_no_line() -> None:
    """An unknown target has no line, and the text calls it unknown."""
    images = make_images(None)
    figure = fl.capacity(images, metrics=make_metrics(images, (0, 0, HOUR, None, 1, 1)))
    assert find_traces(figure, "target now") == []
    assert list(find_traces(figure, "in stock")[0].y) == []
    assert "1 of 2 launches cold, stock unknown, target unknown" in fl.alt_text(figure)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda rows: rows.assign(time=rows["time"].dt.tz_localize(None)),
            "times without a time zone",
        ),
        (lambda rows: rows.assign(cold_launches=[0.5]), "cold_launches is float64, not Int64"),
        (lambda rows: rows.assign(period=[None]), "1 of its rows have no time or no period"),
        (lambda rows: rows.assign(period=[0]), "no period"),
    ],
)
def test_metrics_of_another_type_are_refused(
    spoil: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    """The error names the column whose values have a wrong type or are missing."""
    images = make_images(10)
    with pytest.raises(fl.InputError, match=message):
        fl.capacity(images, metrics=spoil(make_metrics(images, (0, 0, HOUR, 9, 5, 1))))


def test_names_above_panels_are_escaped() -> None:
    """Markup in an image's name is escaped above its panel."""
    images = make_images(10).assign(image_name=HOSTILE)
    figure = fl.capacity(images, metrics=make_metrics(images, (0, 0, HOUR, 9, 5, 1)))
    assert "<img" not in str(figure.to_dict())
    assert "&lt;img" in str(figure.to_dict())
