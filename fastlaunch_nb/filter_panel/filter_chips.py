"""Filter chips: one button for each part of the selection, which removes that part."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, tzinfo
from typing import Any, Final, NamedTuple

import ipywidgets as widgets

from fastlaunch_nb.filter_panel.widget_helpers import (
    TITLES,
    close_widgets,
    format_label,
    format_range,
    make_button,
    share,
)
from fastlaunch_nb.filters.fields import FACETS, RANGES
from fastlaunch_nb.filters.filters import Filters
from fastlaunch_nb.formatting import to_single_line

Names = Mapping[str, Mapping[str, str]]
MAX_CHIPS: Final = 12
"""How many values of a facet have a chip each."""


class Chip(NamedTuple):
    """A part of the selection: its title, its value as text, and the filters without it."""

    title: str
    text: str
    without: Filters


def make_chips(filters: Filters, names: Names, zone: tzinfo = UTC) -> Iterator[Chip]:
    """Make a chip for each value of a facet, each range and the search text.

    Many values of a facet, such as the ids of selected images, are one chip. Times are in `zone`.
    """

    def make_chip(field: str, text: str, rest: Any) -> Chip:
        return Chip(TITLES[field], text, replace(filters, **{field: rest}))

    for facet in FACETS:
        values = getattr(filters, facet)
        if len(values) > MAX_CHIPS:
            yield make_chip(facet, f"{len(values):,} values", ())
            continue
        for value in values:
            rest = tuple(other for other in values if other != value)
            yield make_chip(facet, format_label(value, names.get(facet, {})), rest)
    for name in RANGES:
        if ends := getattr(filters, name):
            yield make_chip(name, format_range(ends, zone), None)
    if filters.text:
        yield make_chip("text", to_single_line(filters.text), "")


def summarize_filters(filters: Filters, names: Names) -> str:
    """Summarize the selection in one line."""
    texts: dict[str, list[str]] = {}
    for chip in make_chips(filters, names):
        texts.setdefault(chip.title.lower(), []).append(chip.text)
    return " · ".join(f"{title}: {', '.join(values)}" for title, values in texts.items())


class FilterChips(widgets.Box):  # type: ignore[misc]
    """The chips of a selection; `on_change` gets the filters that remain without a chip.

    Each button stays where it is and shows the next chip when its own is removed, so that it
    keeps the focus; after the last one, the focus goes to `next_focus`.
    """

    def __init__(self, on_change: Callable[[Filters], None], next_focus: Any) -> None:
        self._on_change, self._next_focus = on_change, next_focus
        self._chips: list[Chip] = []
        self._buttons: list[Any] = []
        super().__init__(layout=share(widgets.Layout), _dom_classes=("fl-chips",))

    def show(self, filters: Filters, names: Names, zone: tzinfo = UTC) -> None:
        """Show the chips of a selection, with times in a zone."""
        self._chips = list(make_chips(filters, names, zone))
        unused = self._buttons[len(self._chips) :]
        del self._buttons[len(self._chips) :]
        for position in range(len(self._buttons), len(self._chips)):
            self._buttons.append(self._make_button(position))
        for button, chip in zip(self._buttons, self._chips, strict=True):
            text = f"{chip.title}: {chip.text}"
            button.description, button.tooltip = f"{text} ×", f"Remove {text}"
        self.children = tuple(self._buttons)  # not before each has its text
        close_widgets(unused)

    def _make_button(self, position: int) -> Any:
        button = make_button("", _dom_classes=("fl-chip",))
        button.on_click(lambda _: self._remove(position))
        return button

    def _remove(self, position: int) -> None:
        """Remove a part of the selection; the browser may send a click too late for it."""
        if position < len(self._chips):
            self._on_change(self._chips[position].without)
        if position >= len(self._buttons):
            (self._buttons[-1] if self._buttons else self._next_focus).focus()


class SelectionChip(widgets.Box):  # type: ignore[misc]
    """The count of selected images: a click filters to them, and a second button clears it."""

    def __init__(self, on_filter: Callable[[], None], on_clear: Callable[[], None]) -> None:
        self._filter = make_button(
            "", tooltip="Show only the selected images", _dom_classes=("fl-chip",)
        )
        self._clear = make_button(  # its text is for screen readers
            "Clear selection", "times", tooltip="Clear selection", _dom_classes=("fl-chip",)
        )
        self._filter.on_click(lambda _: on_filter())
        self._clear.on_click(lambda _: on_clear())
        super().__init__((self._filter, self._clear), _dom_classes=("fl-selection",))

    def show(self, count: int) -> None:
        """Show a count; without a selected image there is no chip."""
        self._filter.description = f"{count:,} selected"
        self.layout.display = None if count else "none"
