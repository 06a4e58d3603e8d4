"""The columns of a table as the user wants them: which, how many stay in place, and the order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import ipywidgets as widgets

from fastlaunch_nb.filter_panel.table_columns import Column
from fastlaunch_nb.filter_panel.widget_helpers import (
    Debounce,
    close_widgets,
    make_box,
    make_checkbox,
    make_dropdown,
    make_html,
    make_row,
    make_text_box,
    make_toggle,
)

PIN_COUNTS: Final = (0, 1, 2, 3)
"""How many of the first columns can stay in place while the others scroll."""
_PINS: Final = (("no column", 0), ("the first column", 1), *((f"the first {n}", n) for n in (2, 3)))
_HINT: Final = (
    "<p class='fl-hint'>Drag a heading to move its column, or press Shift and an arrow key on it."
    "</p>"
)


class ColumnChooser(widgets.VBox):  # type: ignore[misc]
    """A box to choose columns in; `on_choose` gets the name of a column, and if it is visible.

    The boxes of columns are made when the user opens it. `sort`, `descending` and `pinned` are
    controls that the table observes.
    """

    def __init__(self, on_choose: Callable[[str, bool], None]) -> None:
        self._on_choose = on_choose
        self._columns: Sequence[Column] = ()
        self._visible: frozenset[str] = frozenset()
        self._search: Any = None  # made when the user opens the chooser
        self.sort = make_dropdown("Sort by", [("", "")])
        self.descending = make_toggle("Descending")
        self.pinned = make_dropdown("Keep in place", _PINS)
        self.boxes = make_box("fl-boxes")
        super().__init__(_dom_classes=("fl-chooser",))
        self.layout.display = "none"

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Replace the columns that can be chosen and sorted by."""
        self._columns = columns
        self.sort.options = [("as read", ""), *((c.heading, c.name) for c in columns)]
        self._draw()

    def show(self, visible: Iterable[str]) -> None:
        """Tick the visible columns."""
        self._visible = frozenset(visible)
        for box, column in zip(self.boxes.children, self._find_columns(), strict=False):
            box.value = column.name in self._visible

    def toggle(self, change: Any) -> None:
        """Open or close."""
        is_open = change["new"]
        if is_open and self._search is None:
            self._search = make_text_box("", "search columns …", "fl-find")
            self._search.observe(Debounce(self._draw), "value")
            order = make_row("fl-tools", self.sort, self.descending, self.pinned)
            self.children = (order, self._search, self.boxes, make_html(_HINT))
        self.layout.display = None if is_open else "none"
        self._draw()

    def _find_columns(self) -> list[Column]:
        """Return the columns whose headings contain the search."""
        if self.layout.display == "none":
            return []
        text = self._search.value.casefold().strip()
        return [column for column in self._columns if text in column.heading.casefold()]

    def _draw(self) -> None:
        before = self.boxes.children
        self.boxes.children = tuple(self._make_box(column) for column in self._find_columns())
        close_widgets(before)

    def _make_box(self, column: Column) -> Any:
        box = make_checkbox(column.heading, value=column.name in self._visible)
        box.observe(lambda change: self._on_choose(column.name, change["new"]), "value")
        return box
