"""Tools for the view of a panel: undo, redo, views by name, a link, and the list of keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from html import escape
from typing import Any, Final, Protocol

import anywidget
import ipywidgets as widgets

from fastlaunch_nb.errors import FastLaunchError
from fastlaunch_nb.filter_panel.controls import TextButton
from fastlaunch_nb.filter_panel.menu import Menu
from fastlaunch_nb.filter_panel.view_files import Views
from fastlaunch_nb.filter_panel.view_state import LINK_PARAMETER, can_link
from fastlaunch_nb.filter_panel.widget_helpers import (
    make_button,
    make_html,
    make_row,
    make_text_box,
    read_file,
    share,
)
from fastlaunch_nb.formatting import to_single_line

_KEYS: Final = (
    ("Tab, Shift+Tab", "move between controls"),
    ("Space, Enter", "tick, press or select"),
    ("← ↑ → ↓", "move in the table, the tabs or a range"),
    ("Ctrl+Z", "undo a change of filters, sort, columns or groups"),
    ("Ctrl+Shift+Z, Ctrl+Y", "redo it"),
    ("?", "open or close this list"),
    ("Esc", "close it, a menu, or the details of an image"),
)
_IN_MEMORY: Final = 'until the kernel ends; fl.panel(…, views="views.json") keeps them in a file'


class Viewed(Protocol):
    """A panel with a view, undo and redo."""

    view: Any

    def undo(self) -> None:
        """Undo the last change."""

    def redo(self) -> None:
        """Redo the change that was undone last."""

    def open_view(self, view: Mapping[str, Any]) -> str:
        """Open a view, and return what it has that the panel lacks."""


class PanelKeys(anywidget.AnyWidget):
    """An invisible widget that calls an action when its key is pressed in its parent box."""

    _esm = read_file("panel_keys.js")

    def __init__(self, actions: Mapping[str, Callable[[], None]]) -> None:
        super().__init__(layout=share(widgets.Layout))
        self.on_msg(
            lambda _widget, message, _buffers: actions.get(message["action"], lambda: None)()
        )


class ViewTools(widgets.Box):  # type: ignore[misc]
    """Buttons for undo and redo, and the menus of views and keys, of a panel.

    `on_close` is called for Escape while no menu is open.
    """

    def __init__(self, panel: Viewed, views: Views, on_close: Callable[[], None]) -> None:
        self._panel, self._views, self._on_close = panel, views, on_close
        self._notice = ""
        self._undo = make_button("", "reply", tooltip="Undo (Ctrl+Z)", disabled=True)
        self._redo = make_button("", "share", tooltip="Redo (Ctrl+Shift+Z)", disabled=True)
        self._undo.on_click(lambda _: panel.undo())
        self._redo.on_click(lambda _: panel.redo())
        self._menu = Menu("Views ▾", self._make_views, "Save and open views by name")
        self._help = Menu("?", _make_keys, "Keys")
        super().__init__(
            (self._undo, self._redo, self._menu, self._help),
            layout=share(widgets.Layout),
            _dom_classes=("fl-view-tools",),
        )

    def make_keys(self) -> PanelKeys:
        """Make the widget for the keys, which must be a child of the panel."""
        return PanelKeys(
            {
                "undo": self._panel.undo,
                "redo": self._panel.redo,
                "keys": lambda: setattr(self._help, "is_open", not self._help.is_open),
                "close": self._close,
            }
        )

    def show(self, *, can_undo: bool, can_redo: bool) -> None:
        """Show which of undo and redo are possible."""
        self._undo.disabled, self._redo.disabled = not can_undo, not can_redo

    def _close(self) -> None:
        if not Menu.close_opened():
            self._on_close()

    # --- views ------------------------------------------------------------------------

    def _make_views(self) -> Sequence[Any]:
        """Make the content of the menu: the views of now, which other processes may change."""
        path = self._views.path
        where = _IN_MEMORY if path is None else f"in {path.name}"
        try:
            names, notice = list(self._views), self._notice
        except FastLaunchError as error:
            names, notice = [], str(error)
        self._notice = ""
        name = make_text_box("Name", "name of this view", "fl-view-name")
        name.continuous_update = False  # else a click could come before the last letters
        save = make_button("Save")
        name.observe(lambda _: setattr(save, "description", "Save"), "value")

        def save_view(_button: object) -> None:
            is_new = name.value.strip() not in names
            self._confirm(save, partial(self._save, name.value), "" if is_new else "Replace?")

        save.on_click(save_view)
        link = [TextButton("Copy link", self._make_link, how="link")] if can_link() else []
        return (
            make_html(_render_style()),
            *(self._make_row(name) for name in names),
            make_row("fl-tools", name, save, *link),
            make_html(f"<p class='fl-hint' role='status'>{escape(notice)}</p>"),
            make_html(f"<p class='fl-hint'>Views are kept {escape(where)}.</p>"),
        )

    def _make_row(self, name: str) -> Any:
        label = to_single_line(name)
        opens = make_button(label, tooltip=f"Open {label}", _dom_classes=("fl-view",))
        deletes = make_button("×", tooltip=f"Delete {label}")
        opens.on_click(lambda _: self._change(partial(self._open, name)))
        delete = partial(self._views.pop, name, None)
        deletes.on_click(lambda _: self._confirm(deletes, delete, "Delete?"))
        return make_row("fl-tools", opens, deletes)

    def _save(self, name: str) -> None:
        self._views[name] = self._panel.view
        self._notice = f"Saved {to_single_line(name)}."

    def _open(self, name: str) -> None:
        self._notice = self._panel.open_view(self._views[name])
        self._menu.is_open = bool(self._notice)

    def _confirm(self, button: Any, function: Callable[[], object], question: str) -> None:
        """Call a function, unless the button has a question first, which a second click answers."""
        if question and button.description != question:
            button.description = question
        else:
            self._change(function)

    def _change(self, function: Callable[[], object]) -> None:
        """Call a function, and show the views after it, and a problem if there was one."""
        try:
            function()
        except KeyError:
            self._notice = "This view is gone: somebody has deleted it."
        except FastLaunchError as error:
            self._notice = str(error)
        self._menu.draw()

    def _make_link(self) -> tuple[str, str]:
        """Return the view for a link: the page in the browser knows the address."""
        return LINK_PARAMETER, json.dumps(
            self._panel.view, ensure_ascii=False, separators=(",", ":")
        )


def _make_keys() -> Sequence[Any]:
    rows = "".join(f"<dt>{escape(key)}</dt><dd>{escape(does)}</dd>" for key, does in _KEYS)
    body = f"<div role='status'><dl class='fl-keys'>{rows}</dl></div>"
    return (make_html(f"{_render_style()}{body}"),)


def _render_style() -> str:
    return f"<style>{read_file('view_tools.css')}</style>"
