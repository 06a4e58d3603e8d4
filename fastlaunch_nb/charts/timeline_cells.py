"""The raster: a timeline of more runs than bars can show, as one picture made of cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from fastlaunch_nb.charts import alt_text, style
from fastlaunch_nb.charts.time_bins import TimeBins
from fastlaunch_nb.charts.time_window import UNKNOWN
from fastlaunch_nb.formatting import format_duration


def cell_heatmap(
    worst: npt.NDArray[Any], states: Sequence[str], parts: TimeBins, names: Sequence[str]
) -> go.Heatmap:
    """Draw the worst state of each row and part; nothing where there is none.

    What is unknown is drawn as a grid of dots: a cell has no pattern.

    Parameters
    ----------
    worst : array of uint8
        As :func:`worst_states` gives it.
    states : sequence of str
        The states by their numbers.
    parts : Bins
        The columns.
    names : sequence of str
        What hovering says of each row.
    """
    colours = [style.CLEAR, *(style.state_style(state).cell for state in states), style.CLEAR]
    drawn = worst.copy()
    if UNKNOWN in states:
        odd = np.add.outer(*map(np.arange, worst.shape)) % 2 == 1
        drawn[odd & (worst == states.index(UNKNOWN) + 1)] = len(states) + 1
    half = format_duration(parts.width / 2)
    return go.Heatmap(
        name="worst state",
        x0=alt_text.plotly_time(parts.middle(0)),
        dx=parts.width.total_seconds() * 1000,
        y=list(names),
        z=drawn,
        zmin=-0.5,
        zmax=len(states) + 1.5,
        colorscale=_steps(colours),
        showscale=False,
        hovertemplate=f"<b>%{{y}}</b><br>%{{x|%Y-%m-%d %H:%M}} UTC ± {half}<extra></extra>",
    )


def _steps(colours: Sequence[str]) -> list[list[Any]]:
    """Return a scale of colours without any between them."""
    size = len(colours)
    return [
        [round((place + edge) / size, 6), colour]
        for place, colour in enumerate(colours)
        for edge in (0, 1)
    ]
