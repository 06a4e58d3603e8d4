"""A table of all rows, a page at a time: sorted, paged, chosen and copied in the kernel.

itables shows the page that is there, and tells which rows of it are chosen. It
keeps what an update does not mention, rows chosen by their places included, so
that every update here mentions all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any, Final

import ipywidgets as widgets
import numpy as np
import pandas as pd
from itables.widget import ITable

from fastlaunch_nb.filter_panel import widget_helpers
from fastlaunch_nb.filter_panel.controls import SortableHeadings, TextButton
from fastlaunch_nb.filter_panel.table_columns import NUMBERS, Column, shown_rows, text
from fastlaunch_nb.formatting import empty_message, to_csv
from fastlaunch_nb.schema.columns import KEY
from fastlaunch_nb.validation import validate_columns

PAGES: Final = (10, 25, 50, 100)
Key = tuple[Any, ...]


class Table(widgets.VBox):  # type: ignore[misc]
    """Rows of a frame, of which others say which are shown.

    Parameters
    ----------
    name : str
        What is in it, for people who hear it and for the file of CSV.
    chose : callable
        Is told the keys of rows that were chosen on a page, and those that were not.
    sort : str
        The column that it is sorted by until somebody chooses another.
    """

    def __init__(
        self, name: str, chose: Callable[[set[Key], set[Key]], None], sort: str = ""
    ) -> None:
        self._name, self._chose = name, chose
        self._rows, self._shown = pd.DataFrame(), np.arange(0)
        self._columns: dict[str, Column] = {}
        self._orders: dict[tuple[str, bool], Any] = {}
        self._selected: frozenset[Key] = frozenset()
        self._first, self._showing = 0, False
        self._page: list[Key] = []
        self._by = sort
        self._make_controls()
        self._itable = ITable(pd.DataFrame({"": []}), **_OPTIONS)
        self._itable.add_class("fl-page")
        self._itable.observe(self._take, "selected_rows")
        self._headings = SortableHeadings(self._sort_by)
        self._empty = widgets.HTML()
        controls = (self._sort, self._descending, self._choosing, self._size)
        self._tools = widget_helpers.row("fl-tools", *controls, self._copy, self._save)
        self._pager = widget_helpers.row("fl-pager", self._back, self._on, self._where)
        page = (self._itable, self._headings, self._empty)
        super().__init__([self._tools, self._boxes, *page, self._pager])
        self.add_class("fl-table")

    def _make_controls(self) -> None:
        self._sort = widget_helpers.choice("Sort by", [("", "")], "")
        self._descending = widgets.ToggleButton(description="Descending", layout={"width": "auto"})
        self._size = widget_helpers.choice("Rows", [(str(size), size) for size in PAGES], PAGES[0])
        self._choosing = widgets.ToggleButton(description="Columns", layout={"width": "auto"})
        self._boxes = widget_helpers.row("fl-columns").add_class("fl-hidden")
        self._choosing.observe(self._open_columns, "value")
        for control in (self._sort, self._descending, self._size):
            control.observe(self._from_the_first, "value")
        self._back = widget_helpers.button("Previous", "chevron-left")
        self._on = widget_helpers.button("Next", "chevron-right")
        self._back.on_click(lambda _: self._turn(-self._size.value))
        self._on.on_click(lambda _: self._turn(self._size.value))
        self._where = widgets.HTML()
        self._copy = TextButton("Copy", lambda: self._taken("\t"), how="copy")
        self._save = TextButton("CSV", lambda: self._taken(","), how="save")

    # --- what is in it ----------------------------------------------------------------

    def fill(self, rows: pd.DataFrame, columns: Sequence[Column], chosen: Sequence[str]) -> None:
        """Take other rows, with these columns, of which some are shown until others are chosen."""
        self._rows, self._orders = validate_columns("images", rows), {}
        self._shown = np.arange(len(rows))
        before = self._columns and {box.description for box in self._boxes.children if box.value}
        self._columns = {column.name: column for column in columns}
        self._showing = True
        self._sort.options = [("as read", ""), *((c.heading, c.name) for c in columns)]
        self._sort.value = self._by if self._by in self._columns else ""
        self._showing = False
        self._tools.layout.display = None if len(rows) else "none"
        for box in self._boxes.children:
            box.close()
        self._boxes.children = tuple(
            self._box(c, c.heading in before if before else c.name in chosen) for c in columns
        )

    def _box(self, column: Column, ticked: bool) -> Any:
        box = widgets.Checkbox(
            value=ticked, description=column.heading, indent=False, layout={"width": "auto"}
        )
        box.observe(lambda _: self._turn(0), "value")
        return box

    def _open_columns(self, change: Any) -> None:
        (self._boxes.remove_class if change["new"] else self._boxes.add_class)("fl-hidden")

    def say(self, words: str) -> None:
        """Say something in place of rows, until some are shown."""
        self._itable.layout.display = "none"
        self._empty.value = widget_helpers.message(words)

    def show(self, keep: Any) -> None:
        """Show those rows that are kept, from their first page on."""
        self._shown = np.flatnonzero(keep)
        self._from_the_first()

    def select(self, keys: frozenset[Key]) -> None:
        """Show which rows are chosen, by their keys."""
        self._selected = keys
        self._showing = True
        self._itable.selected_rows = self._places()
        self._showing = False

    # --- its page ---------------------------------------------------------------------

    def _from_the_first(self, _change: object = None) -> None:
        if not self._showing:
            self._first, self._by = 0, self._sort.value
            self._turn(0)

    def _sort_by(self, name: str) -> None:
        """Sort by the column whose heading was clicked; once more, the other way round."""
        if name not in self._columns:
            return
        self._showing = True
        self._descending.value = name == self._sort.value and not self._descending.value
        self._sort.value = name
        self._showing = False
        self._from_the_first()

    def _turn(self, step: int) -> None:
        self._first = max(0, self._first + step)
        at = self._ordered()[self._first : self._first + self._size.value]
        page = self._rows.iloc[at]
        self._page = keys_of(page)
        self._draw(page)
        last, total = self._first + len(page), len(self._shown)
        self._where.value = f"{self._first + 1:,}–{last:,} of {total:,}" if len(page) else ""
        self._back.disabled, self._on.disabled = self._first == 0, last >= total
        self._pager.layout.display = None if total > PAGES[0] else "none"

    def _ordered(self) -> Any:
        """Return the places of the rows that are shown, in the order in which they are."""
        by = self._sort.value
        if not by:
            return self._shown[::-1] if self._descending.value else self._shown
        kept = np.zeros(len(self._rows), dtype=np.bool_)
        kept[self._shown] = True
        order = self._order(by, descending=self._descending.value)
        return order[kept[order]]

    def _order(self, by: str, *, descending: bool) -> Any:
        """Return the order of all rows, nulls last whichever way; found out once."""
        if (by, descending) not in self._orders:
            ranks = self._columns[by].rank(self._rows).reset_index(drop=True)
            ordered = ranks.sort_values(ascending=not descending, kind="stable")
            self._orders[by, descending] = ordered.index.to_numpy()
        return self._orders[by, descending]

    def _draw(self, page: pd.DataFrame) -> None:
        if len(page) == 0:
            self.say(self._why_empty())
            return
        self._itable.layout.display, self._empty.value = None, ""
        columns, rows = self._chosen(), shown_rows(page)
        html = {self._heading(column): [column.cell(row) for row in rows] for column in columns}
        numbers = [place for place, column in enumerate(columns) if column.name in NUMBERS]
        self._showing = True
        self._itable.update(
            pd.DataFrame(html),
            **{**_OPTIONS, "columnDefs": [{"targets": numbers, "className": "fl-number"}]},
            selected_rows=self._places(),
        )
        self._showing = False

    def _heading(self, column: Column) -> str:
        mark = ""
        if column.name == self._sort.value:
            way, sign = ("descending", "▼") if self._descending.value else ("ascending", "▲")
            mark = f" <span role='img' aria-label='sorted {way}'>{sign}</span>"
        name, heading = escape(column.name), text(column.heading)
        return f"<button type='button' data-by='{name}'>{heading}{mark}</button>"

    def _why_empty(self) -> str:
        return " ".join(empty_message(filtered=len(self._rows) > 0))

    def _chosen(self) -> list[Column]:
        ticked = [box.value for box in self._boxes.children]
        chosen = [c for c, on in zip(self._columns.values(), ticked, strict=True) if on]
        return chosen or list(self._columns.values())[:1]

    def _places(self) -> list[int]:
        return [place for place, key in enumerate(self._page) if key in self._selected]

    def _take(self, change: Any) -> None:
        """Tell which rows of the page are chosen by now, unless it is we who are choosing."""
        if not self._showing:
            chosen = {self._page[place] for place in change["new"] if place < len(self._page)}
            self._chose(chosen, set(self._page) - chosen)

    def _taken(self, separator: str) -> tuple[str, str]:
        """Return all rows that are shown as text, in their order, with the chosen columns."""
        fields = [f for column in self._chosen() for f in column.fields if f in self._rows]
        rows = self._rows.iloc[self._ordered()][fields]
        return f"{self._name}.csv", to_csv(rows, separator)


def keys_of(rows: pd.DataFrame) -> list[Key]:
    """Return the key of each row: account, region and image; None where one is null."""
    keys = rows[list(KEY)].astype(object)
    return list(keys.where(keys.notna(), None).itertuples(index=False, name=None))


_OPTIONS: Final[dict[str, Any]] = {
    "allow_html": True,  # all of it is ours, and what is AWS's in it is escaped
    "paging": False,
    "ordering": False,  # the browser would sort the page alone
    "layout": dict.fromkeys(("topStart", "topEnd", "bottomStart", "bottomEnd")),
    "select": {"style": "os", "keys": True, "info": False},
    "classes": "compact hover",
    "style": "width:100%;margin:0",
    "autoWidth": False,
    "showIndex": False,
    "show_dtypes": False,
    "warn_on_undocumented_option": False,
    "warn_on_unexpected_option_type": False,  # which takes as long as all the rest
    "maxBytes": 0,
    "maxColumns": 0,
}
