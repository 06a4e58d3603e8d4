"""A facet of the panel: a checkbox for each value, and a search where there are many."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any, Final

import ipywidgets as widgets

from fastlaunch_nb.charts.style import STATE_STYLES
from fastlaunch_nb.filter_panel.widget_helpers import (
    Debounce,
    close_widgets,
    format_label,
    make_box,
    make_checkbox,
    make_html,
    make_text_box,
    share,
)
from fastlaunch_nb.formatting import state_rank, to_single_line

MAX_VALUES: Final = 8
"""How many unticked values a facet shows at once."""

Counts = Mapping[str | None, int]
Values = tuple[str | None, ...]


class Facet(widgets.VBox):  # type: ignore[misc]
    """A facet: its values with their counts; a value without rows is pale.

    The worst state is first. If not all values fit, those with the most rows come first, and a
    search finds the others. A ticked value that does not fit comes before them; others stay
    where they are.
    """

    def __init__(self, title: str, on_change: Callable[[object], None]) -> None:
        self._title, self._on_change = title, on_change
        self._boxes: dict[str | None, Any] = {}
        self._counts: Counts = {}
        self._ticked: Values = ()
        self._names: Mapping[str, str] = {}
        self._order: list[str | None] = []
        self._search: Any = None  # made when there are many values
        self._values = make_box("fl-values")
        self._more = make_html("", "fl-more")
        self._heading = make_html(f"<div class='fl-title'>{escape(title)}</div>")
        super().__init__(_dom_classes=("fl-facet",), layout=share(widgets.Layout))

    @property
    def value(self) -> Values:
        """The ticked values."""
        return tuple(value for value, box in self._boxes.items() if box.value)

    def show(self, counts: Counts, ticked: Values, names: Mapping[str, str]) -> None:
        """Show counts and ticks; a ticked value that no row has gets a checkbox as well.

        The order of the values stays when only the counts change.
        """
        if counts.keys() != self._counts.keys() or names != self._names:
            self._order = list(counts)  # in the order of the values
            if STATE_STYLES.keys() & counts.keys():
                self._order.sort(key=lambda value: state_rank(value or ""))
            if names:
                self._order.sort(key=lambda value: (value is None, names.get(value or "", value)))
            if len(counts) > MAX_VALUES:
                self._order.sort(key=lambda value: -counts[value])
        self._counts, self._ticked, self._names = counts, ticked, names
        self._draw()

    def _draw(self) -> None:
        matching, is_long = self._find_values(), len(self._counts) > MAX_VALUES
        visible = matching[:MAX_VALUES]
        first = [value for value in self._ticked if value not in visible]
        search = [self._get_search()] if is_long else []
        self.children = (self._heading, *search, self._values, self._more)
        more = len(set(matching) - set(visible) - set(first))
        if more > 0:
            self._more.value = f"and {more:,} more; search to find them"
        else:
            self._more.value = "" if matching else f"no {self._title.lower()} matches the search"
        self._update_boxes([*first, *visible])

    def _get_search(self) -> Any:
        if self._search is None:
            self._search = make_text_box("", f"search {self._title.lower()} …", "fl-find")
            self._search.observe(Debounce(self._draw), "value")
        return self._search

    def _find_values(self) -> list[str | None]:
        """Return the values that contain each word of the search."""
        words = self._search.value.casefold().split() if self._search else ()
        if not words or len(self._order) <= MAX_VALUES:
            return self._order
        texts = {
            value: f"{format_label(value, self._names)}\n{value or ''}".casefold()
            for value in self._order
        }
        return [value for value in self._order if all(word in texts[value] for word in words)]

    def _update_boxes(self, values: list[str | None]) -> None:
        """Show a checkbox for each value; a value that had one keeps it."""
        before = self._boxes
        if values != list(before):
            self._boxes = {value: before.get(value) or _make_box(value) for value in values}
            self._values.children = tuple(self._boxes.values())
            close_widgets([before[value] for value in before.keys() - self._boxes.keys()])
        for value, box in self._boxes.items():
            count = self._counts.get(value, 0)
            name = escape(format_label(value, self._names))
            box.description = (
                f"<span class='tex2jax_ignore mathjax_ignore'>{name}</span> "
                f"<span class='fl-count'>({count:,})</span>"
            )
            (box.remove_class if count else box.add_class)("fl-none")
            box.unobserve_all("value")
            box.value = value in self._ticked
            box.observe(self._on_change, "value")


def _make_box(value: str | None) -> Any:
    """Make the checkbox of a value; that of a state has the state's colour."""
    colour = STATE_STYLES[value].colour if value in STATE_STYLES else "transparent"
    return make_checkbox(
        border_left=f"4px solid {colour}",
        description_allow_html=True,
        tooltip="" if value is None else to_single_line(value),
    )
