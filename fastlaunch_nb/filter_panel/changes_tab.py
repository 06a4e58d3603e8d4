"""The changes tab: changes in a history until the time that the panel shows, worst first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, tzinfo
from html import escape
from typing import Any, Final

import ipywidgets as widgets
import numpy as np
import pandas as pd

from fastlaunch_nb.errors import InputError
from fastlaunch_nb.filter_panel.controls import HtmlButtons
from fastlaunch_nb.filter_panel.folded_rows import Mask
from fastlaunch_nb.filter_panel.history_reads import Changes, HistoryLike, read_changes
from fastlaunch_nb.filter_panel.latest_read import LatestRead
from fastlaunch_nb.filter_panel.panel_data import PanelData
from fastlaunch_nb.filter_panel.selection import Key, OnSelect
from fastlaunch_nb.filter_panel.table import Table
from fastlaunch_nb.filter_panel.table_columns import (
    Column,
    Record,
    format_value,
    make_image_columns,
    render_swatch,
)
from fastlaunch_nb.filter_panel.widget_helpers import (
    TITLES,
    make_dropdown,
    make_html,
    make_row,
    read_file,
    share,
)
from fastlaunch_nb.filters.facet_index import FacetIndex
from fastlaunch_nb.filters.fields import ActiveFilters
from fastlaunch_nb.filters.filters import Filters
from fastlaunch_nb.formatting import format_count, format_time
from fastlaunch_nb.schema.columns import KEY, STATES, WORST_FIRST

_OWN: Final = pd.Timedelta(0)
_SINCE: Final = (
    ("1 day before", pd.Timedelta(days=1)),
    ("7 days before", pd.Timedelta(days=7)),
    ("30 days before", pd.Timedelta(days=30)),
    ("a day of your choice", _OWN),
)
_COLUMNS: Final = ("change", "before", "after", "image_id", "account_id")
_SWATCHES: Final = frozenset([*STATES, *WORST_FIRST])


class ChangesTab(widgets.VBox):  # type: ignore[misc]
    """The changes of a history; its widgets are made, and the store is read, when it first shows.

    The filters select the changes of images that match before or after. `get_data` returns
    the data of the panel, which may know more names.
    """

    def __init__(
        self,
        on_select: OnSelect,
        get_filters: Callable[[], Filters],
        get_data: Callable[[], PanelData],
    ) -> None:
        self._on_select, self._get_filters = on_select, get_filters
        self._get_data = get_data
        self._history: HistoryLike | None = None
        self._until: pd.Timestamp | None = None
        self._zone: tzinfo = UTC
        self._changes: Changes | None = None
        self._selected: frozenset[Key] = frozenset()
        self._kind = ""  # all of them
        self._latest = LatestRead()
        self._table: Any = None
        super().__init__(layout=share(widgets.Layout), _dom_classes=("fl-changes",))

    def set_history(self, history: HistoryLike | None, until: pd.Timestamp | None) -> None:
        """Replace the history, and the time until which it is compared; None for its newest."""
        self._history, self._until, self._changes = history, until, None
        self._latest.cancel()

    def set_zone(self, zone: tzinfo) -> None:
        """Show all times in a zone."""
        self._zone = zone
        if self._changes is not None:
            self._draw()

    def select(self, keys: frozenset[Key]) -> None:
        """Mark the changes of the images with these keys as selected."""
        self._selected = keys
        if self._table is not None:
            self._table.select(keys)

    def show(self) -> None:
        """Show the changes of the images that the filters select; read them first."""
        if self._table is None:
            self._make_widgets()
        if self._changes is not None:
            self._draw()
        elif not self._latest.is_running:
            self._read()

    def close(self) -> None:
        """End the read that is under way, and close the tab."""
        self._latest.close()
        super().close()

    def _make_widgets(self) -> None:
        self._since = make_dropdown("Since", _SINCE, value=_SINCE[1][1])
        self._day = widgets.DatePicker(layout={"width": "auto", "display": "none"})
        self._day.tooltip = "The first day, from midnight"
        for control in (self._since, self._day):
            control.observe(self._read, "value")
        self._kinds = make_html("", "fl-kinds")
        self._summary = make_html("", "tex2jax_ignore", "mathjax_ignore")
        self._table = Table(self._on_select, noun="change")
        self._table.select(self._selected)
        tools = make_row("fl-tools", self._since, self._day, self._kinds)
        style = make_html(f"<style>{read_file('changes_tab.css')}</style>")
        buttons = HtmlButtons(self._choose_kind)
        self.children = (style, tools, self._summary, self._table, buttons)

    # --- reading ----------------------------------------------------------------------

    def _read(self, _change: object = None) -> None:
        """Read the changes; those that are shown stay until then."""
        history, since, until = self._history, self._parse_since(), self._until
        self._day.layout.display = None if self._since.value == _OWN else "none"
        if history is None or since is None:
            return
        self._show_text("Reading the history …")
        self._latest.start(
            lambda: read_changes(history, since, until),
            self._show_changes,
            lambda problem: self._show_text(f"Not read: {problem}"),
        )

    def _parse_since(self) -> pd.Timestamp | pd.Timedelta | None:
        """Return the chosen time, or duration; None as long as no day is chosen."""
        if self._since.value != _OWN:
            duration: pd.Timedelta = self._since.value
            return duration
        day = self._day.value
        if day is None:
            return None
        midnight = pd.Timestamp(datetime(day.year, day.month, day.day, tzinfo=self._zone))
        return midnight.tz_convert("UTC").as_unit("us")

    def _show_changes(self, changes: Changes) -> None:
        tables = changes.rows, changes.before, changes.after
        rows, before, after = map(self._get_data().fill_names, tables)
        changes = changes._replace(rows=rows, before=before, after=after)
        self._changes, self._kind = changes, ""
        self._before, self._after = FacetIndex(before), FacetIndex(after)
        columns = {column.name: column for column in make_image_columns(changes.rows)}
        ordered = [columns.pop(name) for name in _COLUMNS if name in columns]
        self._table.set_rows(
            changes.rows,
            [*map(_add_swatch, ordered), *columns.values()],
            [column.name for column in ordered],
        )
        self._draw()

    def _show_text(self, text: str) -> None:
        self._summary.value = f"<p class='fl-hint' role='status'>{escape(text)}</p>"

    # --- what is visible --------------------------------------------------------------

    def _draw(self) -> None:
        changes = self._changes
        if changes is None:
            return
        active, ignored = self._select_filters(self._get_filters().active())
        matches = self._match(active)
        kinds = changes.rows["change"]
        mask = matches & (kinds == self._kind).to_numpy(bool) if self._kind else matches
        self._show_kinds(kinds[matches])
        times = (format_time(time.tz_convert(self._zone)) for time in changes[:2])
        texts = [f"From {next(times)} to {next(times)}: {format_count(int(mask.sum()), 'change')}."]
        if changes.is_all:
            texts.append("The history begins at the first of these times.")
        if active:
            texts.append("The filters select images by what they were before or are after.")
        if ignored:
            texts.append(f"Filters that a history has no values for: {', '.join(ignored)}.")
        self._show_text(" ".join([*texts, *changes.notes]))
        if mask.any():
            self._table.show(mask)
        else:
            rest = "for these filters" if len(changes.rows) else "between these times"
            self._table.show_message(escape(f"Nothing changed {rest}."))

    def _select_filters(self, filters: ActiveFilters) -> tuple[ActiveFilters, list[str]]:
        """Return the filters that a history can apply, and the titles of the others."""
        active, ignored = dict(filters), []
        for name, value in filters.items():
            try:
                self._before.keep({name: value})
            except InputError:  # a joined column, which no history has
                del active[name]
                ignored.append(TITLES[name])
        return active, ignored

    def _match(self, active: ActiveFilters) -> Mask:
        """Return a mask of the changes of images that match before or after."""
        changes = self._changes
        if changes is None or not active:
            return np.ones(0 if changes is None else len(changes.rows), dtype=np.bool_)
        keys = list(KEY)
        matching = pd.concat(
            [
                changes.before.loc[self._before.keep(active), keys],
                changes.after.loc[self._after.keep(active), keys],
            ]
        )
        rows = pd.MultiIndex.from_frame(changes.rows[keys])
        matches: Mask = rows.isin(pd.MultiIndex.from_frame(matching))
        return matches

    def _show_kinds(self, kinds: Iterable[str]) -> None:
        """Show a button with the count of each kind of change, in the order of the worst of it."""
        counts = Counter(kinds)
        if self._kind:
            counts.setdefault(self._kind, 0)  # so that it can be taken back
        buttons = "".join(
            f"<button type='button' data-do='{escape(kind, quote=True)}' "
            f"aria-pressed='{str(kind == self._kind).lower()}'>{escape(kind)} "
            f"<span class='fl-count'>{count:,}</span></button>"
            for kind, count in counts.items()
        )
        self._kinds.value = f"<div role='group' aria-label='Kind of change'>{buttons}</div>"

    def _choose_kind(self, kind: str, _more: bool) -> None:
        """Show the changes of one kind, or again all; the browser may send anything."""
        if self._changes is not None and kind in set(self._changes.rows["change"]):
            self._kind = "" if kind == self._kind else kind
            self._draw()


def _add_swatch(column: Column) -> Column:
    """Let a column of states before or after show their swatches."""
    name = column.name

    def render(row: Record) -> str:
        value = row[name]
        swatch = f"{render_swatch(value)} " if value in _SWATCHES else ""
        return f"{swatch}{format_value(value)}"

    return column._replace(render=render) if name in ("before", "after") else column
