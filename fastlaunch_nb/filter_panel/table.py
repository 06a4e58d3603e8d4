"""A table of all rows, one page at a time; the kernel sorts, pages, selects and exports.

itables shows the page and reports its selected rows. It keeps every option that an update
leaves out, the positions of selected rows included, so each update here sets all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, tzinfo
from html import escape
from typing import Any, Final

import ipywidgets as widgets
import numpy as np
import pandas as pd
import traitlets
from itables.widget import ITable

from fastlaunch_nb.errors import InputError
from fastlaunch_nb.filter_panel.column_chooser import PIN_COUNTS, ColumnChooser
from fastlaunch_nb.filter_panel.controls import TableHeadings
from fastlaunch_nb.filter_panel.export_menu import ExportMenu, ExportRows
from fastlaunch_nb.filter_panel.folded_rows import Fold, Mask, make_fold_toggle, show_folded
from fastlaunch_nb.filter_panel.group_view import GroupView
from fastlaunch_nb.filter_panel.image_groups import TITLES, list_choices
from fastlaunch_nb.filter_panel.selection import Key, OnSelect, get_keys
from fastlaunch_nb.filter_panel.table_columns import (
    LONG,
    RIGHT_ALIGNED,
    Column,
    format_value,
    to_records,
)
from fastlaunch_nb.filter_panel.time_zone import convert_times
from fastlaunch_nb.filter_panel.view_state import Arrangement
from fastlaunch_nb.filter_panel.widget_helpers import (
    make_button,
    make_dropdown,
    make_html,
    make_row,
    make_toggle,
    read_file,
    render_message,
    share,
)
from fastlaunch_nb.formatting import empty_message
from fastlaunch_nb.validation import validate_columns

PAGE_SIZES: Final = (10, 25, 50, 100)


class _PageTable(ITable):
    """itables' widget, which would stay in memory: its files refer to each, to update it.

    Its style sheet is for all extensions of DataTables, and larger than all else of the panel.
    """

    _esm: Any = str(ITable._esm)
    _css: Any = read_file("table.css")


class Table(widgets.VBox):  # type: ignore[misc]
    """A table of images; the caller decides which of them are visible.

    `on_select` gets the keys of images to select, such as those of a page's selected rows, and
    those to deselect. `sort` is the column to sort by until the user chooses another, and
    `page_size` the number of rows on a page. `noun` is what a row is: only images are grouped.

    Attributes
    ----------
    columns : tuple of str
        The names of the visible columns, in their order. A trait, as are the others.
    pinned : int
        How many of the first columns stay in place while the others scroll.
    order : tuple
        The name of the column that rows are sorted by, "" for none; True to reverse it.
    group : str
        What the rows are grouped by, such as "region"; "" for no groups.
    zone : tzinfo
        The zone of the times on a page; files have them in UTC. No trait: it changes with the
        rows.
    """

    zone: tzinfo = UTC

    columns = traitlets.Any(())
    pinned = traitlets.Any(1)
    order = traitlets.Any(("", False))
    group = traitlets.Any("")

    def __init__(
        self,
        on_select: OnSelect,
        sort: str = "",
        page_size: int = PAGE_SIZES[0],
        noun: str = "image",
    ) -> None:
        self._on_select, self._sort_column, self._noun = on_select, sort, noun
        self._rows, self._mask = pd.DataFrame(), np.zeros(0, dtype=np.bool_)
        self._all_columns: dict[str, Column] = {}
        self._fold: Fold | None = None
        self._positions: dict[tuple[str, bool], Any] = {}
        self._selected: frozenset[Key] = frozenset()
        self._first_row, self._is_updating = 0, False
        self._page: list[Key] = []
        self._make_controls(page_size)
        self._itable = _PageTable(pd.DataFrame({"": []}), **_OPTIONS)
        self._itable.add_class("fl-page")
        self._itable.observe(self._report_selection, "selected_rows")
        self._headings = TableHeadings(self._sort_by, self._move_column)
        self._message = make_html()
        super().__init__(_dom_classes=("fl-table",), layout=share(widgets.Layout))
        self._place_widgets()
        self.order = (sort, False)

    def _make_controls(self, page_size: int) -> None:
        self._chooser = ColumnChooser(self._choose_column)
        self._sort, self._descending = self._chooser.sort, self._chooser.descending
        for control in (self._sort, self._descending):
            control.observe(self._read_order, "value")
        self._chooser.pinned.observe(self._read_pinned, "value")
        self._choose_columns = make_toggle("Columns")
        self._choose_columns.observe(self._chooser.toggle, "value")
        self._show_folded = make_fold_toggle()
        sizes = sorted({*PAGE_SIZES, page_size})
        self._size = make_dropdown("Rows", [(str(n), n) for n in sizes], value=page_size)
        self._show_folded.observe(self._show_first_page, "value")
        self._size.observe(self._regroup, "value")
        self._groups = GroupView(self._show_first_page)
        self._group = make_dropdown("Group by", [("none", "")])
        self._group.observe(self._read_group, "value")
        self._previous = make_button("Previous", "chevron-left")
        self._next = make_button("Next", "chevron-right")
        self._previous.on_click(lambda _: self._turn_page(-self._size.value))
        self._next.on_click(lambda _: self._turn_page(self._size.value))
        self._position = make_html()
        self._pager = make_row("fl-pager", self._previous, self._next, self._position)
        export = ExportRows(
            f"fast-launch-{self._noun}s",
            self._noun,
            self._find_exported,
            self._take_rows,
            self._take_ids,
        )
        self.export = ExportMenu(export, self._select_visible)
        self._tools = make_row("fl-tools")

    def _place_widgets(self) -> None:
        """Put the rows into their group if there are groups, with their pager."""
        rows = (self._itable, self._headings, self._message, self._show_folded)
        group = (self._group,) if self._noun == "image" else ()
        tools = (*group, self._size, self._choose_columns, self.export)
        if self.group:
            self._tools.children = tools
            page = self._groups.make_widgets((*rows, self._pager))
            self.add_class("fl-grouped")
        else:
            self._tools.children = (self._pager, *tools)
            page = rows
            self.remove_class("fl-grouped")
        self.children = (*page, self._tools, self._chooser)

    # --- rows and columns -------------------------------------------------------------

    def set_rows(
        self,
        rows: pd.DataFrame,
        columns: Sequence[Column],
        default: Sequence[str],
        fold: Fold | None = None,
    ) -> None:
        """Replace the rows and the columns.

        The columns that the user has chosen stay; until then, those in `default` are visible.
        Rows in `fold` are one line, in the first order and on more than a page, until the
        user unfolds them.
        """
        self._rows, self._positions = validate_columns("images", rows), {}
        self._fold = fold
        self._mask = np.ones(len(rows), dtype=np.bool_)
        self._all_columns = {column.name: column for column in columns}
        self._is_updating = True
        self.columns = self.columns or tuple(default)
        self._chooser.set_columns(columns)
        self._show_order()
        choices = list_choices(rows) if self._noun == "image" else []
        self._group.options = [("none", ""), *((TITLES[by], by) for by in choices)]
        self.group = self._group.value = self.group if self.group in choices else ""
        self._is_updating = False
        self._tools.layout.display = None if len(rows) else "none"

    def _choose_column(self, name: str, is_visible: bool) -> None:
        """Show a column after all others, or hide it."""
        others = tuple(column for column in self.columns if column != name)
        self.columns = (*others, name) if is_visible else others

    def _move_column(self, name: object, before: object) -> None:
        """Move a visible column before another one, or to the end."""
        names = [column.name for column in self._get_chosen_columns()]
        if name in names and name != before:
            names.remove(str(name))
            names.insert(names.index(str(before)) if before in names else len(names), str(name))
            self.columns = tuple(names)

    @traitlets.observe("columns", "pinned")
    def _redraw(self, _change: object) -> None:
        self._chooser.show(self.columns)
        self._chooser.pinned.value = self.pinned
        if not self._is_updating:
            self._turn_page(0)

    def _read_pinned(self, change: Any) -> None:
        self.pinned = change["new"]

    @traitlets.validate("columns")
    def _validate_columns(self, proposal: Any) -> tuple[str, ...]:
        if isinstance(proposal["value"], str):
            raise InputError(f"columns is {proposal['value']!r}. Expected names of columns.")
        return tuple(dict.fromkeys(map(str, proposal["value"])))

    @traitlets.validate("pinned")
    def _validate_pinned(self, proposal: Any) -> int:
        if proposal["value"] not in PIN_COUNTS:
            raise InputError(f"pinned is {proposal['value']!r}. Expected one of {PIN_COUNTS}.")
        return int(proposal["value"])

    @property
    def column_names(self) -> Collection[str]:
        """The names of all columns, visible or not."""
        return self._all_columns.keys()

    @property
    def arrangement(self) -> Arrangement:
        """The visible columns, the column that the rows are sorted by, and the order."""
        columns = tuple(column.name for column in self._get_chosen_columns())
        return Arrangement(columns, self._sort.value, self._descending.value, self.group)

    def arrange(self, arrangement: Arrangement) -> None:
        """Arrange the columns and the rows; columns that the table lacks are left out."""
        names, sort, descending, group = arrangement
        self.columns = tuple(name for name in names if name in self._all_columns) or self.columns
        self.order = (sort if sort in self._all_columns else "", descending)
        self.group = group if group in list_choices(self._rows) else ""

    def show_message(self, text: str) -> None:
        """Show a message in place of the rows, until :meth:`show`."""
        self._itable.layout.display = self._show_folded.layout.display = "none"
        self._message.value = render_message(text) if text else ""

    def show(self, mask: Mask) -> None:
        """Show the rows in a mask, from the first page."""
        self._mask = mask
        self._regroup()
        self.export.draw()

    def select(self, keys: frozenset[Key]) -> None:
        """Mark the rows with these keys as selected."""
        self._selected = keys
        self._is_updating = True
        self._itable.selected_rows = self._find_selected()
        self._is_updating = False
        self.export.draw()

    # --- the order --------------------------------------------------------------------

    @traitlets.validate("order")
    def _validate_order(self, proposal: Any) -> tuple[str, bool]:
        order = proposal["value"]
        if not isinstance(order, list | tuple) or len(order) != 2:
            raise InputError(
                f"order is {order!r}. Expected a column's name, and if it is reversed."
            )
        return str(order[0]), bool(order[1])

    @traitlets.observe("order")
    def _change_order(self, _change: object) -> None:
        if self._all_columns:
            self._is_updating, was_updating = True, self._is_updating
            self._show_order()
            self._is_updating = was_updating
            self._show_first_page()

    def _show_order(self) -> None:
        """Show the order in its controls; a column that is not there sorts nothing."""
        column, self._descending.value = self.order
        self._sort.value = column if column in self._all_columns else ""

    def _read_order(self, _change: object) -> None:
        if not self._is_updating:
            self.order = (self._sort.value, self._descending.value)

    def _sort_by(self, name: object) -> None:
        """Sort by the column of a clicked heading; a second click reverses the order."""
        if isinstance(name, str) and name in self._all_columns:
            column, is_descending = self.order
            self.order = (name, name == column and not is_descending)

    def _sort_visible(self) -> Any:
        """Return the positions of the visible rows in the order of the table."""
        column, descending = self._sort.value, self._descending.value
        if not column:
            positions = np.flatnonzero(self._mask)
            return positions[::-1] if descending else positions
        if (column, descending) not in self._positions:  # sorting all rows takes time: do it once
            values = self._all_columns[column].sort_key(self._rows).reset_index(drop=True)
            order = values.sort_values(ascending=not descending, kind="stable")  # nulls last
            self._positions[column, descending] = order.index.to_numpy()
        positions = self._positions[column, descending]
        return positions[self._mask[positions]]

    # --- groups -----------------------------------------------------------------------

    @traitlets.validate("group")
    def _validate_group(self, proposal: Any) -> str:
        if proposal["value"] not in ("", *TITLES):
            names = ", ".join(TITLES)
            raise InputError(f"group is {proposal['value']!r}. Expected one of {names}, or ''.")
        return str(proposal["value"])

    @traitlets.observe("group")
    def _change_group(self, change: Any) -> None:
        self._group.value = self.group
        if bool(change["old"]) != bool(self.group):
            self._place_widgets()
        if not self._is_updating:
            self._regroup()

    def _read_group(self, _change: object) -> None:
        if not self._is_updating:
            self.group = self._group.value

    def _regroup(self, _change: object = None) -> None:
        """Group the visible rows anew, if they are grouped, and show the first page."""
        if self.group and not self._is_updating:
            self._groups.set_images(self._rows[self._mask], self.group, self._size.value)
        self._show_first_page()

    def _find_in_group(self, positions: Any) -> Any:
        """Draw the groups, and return those of some positions that are in the open group."""
        in_group = np.zeros(len(self._mask), dtype=np.bool_)
        in_group[np.flatnonzero(self._mask)] = self._groups.draw()
        return positions[in_group[positions]]

    # --- the page ---------------------------------------------------------------------

    def _show_first_page(self, _change: object = None) -> None:
        if not self._is_updating:
            self._first_row = 0
            self._turn_page(0)

    def _turn_page(self, step: int) -> None:
        self._first_row = max(0, self._first_row + step)
        visible = self._sort_visible()
        positions = self._find_in_group(visible) if self.group else self._fold_rows(visible)
        page = self._rows.iloc[positions[self._first_row :][: self._size.value]]
        self._page = get_keys(page)
        self._draw(page)
        last, total = self._first_row + len(page), len(positions)
        self._position.value = f"{self._first_row + 1:,}–{last:,} of {total:,}" if len(page) else ""
        self._previous.disabled, self._next.disabled = self._first_row == 0, last >= total
        self._pager.layout.display = None if total > self._size.options[0][1] else "none"

    def _fold_rows(self, positions: Any) -> Any:
        """Leave out the rows that fold, and count them in the line below the others."""
        is_first_order = self.order == (self._sort_column, False)
        folded = np.zeros(0, dtype=np.bool_)
        if self._fold and is_first_order and len(positions) > PAGE_SIZES[0]:
            folded = self._fold.find_folded(self._mask)
        show_folded(self._show_folded, int(folded.sum()), self._fold)
        is_open = self._show_folded.value
        return positions if is_open or not folded.any() else positions[~folded[positions]]

    def _draw(self, page: pd.DataFrame) -> None:
        if len(page) == 0:
            is_empty = not self._mask.any()
            message = " ".join(empty_message(filtered=len(self._rows) > 0)) if is_empty else ""
            self.show_message(message)
            return
        self._itable.layout.display, self._message.value = None, ""
        columns = self._get_chosen_columns()
        records = to_records(convert_times(page, self.zone))
        html = {self._render_heading(c): [c.render(record) for record in records] for c in columns}
        self._is_updating = True
        self._itable.update(
            pd.DataFrame(html),
            **{**_OPTIONS, "columnDefs": self._make_classes(columns)},
            selected_rows=self._find_selected(),
        )
        self._is_updating = False

    def _make_classes(self, columns: Sequence[Column]) -> list[dict[str, Any]]:
        """Give columns of numbers, of long texts, and those that are pinned their CSS classes."""
        classes = {
            "fl-number": [n for n, column in enumerate(columns) if column.name in RIGHT_ALIGNED],
            "fl-rest": [n for n, column in enumerate(columns) if column.name in LONG],
            "fl-pinned": list(range(min(self.pinned, len(columns)))),
        }
        return [{"targets": targets, "className": name} for name, targets in classes.items()]

    def _render_heading(self, column: Column) -> str:
        """Render the heading of a column as a button, with a sign if the table is sorted by it."""
        mark = ""
        if column.name == self._sort.value:
            order, sign = ("descending", "▼") if self._descending.value else ("ascending", "▲")
            mark = f" <span role='img' aria-label='sorted {order}'>{sign}</span>"
        name, heading = escape(column.name), format_value(column.heading)
        return f"<button type='button' data-by='{name}'>{heading}{mark}</button>"

    def _get_chosen_columns(self) -> list[Column]:
        chosen = [self._all_columns[name] for name in self.columns if name in self._all_columns]
        return chosen or list(self._all_columns.values())[:1]

    def _find_selected(self) -> list[int]:
        return [position for position, key in enumerate(self._page) if key in self._selected]

    def _report_selection(self, change: Any) -> None:
        """Report which rows of the page the user has selected."""
        if not self._is_updating:
            keys = dict(enumerate(self._page))
            selected = {keys[position] for position in change["new"] if position in keys}
            self._on_select(selected, set(self._page) - selected)

    # --- export -----------------------------------------------------------------------

    def _find_exported(self, is_selected: bool) -> Any:
        """Return the positions of all visible rows, or of the selected ones, visible or not."""
        if not is_selected:
            return self._sort_visible()
        keys = get_keys(self._rows) if self._selected else ()
        return np.array([n for n, key in enumerate(keys) if key in self._selected], dtype=np.int64)

    def _take_rows(self, positions: Any) -> pd.DataFrame:
        """Return rows in the visible columns, each with all of its fields."""
        chosen = self._get_chosen_columns()
        fields = list(dict.fromkeys(f for c in chosen for f in c.fields if f in self._rows))
        rows: pd.DataFrame = self._rows[fields].iloc[positions]
        return rows

    def _take_ids(self, positions: Any) -> list[str]:
        return list(self._rows["image_id"].iloc[positions].dropna())

    def _select_visible(self) -> None:
        self._on_select(set(get_keys(self._rows[self._mask])), set())


_OPTIONS: Final[dict[str, Any]] = {
    "allow_html": True,  # we render it all, and escape all text from AWS
    "paging": False,
    "ordering": False,  # the browser would sort this page alone
    "layout": dict.fromkeys(("topStart", "topEnd", "bottomStart", "bottomEnd")),
    "select": {"style": "os", "keys": True, "info": False},
    "classes": "fl-rows",
    "style": "width:100%;margin:0",
    "autoWidth": False,
    "showIndex": False,
    "show_dtypes": False,
    "warn_on_undocumented_option": False,
    "warn_on_unexpected_option_type": False,  # this check takes as long as all else together
    "maxBytes": 0,
    "maxColumns": 0,
}
