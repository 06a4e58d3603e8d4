"""A menu: a button, and a box that it opens over what is below it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import ipywidgets as widgets

from fastlaunch_nb.filter_panel.widget_helpers import (
    close_widgets,
    make_box,
    make_html,
    make_toggle,
    read_file,
    share,
)


class Menu(widgets.Box):  # type: ignore[misc]
    """A button that opens a box; the widgets in it are made anew each time, and closed after.

    At most one menu is open: to open another one closes it.
    """

    _opened: ClassVar[Menu | None] = None

    def __init__(
        self, description: str, make_content: Callable[[], Sequence[Any]], tooltip: str = ""
    ) -> None:
        self._make_content = make_content
        self._button = make_toggle(description)
        self._button.tooltip = tooltip
        self._button.observe(self._toggle, "value")
        self._content: Any = None
        layout = share(widgets.Layout)
        super().__init__([self._button], layout=layout, _dom_classes=("fl-menu",))

    @property
    def is_open(self) -> bool:
        """True while the box is open; set it to open or close the box."""
        return bool(self._button.value)

    @is_open.setter
    def is_open(self, value: bool) -> None:
        self._button.value = value

    def focus(self) -> None:
        """Give the button the focus."""
        self._button.focus()

    def _toggle(self, _change: object) -> None:
        if self.is_open:
            Menu.close_opened()
            Menu._opened = self
        elif Menu._opened is self:
            Menu._opened = None
        self.draw()

    @classmethod
    def close_opened(cls) -> bool:
        """Close the menu that is open; return whether there was one."""
        menu = cls._opened
        if menu is not None:
            menu.is_open = False
        return menu is not None

    def close(self) -> None:
        """Close the widget; its box, if open, closes with it."""
        if Menu._opened is self:
            Menu._opened = None
        super().close()

    def draw(self) -> None:
        """Draw the box, if it is open, with new widgets."""
        before, self._content = self._content, None
        if self.is_open:
            style = make_html(f"<style>{read_file('menu.css')}</style>")
            self._content = make_box("fl-popover")
            self._content.children = (style, *self._make_content())
        self.children = (self._button, self._content) if self._content else (self._button,)
        close_widgets(before)
