"""The strip above a timeline: how many images of the whole fleet were in each state over time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go

from fastlaunch_nb.charts import markup, style
from fastlaunch_nb.charts.markup import RowText
from fastlaunch_nb.charts.time_bins import Numbers, TimeBins, count_states, time_bins
from fastlaunch_nb.charts.time_window import TimeWindow
from fastlaunch_nb.formatting import format_count, format_duration

_HEIGHT, _GAP = 44, 8  # pixels: of the strip, and between it and the rows
_MIN_SHARE: Final = 0.08  # of the strip's height, so that a single image is visible


def add_fleet_strip(figure: go.Figure, window: TimeWindow) -> None:
    """Add a labelled strip above the rows of a figure, on the same time axis."""
    rows_height = style.plot_height(figure)
    total_height = rows_height + _GAP + _HEIGHT
    figure.update_layout(
        height=figure.layout.height + _GAP + _HEIGHT,
        yaxis={"domain": [0, rows_height / total_height]},
        yaxis2={
            "domain": [(rows_height + _GAP) / total_height, 1],
            "range": [0, 1],
            "fixedrange": True,
            "showgrid": False,
            "zeroline": False,
            "showticklabels": False,
            "anchor": "x",
        },
    )
    bins, states = time_bins(window.begin, window.end), window.states
    counts = count_states(window, bins)
    figure.add_traces([*_area_traces(counts, states, bins), _hover_trace(counts, states, bins)])
    label = "all " * (window.image_count > 1) + format_count(window.image_count)
    x = {"x": 0, "xref": "paper", "xanchor": "right", "xshift": -9, "align": "right"}
    y = {"y": 0.5, "yref": "y2", "yanchor": "middle"}
    figure.add_annotation(text=label, font={"size": 11}, showarrow=False, **x, **y)


def _area_traces(counts: Numbers, states: list[str], bins: TimeBins) -> Iterator[go.Scatter]:
    """Yield an area for each state, as high as its count, but high enough to be visible."""
    shares = counts / max(1, counts.sum(axis=0).max())
    raised = np.where(counts > 0, np.maximum(shares, _MIN_SHARE), 0)
    fitted = raised * shares.sum(axis=0) / np.maximum(raised.sum(axis=0), _MIN_SHARE)
    heights = np.hstack([fitted, fitted[:, -1:]]).astype(np.float32)
    for state, height in zip(states, heights, strict=True):
        yield go.Scatter(
            name=markup.escape_markup(state),
            x0=markup.to_plotly_time(bins.begin),
            dx=bins.width.total_seconds() * 1000,
            y=height,
            yaxis="y2",
            stackgroup="fleet",
            mode="lines",
            line={"width": 0, "shape": "hv"},
            hoverinfo="skip",
            **style.state_fill(state),
        )


def _hover_trace(counts: Numbers, states: list[str], bins: TimeBins) -> go.Heatmap:
    """Return an invisible layer whose hover labels give the counts of each bin."""

    def describe_bin(number: int) -> RowText:
        column: Any = counts[:, number]
        begin, width = bins.begin + bins.width * number, format_duration(bins.width)
        parts = [f"{count:,} {state}" for state, count in zip(states, column, strict=True) if count]
        return [
            [format_count(int(column.sum()))],
            [f"{begin:%Y-%m-%d %H:%M} UTC, {width}"],
            [", ".join(parts)],
        ]

    labels = markup.draw_hover_labels([describe_bin(number) for number in range(bins.total)])
    return go.Heatmap(
        name="all images",
        x0=markup.to_plotly_time(bins.begin + bins.width / 2),
        dx=bins.width.total_seconds() * 1000,
        y0=0.5,
        dy=1,
        z=np.zeros((1, bins.total), dtype=np.uint8),
        yaxis="y2",
        colorscale=[[0, style.CLEAR], [1, style.CLEAR]],
        showscale=False,
        hovertemplate=labels["hovertemplate"],
        customdata=[labels["customdata"]],
    )
