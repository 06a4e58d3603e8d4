"""The sizing curve: the share of warm launches and the cost of a pool, by its target count."""

from __future__ import annotations

import math
from collections.abc import Iterator
from textwrap import wrap
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fastlaunch_nb.charts import alt_text, style
from fastlaunch_nb.charts.markup import LegendEntry, Line, RowText
from fastlaunch_nb.errors import InputError, accept_old_names
from fastlaunch_nb.formatting import format_count, format_duration
from fastlaunch_nb.number_checks import parse_count, parse_share
from fastlaunch_nb.pool.sizing import RightSize, parse_snapshot_price
from fastlaunch_nb.schema.prices import Prices

_WARM, _COST = "#2a7fbf", "#c8701a"
_PLOT_HEIGHT, _SIDE_MARGIN = 300, 62  # pixels; the margins fit the titles of the axes
_BAND = "rgba(42,127,191,0.25)"
_TODAY = "#a6611a"
_TOP: Final = 132  # percent; leaves room for two rows of labels above 100 %
_LABEL_ROW: Final = 13  # percent
_LINE_WIDTH: Final = 84  # characters that fit into 600 pixels
_PERCENTS: Final = (0, 25, 50, 75, 100)
_TEXT_ROWS: Final = 12  # of the curve in the figure's text
_REFERENCE_LINE: Final = {"color": style.GREY, "width": 1, "dash": "dot"}


class _Point(NamedTuple):
    """A point of the curve: a target count, its share of warm launches, and its monthly cost."""

    target: int
    share: float
    low: float  # the interval of the share; equal to it if it is exact
    high: float
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
    def shares(self) -> str:
        """The share and its interval as text."""
        text = f"{_format_share(self.share)} warm"
        if self.low == self.high:
            return text
        return f"{text} ({_format_share(self.low)} to {_format_share(self.high)})"

    @property
    def hover_label(self) -> str:
        """The target count and the share as markup."""
        return f"{self.snapshots}<br><b>{self.shares}</b>"


@accept_old_names(warm="min_warm_share")
def sizing_curve(
    sizing: RightSize,
    *,
    min_warm_share: float | None = None,
    prices: Prices | float | None = None,
    root_volume_gib: float = 50,
    region: str = "us-east-1",
    current_target: int | None = None,
) -> go.Figure:
    r"""Draw the share of launches that find a snapshot, and the cost, for each target count.

    Parameters
    ----------
    sizing : RightSize
        A result of :func:`fastlaunch_nb.right_size`.
    min_warm_share : float, optional
        The share that the size had to reach, to draw it as a line.
    prices : Prices or float, optional
        The monthly price of a GiB of snapshots in USD; by default AWS's public price.
    root_volume_gib : float, default 50
        The size of the AMI's root volume. At 0.05 USD a GiB, a snapshot of 50 GiB
        costs 2.50 USD a month.
    region : str, default "us-east-1"
        The region whose price counts, if `prices` has one for each region.
    current_target : int, optional
        Today's target (TargetResourceCount), to mark it; None or a null if it is unknown.

    Returns
    -------
    plotly.graph_objects.Figure
        The left axis has the share of warm launches, in steps: a target between two
        points reaches at least the share of the lower one. The band around it has the share
        in 95 of 100 samples of days. The right axis has the maximum monthly cost, for snapshots
        that have no block in common. The chosen target and today's have a mark and a label.

    Raises
    ------
    InputError
        If `sizing` is no RightSize, `min_warm_share` is no share or more than the size
        reaches, `prices` has no price, `root_volume_gib` is not above 0, or `current_target` is
        no count of 1 or more.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> size = fl.right_size("40 at 08:00 on weekdays", min_warm_share=0.9, jitter=7200,
    ...                      fill_time=1800)
    >>> figure = fl.sizing_curve(size, min_warm_share=0.9, current_target=5)
    >>> print(fl.alt_text(figure).partition("\n- ")[0])
    12 snapshots: 90.24 % of launches warm, 30.00 USD a month at most
    10,400 launches, 1,015 of them cold, 10 prepared at once, in 30 min each
    in 95 of 100 samples of days 89.68 % to 90.73 % warm, target 12 needed
    today: 5 snapshots, 46.85 % warm (46.51 % to 47.16 %), 12.50 USD a month at most
    warm launches, 95 of 100 samples, cost a month, 90 % wanted, today
    """
    _check_arguments(sizing, min_warm_share)
    price = Prices() if prices is None else prices
    usd = parse_snapshot_price(price, root_volume_gib, region)
    points = _list_points(sizing, usd)
    today = None
    if current_target is not None and not pd.isna(current_target):
        today = _add_point(points, parse_count("current_target", current_target, least=1), usd)
    chosen = next(point for point in points if point.target == sizing.target_count)
    title = f"{chosen.snapshots}: {_format_share(chosen.share)} of launches warm, {chosen.cost}"
    figure = style.base_figure(
        f"{title} at most",
        [*_list_lines(sizing, today)],
        pd.DataFrame(),
        legend=_make_legend(sizing, min_warm_share, today),
    )
    figure.add_traces(_curve_traces(points))
    if min_warm_share is not None:
        y = 100 * min_warm_share
        figure.add_shape(type="line", xref="paper", x0=0, x1=1, y0=y, y1=y, line=_REFERENCE_LINE)
    _mark_target(figure, chosen, points[-1], "chosen", row=0)
    if today is not None:
        _mark_target(figure, today, points[-1], "today", row=1)
    _set_axes(figure, points[-1])
    alt_text.attach_rows(figure, _describe_points(points, chosen, today))
    return figure


def _check_arguments(sizing: Any, min_warm_share: Any) -> None:
    if not isinstance(sizing, RightSize):
        raise InputError(f"Expected a result of right_size(...). Got a {type(sizing).__name__}.")
    if min_warm_share is not None and (
        parse_share("min_warm_share", min_warm_share) > sizing.warm_share
    ):
        raise InputError(
            f"min_warm_share is {min_warm_share!r}, but this size reaches "
            f"{_format_share(sizing.warm_share)}. Expected the share passed to right_size."
        )


def _format_share(share: float) -> str:
    """Format a share in hundredths of a percent, rounded down, so that only all are 100 %."""
    return f"{math.floor(share * 10_000 + 1e-6) / 100:g} %"


# --- points ---------------------------------------------------------------------------


def _list_points(sizing: RightSize, usd: float) -> list[_Point]:
    """Return the points of the curve, with the monthly cost of one snapshot."""
    shares = sizing.curve.warm_share
    low, high = (shares, shares) if sizing.band is None else sizing.band
    columns = (sizing.curve.target_count, shares, low, high)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [
        _Point(target, share, lowest, highest, target * usd)
        for target, share, lowest, highest in rows
    ]


def _add_point(points: list[_Point], target: int, usd: float) -> _Point:
    """Return the point of a target; add it, with the share of the one below, if it is missing."""
    below = [point for point in points if point.target <= target]
    if below and below[-1].target == target:
        return below[-1]
    share = below[-1] if below else _Point(0, 0.0, 0.0, 0.0, 0.0)
    point = share._replace(target=target, usd=target * usd)
    points.insert(len(below), point)
    return point


# --- text -----------------------------------------------------------------------------


def _list_lines(sizing: RightSize, today: _Point | None) -> Iterator[Line]:
    """Yield the lines below the title."""
    parallel = f"{sizing.max_parallel:,} prepared at once, in {_format_seconds(sizing.fill_time)}"
    yield [f"{sizing.launches:,} launches", f"{sizing.cold:,} of them cold", f"{parallel} each"]
    if sizing.warm_share_range and sizing.target_range:
        low, high = map(_format_share, sizing.warm_share_range)
        targets = " to ".join(f"{target:,}" for target in dict.fromkeys(sizing.target_range))
        yield [f"in 95 of 100 samples of days {low} to {high} warm", f"target {targets} needed"]
    if sizing.fill_time_targets:
        ends = zip(sizing.fill_time_targets, sizing.fill_time_range, strict=True)
        targets = " and ".join(
            f"{'none is enough' if target is None else f'{target:,}'} at {_format_seconds(time)}"
            for target, time in ends
        )
        yield [f"fill time {sizing.fill_time_source.partition(':')[0]}", f"target {targets}"]
    if today is not None:
        yield [f"today: {today.snapshots}", today.shares, f"{today.cost} at most"]
    for warning in sizing.warnings:
        yield from ([line] for line in wrap(f"Caution: {warning}", _LINE_WIDTH))


def _format_seconds(seconds: float) -> str:
    return format_duration(pd.Timedelta(seconds=round(seconds)))


def _make_legend(
    sizing: RightSize, min_warm_share: float | None, today: _Point | None
) -> list[LegendEntry]:
    legend = [LegendEntry(_WARM, "■", ["warm launches"])]
    if sizing.band is not None:
        legend.append(LegendEntry(_BAND, "■", ["95 of 100 samples"]))
    legend.append(LegendEntry(_COST, "┅", ["cost a month"]))
    if min_warm_share is not None:
        legend.append(LegendEntry(style.GREY, "┈", [f"{_format_share(min_warm_share)} wanted"]))
    if today is not None:
        legend.append(LegendEntry(_TODAY, "◆", ["today"]))
    return legend


def _describe_points(points: list[_Point], chosen: _Point, today: _Point | None) -> list[RowText]:
    """Return the text of some points, evenly apart, of the chosen one and of today's."""
    numbers = {int(number) for number in np.linspace(0, len(points) - 1, _TEXT_ROWS)}
    marks = {chosen.target: ["chosen"]}
    if today is not None:
        marks.setdefault(today.target, []).append("today")
    return [
        [[point.snapshots, point.shares, point.cost], marks.get(point.target, [])]
        for number, point in enumerate(points)
        if number in numbers or point.target in marks
    ]


# --- drawing --------------------------------------------------------------------------


def _curve_traces(points: list[_Point]) -> list[go.Scatter]:
    """Return the line of the cost, the band of the share and, above both, the share."""
    cost_line = {"color": _COST, "width": 2, "dash": "dash"}
    warm_line = {"color": _WARM, "width": 2.5, "shape": "hv"}
    shared = {"x": [point.target for point in points], "mode": "lines"}
    hover = {"hovertemplate": style.HOVER}
    edge = {"line": {"width": 0, "shape": "hv"}, "hoverinfo": "skip", **shared}
    has_band = any(point.low < point.high for point in points)
    band = [
        go.Scatter(name="low", y=[100 * point.low for point in points], **edge),
        go.Scatter(
            name="high",
            y=[100 * point.high for point in points],
            fill="tonexty",
            fillcolor=_BAND,
            **edge,
        ),
    ]
    return [
        go.Scatter(
            name="cost a month",
            y=[point.usd for point in points],
            yaxis="y2",
            line=cost_line,
            hovertext=[f"{p.snapshots}<br><b>{p.cost}</b>, at most" for p in points],
            **shared,
            **hover,
        ),
        *(band if has_band else []),
        go.Scatter(
            name="warm launches",
            y=[100 * point.share for point in points],
            line=warm_line,
            hovertext=[point.hover_label for point in points],
            **shared,
            **hover,
        ),
    ]


def _mark_target(figure: go.Figure, point: _Point, last: _Point, name: str, *, row: int) -> None:
    """Mark a target on the curve, and label it above all lines, in one of two rows."""
    is_today = name == "today"
    x, y, colour = point.target, 100 * point.share, _TODAY if is_today else _WARM
    top = _TOP - row * _LABEL_ROW
    figure.add_shape(type="line", x0=x, x1=x, y0=0, y1=top - 8, line=_REFERENCE_LINE)
    symbol = {"symbol": "diamond" if is_today else "circle", "size": 12 if is_today else 11}
    marker = {"color": colour, "line": {"color": "white", "width": 1.5}, **symbol}
    hover = {"hovertext": [f"{name}: {point.hover_label}"], "hovertemplate": style.HOVER}
    figure.add_scatter(
        name=name, x=[x], y=[y], mode="markers", marker=marker, cliponaxis=False, **hover
    )
    is_right = point.target > last.target / 2
    side = {"xanchor": "right" if is_right else "left", "xshift": -5 if is_right else 5}
    text = f"<b>{'today' if is_today else 'target'} {x:,}</b>"
    font = {"size": 12, "color": colour}
    figure.add_annotation(text=text, font=font, showarrow=False, x=x, y=top, yanchor="top", **side)


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
