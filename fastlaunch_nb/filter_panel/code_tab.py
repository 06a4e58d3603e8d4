"""The code tab: the images on the screen, or the selected ones, as code of a kind."""

from __future__ import annotations

from html import escape
from typing import Any, Final, Protocol

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

CODE_KINDS: Final = (
    ("fastlaunch_nb", "fastlaunch"),
    ("boto3", "boto3"),
    ("AWS CLI", "cli"),
    ("PowerShell (AWS.Tools.EC2)", "powershell"),
    ("pandas", "pandas"),
    ("SQL (DuckDB, for a history)", "sql"),
)
_ROWS: Final = (("shown images", False), ("selected images", True))


class ToCode(Protocol):
    """Returns code of a kind for the images on the screen or the selected ones, for a shell."""

    def __call__(self, kind: str, *, selected: bool, shell: str) -> str:
        """Return the code."""


class CodeTab(widgets.VBox):  # type: ignore[misc]
    """The images on the screen as code of a kind; its widgets are made when it first shows."""

    def __init__(self, to_code: ToCode) -> None:
        self._to_code = to_code
        self._kind: Any = None
        super().__init__(layout=share(widgets.Layout))

    def _make_controls(self) -> None:
        self._rows, self._kind = make_dropdown("Code for", _ROWS), make_dropdown("in", CODE_KINDS)
        self._shell = make_shell_dropdown()
        controls = (self._rows, self._kind, self._shell)
        for control in controls:
            control.observe(self.show, "value")
        copy = TextButton("Copy", lambda: ("code.txt", self._write_code()))
        self._html = make_html()
        self.children = (make_row("fl-tools", *controls, copy), self._html)

    def _write_code(self) -> str:
        selected, shell = self._rows.value, self._shell.value
        return self._to_code(self._kind.value, selected=selected, shell=shell)

    def show(self, _change: object = None) -> None:
        """Show the code of the current filters, or of the selected images."""
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
            f"aria-label='The images as code'>{code}</pre>"
        )
