"""The details of the selected images, below the panel: a box that opens with a selection."""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import Any

import ipywidgets as widgets

from fastlaunch_nb.filter_panel import detail_html
from fastlaunch_nb.filter_panel.controls import TextButton
from fastlaunch_nb.filter_panel.detail_html import SelectedImage
from fastlaunch_nb.filter_panel.panel_data import PanelData
from fastlaunch_nb.filter_panel.selection import Key
from fastlaunch_nb.filter_panel.time_zone import convert_times
from fastlaunch_nb.filter_panel.widget_helpers import (
    Debounce,
    make_button,
    make_html,
    make_row,
    read_file,
    share,
)
from fastlaunch_nb.rules.cli_commands import show_command
from fastlaunch_nb.shells import get_native_shell


class ImageDetail(widgets.VBox):  # type: ignore[misc]
    """The details of one selected image, or of two side by side, or counts of more.

    Its widgets are made when images are first selected. The findings take time to look for, so
    they follow a moment after the rest. Its times are in `zone`.
    """

    zone: tzinfo = UTC

    def __init__(self) -> None:
        self._html: Any = None
        self._widgets: tuple[Any, ...] = ()
        self._add_findings = Debounce(lambda: self._draw(with_findings=True))
        super().__init__(layout=share(widgets.Layout))

    def show(self, data: PanelData, selected: tuple[Key, ...]) -> None:
        """Show the selected images; nothing if none is selected."""
        self._add_findings.cancel()
        self._data, self._selected = data, selected
        if not selected:
            self.close_panel()
            return
        if self._html is None:
            self._make_widgets()
        self.children = self._widgets
        self.add_class("fl-detail")
        is_ready = data.has_findings or len(selected) > 2
        self._draw(with_findings=is_ready)
        if not is_ready:
            self._add_findings()

    def close_panel(self) -> None:
        """Hide the details until the selection changes."""
        self._add_findings.cancel()
        self.children = ()
        self.remove_class("fl-detail")

    def _make_widgets(self) -> None:
        self._shell = get_native_shell()
        self._html = make_html("", "tex2jax_ignore", "mathjax_ignore")
        self._copy = TextButton("Copy commands", self._write_commands)
        self._copy.layout = widgets.Layout()  # of its own, as it hides
        close = make_button("Close", tooltip="Close the details", _dom_classes=("fl-detail-close",))
        close.on_click(lambda _: self.close_panel())
        style = make_html(f"<style>{read_file('detail.css')}</style>")
        self._widgets = (style, make_row("fl-detail-head", self._copy, close), self._html)

    def _draw(self, *, with_findings: bool) -> None:
        if len(self._selected) > 2:
            self._images: list[SelectedImage] = []
            html = detail_html.render_counts(self._data.select_images(self._selected))
        else:
            self._images = [self._read(key, with_findings=with_findings) for key in self._selected]
            one = len(self._images) == 1
            render: Any = detail_html.render_image if one else detail_html.render_pair
            html = render(*self._images, self._shell)
        self._html.value = html
        has_commands = any(image.commands for image in self._images)
        self._copy.layout.display = None if has_commands else "none"

    def _read(self, key: Key, *, with_findings: bool) -> SelectedImage:
        data = self._data
        findings = data.select_findings(key) if with_findings else None
        intervals = data.select_intervals(key)
        if intervals is not None:
            intervals = convert_times(intervals, self.zone)
        return SelectedImage(
            convert_times(data.select_images([key]), self.zone), intervals, findings
        )

    def _write_commands(self) -> tuple[str, str]:
        commands = [command for image in self._images for command in image.commands]
        lines = [show_command(command, self._shell) for command in dict.fromkeys(commands)]
        return "commands.txt", "\n".join(lines) + "\n"
