"""Excel: rows as a workbook in which text stays text, and the cells of a workbook as rows.

Excel knows no time zones: times are written in UTC, to the millisecond. It shows 15 digits of a
number, so that longer ones are text. Characters that XML cannot hold are written as Excel itself
writes them, such as ``_x001B_``.
"""

from __future__ import annotations

import importlib.util
import io
import math
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import pandas as pd

from fastlaunch_nb.errors import InputError, MissingExtraError, SourceError, warn
from fastlaunch_nb.frames import convert_times

MAX_ROWS: Final = 1_048_575  # below the headings
_MAX_TEXT: Final = 32_767
_MAX_NUMBER: Final = 10**15
_FIRST_YEAR: Final = 1901  # Excel takes 1900 for a leap year, and knows no earlier time
_TEXT_FORMAT: Final = "@"
_TIME_FORMAT: Final = "yyyy-mm-dd hh:mm:ss"
_NOT_IN_XML = re.compile("[\\x00-\\x08\\x0b-\\x1f\\ufffe\\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")


def check_excel() -> None:
    """Raise a MissingExtraError if openpyxl is not installed."""
    if importlib.util.find_spec("openpyxl") is None:
        raise MissingExtraError("excel", "An .xlsx file")


# --- writing --------------------------------------------------------------------------


def write_workbook(rows: pd.DataFrame) -> bytes:
    """Return rows as a workbook with one sheet; its first row has the names of the columns.

    Text is written as text, whatever it begins with: no cell is a formula.
    """
    check_excel()
    from openpyxl import Workbook

    if len(rows) > MAX_ROWS:
        raise InputError(
            f"Excel holds {MAX_ROWS:,} rows, and these are {len(rows):,}. Use .parquet or .csv."
        )
    columns = [_to_cells(values) for _, values in rows.items()]
    _warn_of_long_texts(columns)
    workbook = Workbook(write_only=True)
    workbook.properties.description = "Times are in UTC."
    sheet = workbook.create_sheet("fastlaunch_nb")
    sheet.freeze_panes = "A2"
    for row in ([str(name) for name in rows], *zip(*columns, strict=True)):
        sheet.append([None if value is None else _make_cell(sheet, value) for value in row])
    file = io.BytesIO()
    workbook.save(file)
    return file.getvalue()


def _make_cell(sheet: Any, value: Any) -> Any:
    """Return a cell; openpyxl alone would take text for a formula or an error."""
    from openpyxl.cell import WriteOnlyCell

    is_text = isinstance(value, str)
    cell = WriteOnlyCell(sheet, "" if is_text else value)
    if is_text:
        cell._value, cell.data_type = _escape(value)[:_MAX_TEXT], "s"
        cell.number_format = _TEXT_FORMAT
    elif isinstance(value, pd.Timestamp):
        cell.number_format = _TIME_FORMAT
    return cell


def _to_cells(values: pd.Series) -> list[Any]:
    """Return a column as text, numbers, flags, times without a zone, and None."""
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        values = convert_times(values, str(values.name)).dt.tz_localize(None)  # type: ignore[union-attr]
    return [None if pd.isna(value) else _to_cell(value) for value in values.astype(object)]


def _to_cell(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        if value.tzinfo is not None:
            value = value.tz_convert("UTC").tz_localize(None)
        return value.round("ms") if value.year >= _FIRST_YEAR else f"{value.isoformat()}Z"
    is_number = isinstance(value, int | float)
    if is_number and math.isfinite(value) and abs(value) < _MAX_NUMBER:
        return value
    return str(value)


def _warn_of_long_texts(columns: Iterable[Iterable[Any]]) -> None:
    lengths = [len(it) for cells in columns for it in cells if isinstance(it, str)]
    if count := sum(length > _MAX_TEXT for length in lengths):
        warn(
            f"{count:,} texts are cut: a cell of Excel holds {_MAX_TEXT:,} characters. "
            "A .parquet file has them in full."
        )


def _escape(text: str) -> str:
    return _NOT_IN_XML.sub(lambda match: f"_x{ord(match[0]):04X}_", text)


# --- reading --------------------------------------------------------------------------


def read_workbook(
    content: bytes, name: str, is_known: Callable[[Iterable[str]], bool]
) -> pd.DataFrame:
    """Return the rows of the first sheet with known columns, as objects; `name` is the file's.

    Times have no zone. Cells without a value, and errors of formulas, are None.
    """
    check_excel()
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        workbook = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        tables = [_read_sheet(sheet) for sheet in workbook.worksheets]
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise SourceError(f"The file {name!r} is no Excel workbook (.xlsx): {error}.") from None
    known = [table for table in tables if is_known(map(str, table))]
    return (known or tables or [pd.DataFrame()])[0]


def _read_sheet(sheet: Any) -> pd.DataFrame:
    """Return the rows of a sheet below the first that is not empty, which has the headings."""
    rows = _iter_rows(sheet)
    headings = [str(value) if value is not None else "" for value in next(rows, [])]
    while headings and not headings[-1]:
        headings.pop()
    width = len(headings)
    cells = [[*row[:width], *[None] * (width - len(row))] for row in rows]
    return pd.DataFrame(cells, columns=headings, dtype=object)


def _iter_rows(sheet: Any) -> Iterator[list[Any]]:
    """Yield the values of each row that is not empty."""
    sheet.reset_dimensions()  # some writers declare a wrong size
    for row in sheet.iter_rows():
        values = [_read_cell(cell) for cell in row]
        if any(value is not None for value in values):
            yield values


def _read_cell(cell: Any) -> Any:
    if cell.data_type == "e":
        return None
    if isinstance(cell.value, str):
        return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), cell.value)
    is_empty_text = cell.data_type == "inlineStr" and cell.number_format == _TEXT_FORMAT
    return "" if is_empty_text else cell.value  # pandas writes a null as an empty text, too
