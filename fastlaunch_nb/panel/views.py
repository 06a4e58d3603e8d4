"""The linked views of the panel: a tab each, drawn when it is looked at."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from html import escape
from typing import Any, Final

import ipywidgets as widgets
import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fastlaunch_nb import charts, frame
from fastlaunch_nb.findings import findings as find
from fastlaunch_nb.panel import columns, parts
from fastlaunch_nb.panel.controls import Take
from fastlaunch_nb.panel.plot import Plot
from fastlaunch_nb.panel.table import Key, Table

KINDS: Final = (
    ("fastlaunch_nb", "fastlaunch"),
    ("boto3", "boto3"),
    ("AWS CLI", "cli"),
    ("pandas", "pandas"),
)
Kept = np.ndarray[Any, np.dtype[np.bool_]]


class Data:
    """What the views show: images, and what is said of them; by rows of `images` kept or not."""

    def __init__(
        self, images: pd.DataFrame, intervals: pd.DataFrame | None, findings: pd.DataFrame | None
    ) -> None:
        self.images, self._intervals, self._findings = images, intervals, findings

    def kept(self, keep: Kept) -> pd.DataFrame:
        """Return the images that are kept."""
        kept: pd.DataFrame = self.images[keep]
        return kept

    def told(self, keep: Kept) -> pd.DataFrame:
        """Return what a timeline tells of the images that are kept."""
        if self._intervals is None:
            return self.kept(keep)
        if keep.all():
            return self._intervals
        told: pd.DataFrame = self._named_intervals[_kept_of(self._places_of_intervals, keep)]
        return told

    @cached_property
    def findings(self) -> pd.DataFrame:
        """Findings, with the names of their images; those of all rules where none were given."""
        found = self._findings
        if found is None:
            found = find(self.images, intervals=self._intervals)
        return self._named(found)

    def found(self, keep: Kept) -> Kept:
        """Return which findings are about images that are kept, or about a region of theirs."""
        about = _kept_of(self._places_of_findings, keep)
        of_region = self.findings["image_id"].isna().to_numpy()
        if of_region.any():
            places = self.kept(keep)[["account_id", "region"]].drop_duplicates()
            regions = pd.MultiIndex.from_frame(self.findings[["account_id", "region"]])
            about |= of_region & regions.isin(pd.MultiIndex.from_frame(places))
        return about

    @cached_property
    def _named_intervals(self) -> pd.DataFrame:
        return self._named(self._intervals)

    @cached_property
    def _places_of_intervals(self) -> Any:
        return self._places(self._intervals)

    @cached_property
    def _places_of_findings(self) -> Any:
        return self._places(self.findings)

    def _places(self, rows: Any) -> Any:
        """Return the place among the images of each row's image; -1 where it is none of them."""
        places = self.images[list(frame.KEY)].drop_duplicates()
        places = places.assign(_place=np.flatnonzero(~self.images.duplicated(list(frame.KEY))))
        found = rows[list(frame.KEY)].merge(places, how="left", on=list(frame.KEY))
        return found["_place"].fillna(-1).to_numpy(np.int64)

    def _named(self, rows: Any) -> pd.DataFrame:
        """Return rows with the names that their images and accounts have here."""
        names = [n for n in ("image_name", "account_name") if n in self.images and n not in rows]
        at = self._places(rows)
        named = {n: self.images[n].take(np.maximum(at, 0)).mask(at < 0).to_numpy() for n in names}
        named_rows: pd.DataFrame = rows.assign(**named) if len(self.images) else rows
        return named_rows


def _kept_of(places: Any, keep: Kept) -> Kept:
    kept: Kept = keep[places] & (places >= 0)
    return kept


class Views(widgets.Tab):  # type: ignore[misc]
    """Table, timeline, capacity, findings and code of one selection.

    Parameters
    ----------
    chose : callable
        Is told the keys of rows that were chosen in a view, and of those that were not.
    code : callable
        Returns the selection as code of a kind.
    """

    def __init__(
        self, chose: Callable[[set[Key], set[Key]], None], code: Callable[[str], str]
    ) -> None:
        self._table = Table("fast-launch-images", chose, sort="state")
        self._findings = Table("fast-launch-findings", chose)
        self._plot = Plot(chose)
        self._hint = widgets.HTML()
        self._code = _Code(code)
        self._timeline, self._capacity = widgets.VBox(), widgets.VBox()
        self._stale: set[int] = set()
        self._selected: frozenset[Key] = frozenset()
        self._draws = (
            lambda: self._table.show(self._keep),
            lambda: self._draw(self._timeline, charts.timeline(self._data.told(self._keep))),
            lambda: self._draw(self._capacity, charts.capacity(self._data.kept(self._keep))),
            self._draw_findings,
            self._code.show,
        )
        views = (self._table, self._timeline, self._capacity, self._findings, self._code)
        titles = ("Table", "Timeline", "Capacity", "Findings", "Code")
        super().__init__(children=views, titles=titles, selected_index=0)
        self.add_class("fl-views")
        self.observe(self._look, "selected_index")

    def fill(self, data: Data) -> None:
        """Take other data; it is shown when it is told which of it is kept."""
        self._data = data
        self._table.fill(data.images, columns.of_images(data.images), columns.IMAGES)
        self._findings_filled = False

    def show(self, keep: Kept) -> None:
        """Show what is kept: at once in the tab that is open, in others when they are opened."""
        self._keep = keep
        self._stale = set(range(len(self._draws)))
        self._look()

    def select(self, selected: tuple[Key, ...]) -> None:
        """Show which rows are chosen."""
        self._selected = frozenset(selected)
        for view in (self._table, self._findings, self._plot):
            view.select(self._selected)

    def _look(self, _change: object = None) -> None:
        """Draw the tab that is open; both charts are one widget, which is where one looks."""
        at = self.selected_index
        if at in self._stale or at in (1, 2):
            self._stale.discard(at)
            self._draws[at]()

    def _draw(self, place: Any, figure: go.Figure) -> None:
        self._plot.draw(figure)
        self._hint.value = _HINT if self._plot.rows else ""
        for chart in (self._timeline, self._capacity):
            chart.children = (self._hint, self._plot) if chart is place else ()

    def _draw_findings(self) -> None:
        found = self._data.findings
        if not self._findings_filled:
            self._findings.fill(found, columns.of_findings(found), columns.FINDINGS)
            self._findings_filled = True
        self._findings.show(self._data.found(self._keep))


_HINT = (
    "<p class='fl-hint'>Click a bar to select its image, with Ctrl, ⌘ or Shift one more. "
    "The table selects by keyboard too.</p>"
)


class _Code(widgets.VBox):  # type: ignore[misc]
    """The selection as code of the kind that is chosen."""

    def __init__(self, code: Callable[[str], str]) -> None:
        self._write = code
        self._kind = parts.choice("Code for", list(KINDS), KINDS[0][1])
        self._kind.observe(self.show, "value")
        self._copy = Take("Copy", lambda: ("code.txt", self._write(self._kind.value)), how="copy")
        self._shown = widgets.HTML()
        super().__init__([parts.row("fl-tools", self._kind, self._copy), self._shown])

    def show(self, _change: object = None) -> None:
        """Show the selection that there is now."""
        code = escape(self._write(self._kind.value))
        self._shown.value = (
            f"<pre class='fl-code tex2jax_ignore mathjax_ignore' tabindex='0' role='region' "
            f"aria-label='The selection as code'>{code}</pre>"
        )
