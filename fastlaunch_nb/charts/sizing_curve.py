"""The picture of a right size: which share of launches finds a snapshot, and what that costs."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fastlaunch_nb.charts import alt_text, style
from fastlaunch_nb.charts.alt_text import LegendEntry, Line, RowText
from fastlaunch_nb.errors import InputError
from fastlaunch_nb.formatting import format_duration
from fastlaunch_nb.pool.sizing import RightSize
from fastlaunch_nb.schema.joins import Prices

_WARM, _COST, _WANTED = "#2a7fbf", "#c8701a", style.GREY
_TALL, _SIDE = 300, 62  # pixels: of the inside, and beside it for names of axes
_LEVEL: Final = 118  # percent that the axis reaches, so that what is chosen is named above 100
_PERCENTS: Final = (0, 25, 50, 75, 100)
_ROWS: Final = 12  # in words


def sizing_curve(
    sizing: RightSize,
    *,
    warm: float | None = None,
    prices: Prices | None = None,
    root_volume_gib: float = 50,
) -> go.Figure:
    r"""Draw which share of launches finds a snapshot with which target, and what that costs.

    Parameters
    ----------
    sizing : RightSize
        What :func:`fastlaunch_nb.right_size` returned.
    warm : float, optional
        The share that it was asked for, to be drawn as a line.
    prices : Prices, optional
        What a GiB of snapshots costs for a month; else as in us-east-1.
    root_volume_gib : float, default 50
        The size of the AMI's root volume. At 0.05 USD a GiB, a snapshot of 50 GiB
        costs 2.50 USD a month.

    Returns
    -------
    plotly.graph_objects.Figure
        Steps of the share of launches that are warm, on the left axis; of a target
        between two that were tried, at least that share is. On the right one what so many
        snapshots cost a month, at most: as if no two had a block in common. The
        chosen target has a mark and its name.

    Raises
    ------
    InputError
        `sizing` is no RightSize, `warm` is no share or more than it achieves,
        `prices` are none, or the volume has no size.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> size = fl.right_size("40 at 08:00 on weekdays", warm=0.9, spread=7200)
    >>> print(fl.text(fl.sizing_curve(size, warm=0.9)).partition("\n- ")[0])
    12 snapshots: 90.24 % of launches warm, 30.00 USD a month at most
    10,400 launches, 1,015 of them cold, 10 prepared at once, in 30 min each
    warm launches, cost a month, 90 % wanted
    """
    prices = _check(sizing, warm, prices, root_volume_gib)
    each = prices.snapshot_gib_month * root_volume_gib
    legend = [
        LegendEntry(_WARM, "■", ["warm launches"]),
        LegendEntry(_COST, "┅", ["cost a month"]),
    ]
    if warm is not None:
        legend.append(LegendEntry(_WANTED, "┈", [f"{_share(warm)} wanted"]))
    chosen = _snapshots(sizing.target)
    cost = _usd(sizing.target * each)
    figure = style.base_figure(
        f"{chosen}: {_share(sizing.warm)} of launches warm, {cost} a month at most",
        _under(sizing), pd.DataFrame(), legend=legend,
    )  # fmt: skip
    target = [int(number) for number in sizing.curve.target]
    share = [float(part) for part in sizing.curve.warm]
    figure.add_traces([_costs(target, each), _shares(target, share)])
    _mark(figure, sizing, target[-1], warm)
    _make_axes(figure, target[-1], each)
    alt_text.attach_rows(figure, _rows(sizing, target, share, each))
    return figure


def _check(sizing: Any, warm: Any, prices: Any, gib: Any) -> Prices:
    if not isinstance(sizing, RightSize):
        raise InputError(f"Expected what right_size returned. Got a {type(sizing).__name__}.")
    if warm is not None and (not _number(warm) or not 0 < warm <= 1):
        raise InputError(f"warm is {warm!r}. Expected a share above 0, up to 1.")
    if warm is not None and warm > sizing.warm:
        raise InputError(
            f"warm is {warm!r}, but this size achieves {_share(sizing.warm)}. Expected the share "
            "that right_size was asked for."
        )
    if prices is not None and not isinstance(prices, Prices):
        raise InputError(f"prices is {prices!r}. Expected Prices(...).")
    if not _number(gib) or not 0 < gib < math.inf:
        raise InputError(f"root_volume_gib is {gib!r}. Expected GiB, above 0.")
    return prices or Prices()


def _number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


# --- words ----------------------------------------------------------------------------


def _share(share: float) -> str:
    """Say a share to the hundredth of a percent; never 100 where it is less."""
    return f"{math.floor(share * 10_000 + 1e-6) / 100:g} %"


def _snapshots(count: int) -> str:
    return f"{count:,} snapshot{'' if count == 1 else 's'}"


def _usd(cost: float) -> str:
    return f"{cost:,.2f} USD"


def _under(sizing: RightSize) -> list[Line]:
    fill = format_duration(pd.Timedelta(seconds=sizing.fill_time))
    launches = f"{sizing.launches:,} launches"
    prepared = f"{sizing.max_parallel:,} prepared at once, in {fill} each"
    return [[launches, f"{sizing.cold:,} of them cold", prepared]]


def _rows(sizing: RightSize, target: list[int], share: list[float], each: float) -> list[RowText]:
    """Say some of the curve, evenly apart, and what is chosen."""
    told = {target[int(place)] for place in np.linspace(0, len(target) - 1, _ROWS)}
    return [
        [
            [_snapshots(number), f"{_share(warm)} warm", f"{_usd(number * each)} a month"],
            ["chosen" if number == sizing.target else ""],
        ]
        for number, warm in zip(target, share, strict=True)
        if number in told | {sizing.target}
    ]


# --- parts of the figure --------------------------------------------------------------


def _shares(target: list[int], share: list[float]) -> go.Scatter:
    return go.Scatter(
        name="warm launches", x=target, y=[100 * part for part in share],
        mode="lines", line={"color": _WARM, "width": 2.5, "shape": "hv"},
        hovertext=[f"{_snapshots(number)}<br><b>{_share(part)} warm</b>"
                   for number, part in zip(target, share, strict=True)],
        hovertemplate="%{hovertext}<extra></extra>",
    )  # fmt: skip


def _costs(target: list[int], each: float) -> go.Scatter:
    cost = [number * each for number in target]
    return go.Scatter(
        name="cost a month", x=target, y=cost, yaxis="y2",
        mode="lines", line={"color": _COST, "width": 2, "dash": "dash"},
        hovertext=[f"{_snapshots(number)}<br><b>{_usd(usd)} a month</b>, at most"
                   for number, usd in zip(target, cost, strict=True)],
        hovertemplate="%{hovertext}<extra></extra>",
    )  # fmt: skip


def _mark(figure: go.Figure, sizing: RightSize, last: int, warm: float | None) -> None:
    """Mark what is chosen, and name it above all lines; draw what was wanted."""
    line = {"color": _WANTED, "width": 1, "dash": "dot"}
    if warm is not None:
        figure.add_shape(
            type="line", xref="paper", x0=0, x1=1, y0=100 * warm, y1=100 * warm, line=line
        )
    figure.add_shape(
        type="line", x0=sizing.target, x1=sizing.target, y0=0, y1=_LEVEL - 10, line=line
    )
    figure.add_trace(
        go.Scatter(
            name="chosen", x=[sizing.target], y=[100 * sizing.warm], mode="markers",
            marker={"color": _WARM, "size": 11, "line": {"color": "white", "width": 1.5}},
            hovertext=[f"chosen: {_snapshots(sizing.target)}<br><b>{_share(sizing.warm)} warm</b>"],
            hovertemplate="%{hovertext}<extra></extra>", cliponaxis=False,
        )
    )  # fmt: skip
    right = sizing.target > last / 2
    figure.add_annotation(
        text=f"<b>target {sizing.target:,}</b>", font={"size": 12, "color": _WARM}, showarrow=False,
        x=sizing.target, xanchor="right" if right else "left", xshift=-5 if right else 5,
        y=_LEVEL, yanchor="top",
    )  # fmt: skip


def _make_axes(figure: go.Figure, last: int, each: float) -> None:
    """Give each line its axis, in its colour; the cost stays in the lower half, below the share."""
    margin = figure.layout.margin
    figure.update_layout(height=margin.t + _TALL + margin.b, margin_l=_SIDE, margin_r=_SIDE)
    figure.update_xaxes(title="target: snapshots to keep", range=[0, last * 1.03], tickformat=",d")
    figure.update_yaxes(
        title={"text": "warm launches", "font": {"color": _WARM}}, tickfont={"color": _WARM},
        range=[0, _LEVEL], tickvals=_PERCENTS, ticktext=[f"{part} %" for part in _PERCENTS],
    )  # fmt: skip
    highest = last * each or 1
    figure.update_layout(
        yaxis2={
            "title": {"text": "USD a month", "font": {"color": _COST}},
            "tickfont": {"color": _COST}, "overlaying": "y", "side": "right", "showgrid": False,
            "zeroline": False, "range": [0, highest * 2 * _LEVEL / 100], "nticks": 6,
            "tickmode": "auto", "rangemode": "tozero",
        }
    )  # fmt: skip
