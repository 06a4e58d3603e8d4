"""The groups of a table's images: a line for each, above and below the images of the open one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any, Final

import ipywidgets as widgets
import numpy as np
import pandas as pd

from fastlaunch_nb.filter_panel.controls import HtmlButtons
from fastlaunch_nb.filter_panel.folded_rows import Mask
from fastlaunch_nb.filter_panel.image_groups import TITLES, ImageGroups, group_images
from fastlaunch_nb.filter_panel.table_columns import format_value, render_swatch
from fastlaunch_nb.filter_panel.widget_helpers import make_html, read_file
from fastlaunch_nb.formatting import format_count
from fastlaunch_nb.schema.columns import FAILED_STATES

_HEADINGS: Final = {
    "images": "Images",
    "failing": "Failing",
    "target": "Target",
    "stock": "In stock",
    "cost": "USD a month",
}
_CLOSED: Final = object()  # the value of no group, as None is the value of one


class GroupView:
    """Lines of groups, one of which can be open; its images come between `above` and `below`.

    `on_change` is called after a click. The widgets are made when images are first grouped.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._groups: ImageGroups
        self._columns: tuple[str, ...] = ()
        self._by = ""
        self._open: Any = _CLOSED
        self._first, self._size = 0, 1
        self.above: Any = None
        self.below: Any = None

    def make_widgets(self, between: tuple[widgets.Widget, ...]) -> tuple[widgets.Widget, ...]:
        """Return all widgets of the view, with those of the images in their place."""
        if self.above is None:
            self.above, self.below = make_html(), make_html()
            style = make_html(f"<style>{read_file('group_view.css')}</style>")
            self._invisible = (style, HtmlButtons(self._handle_click))
        return (self.above, *between, self.below, *self._invisible)

    def set_images(self, images: pd.DataFrame, by: str, size: int) -> None:
        """Group images anew, from the first page with `size` groups."""
        if by != self._by:
            self._open = _CLOSED
        self._groups, self._by = group_images(images, by), by
        self._columns = _list_columns(images)
        self._first, self._size = 0, size

    def draw(self) -> Mask:
        """Draw the lines, and return which of the images are in the open group."""
        rows, total = self._groups.rows, len(self._groups.rows)
        if not total:
            self.above.value = self.below.value = ""
            return np.zeros(0, dtype=np.bool_)
        page = rows.iloc[self._first :][: self._size]
        records: Sequence[Mapping[Any, Any]] = page.to_dict("records")
        opened = [n for n, record in enumerate(records) if self._is_open(record["value"])]
        lines = [self._render_line(n, record) for n, record in enumerate(records)]
        split = opened[0] + 1 if opened else len(lines)
        self.above.value = self._render_table(lines[:split], is_first=True)
        foot = self._render_cells(
            f"All {format_count(total, 'group')}" if total > 1 else "All", self._groups.total
        )
        self.below.value = (
            self._render_table(lines[split:], foot=f"<tfoot><tr>{foot}</tr></tfoot>")
            + self._render_pager()
        )
        number = self._first + opened[0] if opened else -1
        is_in_open: Mask = self._groups.numbers == number
        return is_in_open

    def _is_open(self, value: Any) -> bool:
        if self._open is _CLOSED:
            return False
        return bool(value == self._open) if isinstance(value, str) else self._open is None

    def _handle_click(self, action: str, _more: bool) -> None:
        """Open or close a group, or turn the page; the browser sends the action."""
        kind, _, number = action.partition(" ")
        if kind == "group" and number.isdecimal() and self._first + int(number) < len(self._values):
            value = self._values[self._first + int(number)]
            self._open = _CLOSED if self._is_open(value) else value
        elif kind in ("previous", "next"):
            first = self._first + (self._size if kind == "next" else -self._size)
            self._first = first if 0 <= first < len(self._values) else self._first
        else:
            return
        self._on_change()

    @property
    def _values(self) -> list[str | None]:
        values = self._groups.rows["value"].astype(object)
        return list(values.where(values.notna(), None))

    # --- HTML -------------------------------------------------------------------------

    def _render_table(self, lines: list[str], *, is_first: bool = False, foot: str = "") -> str:
        """Render lines as a table; the second has its headings for screen readers only."""
        headings = (TITLES[self._by], *(_HEADINGS[name] for name in self._columns))
        columns = "".join(f"<col class='fl-of-{name}'>" for name in ("value", *self._columns))
        heads = "".join(f"<th scope='col'>{heading}</th>" for heading in headings)
        css_class = "" if is_first else " class='fl-unseen'"
        return (
            "<table class='fl-image-groups tex2jax_ignore mathjax_ignore'>"
            f"<colgroup>{columns}</colgroup><thead{css_class}><tr>{heads}</tr></thead>"
            f"<tbody>{''.join(lines)}</tbody>{foot}</table>"
        )

    def _render_line(self, number: int, record: Mapping[Any, Any]) -> str:
        value, is_open = record["value"], self._is_open(record["value"])
        label, small = "not known", ""
        if isinstance(value, str):
            label = format_value(record["label"])
            small = f" <small>{format_value(value)}</small>" if record["label"] != value else ""
        swatch = f"{render_swatch(value)} " if self._by == "state" else ""
        button = (
            f"<button type='button' data-do='group {number}' "
            f"aria-expanded='{str(is_open).lower()}'>"
            f"<span aria-hidden='true'>{'▾' if is_open else '▸'}</span> {swatch}{label}</button>"
        )
        return f"<tr>{self._render_cells(f'{button}{small}', record)}</tr>"

    def _render_cells(self, first: str, numbers: Mapping[Any, Any]) -> str:
        cells = "".join(f"<td>{_render_number(name, numbers)}</td>" for name in self._columns)
        return f"<th scope='row'>{first}</th>{cells}"

    def _render_pager(self) -> str:
        total, last = len(self._groups.rows), self._first + self._size
        if total <= self._size:
            return ""
        buttons = (("previous", "‹ Previous", not self._first), ("next", "Next ›", last >= total))
        previous, following = (
            f"<button type='button' data-do='{action}' aria-disabled='{str(is_end).lower()}'>"
            f"{label}</button>"
            for action, label, is_end in buttons
        )
        position = f"{self._first + 1:,}–{min(last, total):,} of {format_count(total, 'group')}"
        return f"<div class='fl-group-pager'>{previous}{following}<span>{position}</span></div>"


def _list_columns(images: pd.DataFrame) -> tuple[str, ...]:
    """Return the columns of numbers that these images can have."""
    has_stock = "available_snapshots" in images or "snapshots" in images
    has_cost = "monthly_usd_low" in images
    return ("images", "failing", "target", *["stock"] * has_stock, *["cost"] * has_cost)


def _render_number(name: str, numbers: Mapping[Any, Any]) -> str:
    """Render a number of a group; a sum that lacks some values is at least what it says."""
    if name == "cost":
        return _render_cost(numbers)
    value: Any = numbers[name]
    if name == "failing" and value:
        return f"{render_swatch(FAILED_STATES[0])} {value:,}"
    unknown = numbers.get(f"no_{name}", 0)
    return _render_sum("" if pd.isna(value) else f"{value:,}", unknown)


def _render_cost(numbers: Mapping[Any, Any]) -> str:
    """Render a range of cost; without a high end for all, it is at least the low one."""
    low, high, unknown = numbers["low"], numbers["high"], numbers["no_high"]
    if pd.isna(low):
        return _render_sum("", unknown)
    text = f"{low:,.2f}" if unknown or numbers["no_low"] else f"{low:,.2f} – {high:,.2f}"
    return _render_sum(text, max(unknown, numbers["no_low"]))


def _render_sum(text: str, unknown: int) -> str:
    if not text:
        return "not known"
    small = f"<br><small>{unknown:,} not known</small>" if unknown else ""
    return f"{'≥ ' if unknown else ''}{escape(text)}{small}"
