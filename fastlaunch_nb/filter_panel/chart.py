"""A chart as a widget: it redraws in place, reports clicks, and marks the selected rows.

plotly's own FigureWidget draws before it is on the page, where text has no size yet, and
loses changes while it draws; the panel's charts change all the time. Nor would several of
them share one plotly.js, which is five megabytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import anywidget
import ipywidgets as widgets
import plotly.graph_objects as go
import traitlets
from plotly.offline import get_plotlyjs, get_plotlyjs_version

from fastlaunch_nb.charts.alt_text import read_image_keys, remove_image_keys
from fastlaunch_nb.filter_panel.selection import Key, OnSelect
from fastlaunch_nb.filter_panel.widget_helpers import read_file

_BAND: Final = {
    "type": "rect",
    "xref": "paper",
    "x0": 0,
    "x1": 1,
    "layer": "above",  # bars would hide it
    "line": {"color": "#2b8fd9", "width": 2},
    "fillcolor": "rgba(0,0,0,0)",  # a tint would change the colour of a state
}


class PlotlyLibrary(widgets.Widget):  # type: ignore[misc]
    """An invisible widget with plotly.js as a module, for all charts of a kernel."""

    source = traitlets.Unicode().tag(sync=True)
    version = traitlets.Unicode(get_plotlyjs_version()).tag(sync=True)
    _shared: PlotlyLibrary | None = None
    is_shared = True  # so that it stays when a panel is closed

    @classmethod
    def get(cls) -> PlotlyLibrary:
        """Return the library of this kernel; make it if there is none, or if it was closed."""
        if cls._shared is None or cls._shared.comm is None:
            module = f"(() => {{\n{get_plotlyjs()}\n}})();\nexport default window.Plotly;"
            cls._shared = cls(source=module)
        return cls._shared


class ChartWidget(anywidget.AnyWidget):
    """A chart with images as rows.

    On a click, `on_select` gets the keys of images to select, and of those to deselect.
    """

    _esm = read_file("chart.js")

    library = traitlets.Instance(PlotlyLibrary, allow_none=True).tag(
        sync=True, **widgets.widget_serialization
    )
    figure = traitlets.Unicode().tag(sync=True)
    bands: Any = traitlets.List().tag(sync=True)

    def __init__(self, on_select: OnSelect) -> None:
        self._on_select = on_select
        self._rows: Mapping[int, list[Key]] = {}  # by position on the y axis
        self._selected: frozenset[Key] = frozenset()
        super().__init__()
        self.on_msg(self._handle_click)

    @property
    def rows(self) -> int:
        """The number of rows that can be clicked."""
        return len(self._rows)

    def draw(self, figure: go.Figure) -> None:
        """Draw a figure in place of the last one."""
        self._rows = {
            position if isinstance(row, str) else int(row): keys
            for position, (row, keys) in enumerate(read_image_keys(figure).items())
        }
        with self.hold_sync():
            self.library = PlotlyLibrary.get()
            self.figure = remove_image_keys(figure).to_json()
            self.bands = self._make_bands()

    def select(self, keys: frozenset[Key]) -> None:
        """Mark the rows of these images."""
        self._selected = keys
        self.bands = self._make_bands()

    def _make_bands(self) -> list[dict[str, Any]]:
        """Make a frame around each row with a selected image."""
        rows = [y for y, keys in self._rows.items() if not self._selected.isdisjoint(keys)]
        return [{**_BAND, "y0": y - 0.5, "y1": y + 0.5} for y in rows]

    def _handle_click(self, _widget: object, message: Mapping[str, Any], _buffers: object) -> None:
        """Select the images of a clicked row; a second click deselects them."""
        keys = set(self._rows.get(message["row"], ()))
        if not keys:
            return
        if keys <= self._selected and (message["more"] or self._selected <= keys):
            self._on_select(set(), keys)
        else:
            self._on_select(keys, set() if message["more"] else set(self._selected) - keys)
