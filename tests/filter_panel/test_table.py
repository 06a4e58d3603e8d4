"""The table: the kernel sorts, pages, selects and exports all rows, not one page."""

from __future__ import annotations

import io
from typing import Any

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.filter_panel.table import PAGE_SIZES, get_keys
from tests.helpers.panel_widgets import make_images, strip_tags
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
    _, text = table._export(",")
    exported = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    assert exported["image_id"].tolist() == expected["image_id"].fillna("").tolist()
    assert table._page == get_keys(expected.head(SIZE))


def test_a_heading_sorts(images: pd.DataFrame) -> None:
    """A click on a heading sorts from the first page on, a second one reverses; a sign shows it."""
    table: Any = fl.panel(pd.concat([images] * 4, ignore_index=True))._tabs._table
    table._next.click()
    for heading in ("Target ▲", "Target ▼", "Target ▲"):
        table._headings._handle_custom_msg({"by": "target_resource_count"}, [])
        assert heading in [strip_tags(html) for html in table._itable.df.columns]
        assert table._position.value.startswith("1–")
    table._descending.value = True
    table._headings._handle_custom_msg({"by": "state"}, [])
    assert (table._sort.value, table._descending.value) == ("state", False)
    table._headings._handle_custom_msg({"by": "of a table before"}, [])
    assert table._sort.value == "state"


def test_csv_has_all_rows_and_the_chosen_columns() -> None:
    """Copy and CSV have every filtered row, not a page, in the columns that the user chose."""
    panel: Any = fl.panel(make_images(40), filters=fl.Filters(state="enabled"))
    table: Any = panel._tabs._table
    name, text = table._export(",")
    assert name == "fast-launch-images.csv"
    assert len(pd.read_csv(io.StringIO(text))) == len(panel.filtered) > SIZE
    assert table._boxes.children == ()
    table._choose_columns.value = True
    for box in table._boxes.children:
        box.value = box.description in ("Image", "Owner ID")
    assert table._export("\t")[1].splitlines()[0] == "image_id\towner_id"
    assert [strip_tags(html) for html in table._itable.df.columns] == ["Image", "Owner ID"]
    table._choose_columns.value = False
    assert table._boxes.children == ()
    table._choose_columns.value = True
    ticked = [box.description for box in table._boxes.children if box.value]
    assert ticked == ["Image", "Owner ID"]


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
