"""The capacity chart: bars of the stock and the target, their order, their groups and texts."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.charts.capacity_data import BY, make_capacity_rows
from fastlaunch_nb.schema.columns import API_STATES, COUNT, TEXT, TIME
from fastlaunch_nb.validation import validate_columns
from tests.helpers.samples import item

NOON = pd.Timestamp("2026-01-15T12:00:00Z")
STOPPED = ("enabling-failed", "enabled-failed", "disabling", "disabling-failed")
PARTS = ("in stock", "being filled", "missing", "stock unknown", "beyond the target")

Row = tuple[int | None, int | None, int | None, str | None]  # target, stock, parallel, state
ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(0, 30),
        st.none() | st.integers(0, 40),
        st.none() | st.integers(6, 20),
        st.sampled_from([*API_STATES, None]),
    ),
    min_size=1,
    max_size=20,
)


def make_images(*rows: Row) -> pd.DataFrame:
    """Return images of two accounts and three regions with these numbers."""
    names: list[dict[str, str]] = [
        {"LaunchTemplateName": f"runner-{n % 4}"} if n % 5 else {} for n in range(len(rows))
    ]
    items = [
        item(n, row[3], MaxParallelLaunches=row[2], SnapshotConfiguration={}, LaunchTemplate=name)
        for n, (row, name) in enumerate(zip(rows, names, strict=True))
    ]
    images = fl.from_pages(items, observed_at=NOON)
    return images.assign(
        target_resource_count=pd.array([row[0] for row in rows], dtype=COUNT),
        available_snapshots=pd.array([row[1] for row in rows], dtype=COUNT),
        account_id=[("123456789012", "999988887777")[n % 2] for n in range(len(rows))],
        region=[("us-east-1", "eu-west-1", "eu-west-2")[n % 3] for n in range(len(rows))],
    )


def stocked(images: pd.DataFrame) -> pd.DataFrame:
    """Return images with a stock: full, empty, half full, above the target or unknown, in turn."""
    stocks = [
        None if pd.isna(target) or n % 6 == 4 else (target, 0, target // 2, target + 3)[n % 4]
        for n, target in enumerate(images["target_resource_count"])
    ]
    return images.assign(available_snapshots=pd.array(stocks, dtype=COUNT))


def read_lengths(figure: Any, name: str) -> dict[int, int]:
    """Return the length of a part of the bars by row, counted from the top."""
    return {
        -y: x
        for trace in figure.data
        if trace.name == name
        for y, x in zip(trace.y, trace.x, strict=True)
    }


def read_bar_labels(figure: Any) -> list[str]:
    """Return the texts next to the bars."""
    (trace,) = (trace for trace in figure.data if trace.name == "stock of target")
    return list(trace.text)


def read_rows(figure: Any) -> list[str]:
    """Return the text of each row."""
    return fl.alt_text(figure).split("\n- ")[1:]


def sum_known(*values: int | None) -> int:
    return sum(value for value in values if value is not None)


def count_missing(row: Row) -> int | None:
    """Return the number of missing snapshots; None if it is unknown."""
    target, stock, *_ = row
    return None if target is None or stock is None else max(0, target - stock)


@given(ROWS)
def test_parts_are_the_numbers_of_the_frame(rows: list[Row]) -> None:
    """Law: the parts of all bars add up to the targets and the stock of the frame."""
    figure = fl.capacity(make_images(*rows), top=len(rows))
    targets = read_lengths(figure, "target snapshots")
    assert sum(targets.values()) == sum_known(*(row[0] for row in rows))
    in_stock, filling, missing, unknown, beyond = (
        sum(read_lengths(figure, part).values()) for part in PARTS
    )
    counted = rows if any(row[1] is not None for row in rows) else []  # else no parts are drawn
    assert in_stock + beyond == sum_known(*(row[1] for row in counted))
    assert in_stock + filling + missing + unknown == sum_known(*(row[0] for row in counted))
    assert unknown == sum_known(*(row[0] for row in counted if row[1] is None))
    assert filling == sum(
        min(count_missing(row) or 0, row[2] or 0) for row in counted if row[3] not in STOPPED
    )


@given(ROWS, st.sampled_from(BY))
def test_parts_follow_each_other(rows: list[Row], by: str) -> None:
    """Law: each part of a row begins where the previous one ends, and the excess at the target."""
    figure = fl.capacity(make_images(*rows), by=by, top=len(rows))
    targets = read_lengths(figure, "target snapshots")
    ends: dict[int, int] = {}
    for trace in figure.data:
        if trace.name not in PARTS:
            continue
        is_excess = trace.name == PARTS[-1]
        for y, begin, length in zip(trace.y, trace.base, trace.x, strict=True):
            assert begin == (targets if is_excess else ends).get(-y, 0)
            assert length > 0
            ends[-y] = begin + length
            assert is_excess or ends[-y] <= targets[-y]


@example([(27, None, None, None), (None, 2, None, "enabled")])
@given(ROWS)
def test_an_unknown_stock_or_target_is_no_number(rows: list[Row]) -> None:
    """Law: an unknown stock has no part but the unknown one, and an unknown target has no bar.

    The text of the row has no number for it either.
    """
    images = make_images(*rows)
    figure = fl.capacity(images, top=len(rows))
    texts = read_rows(figure)
    has_stock = any(row[1] is not None for row in rows)
    for image, (target, stock, *_) in zip(images["image_id"], rows, strict=True):
        row, text = next((n, text) for n, text in enumerate(texts) if image in text)
        if stock is None:
            parts = [part for part in PARTS if row in read_lengths(figure, part)]
            assert parts == (["stock unknown"] if has_stock and target else [])
            assert re.search(r"stock \d|below target|at its target", text) is None
            assert "stock unknown" in text or not has_stock
        else:
            assert f"stock {stock}" in text
        assert (row in read_lengths(figure, "target snapshots")) == (target is not None)
        assert ("target unknown" in text) == (target is None)
    stocks = [row[1] for row in rows if row[0] is not None]  # the title omits the other images
    is_unknown = bool(stocks) and all(stock is None for stock in stocks)
    assert ("stock unknown" in figure.layout.title.text) == is_unknown


@given(ROWS)
def test_the_row_with_the_most_missing_is_on_top(rows: list[Row]) -> None:
    """Law: missing snapshots sort the rows, then the target; unknown numbers are last."""
    images = make_images(*rows)
    texts = read_rows(fl.capacity(images, top=len(rows)))
    order = [next(n for n, i in enumerate(images["image_id"]) if i in text) for text in texts]
    sorted_rows = [(count_missing(rows[n]), rows[n][0]) for n in order]
    keys = [
        (missing is None, -(missing or 0), target is None, -(target or 0))
        for missing, target in sorted_rows
    ]
    assert keys == sorted(keys)


@given(ROWS, st.sampled_from(BY), st.integers(1, 8))
def test_rows_and_others_add_up_to_the_frame(rows: list[Row], by: str, top: int) -> None:
    """Law: the rows that are drawn and the others add up to the sums of the frame."""
    images = make_images(*rows)
    capacity = make_capacity_rows(validate_columns("images", images), by, top)
    sums = {
        "target": images["target_resource_count"].sum(),
        "stock": images["available_snapshots"].sum(),
        "images": len(images),
        "no_stock": images["available_snapshots"].isna().sum(),
        "no_target": images["target_resource_count"].isna().sum(),
    }
    for name, total in sums.items():
        assert capacity.numbers[name].sum() + capacity.others[[name]].fillna(0)[name] == total
        assert capacity.total[[name]].fillna(0)[name] == total
    drawn = len(capacity.numbers)
    assert drawn + capacity.other_count == len(make_capacity_rows(images, by, 99).numbers)
    assert capacity.other_count != 1
    assert drawn <= top + 1


@given(ROWS, st.sampled_from(("account", "region")))
def test_groups_are_sums(rows: list[Row], by: str) -> None:
    """Law: the target of a group is the sum of pandas over its images."""
    images = make_images(*rows)
    figure = fl.capacity(images, by=by, top=9)
    labels = list(figure.layout.yaxis.ticktext)
    groups = images.groupby("account_id" if by == "account" else by)
    sums = groups["target_resource_count"].sum(min_count=1)
    targets = read_lengths(figure, "target snapshots")
    assert {labels[row]: target for row, target in targets.items()} == sums.dropna().to_dict()
    assert sorted(labels) == sorted(sums.index)


def test_the_title_has_the_message() -> None:
    """The title has the stock, the target, and the number of images below their target."""
    figure = fl.capacity(make_images((10, 4, 6, None), (5, 5, 6, None), (8, None, 6, None)))
    assert figure.layout.title.text == "Stock: 9 of 15 snapshots, 1 image below target"
    assert "3 images, stock unknown for 1" in fl.alt_text(figure)
    full = fl.capacity(make_images((10, 12, 6, None)))
    assert full.layout.title.text == "Stock: 10 of 10 snapshots, none missing"


def test_numbers_are_next_to_bars() -> None:
    """Each bar has its numbers: "?" if unknown, and "+" if a part of a group is unknown."""
    images = make_images((10, 4, 6, None), (5, None, 6, None), (8, 8, 6, None))
    assert read_bar_labels(fl.capacity(images)) == [" 4 of 10", " 8 of 8", " ? of 5"]
    group = fl.capacity(images.assign(region="us-east-1"), by="region")
    assert read_bar_labels(group) == [" 12+ of 23"]


def test_the_number_being_filled_is_limited() -> None:
    """It is the number of parallel launches or of pending snapshots, at most those missing."""
    images = make_images((10, 1, 6, "enabled"), (9, 7, 6, "enabled"), (20, 2, 6, "enabled"))
    assert read_lengths(fl.capacity(images), "being filled") == {0: 6, 1: 6, 2: 2}
    pending = images.assign(snapshots=3, snapshots_pending=pd.array([0, None, 8], dtype=COUNT))
    figure = fl.capacity(pending)
    assert read_lengths(figure, "being filled") == {0: 8, 1: 6, 2: 2}
    assert read_lengths(figure, "missing") == {0: 10, 1: 3}


def test_nothing_is_filled_after_a_failure() -> None:
    """In a state without further preparation, all missing snapshots are drawn as missing."""
    for state in STOPPED:
        figure = fl.capacity(make_images((10, 4, 6, state)))
        parts = read_lengths(figure, "missing"), read_lengths(figure, "being filled")
        assert parts == ({0: 6}, {}), state


def test_unknown_numbers_are_described() -> None:
    """The text of a row names unknown numbers, as in "max parallel launches unknown"."""
    (text,) = read_rows(fl.capacity(make_images((10, 4, None, "enabled"))))
    assert "6 below target, an unknown number of these being filled" in text
    assert "max parallel launches unknown, state enabled" in text
    (text,) = read_rows(fl.capacity(make_images((10, 4, 2, None))))
    assert "6 below target, up to 2 of these being filled, at most 2 parallel launches" in text


def test_a_target_of_one_is_one_snapshot() -> None:
    """The text of a row counts "1 snapshot", and "2 snapshots"."""
    one, two = (read_rows(fl.capacity(make_images((n, None, 6, None))))[0] for n in (1, 2))
    assert "target 1 snapshot," in one
    assert "target 2 snapshots," in two


def test_hundreds_of_images_are_readable() -> None:
    """Only the images that lack the most snapshots have bars; one row of text sums the rest."""
    rows: list[Row] = [(n % 40 + 1, None if n % 7 == 0 else n % 30, 6, None) for n in range(500)]
    images = make_images(*rows)
    figure = fl.capacity(images)
    assert len(read_lengths(figure, "target snapshots")) == 50
    others = make_capacity_rows(images, "image", 50).others
    stock, target = others["stock"], others["target"]
    (note,) = (note.text for note in figure.layout.annotations)
    assert note == f"<i>450 others: {stock:,}+ of {target:,}</i>"
    heading, *_, last = fl.alt_text(figure).split("\n- ")
    assert last.startswith(f"450 others, target {target} snapshots, stock {stock}, unknown for")
    unknown = sum(row[1] is None for row in rows)
    assert f"stock unknown for {unknown}, 50 of 500 rows are drawn" in heading
    targets_only = fl.capacity(images.drop(columns="available_snapshots"))
    assert re.search("450 others: target [0-9,]+</i>", str(targets_only.layout.annotations))
    assert len(make_capacity_rows(images[:51], "image", 50).numbers) == 51


def test_templates_are_grouped_by_name() -> None:
    """Templates with the same name are a group; one without a name has its id."""
    images = make_images(*[(5, 5, 6, None)] * 4).assign(
        launch_template_name=pd.array(["a", "a", None, None], dtype=TEXT),
        launch_template_id=pd.array(["lt-1", "lt-2", "lt-3", None], dtype=TEXT),
    )
    figure = fl.capacity(images, by="template")
    assert sorted(figure.layout.yaxis.ticktext) == ["a", "lt-3", "no template named"]
    unnamed = images.drop(columns=["launch_template_name", "launch_template_id"])
    assert list(fl.capacity(unnamed, by="template").layout.yaxis.ticktext) == ["no template named"]


def test_joined_metrics_are_in_the_text_of_a_row() -> None:
    """The hover text has the numbers and times from CloudWatch, and omits unknown ones."""
    images = make_images((10, 4, 6, None), (5, 5, 6, None)).assign(
        cold_launches=pd.array([3, None], dtype=COUNT),
        fast_launches=pd.array([9, None], dtype=COUNT),
        available_snapshots_time=pd.array([NOON, pd.NaT], dtype=TIME),
        below_target_since=pd.array([NOON, pd.NaT], dtype=TIME),
    )
    first, second = read_rows(fl.capacity(images))
    noon = "2026-01-15 12:00 UTC"
    assert (
        f"9 fast launches, 3 cold launches, stock as of {noon}, below target since {noon}" in first
    )
    assert "launches," not in second.replace("parallel launches,", "")
    assert "since" not in second
    assert "as of" not in second


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"by": "regoin"}, "by is 'regoin'.*'region'"),
        ({"by": None}, "by is None"),
        ({"top": 0}, "top is 0. Expected a whole number of 1 or more"),
        ({"top": True}, "top is True"),
        ({"top": 2.5}, "top is 2.5"),
        ({"metrics": []}, "metrics.*Got a list"),
        ({"metrics": pd.DataFrame({"x": [1]})}, "lacks account_id"),
        ({"metrics": pd.DataFrame(), "by": "region"}, "by is 'region'"),
    ],
)
def test_invalid_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    """Invalid rows, groups and metrics are refused, with the given and the expected value."""
    with pytest.raises(fl.InputError, match=message):
        fl.capacity(make_images((5, 5, 6, None)), **arguments)
