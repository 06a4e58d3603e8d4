"""A chart as a widget: it is drawn anew in its place, tells of clicks, and marks what is chosen.

plotly's own FigureWidget draws before it is on the page, where no text has a size
yet, and loses what changes while it draws: the panel's charts change all the time.
Nor would many of them share one plotly.js, which is five megabytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import anywidget
import ipywidgets as widgets
import plotly.graph_objects as go
import traitlets
from plotly.offline import get_plotlyjs, get_plotlyjs_version

from fastlaunch_nb.charts.alt_text import images_of_rows, without_images
from fastlaunch_nb.filter_panel.table import Key

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
    """Holds plotly.js, as a module, for all charts of a kernel. Nothing to see."""

    source = traitlets.Unicode().tag(sync=True)
    version = traitlets.Unicode(get_plotlyjs_version()).tag(sync=True)
    _held: PlotlyLibrary | None = None

    @classmethod
    def held(cls) -> PlotlyLibrary:
        """Return the one that there is; make it where it is the first, or was closed."""
        if cls._held is None or cls._held.comm is None:
            module = f"(() => {{\n{get_plotlyjs()}\n}})();\nexport default window.Plotly;"
            cls._held = cls(source=module)
        return cls._held


class ChartWidget(anywidget.AnyWidget):
    """A chart whose rows are images.

    Parameters
    ----------
    chose : callable
        Is told the keys of images that were clicked, and of those that no longer are chosen.
    """

    _esm = (Path(__file__).parent / "chart.js").read_text(encoding="utf-8")

    library = traitlets.Instance(PlotlyLibrary, allow_none=True).tag(
        sync=True, **widgets.widget_serialization
    )
    figure = traitlets.Unicode().tag(sync=True)
    bands: Any = traitlets.List().tag(sync=True)

    def __init__(self, chose: Callable[[set[Key], set[Key]], None]) -> None:
        self._chose = chose
        self._rows: Mapping[int, list[Key]] = {}  # by where they are on the y axis
        self._selected: frozenset[Key] = frozenset()
        super().__init__()
        self.on_msg(self._clicked)

    @property
    def rows(self) -> int:
        """How many rows can be clicked."""
        return len(self._rows)

    def draw(self, figure: go.Figure) -> None:
        """Draw another figure in the place of the last one."""
        self._rows = {
            place if isinstance(row, str) else int(row): keys
            for place, (row, keys) in enumerate(images_of_rows(figure).items())
        }
        with self.hold_sync():
            self.library = PlotlyLibrary.held()
            self.figure = without_images(figure).to_json()
            self.bands = self._bands()

    def select(self, keys: frozenset[Key]) -> None:
        """Mark the rows of these images."""
        self._selected = keys
        self.bands = self._bands()

    def _bands(self) -> list[dict[str, Any]]:
        """Return a band behind each row with a chosen image."""
        chosen = [y for y, keys in self._rows.items() if not self._selected.isdisjoint(keys)]
        return [{**_BAND, "y0": y - 0.5, "y1": y + 0.5} for y in chosen]

    def _clicked(self, _widget: object, message: Mapping[str, Any], _buffers: object) -> None:
        """Choose the images that were clicked; once more, and they are not any longer."""
        keys = set(self._rows.get(message["row"], ()))
        if not keys:
            return
        if keys <= self._selected and (message["more"] or self._selected <= keys):
            self._chose(set(), keys)
        else:
            self._chose(keys, set() if message["more"] else set(self._selected) - keys)
