"""The code tab: the selection as code of a kind."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any, Final, TypeAlias

import ipywidgets as widgets

from fastlaunch_nb.errors import InputError
from fastlaunch_nb.filter_panel.controls import TextButton
from fastlaunch_nb.filter_panel.widget_helpers import (
    make_dropdown,
    make_html,
    make_row,
    make_shell_dropdown,
    render_message,
    share,
)

_CODE_KINDS: Final = (
    ("fastlaunch_nb", "fastlaunch"),
    ("boto3", "boto3"),
    ("AWS CLI", "cli"),
    ("pandas", "pandas"),
)
ToCode: TypeAlias = Callable[[str, str], str]


class CodeTab(widgets.VBox):  # type: ignore[misc]
    """The selection as code of a kind; its widgets are made when it first shows."""

    def __init__(self, to_code: ToCode) -> None:
        self._to_code = to_code
        self._kind: Any = None
        super().__init__(layout=share(widgets.Layout))

    def _make_controls(self) -> None:
        self._kind, self._shell = make_dropdown("Code for", _CODE_KINDS), make_shell_dropdown()
        for control in (self._kind, self._shell):
            control.observe(self.show, "value")
        copy = TextButton("Copy", lambda: ("code.txt", self._write_code()))
        self._html = make_html()
        self.children = (make_row("fl-tools", self._kind, self._shell, copy), self._html)

    def _write_code(self) -> str:
        return self._to_code(self._kind.value, self._shell.value)

    def show(self, _change: object = None) -> None:
        """Show the code of the current selection."""
        if self._kind is None:
            self._make_controls()
        self._shell.layout.display = None if self._kind.value == "cli" else "none"
        try:
            code = escape(self._write_code())
        except InputError as error:  # such as a region with a name that no region has
            self._html.value = render_message(escape(str(error)))
            return
        self._html.value = (
            f"<pre class='fl-code tex2jax_ignore mathjax_ignore' tabindex='0' role='region' "
            f"aria-label='The selection as code'>{code}</pre>"
        )
