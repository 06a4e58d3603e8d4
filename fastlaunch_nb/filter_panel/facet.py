"""One facet of the panel: a box to tick for each value, and a search where there are many."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any, Final

import ipywidgets as widgets

from fastlaunch_nb.charts.style import STATE_STYLES
from fastlaunch_nb.filter_panel import widget_helpers
from fastlaunch_nb.formatting import single_line

MOST: Final = 8
"""How many values are shown at once, those that are ticked not counted."""

Counts = Mapping[str | None, int]
Chosen = tuple[str | None, ...]


class Facet(widgets.VBox):  # type: ignore[misc]
    """A facet: values with their counts, as many as fit; those with none are pale.

    Where there are more, the ticked ones are on top, then those of the most images;
    searching shows others.
    """

    def __init__(self, title: str, changed: Callable[[object], None]) -> None:
        self._title, self._changed = title, changed
        self._boxes: dict[str | None, Any] = {}
        self._told: tuple[Counts, Chosen, Mapping[str, str]] = ({}, (), {})
        self._order: list[str | None] = []
        self._find = widget_helpers.text_box("", f"find a {title.lower()} …", "fl-find")
        self._find.layout.display = "none"
        self._find.observe(widget_helpers.Debounce(self._draw), "value")
        self._values = widgets.VBox().add_class("fl-values")
        self._more = widgets.HTML().add_class("fl-more")
        heading = widgets.HTML(f"<h4>{escape(title)}</h4>")
        super().__init__([heading, self._find, self._values, self._more])
        self.add_class("fl-facet")

    @property
    def chosen(self) -> Chosen:
        """The values that are ticked."""
        return tuple(value for value, box in self._boxes.items() if box.value)

    def show(self, counts: Counts, chosen: Chosen, names: Mapping[str, str]) -> None:
        """Show counts and ticks; a chosen value that no row has gets a box as well."""
        if counts.keys() != self._told[0].keys() or names != self._told[2]:
            self._order = self._ordered(counts, names)
        self._told = counts, chosen, names
        self._draw()

    def _ordered(self, counts: Counts, names: Mapping[str, str]) -> list[str | None]:
        """Return all values as they stand one below the other: so for good, whatever is counted."""
        order = list(counts)  # which is that of states, or of the values themselves
        if names:
            order.sort(key=lambda value: (value is None, names.get(value or "", value)))
        return order if len(counts) <= MOST else sorted(order, key=lambda value: -counts[value])

    def _draw(self) -> None:
        counts, chosen, names = self._told
        found, long = self._found(names), len(counts) > MOST
        ticked = [value for value in chosen if long or value not in found]
        others = [value for value in found if value not in ticked]
        values = [*ticked, *others[:MOST]]
        self._find.layout.display = None if long else "none"
        self._say_more(len(others) - MOST, len(found))
        if values != list(self._boxes):
            before = self._boxes
            self._boxes = {value: before.get(value) or self._box(value) for value in values}
            self._values.children = tuple(self._boxes.values())
            for value in before.keys() - self._boxes.keys():
                before[value].close()
        for value, box in self._boxes.items():
            self._label(box, value, counts.get(value, 0), names)
            box.unobserve_all("value")
            box.value = value in chosen
            box.observe(self._changed, "value")

    def _found(self, names: Mapping[str, str]) -> list[str | None]:
        """Return the values that have all words that were typed, or every one."""
        words = self._find.value.casefold().split()
        if not words or len(self._order) <= MOST:
            return self._order
        said = {
            value: f"{widget_helpers.label(value, names)}\n{value or ''}".casefold()
            for value in self._order
        }
        return [value for value in self._order if all(word in said[value] for word in words)]

    def _say_more(self, more: int, found: int) -> None:
        if more > 0:
            self._more.value = f"and {more:,} more: find them by name"
        else:
            self._more.value = "" if found else f"no {self._title.lower()} with these words"

    def _label(self, box: Any, value: str | None, count: int, names: Mapping[str, str]) -> None:
        name = escape(widget_helpers.no_formula(widget_helpers.label(value, names)))
        box.description = f"<span>{name}</span> <span class='fl-count'>({count:,})</span>"
        (box.remove_class if count else box.add_class)("fl-none")

    def _box(self, value: str | None) -> Any:
        box = widgets.Checkbox(indent=False, description_allow_html=True, layout={"width": "auto"})
        box.tooltip = single_line(value) if value is not None else None
        if value in STATE_STYLES:
            box.add_class(f"fl-{value}")
        return box
