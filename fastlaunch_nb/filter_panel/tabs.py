"""The linked views of the panel: a tab each, drawn when it is looked at."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from html import escape
from typing import Any, Final, TypeAlias

import ipywidgets as widgets
import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fastlaunch_nb.charts.capacity import capacity
from fastlaunch_nb.charts.timeline import timeline
from fastlaunch_nb.filter_panel import table_columns, widget_helpers
from fastlaunch_nb.filter_panel.chart import ChartWidget
from fastlaunch_nb.filter_panel.controls import TextButton
from fastlaunch_nb.filter_panel.table import Key, Table, keys_of
from fastlaunch_nb.formatting import empty_message
from fastlaunch_nb.rules.evaluate import findings as find
from fastlaunch_nb.schema.columns import KEY

TITLES: Final = ("Table", "Timeline", "Capacity", "Findings", "Code")
_TIMELINE, _CAPACITY = TITLES.index("Timeline"), TITLES.index("Capacity")
KINDS: Final = (
    ("fastlaunch_nb", "fastlaunch"),
    ("boto3", "boto3"),
    ("AWS CLI", "cli"),
    ("pandas", "pandas"),
)
Kept: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]
"""Which images are kept, or which rows are about these."""
Places: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
"""Where among the images is that of each row; -1 where it is none of them."""


class PanelData:
    """What the views show: images, and what is said of them; by rows of `images` kept or not."""

    def __init__(
        self, images: pd.DataFrame, intervals: pd.DataFrame | None, findings: pd.DataFrame | None
    ) -> None:
        self.images, self._intervals, self._findings = images, intervals, findings

    @cached_property
    def keys(self) -> frozenset[Key]:
        """The keys of all images: what can be selected."""
        return frozenset(keys_of(self.images))

    def kept(self, keep: Kept) -> pd.DataFrame:
        """Return the images that are kept."""
        kept: pd.DataFrame = self.images[keep]
        return kept

    def told(self, keep: Kept) -> pd.DataFrame:
        """Return what a timeline tells of the images that are kept."""
        if self._intervals is None:
            return self.kept(keep)
        rows, places = self._told
        told: pd.DataFrame = rows[_about(places, keep)]
        return told

    @property
    def findings(self) -> pd.DataFrame:
        """Findings, with the names of their images; those of all rules where none were given."""
        return self._found[0]

    def found(self, keep: Kept) -> Kept:
        """Return which findings are about images that are kept, or about a region of theirs."""
        rows, places = self._found
        about = _about(places, keep)
        of_region = rows["image_id"].isna().to_numpy()
        if of_region.any():
            kept = self.kept(keep)[["account_id", "region"]].drop_duplicates()
            regions = pd.MultiIndex.from_frame(rows[["account_id", "region"]])
            about |= of_region & regions.isin(pd.MultiIndex.from_frame(kept))
        return about

    @cached_property
    def _told(self) -> tuple[pd.DataFrame, Places]:
        return self._named(self._intervals)

    @cached_property
    def _found(self) -> tuple[pd.DataFrame, Places]:
        if self._findings is not None:
            return self._named(self._findings)
        return self._named(find(self.images, intervals=self._intervals))

    def _named(self, rows: Any) -> tuple[pd.DataFrame, Places]:
        """Return rows with the names that their images have here, and the places of these."""
        keys = list(KEY)
        known = self.images[keys].drop_duplicates()
        known = known.assign(_place=np.flatnonzero(~self.images.duplicated(keys)))
        places = rows[keys].merge(known, how="left", on=keys)["_place"]
        names = [n for n in ("image_name", "account_name") if n in self.images and n not in rows]
        named = self.images[names].reset_index(drop=True).reindex(places).set_axis(rows.index)
        return rows.assign(**named), places.fillna(-1).to_numpy(np.int64)


def _about(places: Places, keep: Kept) -> Kept:
    """Return which rows are about images that are kept: all, where no image is left out."""
    if keep.all():  # then also those of images that are no more
        return np.ones(len(places), dtype=np.bool_)
    about: Kept = keep[places] & (places >= 0)
    return about


class PanelTabs(widgets.Tab):  # type: ignore[misc]
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
        self._plot = ChartWidget(chose)
        self._hint = widgets.HTML()
        self._code = _Code(code)
        self._stale: set[int] = set()
        self._draws = (
            lambda: self._table.show(self._keep),
            lambda: self._draw(_TIMELINE, lambda: timeline(self._data.told(self._keep))),
            lambda: self._draw(_CAPACITY, lambda: capacity(self._data.kept(self._keep))),
            self._draw_findings,
            self._code.show,
        )
        views = (self._table, widgets.VBox(), widgets.VBox(), self._findings, self._code)
        super().__init__(children=views, titles=TITLES, selected_index=0)
        self.add_class("fl-views")
        self.observe(self._look, "selected_index")

    def fill(self, data: PanelData) -> None:
        """Take other data; it is shown when it is told which of it is kept."""
        self._data = data
        self._table.fill(data.images, table_columns.of_images(data.images), table_columns.IMAGES)
        self._findings_filled = False

    def show(self, keep: Kept) -> None:
        """Show what is kept: at once in the tab that is open, in others when they are opened."""
        self._keep = keep
        self._stale = set(range(len(self._draws)))
        self._look()

    def select(self, selected: tuple[Key, ...]) -> None:
        """Show which rows are chosen."""
        keys = frozenset(selected)
        for view in (self._table, self._findings, self._plot):
            view.select(keys)

    def _look(self, _change: object = None) -> None:
        """Draw the tab that is open, unless it shows what is kept already."""
        at = self.selected_index
        if at in self._stale:
            self._stale.discard(at)
            self._draws[at]()

    def _draw(self, at: int, chart: Callable[[], go.Figure]) -> None:
        """Draw a chart; there is one widget for both, so that the other is no longer drawn."""
        (other,) = {_TIMELINE, _CAPACITY} - {at}
        self._stale.add(other)
        self.children[other].children = ()
        if len(self._keep) and not self._keep.any():
            self._hint.value = widget_helpers.message(" ".join(empty_message(filtered=True)))
            self.children[at].children = (self._hint,)
            return
        self._plot.draw(chart())
        self._hint.value = _HINT if self._plot.rows else ""
        self.children[at].children = (self._hint, self._plot)

    def _draw_findings(self) -> None:
        if not self._findings_filled:
            self._findings.say("Looking for what is wrong …")
            found = self._data.findings
            self._findings.fill(found, table_columns.of_findings(found), table_columns.FINDINGS)
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
        self._kind = widget_helpers.choice("Code for", list(KINDS), KINDS[0][1])
        self._kind.observe(self.show, "value")
        self._copy = TextButton(
            "Copy", lambda: ("code.txt", self._write(self._kind.value)), how="copy"
        )
        self._shown = widgets.HTML()
        super().__init__([widget_helpers.row("fl-tools", self._kind, self._copy), self._shown])

    def show(self, _change: object = None) -> None:
        """Show the selection that there is now."""
        code = escape(self._write(self._kind.value))
        self._shown.value = (
            f"<pre class='fl-code tex2jax_ignore mathjax_ignore' tabindex='0' role='region' "
            f"aria-label='The selection as code'>{code}</pre>"
        )
