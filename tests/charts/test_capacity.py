"""Pools as they are drawn: the stock in its target."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.charts.capacity_data import BY, capacity_rows
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


def pools(*rows: Row) -> pd.DataFrame:
    """Return images of two accounts and three regions with these numbers."""
    items = [
        item(
            n, state, MaxParallelLaunches=parallel, SnapshotConfiguration={},
            LaunchTemplate={"LaunchTemplateName": f"runner-{n % 4}"} if n % 5 else {},
        )
        for n, (_, _, parallel, state) in enumerate(rows)
    ]  # fmt: skip
    images = fl.from_pages(items, observed_at=NOON)
    return images.assign(
        target_resource_count=pd.array([row[0] for row in rows], dtype=COUNT),
        available_snapshots=pd.array([row[1] for row in rows], dtype=COUNT),
        account_id=[("123456789012", "999988887777")[n % 2] for n in range(len(rows))],
        region=[("us-east-1", "eu-west-1", "eu-west-2")[n % 3] for n in range(len(rows))],
    )


def stocked(images: pd.DataFrame) -> pd.DataFrame:
    """Return images with a stock: full, empty, in between, too much or unknown, in turn."""
    parts = [
        None if pd.isna(target) or n % 6 == 4 else (target, 0, target // 2, target + 3)[n % 4]
        for n, target in enumerate(images["target_resource_count"])
    ]
    return images.assign(available_snapshots=pd.array(parts, dtype=COUNT))


def drawn(figure: Any, name: str) -> dict[int, int]:
    """Return how long the part of each row is that has this name; rows count from the top."""
    found: dict[int, int] = {}
    for trace in figure.data:
        if trace.name == name:
            found |= {-y: x for y, x in zip(trace.y, trace.x, strict=True)}
    return found


def traces(figure: Any, name: str) -> list[Any]:
    return [trace for trace in figure.data if trace.name == name]


def known(*values: int | None) -> int:
    """Return the sum of what is known."""
    return sum(value for value in values if value is not None)


def short(row: Row) -> int | None:
    """Return how many snapshots lack, in the plainest way."""
    target, held, *_ = row
    return None if target is None or held is None else max(0, target - held)


def head(figure: Any) -> str:
    """Return the title and what stands under it."""
    return "\n".join(fl.text(figure).split("\n- ")[:1])


@given(ROWS)
def test_parts_are_the_numbers_of_the_frame(rows: list[Row]) -> None:
    """Law: the parts of all bars add up to the targets and to the stock, and none is made up."""
    figure = fl.capacity(pools(*rows), top=len(rows))
    assert sum(drawn(figure, "target snapshots").values()) == known(*(row[0] for row in rows))
    stock, possible, missing, unknown, beyond = (sum(drawn(figure, p).values()) for p in PARTS)
    counted = rows if any(row[1] is not None for row in rows) else []  # else no parts are drawn
    assert stock + beyond == known(*(row[1] for row in counted))
    assert stock + possible + missing + unknown == known(*(row[0] for row in counted))
    assert unknown == known(*(row[0] for row in counted if row[1] is None))
    assert possible == sum(
        min(short(row) or 0, row[2] or 0) for row in counted if row[3] not in STOPPED
    )


@given(ROWS, st.sampled_from(BY))
def test_parts_lie_one_after_the_other(rows: list[Row], by: str) -> None:
    """Law: the parts of a row begin where the one before ends; what is beyond, after the target."""
    figure = fl.capacity(pools(*rows), by=by, top=len(rows))
    targets = drawn(figure, "target snapshots")
    reached: dict[int, int] = {}
    for trace in figure.data:
        if trace.name not in PARTS:
            continue
        for y, begin, length in zip(trace.y, trace.base, trace.x, strict=True):
            before = targets.get(-y, 0) if trace.name == PARTS[-1] else reached.get(y, 0)
            assert begin == before
            assert length > 0
            reached[y] = begin + length
            assert trace.name == PARTS[-1] or reached[y] <= targets[-y]


@example([(27, None, None, None), (None, 2, None, "enabled")])
@given(ROWS)
def test_what_is_unknown_is_no_number(rows: list[Row]) -> None:
    """Law: of an unknown stock nothing is drawn but that it is unknown, and nothing else is said.

    A row without a target has no bar of one, and says so.
    """
    images = pools(*rows)
    figure = fl.capacity(images, top=len(rows))
    lines = fl.text(figure).split("\n- ")[1:]
    at = {
        image: next(n for n, line in enumerate(lines) if image in line)
        for image in images["image_id"]
    }
    told = any(row[1] is not None for row in rows)
    for image, (target, held, *_) in zip(images["image_id"], rows, strict=True):
        place = at[image]
        if held is None:
            parts = [name for name in PARTS if place in drawn(figure, name)]
            assert parts == (["stock unknown"] if told and target else [])
            assert re.search(r"stock \d|below target|at its target", lines[place]) is None
            assert "stock unknown" in lines[place] or not told
        else:
            assert f"stock {held}" in lines[place]
        assert (place in drawn(figure, "target snapshots")) == (target is not None)
        assert ("target unknown snapshots" in lines[place]) == (target is None)
    stocks = [row[1] for row in rows if row[0] is not None]  # the title is of what has a target
    none_known = bool(stocks) and all(stock is None for stock in stocks)
    assert ("stock unknown" in figure.layout.title.text) == none_known


@given(ROWS)
def test_what_lacks_the_most_is_on_top(rows: list[Row]) -> None:
    """Law: rows go by what is short, then those of which nobody knows; larger targets first."""
    images = pools(*rows)
    lines = fl.text(fl.capacity(images, top=len(rows))).split("\n- ")[1:]
    order = [next(n for n, i in enumerate(images["image_id"]) if i in line) for line in lines]
    keys = [
        (short(rows[n]) is None, -(short(rows[n]) or 0), rows[n][0] is None, -(rows[n][0] or 0))
        for n in order
    ]
    assert keys == sorted(keys)


@given(ROWS, st.sampled_from(BY), st.integers(1, 8))
def test_others_and_top_are_all(rows: list[Row], by: str, top: int) -> None:
    """Law: what is drawn and what is left add up to what pandas finds in the frame."""
    images = pools(*rows)
    there = capacity_rows(validate_columns("images", images), by, top)
    counts = {
        "target": images["target_resource_count"].sum(),
        "stock": images["available_snapshots"].sum(),
        "images": len(images),
        "no_stock": images["available_snapshots"].isna().sum(),
        "no_target": images["target_resource_count"].isna().sum(),
    }
    for name, whole in counts.items():
        assert there.rows[name].sum() + there.others[[name]].fillna(0)[name] == whole
        assert there.whole[[name]].fillna(0)[name] == whole
    assert len(there.rows) + there.left == len(capacity_rows(images, by, 99).rows)
    assert there.left != 1
    assert len(there.rows) <= top + 1


@given(ROWS, st.sampled_from(("account", "region")))
def test_groups_are_sums(rows: list[Row], by: str) -> None:
    """Law: the row of a group is what pandas sums up for it."""
    images = pools(*rows)
    figure = fl.capacity(images, by=by, top=9)
    labels = list(figure.layout.yaxis.ticktext)
    sums = images.groupby("account_id" if by == "account" else by)["target_resource_count"].sum(
        min_count=1
    )
    targets = drawn(figure, "target snapshots")
    assert {labels[place]: target for place, target in targets.items()} == sums.dropna().to_dict()
    assert sorted(labels) == sorted(sums.index)


def test_the_title_has_the_message() -> None:
    """The title says what is there, of how much, and how many images lack some."""
    figure = fl.capacity(pools((10, 4, 6, None), (5, 5, 6, None), (8, None, 6, None)))
    assert figure.layout.title.text == "Stock: 9 of 15 snapshots, 1 image below target"
    assert "3 images, stock unknown for 1" in fl.text(figure)
    full = fl.capacity(pools((10, 12, 6, None)))
    assert full.layout.title.text == "Stock: 10 of 10 snapshots, none missing"


def test_numbers_stand_beside_bars() -> None:
    """Each bar has its numbers: ? where none is known, and + where there may be more."""
    images = pools((10, 4, 6, None), (5, None, 6, None), (8, 8, 6, None))
    (written,) = traces(fl.capacity(images), "stock of target")
    assert list(written.text) == [" 4 of 10", " 8 of 8", " ? of 5"]
    whole = images.assign(region="us-east-1")
    (written,) = traces(fl.capacity(whole, by="region"), "stock of target")
    assert list(written.text) == [" 12+ of 23"]


def test_what_is_being_filled() -> None:
    """As many as may be prepared at once, or as are pending; never more than lack."""
    images = pools((10, 1, 6, "enabled"), (9, 7, 6, "enabled"), (20, 2, 6, "enabled"))
    assert drawn(fl.capacity(images), "being filled") == {0: 6, 1: 6, 2: 2}
    pending = images.assign(snapshots=3, snapshots_pending=pd.array([0, None, 8], dtype="Int64"))
    figure = fl.capacity(pending)
    assert drawn(figure, "being filled") == {0: 8, 1: 6, 2: 2}
    assert drawn(figure, "missing") == {0: 10, 1: 3}


def test_nothing_is_prepared_after_a_failure() -> None:
    """Where the state says that it came to an end, no snapshot is said to be on its way."""
    for state in STOPPED:
        figure = fl.capacity(pools((10, 4, 6, state)))
        parts = drawn(figure, "missing"), drawn(figure, "being filled")
        assert parts == ({0: 6}, {}), state


def test_hundreds_of_images_are_readable() -> None:
    """Of many images those that lack the most are drawn; the rest is one row, in words."""
    rows: list[Row] = [(n % 40 + 1, None if n % 7 == 0 else n % 30, 6, None) for n in range(500)]
    figure = fl.capacity(pools(*rows))
    assert len(drawn(figure, "target snapshots")) == 50
    there = capacity_rows(pools(*rows), "image", 50)
    stock, target = there.others["stock"], there.others["target"]
    (note,) = (note.text for note in figure.layout.annotations)
    assert note == f"<i>450 others: {stock:,}+ of {target:,}</i>"
    last = fl.text(figure).split("\n- ")[-1]
    unknown = sum(row[1] is None for row in rows)
    assert last.startswith(f"450 others, target {target} snapshots, stock {stock}, unknown for")
    assert f"stock unknown for {unknown}, 50 of 500 rows are drawn" in head(figure)
    plain = fl.capacity(pools(*rows).drop(columns="available_snapshots"))
    assert re.search("450 others: target [0-9,]+</i>", str(plain.layout.annotations))
    assert len(capacity_rows(pools(*rows[:51]), "image", 50).rows) == 51


def test_templates_go_by_their_names() -> None:
    """A template is its name wherever it is, else its id; who has none told is unknown."""
    images = pools(*[(5, 5, 6, None)] * 4).assign(
        launch_template_name=pd.array(["a", "a", None, None], dtype=TEXT),
        launch_template_id=pd.array(["lt-1", "lt-2", "lt-3", None], dtype=TEXT),
    )
    figure = fl.capacity(images, by="template")
    assert sorted(figure.layout.yaxis.ticktext) == ["a", "lt-3", "no template named"]


def test_joined_numbers_are_said() -> None:
    """Hovering says what CloudWatch told of an image, and nothing of what it did not."""
    images = pools((10, 4, 6, None), (5, 5, 6, None)).assign(
        cold_launches=pd.array([3, None], dtype=COUNT),
        fast_launches=pd.array([9, None], dtype=COUNT),
        below_target_since=pd.array([NOON, pd.NaT], dtype=TIME),
    )
    first, second = fl.text(fl.capacity(images)).split("\n- ")[1:]
    assert "9 fast launches, 3 cold launches, below target since 2026-01-15 12:00 UTC" in first
    assert "launches," not in second.replace("parallel launches,", "")
    assert "since" not in second


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"by": "regoin"}, "by is 'regoin'.*'region'"),
        ({"by": None}, "by is None"),
        ({"top": 0}, "top is 0"),
        ({"top": True}, "top is True"),
        ({"top": 2.5}, "top is 2.5"),
        ({"metrics": []}, "metrics.*Got a list"),
        ({"metrics": pd.DataFrame({"x": [1]})}, "lacks account_id"),
        ({"metrics": pd.DataFrame(), "by": "region"}, "by is 'region'"),
    ],
)
def test_what_can_not_be_drawn_is_refused(wrong: dict[str, Any], says: str) -> None:
    """Rows, groups and metrics that are none are refused, with what was given and expected."""
    with pytest.raises(fl.InputError, match=says):
        fl.capacity(pools((5, 5, 6, None)), **wrong)
