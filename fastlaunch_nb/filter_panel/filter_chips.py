"""Filter chips: one button for each part of the selection, which removes that part."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import ipywidgets as widgets

from fastlaunch_nb.filter_panel.widget_helpers import (
    TITLES,
    close_widgets,
    format_label,
    format_range,
    make_button,
)
from fastlaunch_nb.filters.fields import FACETS, RANGES
from fastlaunch_nb.filters.filters import Filters
from fastlaunch_nb.formatting import to_single_line

Names = Mapping[str, Mapping[str, str]]


class Chip(NamedTuple):
    """A part of the selection: its title, its value as text, and the filters without it."""

    title: str
    text: str
    without: Filters


def make_chips(filters: Filters, names: Names) -> Iterator[Chip]:
    """Make a chip for each value of a facet, each range and the search text."""

    def make_chip(field: str, text: str, rest: Any) -> Chip:
        return Chip(TITLES[field], text, replace(filters, **{field: rest}))

    for facet in FACETS:
        values = getattr(filters, facet)
        for value in values:
            rest = tuple(other for other in values if other != value)
            yield make_chip(facet, format_label(value, names.get(facet, {})), rest)
    for name in RANGES:
        if ends := getattr(filters, name):
            yield make_chip(name, format_range(ends), None)
    if filters.text:
        yield make_chip("text", to_single_line(filters.text), "")


def summarize_filters(filters: Filters, names: Names) -> str:
    """Summarize the selection in one line."""
    texts: dict[str, list[str]] = {}
    for chip in make_chips(filters, names):
        texts.setdefault(chip.title.lower(), []).append(chip.text)
    return " · ".join(f"{title}: {', '.join(values)}" for title, values in texts.items())


class FilterChips(widgets.Box):  # type: ignore[misc]
    """The chips of a selection; `on_change` gets the filters that remain without a chip."""

    def __init__(self, on_change: Callable[[Filters], None]) -> None:
        self._on_change = on_change
        self._buttons: list[Any] = []
        super().__init__(layout={"flex_flow": "row wrap"}, _dom_classes=("fl-chips",))

    def show(self, filters: Filters, names: Names) -> None:
        """Show the chips of a selection."""
        close_widgets(self._buttons)
        self._buttons = [self._make_button(chip) for chip in make_chips(filters, names)]
        self.children = tuple(self._buttons)
        self.layout.display = None if self._buttons else "none"

    def _make_button(self, chip: Chip) -> Any:
        text = f"{chip.title}: {chip.text}"
        button = make_button(f"{text} ×", tooltip=f"Remove {text}", _dom_classes=("fl-chip",))
        button.on_click(lambda _: self._on_change(chip.without))
        return button
