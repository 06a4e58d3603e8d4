"""The findings tab: the findings about a selection of images, with commands for a shell."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Final

import ipywidgets as widgets

from fastlaunch_nb.filter_panel import table_columns
from fastlaunch_nb.filter_panel.folded_rows import Mask
from fastlaunch_nb.filter_panel.panel_data import PanelData
from fastlaunch_nb.filter_panel.table import Key, OnSelect, Table
from fastlaunch_nb.filter_panel.widget_helpers import (
    make_html,
    make_row,
    make_shell_dropdown,
    share,
)
from fastlaunch_nb.rules.evaluate import RULES

_SELECT_HINT: Final = "<p class='fl-hint'>Select a row to read its advice and command in full.</p>"


class FindingsTab(widgets.VBox):  # type: ignore[misc]
    """The findings of a selection, for a shell; its widgets are made when it first shows."""

    def __init__(self, on_select: OnSelect) -> None:
        self._on_select, self._selected = on_select, frozenset[Key]()
        self._table: Any = None
        super().__init__(layout=share(widgets.Layout))

    def set_data(self, data: PanelData) -> None:
        """Replace the data; :meth:`show` then checks it for problems."""
        self._data, self._is_checked = data, False

    def select(self, keys: frozenset[Key]) -> None:
        """Mark the findings on the images with these keys as selected."""
        self._selected = keys
        if self._table is not None:
            self._table.select(keys)

    def show(self, mask: Mask) -> None:
        """Show the findings about the images in a mask."""
        self._mask = mask
        if self._table is None:
            self._make_widgets()
        if not self._is_checked:
            self._table.show_message("Checking for problems …")
            self._set_rows()
            self._shells.layout.display = None if self._data.has_commands else "none"
            self._unchecked.value = _render_unchecked(self._data.list_unchecked())
            self._is_checked = True
        self._table.show(self._data.match_findings(mask))

    def _make_widgets(self) -> None:
        self._table = Table("fast-launch-findings", self._on_select)
        self._table.select(self._selected)
        self._shell = make_shell_dropdown()
        self._shell.observe(self._change_shell, "value")
        self._shells = make_row("fl-tools", self._shell, make_html(_SELECT_HINT))
        self._unchecked = make_html()  # the rules that could not judge
        self.children = (self._shells, self._table, self._unchecked)

    def _set_rows(self) -> None:
        rows, compose = self._data.findings, self._data.compose_findings
        columns = table_columns.make_finding_columns(rows, self._shell.value, compose)
        self._table.set_rows(rows, columns, table_columns.DEFAULT_FINDING_COLUMNS, compose)

    def _change_shell(self, _change: object) -> None:
        self._set_rows()
        self.show(self._mask)


def _render_unchecked(names: Sequence[str]) -> str:
    """Return the HTML of a note that opens to the rules that could not judge all images."""
    if not names:
        return ""
    count = f"{len(names)} of {len(RULES)} rules could not judge all images"
    how = "fl.unchecked(images) lists where, why, and how to have the values read."
    return f"<details><summary>{count}</summary>{escape(', '.join(names))}. {how}</details>"
