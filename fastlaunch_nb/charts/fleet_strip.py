"""The strip above a timeline: how many images of the whole fleet were in which state, and when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from fastlaunch_nb.charts import alt_text, style
from fastlaunch_nb.charts.time_bins import TimeBins
from fastlaunch_nb.formatting import format_duration

_HEIGHT, _GAP = 44, 8  # pixels: of the strip, and between it and the rows
_LEAST: Final = 0.08  # of the strip: how high a state is drawn at least, so that one image is seen


def add_fleet_strip(
    figure: go.Figure, counts: npt.NDArray[np.int64], states: Sequence[str], parts: TimeBins
) -> None:
    """Draw the strip above what is there, on the same axis of time."""
    inside = figure.layout.height - figure.layout.margin.t - figure.layout.margin.b
    whole = inside + _GAP + _HEIGHT
    figure.update_layout(
        height=figure.layout.height + _GAP + _HEIGHT,
        yaxis={"domain": [0, inside / whole]},
        yaxis2={
            "domain": [(inside + _GAP) / whole, 1],
            "range": [0, 1],
            "fixedrange": True,
            "showgrid": False,
            "zeroline": False,
            "showticklabels": False,
            "anchor": "x",
        },
    )
    for state, heights in zip(states, _heights(counts), strict=True):
        figure.add_trace(_area(state, heights, parts))
    figure.add_trace(_hover(counts, states, parts))


def label_fleet_strip(figure: go.Figure, name: str) -> None:
    """Say at the left of the strip what it is of."""
    figure.add_annotation(
        text=name, font={"size": 11}, showarrow=False, align="right",
        x=0, xref="paper", xanchor="right", xshift=-9, y=0.5, yref="y2", yanchor="middle",
    )  # fmt: skip


def _heights(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Return how high each state is drawn: as its count, but never so low that it is not seen."""
    share = counts / max(1, counts.sum(axis=0).max())
    raised = np.where(counts > 0, np.maximum(share, _LEAST), 0)
    fitted = raised * share.sum(axis=0) / np.maximum(raised.sum(axis=0), _LEAST)
    drawn: npt.NDArray[np.float32] = np.hstack([fitted, fitted[:, -1:]]).astype(np.float32)
    return drawn


def _area(state: str, heights: npt.NDArray[np.float32], parts: TimeBins) -> go.Scatter:
    filled = style.state_fill(state)
    return go.Scatter(
        name=alt_text.escape_markup(state),
        x0=alt_text.plotly_time(parts.begin),
        dx=parts.width.total_seconds() * 1000,
        y=heights,
        yaxis="y2",
        stackgroup="fleet",
        mode="lines",
        line={"width": 0, "shape": "hv"},
        hoverinfo="skip",
        **filled,
    )


def _hover(counts: npt.NDArray[np.int64], states: Sequence[str], parts: TimeBins) -> go.Heatmap:
    """Return a layer that can not be seen and says of each part what is there."""
    return go.Heatmap(
        name="all images",
        x0=alt_text.plotly_time(parts.middle(0)),
        dx=parts.width.total_seconds() * 1000,
        y0=0.5,
        dy=1,
        z=np.zeros((1, parts.total), dtype=np.uint8),
        yaxis="y2",
        colorscale=[[0, style.CLEAR], [1, style.CLEAR]],
        showscale=False,
        hovertext=[[_words(counts[:, part], states, parts, part) for part in range(parts.total)]],
        hovertemplate="%{hovertext}<extra></extra>",
    )


def _words(counts: Any, states: Sequence[str], parts: TimeBins, part: int) -> str:
    begin = parts.begin + parts.width * part
    lines = [
        f"{count:,} {alt_text.escape_markup(state)}"
        for state, count in zip(states, counts, strict=True)
        if count
    ]
    when = f"{begin:%Y-%m-%d %H:%M} UTC, {format_duration(parts.width)}"
    return "<br>".join([f"<b>{alt_text.count_images(int(counts.sum()))}</b>", when, *lines])
