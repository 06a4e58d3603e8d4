"""A table of all rows, one page at a time; the kernel sorts, pages, selects and exports.

itables shows the page and reports its selected rows. It keeps every option that an update
leaves out, the positions of selected rows included, so each update here sets all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any, Final, TypeAlias

import ipywidgets as widgets
import numpy as np
import pandas as pd
from itables.widget import ITable

from fastlaunch_nb.filter_panel.controls import SortableHeadings, TextButton
from fastlaunch_nb.filter_panel.table_columns import RIGHT_ALIGNED, Column, format_value, to_records
from fastlaunch_nb.filter_panel.widget_helpers import (
    close_widgets,
    make_button,
    make_checkbox,
    make_dropdown,
    make_html,
    make_row,
    make_toggle,
    render_message,
    share,
)
from fastlaunch_nb.formatting import empty_message, to_csv
from fastlaunch_nb.schema.columns import KEY
from fastlaunch_nb.validation import validate_columns

PAGE_SIZES: Final = (10, 25, 50, 100)
Key: TypeAlias = tuple[Any, ...]
"""The key of an image: account, region and image id."""
OnSelect: TypeAlias = Callable[[set[Key], set[Key]], None]
"""Called when the user selects in a view: the keys to select, and the keys to deselect."""


class _PageTable(ITable):
    """itables' widget, which would stay in memory: its files refer to each, to update it."""

    _esm: Any = str(ITable._esm)
    _css: Any = str(ITable._css)


class Table(widgets.VBox):  # type: ignore[misc]
    """A table of a DataFrame's rows; the caller decides which of them are visible.

    `name` is the name of the CSV file without its suffix, `sort` the column to sort by until
    the user chooses another. `on_select` gets the keys of a page's selected rows, and those of
    its other rows.
    """

    def __init__(self, name: str, on_select: OnSelect, sort: str = "") -> None:
        self._name, self._on_select, self._sort_column = name, on_select, sort
        self._rows, self._mask = pd.DataFrame(), np.zeros(0, dtype=np.bool_)
        self._columns: dict[str, Column] = {}
        self._visible: frozenset[str] = frozenset()  # the names of columns, as the user chose them
        self._orders: dict[tuple[str, bool], Any] = {}
        self._selected: frozenset[Key] = frozenset()
        self._first_row, self._is_updating = 0, False
        self._page: list[Key] = []
        self._make_controls()
        self._itable = _PageTable(pd.DataFrame({"": []}), **_OPTIONS)
        self._itable.add_class("fl-page")
        self._itable.observe(self._report_selection, "selected_rows")
        self._headings = SortableHeadings(self._sort_by)
        self._message = make_html()
        controls = (self._sort, self._descending, self._choose_columns, self._size)
        self._tools = make_row("fl-tools", *controls, self._copy, self._save)
        self._pager = make_row("fl-pager", self._previous, self._next, self._position)
        page = (self._itable, self._headings, self._message)
        children = [self._tools, self._boxes, *page, self._pager]
        super().__init__(children, _dom_classes=("fl-table",), layout=share(widgets.Layout))

    def _make_controls(self) -> None:
        self._sort = make_dropdown("Sort by", [("", "")])
        self._descending = make_toggle("Descending")
        self._size = make_dropdown("Rows", [(str(n), n) for n in PAGE_SIZES])
        for control in (self._sort, self._descending, self._size):
            control.observe(self._show_first_page, "value")
        self._choose_columns = make_toggle("Columns")
        self._choose_columns.observe(self._show_boxes, "value")
        self._boxes = make_row("fl-columns")
        self._previous = make_button("Previous", "chevron-left")
        self._next = make_button("Next", "chevron-right")
        self._previous.on_click(lambda _: self._turn_page(-self._size.value))
        self._next.on_click(lambda _: self._turn_page(self._size.value))
        self._position = make_html()
        self._copy = TextButton("Copy", lambda: self._export("\t"), how="copy")
        self._save = TextButton("CSV", lambda: self._export(","), how="save")

    # --- rows and columns -------------------------------------------------------------

    def set_rows(
        self,
        rows: pd.DataFrame,
        columns: Sequence[Column],
        default: Sequence[str],
        complete: Callable[[pd.DataFrame], pd.DataFrame] = lambda rows: rows,
    ) -> None:
        """Replace the rows and the columns; `complete` fills in rows before they are visible.

        The columns that the user has chosen stay; until then, those in `default` are visible.
        """
        self._rows, self._orders = validate_columns("images", rows), {}
        self._complete = complete
        self._mask = np.ones(len(rows), dtype=np.bool_)
        self._columns = {column.name: column for column in columns}
        self._visible = self._visible or frozenset(default)
        self._show_boxes()
        self._is_updating = True
        self._sort.options = [("as read", ""), *((c.heading, c.name) for c in columns)]
        self._sort.value = self._sort_column if self._sort_column in self._columns else ""
        self._is_updating = False
        self._tools.layout.display = None if len(rows) else "none"

    def _show_boxes(self, _change: object = None) -> None:
        """Show a checkbox for each column, but only while the user chooses columns."""
        before, is_open = self._boxes.children, self._choose_columns.value
        columns = self._columns.values() if is_open else ()
        self._boxes.children = tuple(self._make_column_box(column) for column in columns)
        self._boxes.layout.display = None if is_open else "none"
        close_widgets(before)

    def _make_column_box(self, column: Column) -> Any:
        def choose(_change: object) -> None:
            self._visible ^= {column.name}
            self._turn_page(0)

        box = make_checkbox(column.heading, value=column.name in self._visible)
        box.observe(choose, "value")
        return box

    def show_message(self, text: str) -> None:
        """Show a message in place of the rows, until :meth:`show`."""
        self._itable.layout.display = "none"
        self._message.value = render_message(text)

    def show(self, mask: Any) -> None:
        """Show the rows in a mask, from the first page."""
        self._mask = mask
        self._show_first_page()

    def select(self, keys: frozenset[Key]) -> None:
        """Mark the rows with these keys as selected."""
        self._selected = keys
        self._is_updating = True
        self._itable.selected_rows = self._find_selected()
        self._is_updating = False

    # --- the page ---------------------------------------------------------------------

    def _show_first_page(self, _change: object = None) -> None:
        if not self._is_updating:
            self._first_row, self._sort_column = 0, self._sort.value
            self._turn_page(0)

    def _sort_by(self, name: str) -> None:
        """Sort by the column of a clicked heading; a second click reverses the order."""
        if name not in self._columns:
            return
        self._is_updating = True
        self._descending.value = name == self._sort.value and not self._descending.value
        self._sort.value = name
        self._is_updating = False
        self._show_first_page()

    def _turn_page(self, step: int) -> None:
        self._first_row = max(0, self._first_row + step)
        positions = self._sort_visible()
        page = self._complete(self._rows.iloc[positions[self._first_row :][: self._size.value]])
        self._page = get_keys(page)
        self._draw(page)
        last, total = self._first_row + len(page), len(positions)
        self._position.value = f"{self._first_row + 1:,}–{last:,} of {total:,}" if len(page) else ""
        self._previous.disabled, self._next.disabled = self._first_row == 0, last >= total
        self._pager.layout.display = None if total > PAGE_SIZES[0] else "none"

    def _sort_visible(self) -> Any:
        """Return the positions of the visible rows in the order of the table."""
        column, descending = self._sort.value, self._descending.value
        if not column:
            positions = np.flatnonzero(self._mask)
            return positions[::-1] if descending else positions
        if (column, descending) not in self._orders:  # sorting all rows takes time: do it once
            values = self._columns[column].sort_key(self._rows).reset_index(drop=True)
            order = values.sort_values(ascending=not descending, kind="stable")  # nulls last
            self._orders[column, descending] = order.index.to_numpy()
        positions = self._orders[column, descending]
        return positions[self._mask[positions]]

    def _draw(self, page: pd.DataFrame) -> None:
        if len(page) == 0:
            self.show_message(" ".join(empty_message(filtered=len(self._rows) > 0)))
            return
        self._itable.layout.display, self._message.value = None, ""
        columns, records = self._get_chosen_columns(), to_records(page)
        html = {self._render_heading(c): [c.render(record) for record in records] for c in columns}
        numbers = [n for n, column in enumerate(columns) if column.name in RIGHT_ALIGNED]
        self._is_updating = True
        self._itable.update(
            pd.DataFrame(html),
            **{**_OPTIONS, "columnDefs": [{"targets": numbers, "className": "fl-number"}]},
            selected_rows=self._find_selected(),
        )
        self._is_updating = False

    def _render_heading(self, column: Column) -> str:
        """Render the heading of a column as a button, with a sign if the table is sorted by it."""
        mark = ""
        if column.name == self._sort.value:
            order, sign = ("descending", "▼") if self._descending.value else ("ascending", "▲")
            mark = f" <span role='img' aria-label='sorted {order}'>{sign}</span>"
        name, heading = escape(column.name), format_value(column.heading)
        return f"<button type='button' data-by='{name}'>{heading}{mark}</button>"

    def _get_chosen_columns(self) -> list[Column]:
        columns = list(self._columns.values())
        return [column for column in columns if column.name in self._visible] or columns[:1]

    def _find_selected(self) -> list[int]:
        return [position for position, key in enumerate(self._page) if key in self._selected]

    def _report_selection(self, change: Any) -> None:
        """Report which rows of the page the user has selected."""
        if not self._is_updating:
            keys = dict(enumerate(self._page))
            selected = {keys[position] for position in change["new"] if position in keys}
            self._on_select(selected, set(self._page) - selected)

    def _export(self, separator: str) -> tuple[str, str]:
        """Return the name of a CSV file and its text: all visible rows, in the chosen columns."""
        fields = [f for c in self._get_chosen_columns() for f in c.fields if f in self._rows]
        rows = self._complete(self._rows.iloc[self._sort_visible()])[fields]
        return f"{self._name}.csv", to_csv(rows, separator)


def get_keys(rows: pd.DataFrame) -> list[Key]:
    """Return the key of each row: account, region and image id, None for a null."""
    keys = rows[list(KEY)].astype(object)
    return list(keys.where(keys.notna(), None).itertuples(index=False, name=None))


_OPTIONS: Final[dict[str, Any]] = {
    "allow_html": True,  # we render it all, and escape all text from AWS
    "paging": False,
    "ordering": False,  # the browser would sort this page alone
    "layout": dict.fromkeys(("topStart", "topEnd", "bottomStart", "bottomEnd")),
    "select": {"style": "os", "keys": True, "info": False},
    "classes": "compact hover",
    "style": "width:100%;margin:0",
    "autoWidth": False,
    "showIndex": False,
    "show_dtypes": False,
    "warn_on_undocumented_option": False,
    "warn_on_unexpected_option_type": False,  # this check takes as long as all else together
    "maxBytes": 0,
    "maxColumns": 0,
}
