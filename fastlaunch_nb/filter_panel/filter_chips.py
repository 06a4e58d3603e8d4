"""The chips of the panel: each part of the selection in words, with a button that takes it away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import ipywidgets as widgets

from fastlaunch_nb.filter_panel import widget_helpers
from fastlaunch_nb.filters.fields import FACETS, RANGES
from fastlaunch_nb.filters.filters import Filters
from fastlaunch_nb.formatting import single_line

Names = Mapping[str, Mapping[str, str]]


class Chip(NamedTuple):
    """A part of the selection: what it is about, what it says, and the selection without it."""

    title: str
    said: str
    without: Filters


def chips(filters: Filters, names: Names) -> Iterator[Chip]:
    """Give a chip for each value, each range and the text; every part of the selection is one."""
    for facet in FACETS:
        values = getattr(filters, facet)
        for value in values:
            rest = tuple(other for other in values if other != value)
            said = widget_helpers.label(value, names.get(facet, {}))
            yield Chip(widget_helpers.TITLES[facet], said, _but(filters, facet, rest))
    for name in RANGES:
        if ends := getattr(filters, name):
            yield Chip(
                widget_helpers.TITLES[name],
                widget_helpers.said_range(ends),
                _but(filters, name, None),
            )
    if filters.text:
        yield Chip(
            widget_helpers.TITLES["text"], single_line(filters.text), replace(filters, text="")
        )


def _but(filters: Filters, name: str, value: Any) -> Filters:
    return replace(filters, **{name: value})


def in_words(filters: Filters, names: Names) -> str:
    """Say the selection in a line."""
    said: dict[str, list[str]] = {}
    for chip in chips(filters, names):
        said.setdefault(chip.title.lower(), []).append(chip.said)
    return " · ".join(f"{title}: {', '.join(values)}" for title, values in said.items())


class Chips(widgets.Box):  # type: ignore[misc]
    """The chips on a line, or more."""

    def __init__(self, choose: Callable[[Filters], None]) -> None:
        self._choose = choose
        self._buttons: list[Any] = []
        super().__init__(layout=widgets.Layout(flex_flow="row wrap"))
        self.add_class("fl-chips")

    def show(self, filters: Filters, names: Names) -> None:
        """Show this selection."""
        for button in self._buttons:
            button.close()
        self._buttons = [self._button(chip) for chip in chips(filters, names)]
        self.children = tuple(self._buttons)
        self.layout.display = None if self._buttons else "none"

    def _button(self, chip: Chip) -> Any:
        said = f"{chip.title}: {chip.said}"
        button = widget_helpers.button(f"{said} ×", tooltip=f"Take away {said}").add_class(
            "fl-chip"
        )
        button.on_click(partial(self._without, chip.without))
        return button

    def _without(self, filters: Filters, _button: object) -> None:
        self._choose(filters)
