"""The table: the kernel sorts, pages, selects and exports all rows, not one page."""

from __future__ import annotations

import io
import re
from functools import partial
from typing import Any

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.errors import InputError
from fastlaunch_nb.filter_panel.selection import get_keys
from fastlaunch_nb.filter_panel.table import PAGE_SIZES
from fastlaunch_nb.formatting import state_rank
from tests.helpers.panel_widgets import export, make_images, read_page, strip_tags
from tests.helpers.samples import item

SIZE = PAGE_SIZES[0]


def test_pages_show_every_row_once() -> None:
    """Turning the pages shows each row once, and stops at both ends."""
    panel = fl.panel(make_images(2 * SIZE + 3))
    table = panel._tabs._table
    image_ids: list[str] = []
    assert table._previous.disabled
    while True:
        image_ids += [key[2] for key in table._page]
        if table._next.disabled:
            break
        table._next.click()
    assert image_ids == panel.filtered["image_id"].tolist()
    assert f"{2 * SIZE + 1}–{2 * SIZE + 3} of {2 * SIZE + 3}" in table._position.value
    table._previous.click()
    assert f"{SIZE + 1}–{2 * SIZE}" in table._position.value


def test_new_filters_show_the_first_page() -> None:
    """The table shows a new selection from its first row."""
    panel = fl.panel(make_images(2 * SIZE + 1))
    panel._tabs._table._next.click()
    panel.filters = fl.Filters(state="enabled")
    assert panel._tabs._table._position.value.startswith(f"1–{SIZE}")


def test_one_page_has_no_pager(images: pd.DataFrame) -> None:
    """The buttons that turn pages appear only if there is more than one page."""
    panel = fl.panel(make_images(SIZE + 1))
    assert panel._tabs._table._pager.layout.display is None
    panel.filters = fl.Filters(image_id=item(1)["ImageId"])
    assert panel._tabs._table._pager.layout.display == "none"


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("column", ["image_id", "state_transition_time", "target_resource_count"])
def test_sorting_is_over_all_rows(images: pd.DataFrame, column: str, descending: bool) -> None:
    """Law: pages are those of pandas' own sort of all filtered rows, nulls last either way."""
    rows = pd.concat([images] * 4, ignore_index=True)
    panel = fl.panel(rows, filters=fl.Filters(region=["eu-west-1", "us-east-1"]))
    table = panel._tabs._table
    table._sort.value, table._descending.value = column, descending
    expected = panel.filtered.sort_values(column, ascending=not descending, kind="stable")
    _, text = export(table)
    exported = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    assert exported["image_id"].tolist() == expected["image_id"].fillna("").tolist()
    assert table._page == get_keys(expected.head(SIZE))


def test_a_heading_sorts(images: pd.DataFrame) -> None:
    """A click on a heading sorts from the first page on, a second one reverses; a sign shows it."""
    table: Any = fl.panel(pd.concat([images] * 4, ignore_index=True))._tabs._table
    table._next.click()
    for heading in ("Target ▲", "Target ▼", "Target ▲"):
        table._headings._handle_custom_msg({"sort": "target_resource_count"}, [])
        assert heading in [strip_tags(html) for html in table._itable.df.columns]
        assert table._position.value.startswith("1–")
    table._descending.value = True
    table._headings._handle_custom_msg({"sort": "state"}, [])
    assert (table._sort.value, table._descending.value) == ("state", False)
    table._headings._handle_custom_msg({"sort": "of a table before"}, [])
    assert table._sort.value == "state"


def test_csv_has_all_rows_and_the_chosen_columns() -> None:
    """Copy and CSV have every filtered row, not a page, in the columns that the user chose."""
    panel: Any = fl.panel(make_images(40), filters=fl.Filters(state="enabled"))
    table: Any = panel._tabs._table
    name, text = export(table)
    assert name == "fast-launch-images.csv"
    assert len(pd.read_csv(io.StringIO(text))) == len(panel.filtered) > SIZE
    boxes = table._chooser.boxes
    assert boxes.children == ()
    table._choose_columns.value = True
    for box in boxes.children:
        box.value = box.description in ("Image", "Owner ID")
    assert export(table, "Copy rows")[1].splitlines()[0] == "image_id\towner_id"
    assert [strip_tags(html) for html in table._itable.df.columns] == ["Image", "Owner ID"]
    table._choose_columns.value = False
    assert boxes.children == ()
    table._choose_columns.value = True
    ticked = [box.description for box in boxes.children if box.value]
    assert ticked == ["Image", "Owner ID"]
    table._chooser._search.value = "OWNER"
    assert [box.description for box in boxes.children] == ["Owner ID"]


def test_a_selected_row_stays_selected(images: pd.DataFrame) -> None:
    """Keys select rows: sorting, filtering and paging do not change which are selected."""
    panel = fl.panel(images)
    notifications: list[Any] = []
    panel.observe(lambda change: notifications.append(change["new"]), "selected")
    table = panel._tabs._table
    first = table._page[0]
    table._itable.selected_rows = [0]
    assert panel.selected == (first,)
    assert notifications == [(first,)]
    table._sort.value = "image_id"
    table._descending.value = True
    assert [table._page[position] for position in table._itable.selected_rows] == [first]
    panel.filters = fl.Filters(text="zebra")
    assert panel.selected == (first,)
    assert "1 selected" in panel._summary.value
    panel.filters = fl.Filters()
    table._itable.selected_rows = []
    assert panel.selected == ()


# --- columns --------------------------------------------------------------------------


def get_headings(table: Any) -> list[str]:
    """Return the headings of a table's page, without the sign of the order."""
    return [re.sub(" [▲▼]", "", strip_tags(html)) for html in table._itable.df.columns]


def test_a_moved_column_stays_where_it_is(images: pd.DataFrame) -> None:
    """A move and a pin survive paging, sorting and filtering; a move of no column has no effect."""
    panel = fl.panel(pd.concat([images] * 4, ignore_index=True))
    table: Any = panel._tabs._table
    assert get_headings(table)[:3] == ["State", "Since (UTC)", "Image"]
    table._headings._handle_custom_msg({"move": "image_id", "before": "state"}, [])
    table._chooser.pinned.value = 2
    moved = ["Image", "State", "Since (UTC)"]
    send = table._headings._handle_custom_msg
    for change in (
        table._next.click,
        partial(setattr, panel, "filters", fl.Filters(region="eu-west-1")),
        partial(send, {"sort": "target_resource_count"}, []),
        partial(send, {"move": "<img>", "before": "state"}, []),
        partial(send, {"move": ["state"], "before": {}}, []),
        partial(send, {}, []),
    ):
        change()
        assert get_headings(table)[:3] == moved
        assert {"targets": [0, 1], "className": "fl-pinned"} in table._itable._dt_args["columnDefs"]
    table._headings._handle_custom_msg({"move": "image_id", "before": None}, [])
    assert get_headings(table)[-1] == "Image"
    assert table.columns[-1] == "image_id"


def test_columns_can_be_set(images: pd.DataFrame) -> None:
    """Columns, pinned and order that code sets show in the table and its controls, if right."""
    table: Any = fl.panel(images)._tabs._table
    table.columns = ["region", "image_id", "of another DataFrame", "image_id"]
    assert get_headings(table) == ["Image"]
    table.pinned, table.order = 0, ("image_id", True)
    assert (table._chooser.pinned.value, table._sort.value, table._descending.value) == (
        *(0, "image_id"),
        True,
    )
    assert table._page == get_keys(images.sort_values("image_id", ascending=False, kind="stable"))
    for name, value in (("columns", "image_id"), ("pinned", 99), ("order", "image_id")):
        with pytest.raises(InputError, match=f"{name} is"):
            setattr(table, name, value)


def test_the_worst_come_first(images: pd.DataFrame) -> None:
    """Rows begin with the worst state; in a state, with the longest in it."""
    rows = pd.concat([images] * 2, ignore_index=True)
    rows["state_transition_time"] -= pd.to_timedelta(range(len(rows)), "D")
    table: Any = fl.panel(rows)._tabs._table
    table._size.value, table._show_folded.value = 100, True
    ranks = [state_rank(state or "") for state in rows["state"].fillna("")]
    times = rows["state_transition_time"].fillna(pd.Timestamp("2099-01-01", tz="UTC"))
    expected = rows.assign(rank=ranks, time=times).sort_values(["rank", "time"], kind="stable")
    assert table._page == get_keys(expected)


def test_a_cell_shows_how_long_and_how_many() -> None:
    """Since has the duration at the scan and the time; Target has the known stock of it."""
    at = {"observed_at": "2026-01-15T12:00:00Z"}
    since = pd.Timestamp("2026-01-06T18:00:00Z")
    images = fl.from_pages([item(1, StateTransitionTime=since), item(2)], **at)
    stock = pd.array([3, None], dtype="Int64")
    html = read_page(fl.panel(images.assign(available_snapshots=stock)))
    assert "<div>8 d 18 h<br><small>2026-01-06 18:00</small></div>" in html
    assert re.search(r"3 of 5<br><small><span [^>]*--fl-share:60%", html)
    assert html.count("fl-stock") == 1


# --- folded rows ----------------------------------------------------------------------


def make_settled(count: int, **fields: Any) -> pd.DataFrame:
    """Return enabled images that have been so for ten days at their scan."""
    since = pd.Timestamp("2026-01-05T12:00:00Z")
    pages = [item(n, StateTransitionTime=since, **fields) for n in range(count)]
    return fl.from_pages(pages, observed_at="2026-01-15T12:00:00Z")


def make_mixed() -> pd.DataFrame:
    """Return images of which 20 are well; the others are new, failed, or have a reason."""
    images = make_settled(24)
    images.loc[0, "state"] = "enabling-failed"
    images.loc[1, "state_transition_time"] = pd.Timestamp("2026-01-09T12:00:00Z")
    images.loc[2, "state_transition_time"] = pd.NaT
    images.loc[3, "state_transition_reason"] = "Server.InternalError"
    return images


def has_fold(table: Any) -> bool:
    """Return True if a table has a line for folded rows."""
    return table._show_folded.layout.display is None


def test_healthy_rows_fold() -> None:
    """Rows enabled for more than a week are a line with their count, which shows them."""
    panel = fl.panel(make_mixed())
    table: Any = panel._tabs._table
    fold = table._show_folded
    assert len(table._page) == 4
    assert fold.description == "20 enabled for more than 7 days · Show"
    assert has_fold(table)
    fold.value = True
    assert "of 24" in table._position.value
    assert fold.description == "20 enabled for more than 7 days · Fold"


def test_a_fold_is_of_the_view_only() -> None:
    """Counts, CSV and the selection have the folded rows."""
    panel = fl.panel(make_mixed())
    table: Any = panel._tabs._table
    assert "<b>24 of 24</b>" in panel._summary.value
    assert len(export(table)[1].splitlines()) == 25
    key = get_keys(panel.filtered)[10]
    assert key not in table._page
    panel.selected = [key]
    panel._selection._filter.click()
    assert table._page == [key]


def test_rows_that_the_user_looks_for_do_not_fold() -> None:
    """Nothing folds in another order, on one page, for `enabled` alone, or if all would fold."""
    panel = fl.panel(make_mixed())
    table: Any = panel._tabs._table
    few = fl.Filters(image_id=[key[2] for key in get_keys(panel.filtered)[:8]])
    every, first = fl.Filters(), ("state", False)
    for filters, order in (
        (every, ("image_id", False)),
        (every, ("state", True)),
        (fl.Filters(state="enabled"), first),
        (few, first),
    ):
        table.order, panel.filters = first, every
        assert has_fold(table)
        table.order, panel.filters = order, filters
        assert not has_fold(table)
        assert len(table._page) == min(SIZE, len(panel.filtered))
    settled: Any = fl.panel(make_settled(30))._tabs._table
    assert not has_fold(settled)
    assert "of 30" in settled._position.value
