"""The sizing curve: the share of launches that find a snapshot with each target, and its cost."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fastlaunch_nb.charts import alt_text, style
from fastlaunch_nb.charts.alt_text import LegendEntry, RowText
from fastlaunch_nb.errors import InputError
from fastlaunch_nb.formatting import format_duration
from fastlaunch_nb.pool.old_names import accept_old_names
from fastlaunch_nb.pool.sizing import RightSize
from fastlaunch_nb.schema.joins import Prices

_WARM, _COST = "#2a7fbf", "#c8701a"
_PLOT_HEIGHT, _SIDE_MARGIN = 300, 62  # pixels; the sides have room for the titles of axes
_TOP: Final = 118  # percent: the share's axis ends there, to name the target above 100
_TICKS: Final = (0, 25, 50, 75, 100)
_TEXT_ROWS: Final = 12


@accept_old_names(warm="min_warm_share")
def sizing_curve(
    sizing: RightSize,
    *,
    min_warm_share: float | None = None,
    prices: Prices | None = None,
    root_volume_gib: float = 50,
) -> go.Figure:
    r"""Draw the share of launches that find a snapshot with each target, and what that costs.

    Parameters
    ----------
    sizing : RightSize
        The result of :func:`fastlaunch_nb.right_size`.
    min_warm_share : float, optional
        The share that `right_size` was given, to draw as a line.
    prices : Prices, optional
        The price of a GiB of snapshots for a month; default: that of us-east-1.
    root_volume_gib : float, default 50
        The size of the AMI's root volume. At 0.05 USD a GiB, a snapshot of 50 GiB
        costs 2.50 USD a month.

    Returns
    -------
    plotly.graph_objects.Figure
        On the left axis, steps of the share of launches that are warm; a target between
        two that were tried reaches at least the share of the smaller one. On the right
        axis, the monthly cost of so many snapshots, at most: as if no two shared a block.
        The chosen target has a mark and its name.

    Raises
    ------
    InputError
        If `sizing` is no RightSize, `min_warm_share` is no share or more than the size
        achieves, or `prices` or `root_volume_gib` are invalid.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> size = fl.right_size("40 at 08:00 on weekdays", min_warm_share=0.9, jitter=7200)
    >>> figure = fl.sizing_curve(size, min_warm_share=0.9)
    >>> print(fl.text(figure).partition("\n- ")[0])
    12 snapshots: 90.24 % of launches warm, 30.00 USD a month at most
    10,400 launches, 1,015 of them cold, 10 prepared at once, in 30 min each
    warm launches, cost a month, 90 % wanted
    """
    _check_arguments(sizing, min_warm_share, prices, root_volume_gib)
    snapshot_usd = (prices or Prices()).snapshot_gib_month * root_volume_gib
    targets = sizing.curve.target_count.tolist()
    shares = sizing.curve.warm_share.tolist()
    figure = _make_figure(sizing, min_warm_share, snapshot_usd)
    figure.add_traces([_make_cost_trace(targets, snapshot_usd), _make_share_trace(targets, shares)])
    _mark_target(figure, sizing, targets[-1], min_warm_share)
    _set_axes(figure, targets[-1], snapshot_usd)
    alt_text.attach_rows(figure, _describe_curve(sizing, targets, shares, snapshot_usd))
    return figure


def _check_arguments(sizing: Any, min_warm_share: Any, prices: Any, gib: Any) -> None:
    if not isinstance(sizing, RightSize):
        raise InputError(f"Expected a result of right_size. Got a {type(sizing).__name__}.")
    if min_warm_share is not None:
        if not _is_number(min_warm_share) or not 0 < min_warm_share <= 1:
            raise InputError(
                f"min_warm_share is {min_warm_share!r}. Expected a share above 0, up to 1."
            )
        if min_warm_share > sizing.warm_share:
            raise InputError(
                f"min_warm_share is {min_warm_share!r}, but this size achieves "
                f"{_format_share(sizing.warm_share)}. Expected the share given to right_size."
            )
    if prices is not None and not isinstance(prices, Prices):
        raise InputError(f"prices is {prices!r}. Expected Prices(...).")
    if not _is_number(gib) or not 0 < gib < math.inf:
        raise InputError(f"root_volume_gib is {gib!r}. Expected GiB, above 0.")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


# --- texts ----------------------------------------------------------------------------


def _make_figure(sizing: RightSize, min_warm_share: float | None, snapshot_usd: float) -> go.Figure:
    """Return a figure with its title, subtitle and legend."""
    snapshots, cost = _count_snapshots(sizing.target_count), sizing.target_count * snapshot_usd
    share = _format_share(sizing.warm_share)
    fill_time = format_duration(pd.Timedelta(seconds=sizing.fill_time))
    legend = [
        LegendEntry(_WARM, "■", ["warm launches"]),
        LegendEntry(_COST, "┅", ["cost a month"]),
    ]
    if min_warm_share is not None:
        legend.append(LegendEntry(style.GREY, "┈", [f"{_format_share(min_warm_share)} wanted"]))
    subtitle = [
        f"{sizing.launches:,} launches",
        f"{sizing.cold:,} of them cold",
        f"{sizing.max_parallel:,} prepared at once, in {fill_time} each",
    ]
    title = f"{snapshots}: {share} of launches warm, {_format_usd(cost)} a month at most"
    return style.base_figure(title, [subtitle], pd.DataFrame(), legend=legend)


def _format_share(share: float) -> str:
    """Format a share to the hundredth of a percent; only a whole one is 100 %."""
    return f"{math.floor(share * 10_000 + 1e-6) / 100:g} %"


def _count_snapshots(count: int) -> str:
    return f"{count:,} snapshot{'' if count == 1 else 's'}"


def _format_usd(cost: float) -> str:
    return f"{cost:,.2f} USD"


def _describe_curve(
    sizing: RightSize, targets: list[int], shares: list[float], snapshot_usd: float
) -> list[RowText]:
    """Describe some targets, evenly apart, and the chosen one."""
    places = np.linspace(0, len(targets) - 1, _TEXT_ROWS).astype(int)
    described = {targets[place] for place in places} | {sizing.target_count}
    return [
        [
            [
                _count_snapshots(target),
                f"{_format_share(share)} warm",
                f"{_format_usd(target * snapshot_usd)} a month",
            ],
            ["chosen" if target == sizing.target_count else ""],
        ]
        for target, share in zip(targets, shares, strict=True)
        if target in described
    ]


# --- traces and axes ------------------------------------------------------------------


def _make_share_trace(targets: list[int], shares: list[float]) -> go.Scatter:
    return go.Scatter(
        name="warm launches",
        x=targets,
        y=[100 * share for share in shares],
        mode="lines",
        line={"color": _WARM, "width": 2.5, "shape": "hv"},
        hovertext=[
            f"{_count_snapshots(target)}<br><b>{_format_share(share)} warm</b>"
            for target, share in zip(targets, shares, strict=True)
        ],
        hovertemplate="%{hovertext}<extra></extra>",
    )


def _make_cost_trace(targets: list[int], snapshot_usd: float) -> go.Scatter:
    costs = [target * snapshot_usd for target in targets]
    return go.Scatter(
        name="cost a month",
        x=targets,
        y=costs,
        yaxis="y2",
        mode="lines",
        line={"color": _COST, "width": 2, "dash": "dash"},
        hovertext=[
            f"{_count_snapshots(target)}<br><b>{_format_usd(cost)} a month</b>, at most"
            for target, cost in zip(targets, costs, strict=True)
        ],
        hovertemplate="%{hovertext}<extra></extra>",
    )


def _mark_target(
    figure: go.Figure, sizing: RightSize, last: int, min_warm_share: float | None
) -> None:
    """Mark the chosen target and name it above all lines; draw the share that was required."""
    target, share = sizing.target_count, sizing.warm_share
    line = {"type": "line", "line": {"color": style.GREY, "width": 1, "dash": "dot"}}
    if min_warm_share is not None:
        height = 100 * min_warm_share
        figure.add_shape(**line, xref="paper", x0=0, x1=1, y0=height, y1=height)
    figure.add_shape(**line, x0=target, x1=target, y0=0, y1=_TOP - 10)
    figure.add_trace(
        go.Scatter(
            name="chosen",
            x=[target],
            y=[100 * share],
            mode="markers",
            marker={"color": _WARM, "size": 11, "line": {"color": "white", "width": 1.5}},
            hovertext=[f"chosen: {_count_snapshots(target)}<br><b>{_format_share(share)} warm</b>"],
            hovertemplate="%{hovertext}<extra></extra>",
            cliponaxis=False,
        )
    )
    on_the_right = target > last / 2
    figure.add_annotation(
        text=f"<b>target {target:,}</b>",
        font={"size": 12, "color": _WARM},
        showarrow=False,
        x=target,
        xanchor="right" if on_the_right else "left",
        xshift=-5 if on_the_right else 5,
        y=_TOP,
        yanchor="top",
    )


def _set_axes(figure: go.Figure, last: int, snapshot_usd: float) -> None:
    """Give each line an axis in its colour; the cost stays in the lower half, below the share."""
    margin = figure.layout.margin
    figure.update_layout(
        height=margin.t + _PLOT_HEIGHT + margin.b, margin_l=_SIDE_MARGIN, margin_r=_SIDE_MARGIN
    )
    figure.update_xaxes(title="target: snapshots to keep", range=[0, last * 1.03], tickformat=",d")
    figure.update_yaxes(
        title={"text": "warm launches", "font": {"color": _WARM}},
        tickfont={"color": _WARM},
        range=[0, _TOP],
        tickvals=_TICKS,
        ticktext=[f"{tick} %" for tick in _TICKS],
    )
    figure.update_layout(
        yaxis2={
            "title": {"text": "USD a month", "font": {"color": _COST}},
            "tickfont": {"color": _COST},
            "overlaying": "y",
            "side": "right",
            "showgrid": False,
            "zeroline": False,
            "range": [0, (last * snapshot_usd or 1) * 2 * _TOP / 100],
            "nticks": 6,
            "tickmode": "auto",
            "rangemode": "tozero",
        }
    )
