"""The menu that takes a table's rows along: copies, files, and the selection of all rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import pandas as pd

from fastlaunch_nb.excel import write_workbook
from fastlaunch_nb.filter_panel.controls import TextButton
from fastlaunch_nb.filter_panel.menu import Menu
from fastlaunch_nb.filter_panel.widget_helpers import make_button, make_html, make_row
from fastlaunch_nb.formatting import format_count, to_csv, to_markdown

_WRITERS: Final[Mapping[str, tuple[str, Callable[[pd.DataFrame], str | bytes]]]] = {
    "CSV": (".csv", to_csv),
    "Parquet": (".parquet", lambda rows: rows.to_parquet(index=False)),
    "Excel": (".xlsx", write_workbook),
}


class ExportRows(NamedTuple):
    """The rows that a menu takes along; `noun` is what a row is, such as "image"."""

    name: str  # of a file, without its suffix
    noun: str
    find: Callable[[bool], Any]  # the positions of the visible rows, or of the selected ones
    take: Callable[[Any], pd.DataFrame]  # the rows at positions, in the columns of the view
    take_ids: Callable[[Any], Sequence[str]]  # the image ids at positions


class ExportMenu(Menu):
    """A menu that copies and saves rows; `select_all` selects all that are visible."""

    def __init__(self, rows: ExportRows, select_all: Callable[[], None]) -> None:
        self._rows, self._select_all = rows, select_all
        super().__init__("Export ▾", self._make_items)
        self.add_class("fl-export")

    def _make_items(self) -> Sequence[Any]:
        rows = self._rows
        visible, selected = rows.find(False), rows.find(True)
        copied = selected if len(selected) else visible
        all_rows = f"all {format_count(len(visible), rows.noun)}"
        of = format_count(len(selected), f"selected {rows.noun}") if len(selected) else all_rows
        copies = (
            TextButton("Copy rows", lambda: ("rows.tsv", to_csv(rows.take(copied), "\t"))),
            TextButton("Copy Markdown", lambda: ("rows.md", to_markdown(rows.take(copied)))),
            TextButton("Copy image ids", lambda: ("ids.txt", "\n".join(rows.take_ids(copied)))),
        )
        saves = (
            TextButton(kind, partial(self._write, kind, visible), how="save") for kind in _WRITERS
        )
        images = "" if rows.noun == "image" else "the images of "
        select = make_button(f"Select {images}{all_rows}")
        select.on_click(self._select)
        return (
            make_html(f"<b>Copy {of}</b>"),
            make_row("fl-tools", *copies),
            make_html(f"<b>Save {all_rows}</b>"),
            make_row("fl-tools", *saves),
            make_row("fl-tools", select),
        )

    def _write(self, kind: str, positions: Any) -> tuple[str, str | bytes]:
        ending, write = _WRITERS[kind]
        rows = self._rows.take(positions)
        rows.attrs = {}  # Parquet would store them
        return f"{self._rows.name}{ending}", write(rows)

    def _select(self, _button: object) -> None:
        self._select_all()
        self.is_open = False
