"""Excel: what a workbook holds, which text could be a formula, and what does not fit."""

from __future__ import annotations

import io
from typing import Any

import openpyxl
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb import excel
from fastlaunch_nb.excel import read_workbook, write_workbook
from tests.helpers.cases import some

TEXTS = st.text(st.characters(codec="utf-8"), max_size=8) | st.text("=+-@_x0041F\x00\x1b\r\n '")
NOON = pd.Timestamp("2026-01-15T12:00:00.123Z")


def open_sheet(rows: pd.DataFrame) -> Any:
    """Return the sheet that another program finds in a workbook."""
    return openpyxl.load_workbook(io.BytesIO(write_workbook(rows))).active


def read_again(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows that were written to a workbook and read from it."""
    return read_workbook(write_workbook(rows), "rows.xlsx", lambda _: True)


@given(TEXTS)
@example("=1+1")
@example("")
def test_text_stays_text(text: str) -> None:
    """Law: any text comes back as it was, and no cell is a formula."""
    rows = pd.DataFrame({"a": pd.Series([text, None], dtype=object), "b": [1, 2]})
    assert read_again(rows)["a"].tolist() == [text, None]
    assert {cell.data_type for cell in open_sheet(rows)["A"]} <= {"s", "n", "inlineStr"}


def test_cells_have_types(images: pd.DataFrame) -> None:
    """Account ids are text, numbers are numbers, times are times in UTC, nulls are empty."""
    rows = images.assign(observed_at=NOON.tz_convert("Asia/Tokyo"), owner_id="012345678901")
    sheet = open_sheet(rows)
    cells = dict(zip([cell.value for cell in sheet[1]], sheet[2], strict=True))
    assert (cells["owner_id"].value, cells["owner_id"].number_format) == ("012345678901", "@")
    assert cells["max_parallel_launches"].data_type == "n"
    assert cells["observed_at"].value == NOON.tz_localize(None).to_pydatetime()
    assert cells["observed_at"].number_format == "yyyy-mm-dd hh:mm:ss"
    assert sheet.parent.properties.description == "Times are in UTC."
    empty = [cell.value for row in some(sheet.iter_rows(min_row=2)) for cell in row]
    assert empty.count(None) == images.isna().sum().sum() - images["owner_id"].isna().sum()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (pd.Timestamp("1850-01-01T00:00:00Z"), "1850-01-01T00:00:00Z"),
        (10**15 + 1, "1000000000000001"),
        (float("inf"), "inf"),
        (True, True),
        (0.25, 0.25),
        ([1], "[1]"),
    ],
)
def test_what_excel_cannot_hold_is_text(value: Any, expected: Any) -> None:
    """Times before 1901, long numbers and other objects are text, so that nothing is lost."""
    rows = pd.DataFrame({"a": pd.Series([value], dtype=object)})
    assert read_again(rows)["a"].tolist() == [expected]


def test_long_texts_are_cut_with_a_warning() -> None:
    """A cell holds 32,767 characters; the warning names the format that has no such limit."""
    rows = pd.DataFrame({"a": ["x" * 40_000]})
    with pytest.warns(fl.FastLaunchWarning, match=r"1 texts are cut.*\.parquet"):
        content = write_workbook(rows)
    [text] = read_workbook(content, "rows.xlsx", lambda _: True)["a"]
    assert len(text) == 32_767


def test_too_many_rows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sheet holds about a million rows; the error names formats that hold more."""
    monkeypatch.setattr(excel, "MAX_ROWS", 1)
    with pytest.raises(fl.InputError, match=r"Excel holds 1 rows, and these are 2\. Use \.parquet"):
        write_workbook(pd.DataFrame({"a": [1, 2]}))


def test_without_openpyxl_the_message_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, writing and reading name the pip command."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    for call in (lambda: write_workbook(pd.DataFrame()), lambda: read_again(pd.DataFrame())):
        with pytest.raises(fl.MissingExtraError, match=r'pip install "fastlaunch_nb\[excel\]"'):
            call()
