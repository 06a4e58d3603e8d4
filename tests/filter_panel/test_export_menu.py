"""The export menu: the rows of a table or of the findings in every form, read back by others."""

from __future__ import annotations

import io
import sys
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from markdown_it import MarkdownIt
from openpyxl import load_workbook

import fastlaunch_nb as fl
from fastlaunch_nb.filter_panel.tabs import TITLES
from tests.helpers.cases import some
from tests.helpers.control_page import record_messages
from tests.helpers.panel_widgets import export, make_images, open_export, strip_tags
from tests.helpers.samples import HOSTILE
from tests.helpers.selections import IMAGES

COLUMNS = ("image_id", "account_id", "state_transition_time", "state_transition_reason")


def open_panel() -> Any:
    """Return a panel of images with formulas and markup in their texts."""
    reasons = ["=1+1", "@SUM(A1)", "+1", "-1", HOSTILE, "a|b", "*x*", ""]
    images = IMAGES.assign(state_transition_reason=pd.array(reasons, dtype="string"))
    panel = fl.panel(images)
    panel._tabs._table.columns = COLUMNS
    return panel


def test_excel_reads_it() -> None:
    """In Excel, times are times, account ids and formulas are text; all shown rows are there."""
    panel = open_panel()
    panel.filters = fl.Filters(state=["enabled", "enabling-failed"])
    name, content = export(panel._tabs._table, "Excel")
    assert name == "fast-launch-images.xlsx"
    rows = [*load_workbook(io.BytesIO(content)).active.iter_rows()]
    fields = [cell.value for cell in rows[0]]
    assert len(rows) == 1 + len(panel.filtered)
    images = panel.filtered.set_index("image_id")
    for row in some(rows[1:]):
        cells = dict(zip(fields, row, strict=True))
        image = images.loc[cells["image_id"].value]
        assert cells["account_id"].data_type in ("s", "inlineStr", "n")
        assert cells["account_id"].value == (
            image["account_id"] if image.notna()["account_id"] else None
        )
        assert cells["state_transition_reason"].data_type != "f"
        assert pd.Timestamp(cells["state_transition_time"].value, tz="UTC") == (
            image["state_transition_time"].round("ms")
        )


def test_parquet_is_read_back() -> None:
    """Parquet has the shown rows in the visible columns, each with its type."""
    panel = open_panel()
    name, content = export(panel._tabs._table, "Parquet")
    assert name == "fast-launch-images.parquet"
    rows = pq.read_table(io.BytesIO(content)).to_pandas()
    names = ["image_id", "account_id", "state_transition_time", "state_transition_reason"]
    read, expected = (frame[names].sort_values(names) for frame in (rows, panel.filtered))
    pd.testing.assert_frame_equal(
        read.reset_index(drop=True), expected.reset_index(drop=True), check_dtype=False
    )


def test_markdown_is_text() -> None:
    """A copy in Markdown is one table with a row for each image, and none of it is markup."""
    panel = open_panel()
    _, text = export(panel._tabs._table, "Copy Markdown")
    html = MarkdownIt("gfm-like", {"linkify": False}).render(text)
    assert html.count("<tr>") == 1 + len(IMAGES)
    assert "<em>" not in html
    assert "<img" not in html
    assert "*x*" in strip_tags(html)


def test_copies_are_of_the_selected_rows() -> None:
    """Copies have the selected rows, even those that filters hide, or else all that are shown."""
    panel = open_panel()
    table = panel._tabs._table
    panel.filters = fl.Filters(state="enabled")
    ids = export(table, "Copy image ids")[1].splitlines()
    assert ids == [key[2] for key in table._page]
    hidden = IMAGES[IMAGES["state"] != "enabled"].iloc[0]
    panel.selected = [tuple(hidden[["account_id", "region", "image_id"]])]
    assert export(table, "Copy image ids")[1] == hidden["image_id"]
    assert len(export(table, "Copy rows")[1].splitlines()) == 2
    assert len(export(table, "CSV")[1].splitlines()) == 1 + len(panel.filtered)
    assert "Copy 1 selected image" in table.export.children[1].children[1].value


def test_all_shown_images_are_selected() -> None:
    """Select all selects every image that matches the filters, not a page, and closes the menu."""
    panel = fl.panel(make_images(30))
    panel.filters = fl.Filters(text="ami")
    table = panel._tabs._table
    open_export(table)["Select all 30 images"].click()
    assert len(panel.selected) == 30
    assert not table.export.is_open


def test_findings_have_the_same_menu() -> None:
    """The findings are copied and saved as images are; their images can be selected."""
    panel = open_panel()
    tabs = panel._tabs
    tabs.selected_index = TITLES.index("Findings")
    findings = pd.read_csv(io.StringIO(export(tabs._findings)[1]), dtype=str)
    _, content = export(tabs._findings, "Excel")
    assert len([*load_workbook(io.BytesIO(content)).active.iter_rows()]) == 1 + len(findings)
    ids = export(tabs._findings, "Copy image ids")[1].splitlines()
    assert sorted(ids) == sorted(findings["image_id"].dropna().unique())
    panel.selected = [next(key for key in panel._data.keys if key[2] == ids[0])]
    copied = export(tabs._findings, "Copy rows")[1].splitlines()
    assert len(copied) == 1 + (findings["image_id"] == ids[0]).sum()
    open_export(tabs._findings)[f"Select the images of all {len(findings)} findings"].click()
    assert {key[2] for key in panel.selected} >= set(ids)


def test_a_missing_extra_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without openpyxl, the Excel button answers with the command that installs it."""
    table = open_panel()._tabs._table
    button = open_export(table)["Excel"]
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    messages = record_messages(button)
    button._handle_custom_msg({"view": "a"}, [])
    ((message, _),) = messages
    error = 'An .xlsx file needs more: pip install "fastlaunch_nb[excel]"'
    assert message["content"] == {"view": "a", "error": error}


def test_a_menu_is_closed_by_another() -> None:
    """At most one menu is open, so that Escape closes it; a closed panel leaves none open."""
    panel = open_panel()
    table = panel._tabs._table
    table.export.is_open = True
    panel._tools._menu.is_open = True
    assert not table.export.is_open
    panel._tools._close()
    assert not panel._tools._menu.is_open
    table.export.is_open = True
    panel.close()
    assert not type(table.export).close_opened()
