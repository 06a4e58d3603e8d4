"""The bars of a capacity chart: a wide one for the target, and inside it the stock.

They follow Stephen Few's bullet graph. An unknown stock has no length of its own: the target
of its images is hatched as unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go

from fastlaunch_nb.charts import style
from fastlaunch_nb.charts.capacity_data import CapacityRows
from fastlaunch_nb.charts.markup import LegendEntry

_BLUE, _EDGE, _MISSING, _EXCESS, _PARALLEL = "#0072b2", "#3392d1", "#d55e00", "#56b4e9", "#e69f00"
_LIGHT, _MEDIUM = "rgba(51,146,209,0.16)", "rgba(51,146,209,0.3)"  # transparent _EDGE
_WIDE, _NARROW, _TARGET_ONLY = 0.74, 0.4, 0.62  # as shares of the row height
_HATCHED = {
    "color": style.CLEAR,
    "line": {"width": 0},
    "pattern": {"shape": "/", "size": 5, "solidity": 0.4, "fgcolor": _EDGE},
}


class _BarPart(NamedTuple):
    """A part of each bar: its name, begin, length, colour, and swatch and marker with a pattern."""

    name: str
    begin: pd.Series
    length: pd.Series
    colour: str
    swatch: str = "■"
    marker: dict[str, Any] | None = None


def bar_traces(rows: CapacityRows, hover: Sequence[str], *, has_room: bool) -> list[Any]:
    """Return the bars of targets, and those of each part of the stock.

    If no stock is known, diamonds show the maximum of parallel launches instead.
    """
    # In rows without room, edges would hide everything else.
    edge = {"color": _EDGE, "width": 1 if has_room else 0}
    marker = {"color": _LIGHT if rows.has_stock else _MEDIUM, "line": edge}
    width = _WIDE if rows.has_stock else _TARGET_ONLY
    targets = rows.numbers["target"].dropna()
    traces = [_bar_trace("target snapshots", targets, hover, marker=marker, width=width)]
    if not rows.has_stock:
        return [*traces, _parallel_trace(rows, hover, has_room=has_room)]
    for part in _bar_parts(rows):
        lengths = part.length[part.length > 0]
        base = part.begin[lengths.index].tolist()
        marker = part.marker or {"color": part.colour, "line": {"width": 0}}
        shape = {"base": base, "marker": marker, "width": _NARROW}
        traces.append(_bar_trace(part.name, lengths, hover, **shape))
    return traces


def legend_entries(rows: CapacityRows) -> list[LegendEntry]:
    """Return a legend entry for each trace."""
    entries = [LegendEntry(_EDGE, "▭", ["target snapshots"])]
    if not rows.has_stock:
        return [*entries, LegendEntry(_PARALLEL, "◆", ["max parallel launches"])]
    parts = _bar_parts(rows)
    return [*entries, *(LegendEntry(part.colour, part.swatch, [part.name]) for part in parts)]


def _bar_parts(rows: CapacityRows) -> list[_BarPart]:
    """Return the parts in the order in which they follow each other in a bar."""
    numbers, unknown_style = rows.numbers.fillna(0), style.state_style("unknown")
    target, in_target, filling = numbers["target"], numbers["in_target"], numbers["filling"]
    missing, unknown = numbers["missing"], numbers["unknown"]
    appearance = (unknown_style.colour, unknown_style.swatch, style.state_marker("unknown"))
    parts = [
        _BarPart("in stock", target * 0, in_target, _BLUE),
        _BarPart("being filled", in_target, filling, _EDGE, "▨", _HATCHED),
        _BarPart("missing", in_target + filling, missing - filling, _MISSING),
        _BarPart("stock unknown", target - unknown, unknown, *appearance),
        _BarPart("beyond the target", target, numbers["excess"], _EXCESS),
    ]
    return [part for part in parts if part.name == "in stock" or part.length.gt(0).any()]


def _bar_trace(name: str, lengths: pd.Series, hover: Sequence[str], **arguments: Any) -> go.Bar:
    return go.Bar(name=name, orientation="h", **_plot_values(lengths, hover), **arguments)


def _parallel_trace(rows: CapacityRows, hover: Sequence[str], *, has_room: bool) -> go.Scatter:
    """Return a diamond in each row for the maximum of parallel launches."""
    known = rows.numbers["parallel"].dropna()
    size, width = (9, 1) if has_room else (5, 0)
    line = {"color": "white", "width": width}
    marker = {"color": _PARALLEL, "symbol": "diamond", "size": size, "line": line}
    values = _plot_values(known, hover)
    return go.Scatter(name="max parallel launches", mode="markers", marker=marker, **values)


def _plot_values(values: pd.Series, hover: Sequence[str]) -> dict[str, Any]:
    """Return plotly's arguments for a value in each row, with the hover label of the row."""
    return {
        "x": values.tolist(),
        "y": [-row for row in values.index],
        "hovertext": [hover[row] for row in values.index],
        "hovertemplate": style.HOVER,
    }


def add_bar_labels(figure: go.Figure, rows: CapacityRows) -> None:
    """Write the stock and the target next to each bar, and make room for the longest text."""
    numbers = rows.numbers[rows.numbers["target"].notna()]
    labels = [
        f" {format_snapshots(row, 'stock')} of {format_snapshots(row, 'target')}"
        for row in numbers.to_dict("records")
    ]
    figure.add_scatter(
        name="stock of target",
        mode="text",
        x=bar_ends(rows)[numbers.index].tolist(),
        y=[-row for row in numbers.index],
        text=labels,
        textposition="middle right",
        textfont={"size": 11, "color": style.GREY},
        cliponaxis=False,
        hoverinfo="skip",
    )
    longest = max(map(len, labels), default=1)
    figure.update_layout(margin_r=max(figure.layout.margin.r, 6 + 6 * longest))


def format_snapshots(row: Any, column: str) -> str:
    """Format the stock or target of a row: "?" if it is unknown, with "+" if it may be more."""
    if pd.isna(row[column]):
        return "?"
    return f"{row[column]:,}" + ("+" if row[f"no_{column}"] else "")


def bar_ends(rows: CapacityRows) -> pd.Series:
    """Return the end of each row's drawing."""
    numbers = rows.numbers.fillna(0)
    ends = numbers["target"] + numbers["excess"]
    return ends if rows.has_stock else ends.where(ends >= numbers["parallel"], numbers["parallel"])
