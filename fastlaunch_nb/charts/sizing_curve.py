"""The sizing curve: the share of warm launches and the cost of a pool, by its target count."""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fastlaunch_nb.charts import alt_text, style
from fastlaunch_nb.charts.alt_text import LegendEntry, RowText
from fastlaunch_nb.errors import InputError, accept_old_names
from fastlaunch_nb.formatting import format_count, format_duration
from fastlaunch_nb.number_checks import parse_number, parse_share
from fastlaunch_nb.pool.sizing import RightSize
from fastlaunch_nb.schema.prices import Prices

_REGION: Final = "us-east-1"  # of the prices
_WARM, _COST = "#2a7fbf", "#c8701a"
_PLOT_HEIGHT, _SIDE_MARGIN = 300, 62  # pixels; the margins fit the titles of the axes
_TOP: Final = 118  # percent; leaves room for a label above 100 %
_PERCENTS: Final = (0, 25, 50, 75, 100)
_TEXT_ROWS: Final = 12  # of the curve in the figure's text
_REFERENCE_LINE: Final = {"color": style.GREY, "width": 1, "dash": "dot"}


class _Point(NamedTuple):
    """A point of the curve: a target count, its share of warm launches, and its monthly cost."""

    target: int
    share: float
    usd: float

    @property
    def snapshots(self) -> str:
        """The target count as text."""
        return format_count(self.target, "snapshot")

    @property
    def cost(self) -> str:
        """The monthly cost as text."""
        return f"{self.usd:,.2f} USD a month"

    @property
    def hover_label(self) -> str:
        """The target count and the share as markup."""
        return f"{self.snapshots}<br><b>{_format_share(self.share)} warm</b>"


@accept_old_names(warm="min_warm_share")
def sizing_curve(
    sizing: RightSize,
    *,
    min_warm_share: float | None = None,
    prices: Prices | None = None,
    root_volume_gib: float = 50,
) -> go.Figure:
    r"""Draw the share of launches that find a snapshot, and the cost, for each target count.

    Parameters
    ----------
    sizing : RightSize
        A result of :func:`fastlaunch_nb.right_size`.
    min_warm_share : float, optional
        The share that the size had to reach, to draw it as a line.
    prices : Prices, optional
        The monthly price of a GiB of snapshots. Of prices by region, and by default,
        that of us-east-1 counts.
    root_volume_gib : float, default 50
        The size of the AMI's root volume. At 0.05 USD a GiB, a snapshot of 50 GiB
        costs 2.50 USD a month.

    Returns
    -------
    plotly.graph_objects.Figure
        The left axis has the share of warm launches, in steps: a target between two
        points reaches at least the share of the lower one. The right axis has the
        maximum monthly cost, for snapshots that have no block in common. The chosen
        target has a mark and a label.

    Raises
    ------
    InputError
        If `sizing` is no RightSize, `min_warm_share` is no share or more than the size
        reaches, `prices` is no Prices or lacks us-east-1, or `root_volume_gib` is not
        above 0.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> size = fl.right_size("40 at 08:00 on weekdays", min_warm_share=0.9, jitter=7200)
    >>> figure = fl.sizing_curve(size, min_warm_share=0.9)
    >>> print(fl.alt_text(figure).partition("\n- ")[0])
    12 snapshots: 90.24 % of launches warm, 30.00 USD a month at most
    10,400 launches, 1,015 of them cold, 10 prepared at once, in 30 min each
    warm launches, cost a month, 90 % wanted
    """
    _check_arguments(sizing, min_warm_share, prices, root_volume_gib)
    price = _find_price(prices or Prices()) * root_volume_gib
    chosen = _Point(sizing.target_count, sizing.warm_share, sizing.target_count * price)
    curve = zip(sizing.curve.target_count.tolist(), sizing.curve.warm_share.tolist(), strict=True)
    points = [_Point(target, share, target * price) for target, share in curve]
    fill_time = format_duration(pd.Timedelta(seconds=sizing.fill_time))
    parallel = f"{sizing.max_parallel:,} prepared at once, in {fill_time} each"
    subtitle = [f"{sizing.launches:,} launches", f"{sizing.cold:,} of them cold", parallel]
    legend = [LegendEntry(_WARM, "■", ["warm launches"]), LegendEntry(_COST, "┅", ["cost a month"])]
    if min_warm_share is not None:
        legend.append(LegendEntry(style.GREY, "┈", [f"{_format_share(min_warm_share)} wanted"]))
    title = f"{chosen.snapshots}: {_format_share(chosen.share)} of launches warm, {chosen.cost}"
    figure = style.base_figure(f"{title} at most", [subtitle], pd.DataFrame(), legend=legend)
    figure.add_traces(_curve_traces(points))
    if min_warm_share is not None:
        y = 100 * min_warm_share
        figure.add_shape(type="line", xref="paper", x0=0, x1=1, y0=y, y1=y, line=_REFERENCE_LINE)
    _mark_chosen(figure, chosen, points[-1])
    _set_axes(figure, points[-1])
    alt_text.attach_rows(figure, _describe_points(points, chosen))
    return figure


def _check_arguments(sizing: Any, min_warm_share: Any, prices: Any, gib: Any) -> None:
    if not isinstance(sizing, RightSize):
        raise InputError(f"Expected a result of right_size(...). Got a {type(sizing).__name__}.")
    if min_warm_share is not None and (
        parse_share("min_warm_share", min_warm_share) > sizing.warm_share
    ):
        raise InputError(
            f"min_warm_share is {min_warm_share!r}, but this size reaches "
            f"{_format_share(sizing.warm_share)}. Expected the share passed to right_size."
        )
    if prices is not None and not isinstance(prices, Prices):
        raise InputError(f"prices is {prices!r}. Expected Prices(...).")
    parse_number("root_volume_gib", gib, "GiB, above 0")


def _find_price(prices: Prices) -> float:
    """Return the monthly price of a GiB of snapshots in :data:`_REGION`."""
    price = prices.find_snapshot_price(_REGION)
    if price is None:
        raise InputError(
            f"prices is {prices!r}. Expected one price for every region, or one of {_REGION}."
        )
    return price


def _format_share(share: float) -> str:
    """Format a share in hundredths of a percent, rounded down, so that only all are 100 %."""
    return f"{math.floor(share * 10_000 + 1e-6) / 100:g} %"


def _describe_points(points: list[_Point], chosen: _Point) -> list[RowText]:
    """Return the text of some points, evenly apart, and of the chosen one."""
    numbers = {int(number) for number in np.linspace(0, len(points) - 1, _TEXT_ROWS)}
    return [
        [
            [point.snapshots, f"{_format_share(point.share)} warm", point.cost],
            ["chosen" if point.target == chosen.target else ""],
        ]
        for number, point in enumerate(points)
        if number in numbers or point.target == chosen.target
    ]


def _curve_traces(points: list[_Point]) -> list[go.Scatter]:
    """Return the lines of the cost and, above it, of the share."""
    cost_line = {"color": _COST, "width": 2, "dash": "dash"}
    warm_line = {"color": _WARM, "width": 2.5, "shape": "hv"}
    shared = {
        "x": [point.target for point in points],
        "mode": "lines",
        "hovertemplate": style.HOVER,
    }
    return [
        go.Scatter(
            name="cost a month",
            y=[point.usd for point in points],
            yaxis="y2",
            line=cost_line,
            hovertext=[f"{p.snapshots}<br><b>{p.cost}</b>, at most" for p in points],
            **shared,
        ),
        go.Scatter(
            name="warm launches",
            y=[100 * point.share for point in points],
            line=warm_line,
            hovertext=[point.hover_label for point in points],
            **shared,
        ),
    ]


def _mark_chosen(figure: go.Figure, chosen: _Point, last: _Point) -> None:
    """Mark the chosen target on the curve, and label it above all lines."""
    x, y = chosen.target, 100 * chosen.share
    figure.add_shape(type="line", x0=x, x1=x, y0=0, y1=_TOP - 10, line=_REFERENCE_LINE)
    marker = {"color": _WARM, "size": 11, "line": {"color": "white", "width": 1.5}}
    hover = {"hovertext": [f"chosen: {chosen.hover_label}"], "hovertemplate": style.HOVER}
    figure.add_scatter(
        name="chosen", x=[x], y=[y], mode="markers", marker=marker, cliponaxis=False, **hover
    )
    is_right = chosen.target > last.target / 2
    side = {"xanchor": "right" if is_right else "left", "xshift": -5 if is_right else 5}
    text, font = f"<b>target {x:,}</b>", {"size": 12, "color": _WARM}
    figure.add_annotation(text=text, font=font, showarrow=False, x=x, y=_TOP, yanchor="top", **side)


def _set_axes(figure: go.Figure, last: _Point) -> None:
    """Give each line an axis in its colour; the cost fills the lower half, below the share."""
    margin = figure.layout.margin
    figure.update_layout(
        height=margin.t + _PLOT_HEIGHT + margin.b, margin_l=_SIDE_MARGIN, margin_r=_SIDE_MARGIN
    )
    figure.update_xaxes(
        title="target: snapshots to keep", range=[0, last.target * 1.03], tickformat=",d"
    )
    warm, cost = {"color": _WARM}, {"color": _COST}
    labels = [f"{percent} %" for percent in _PERCENTS]
    figure.update_yaxes(title={"text": "warm launches", "font": warm}, tickfont=warm)
    figure.update_yaxes(range=[0, _TOP], tickvals=_PERCENTS, ticktext=labels)
    cost_range = [0, (last.usd or 1) * 2 * _TOP / 100]
    figure.update_layout(yaxis2={"title": {"text": "USD a month", "font": cost}, "tickfont": cost})
    figure.layout.yaxis2.update(overlaying="y", side="right", showgrid=False, zeroline=False)
    figure.layout.yaxis2.update(range=cost_range, nticks=6, tickmode="auto", rangemode="tozero")
