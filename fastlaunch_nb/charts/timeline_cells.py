"""The cells of a timeline with too many segments for bars: one heatmap of the worst states."""

from __future__ import annotations

from typing import Final

import numpy as np
import plotly.graph_objects as go

from fastlaunch_nb.charts import alt_text, style
from fastlaunch_nb.charts.row_order import RowOrder
from fastlaunch_nb.charts.time_bins import Numbers, TimeBins, find_worst_states, time_bins
from fastlaunch_nb.charts.time_window import UNKNOWN, TimeWindow
from fastlaunch_nb.formatting import format_duration

_DESCRIBED: Final = 20  # images in the text of the figure
_INVISIBLE: Final = "\u200b"


def draw_cells(figure: go.Figure, window: TimeWindow, order: RowOrder) -> None:
    """Draw the worst state in each row and time bin, with labels and text for the rows."""
    bins = time_bins(window.begin, window.end)
    rows = order.find_rows(window.segments).to_numpy()
    worst = find_worst_states(window, bins, rows, order.rows)
    names = _name_rows(order)
    figure.add_trace(_make_heatmap(worst, window.states, bins, names))
    style.widen_left_margin(figure, [name for name in names if _INVISIBLE not in name])
    figure.update_yaxes(
        type="category",
        range=[order.rows - 0.5, -0.5],
        tickfont={"size": 11},
        tickmode="linear",
        tick0=0,
        dtick=style.label_step(figure, order.rows),
    )
    described = order.images.head(_DESCRIBED).to_dict("records")
    texts = [window.describe(segment) for segment in described]
    if rest := len(order.images) - len(texts):
        texts.append([[f"and {rest:,} more"]])
    alt_text.attach_rows(figure, texts)
    alt_text.attach_images(figure, [names[row] for row in order.images["row"]], order.images)


def _name_rows(order: RowOrder) -> list[str]:
    """Return the category of each row: the label of its first image, and how many more it has.

    Categories must differ, so a row of a heading has a name of invisible characters.
    """
    counts = order.images["row"].value_counts()
    first = order.images.drop_duplicates("row")
    names = {
        row: alt_text.escape_markup(label) + (f" + {counts[row] - 1:,}" if counts[row] > 1 else "")
        for row, label in zip(first["row"], style.row_labels(first), strict=True)
    }
    invisible = (_INVISIBLE * count for count in range(1, order.rows + 1))
    return [names.get(row) or next(invisible) for row in range(order.rows)]


def _make_heatmap(
    worst: Numbers, states: list[str], bins: TimeBins, names: list[str]
) -> go.Heatmap:
    """Return a heatmap of state numbers; 0 is transparent.

    A cell is too small for a pattern, so an unknown state is a checkerboard of grey cells.
    """
    colours = [style.CLEAR, *(style.state_style(state).cell for state in states), style.CLEAR]
    codes = worst.copy()
    if UNKNOWN in states:
        is_odd = np.add.outer(*map(np.arange, worst.shape)) % 2 == 1
        codes[is_odd & (worst == states.index(UNKNOWN) + 1)] = len(states) + 1
    half = format_duration(bins.width / 2)
    return go.Heatmap(
        name="worst state",
        x0=alt_text.to_plotly_time(bins.begin + bins.width / 2),
        dx=bins.width.total_seconds() * 1000,
        y=names,
        z=codes,
        zmin=-0.5,
        zmax=len(states) + 1.5,
        colorscale=[
            [round((number + edge) / len(colours), 6), colour]
            for number, colour in enumerate(colours)
            for edge in (0, 1)
        ],
        showscale=False,
        hovertemplate=f"<b>%{{y}}</b><br>%{{x|%Y-%m-%d %H:%M}} UTC ± {half}<extra></extra>",
    )
