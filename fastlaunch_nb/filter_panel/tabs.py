"""The panel's tabs: table, charts, findings, code and changes; each draws when it opens."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, tzinfo
from typing import Any, Final

import ipywidgets as widgets
import pandas as pd

from fastlaunch_nb.charts.capacity import capacity
from fastlaunch_nb.charts.timeline import timeline
from fastlaunch_nb.filter_panel import table_columns
from fastlaunch_nb.filter_panel.changes_tab import ChangesTab
from fastlaunch_nb.filter_panel.chart import ChartWidget
from fastlaunch_nb.filter_panel.code_tab import CodeTab, ToCode
from fastlaunch_nb.filter_panel.findings_tab import FindingsTab
from fastlaunch_nb.filter_panel.folded_rows import Mask, fold_healthy
from fastlaunch_nb.filter_panel.history_reads import HistoryLike
from fastlaunch_nb.filter_panel.panel_data import PanelData
from fastlaunch_nb.filter_panel.selection import Key, OnSelect
from fastlaunch_nb.filter_panel.table import Table
from fastlaunch_nb.filter_panel.widget_helpers import Debounce, make_box, make_html, render_message
from fastlaunch_nb.filters.filters import Filters
from fastlaunch_nb.formatting import empty_message

TITLES: Final = ("Table", "Timeline", "Capacity", "Findings", "Code", "Changes")
"""The titles of all tabs; a panel without a history has no changes."""
_TIMELINE, _CAPACITY, _FINDINGS, _CODE, _CHANGES = range(1, len(TITLES))
_FEW: Final = 3_000  # images
_IDLE: Final = 1.0  # seconds
_HINT: Final = (
    "<p class='fl-hint'>Click a bar to select its image; hold Ctrl, ⌘ or Shift to select more. "
    "In the table you can also select with the keyboard.</p>"
)


class PanelTabs(widgets.Tab):  # type: ignore[misc]
    """The table, timeline, capacity, findings and code of a selection, and changes of a history.

    `on_select` gets the keys of images that the user selects in a tab, and of those that the
    user deselects. `to_code` returns the images on the screen or the selected ones as code,
    `get_filters` the filters.
    """

    children: Any  # ipywidgets has no types

    def __init__(
        self, on_select: OnSelect, to_code: ToCode, get_filters: Callable[[], Filters]
    ) -> None:
        self._table = Table(on_select, sort="state")
        self._findings = FindingsTab(on_select)
        self._chart = ChartWidget(on_select)
        self._hint = make_html()
        self._code = CodeTab(to_code)
        self._changes = ChangesTab(on_select, get_filters, lambda: self._data)
        self._zone: tzinfo = UTC
        self._outdated: set[int] = set()
        self._draw_tab = (
            lambda: self._table.show(self._mask),
            self._draw_chart,
            self._draw_chart,
            lambda: self._findings.show(self._mask),
            self._code.show,
            self._changes.show,
        )
        tabs = (self._table, make_box(), make_box(), self._findings, self._code)
        self._find_problems = Debounce(self._count_when_idle, _IDLE, only_idle=True)
        titles = TITLES[: len(tabs)]
        super().__init__(tabs, titles=titles, selected_index=0, _dom_classes=("fl-views",))
        self.observe(self._draw_open_tab, "selected_index")

    def set_data(self, data: PanelData) -> None:
        """Replace the data; :meth:`show` then draws it."""
        self._data = data
        self._set_table()
        self._findings.set_data(data)

    def _set_table(self) -> None:
        images, default = self._data.images, table_columns.DEFAULT_IMAGE_COLUMNS
        columns = table_columns.make_image_columns(images, str(self._zone))
        self._table.zone = self._zone
        self._table.set_rows(images, columns, default, fold=fold_healthy(images))

    def set_history(self, history: HistoryLike | None, until: pd.Timestamp | None) -> None:
        """Show the changes of a history in a tab: until a time, None for its newest."""
        self._changes.set_history(history, until)
        if history is not None and self._changes not in self.children:
            self.children = (*self.children, self._changes)
            self.set_title(_CHANGES, TITLES[_CHANGES])

    def set_zone(self, zone: tzinfo) -> None:
        """Show the times of the table and the changes in a zone."""
        self._zone = zone
        self._set_table()
        self._table.show(self._mask)
        self._changes.set_zone(zone)

    def open_tab(self, title: str) -> None:
        """Open a tab, if this panel has it."""
        if (number := TITLES.index(title)) < len(self.children):
            self.selected_index = number

    def show(self, mask: Mask) -> None:
        """Show the images in a mask: in the open tab now, in the others when they open."""
        self._mask = mask
        self._outdated = set(range(len(self._draw_tab)))
        self._draw_open_tab()
        self._show_count()

    @property
    def table(self) -> Table:
        """The table of images."""
        return self._table

    def select(self, selected: tuple[Key, ...]) -> None:
        """Mark the images with these keys as selected."""
        keys = frozenset(selected)
        for view in (self._table, self._findings, self._chart, self._changes):
            view.select(keys)
        self._outdated.add(_CODE)
        self._draw_open_tab()

    def _draw_open_tab(self, _change: object = None) -> None:
        tab = self.selected_index
        if tab in self._outdated:
            self._outdated.discard(tab)
            self._draw_tab[tab]()
            if tab == _FINDINGS:
                self._show_count()

    def _show_count(self) -> None:
        """Show the number of findings on their tab, once it is known.

        To find problems takes longer than to open a panel. So a panel of few images does it when
        nothing else has happened for a while, and one of many when the tab opens.
        """
        count = self._data.count_findings(self._mask)
        self.set_title(_FINDINGS, f"Findings ({count:,})" if count is not None else "Findings")
        if count is None and len(self._mask) <= _FEW:
            self._find_problems()

    def _count_when_idle(self) -> None:
        if self.comm is not None:  # the panel is still open
            self._data.find_problems()
            self._show_count()

    def _draw_chart(self) -> None:
        """Draw the chart of the open tab; both share one widget, so the other is then outdated."""
        tab = self.selected_index
        (other,) = {_TIMELINE, _CAPACITY} - {tab}
        self._outdated.add(other)
        self.children[other].children = ()
        if len(self._mask) and not self._mask.any():
            self._hint.value = render_message(" ".join(empty_message(filtered=True)))
            self.children[tab].children = (self._hint,)
            return
        if tab == _TIMELINE:
            self._chart.draw(timeline(self._data.filter_intervals(self._mask)))
        else:
            self._chart.draw(capacity(self._data.images[self._mask]))
        self._hint.value = _HINT if self._chart.rows else ""
        self.children[tab].children = (self._hint, self._chart)
