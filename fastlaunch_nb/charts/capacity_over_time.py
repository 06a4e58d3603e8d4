"""The capacity chart over time: the stock of each image, and its fast and cold launches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fastlaunch_nb.charts import alt_text, markup, style
from fastlaunch_nb.charts.markup import LegendEntry, Line, RowText
from fastlaunch_nb.charts.time_bins import time_bins
from fastlaunch_nb.formatting import format_count, format_duration, format_time
from fastlaunch_nb.schema.columns import COUNT, KEY
from fastlaunch_nb.validation import make_rows_error, validate_columns

_STOCK, _TARGET, _FAST, _COLD = "#3392d1", "#7f7f7f", "#009e73", "#d55e00"
_LAUNCHES: Final = ["fast_launches", "cold_launches"]
_NEEDED: Final = [*KEY, "time", "period", "available_snapshots", *_LAUNCHES]
_MOST_BINS: Final = 120  # more would make the bars of launches too thin
# The heights in a panel, in pixels:
_NAME_HEIGHT, _STOCK_HEIGHT, _GAP, _LAUNCH_HEIGHT, _PANEL_GAP = 20, 84, 6, 40, 14
_PANEL_HEIGHT: Final = _NAME_HEIGHT + _STOCK_HEIGHT + _GAP + _LAUNCH_HEIGHT + _PANEL_GAP
# The tops of both axes and the height of crosses above bars, relative to the largest value:
_STOCK_TOP, _LAUNCH_TOP, _CROSS_LIFT = 1.08, 1.6, 0.3
_Y_AXIS: Final = {
    "anchor": "x",
    "fixedrange": True,
    "showgrid": False,
    "zeroline": True,
    "zerolinecolor": "rgba(128,128,128,0.4)",
    "tickfont": {"size": 10},
    "tickformat": ",d",
    "ticklen": 4,
    "ticks": "outside",
    "tickcolor": style.CLEAR,
}
_NO_METRICS = ("No metrics of these images.", "Every row of the metrics is of another image.")

_Span: TypeAlias = tuple[pd.Timestamp, pd.Timestamp]


class _Panel(NamedTuple):
    """The metrics of an image in the order of time, and its spans with unknown stock."""

    image: dict[Any, Any]
    label: str
    rows: pd.DataFrame
    gaps: list[_Span]
    launches: str  # their sums as text

    @property
    def target(self) -> Any:
        """The current target; null if it is unknown."""
        return self.image["target_resource_count"]

    @property
    def stock_rows(self) -> pd.DataFrame:
        """The rows with a known stock."""
        return self.rows[self.rows["available_snapshots"].notna()]


def capacity_over_time(images: pd.DataFrame, metrics: object, top: int) -> go.Figure:
    """Draw a panel for each image, those with the most cold launches on top."""
    rows, other_images = _match_images(images, _validate_metrics(metrics))
    if rows.empty:
        return style.empty_figure("capacity", images, None if images.empty else _NO_METRICS)
    axis = (rows["time"].min(), rows["_end"].max())
    totals = _sum_launches(images, rows)
    panels = _make_panels(images, rows, totals.head(top), axis)
    length = format_duration(axis[1] - axis[0])
    subtitle = [f"{format_count(len(totals))} over {length}"]
    if without := len(images) - len(totals):
        subtitle.append(f"{without:,} without metrics")
    if other_images:
        subtitle.append(f"metrics of {format_count(other_images)} left out")
    lines: list[Line] = [subtitle]
    if len(totals) > len(panels):
        launches = _describe_launches(*totals[_LAUNCHES].iloc[top:].sum(min_count=1))
        lines.append([f"worst {top:,} of {len(totals):,} drawn; the rest: {launches}"])
    legend = _make_legend(panels)
    figure = style.base_figure(_make_title(totals), lines, images, rows=1, legend=legend)
    _lay_out_panels(figure, len(panels))
    for position, panel in enumerate(panels):
        _draw_panel(figure, position, panel, axis)
    begin, end = map(markup.to_plotly_time, axis)
    limits, title = {"minallowed": begin, "maxallowed": end}, {"text": "UTC", "standoff": 4}
    figure.update_xaxes(
        type="date", range=[begin, end], **limits, tickformatstops=style.TIME_TICKS, title=title
    )
    alt_text.attach_rows(figure, map(_describe_panel, panels))
    return figure


# --- data -----------------------------------------------------------------------------


def _validate_metrics(metrics: object) -> pd.DataFrame:
    rows = validate_columns("metrics", metrics, *_NEEDED)[_NEEDED].reset_index(drop=True)
    is_untimed = rows["time"].isna() | rows["period"].isna() | rows["period"].le(0)
    if is_untimed.any():
        raise make_rows_error(
            "metrics", f"{is_untimed.sum():,} of its rows have no time or no period."
        )
    return rows


def _match_images(images: pd.DataFrame, metrics: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Return sorted rows, with positions of images and ends of periods; count other images."""
    keys = images[list(KEY)].assign(_image=range(len(images))).drop_duplicates(list(KEY))
    rows = metrics.merge(keys, on=list(KEY), how="left")
    is_other = rows["_image"].isna()
    other_images = len(rows[is_other].drop_duplicates(list(KEY)))
    matched = rows[~is_other].astype({"_image": "int64"})
    matched["_end"] = matched["time"] + pd.to_timedelta(matched["period"].astype("int64"), "s")
    return matched.sort_values(["_image", "time"], kind="stable"), other_images


def _sum_launches(images: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the launches of each image, the most cold ones first, then the lowest stock."""
    by_image = rows.groupby("_image")
    launches = by_image[_LAUNCHES].sum(min_count=1).astype(COUNT)
    target = images["target_resource_count"].iloc[launches.index].clip(lower=1)
    lowest = by_image["available_snapshots"].min() / target.to_numpy(dtype=float, na_value=np.nan)
    return launches.assign(_lowest=lowest).sort_values(
        ["cold_launches", "_lowest"], ascending=[False, True], na_position="last", kind="stable"
    )


def _make_panels(
    images: pd.DataFrame, rows: pd.DataFrame, totals: pd.DataFrame, axis: _Span
) -> list[_Panel]:
    drawn, by_image = images.iloc[totals.index], rows.groupby("_image")
    panel_rows = [by_image.get_group(number) for number in totals.index]
    gaps = [_find_gaps(group, axis) for group in panel_rows]
    launches = map(_describe_launches, totals["fast_launches"], totals["cold_launches"])
    records, labels = drawn.to_dict("records"), style.row_labels(drawn)
    return [*map(_Panel, records, labels, panel_rows, gaps, launches)]


def _find_gaps(rows: pd.DataFrame, axis: _Span) -> list[_Span]:
    """Return the spans with unknown stock, with those at both ends of the axis."""
    known = rows[rows["available_snapshots"].notna()]
    begins = [axis[0], *known["_end"].cummax()]
    ends = [*known["time"], axis[1]]
    return [(begin, end) for begin, end in zip(begins, ends, strict=True) if begin < end]


def _bin_launches(rows: pd.DataFrame, axis: _Span) -> pd.DataFrame:
    """Sum the launches in bins of equal width; a period counts in the bin in which it begins."""
    longest = pd.Timedelta(seconds=int(rows["period"].max()))
    bins = time_bins(*axis, most=_MOST_BINS, least=longest)
    sums = rows.groupby((rows["time"] - bins.begin) // bins.width)[_LAUNCHES].sum()
    sums = sums.astype("int64").set_axis(["fast", "cold"], axis=1)
    sums = sums[(sums["fast"] > 0) | (sums["cold"] > 0)]
    begins = [bins.begin + bins.width * int(number) for number in sums.index]
    width = format_duration(bins.width)
    return sums.assign(
        x=[markup.to_plotly_time(begin + bins.width / 2) for begin in begins],
        width=bins.width.total_seconds() * 1000,
        hover_label=[
            f"{format_time(begin)}, {width}<br>{fast:,} fast<br><b>{cold:,} cold</b>"
            for begin, fast, cold in zip(begins, sums["fast"], sums["cold"], strict=True)
        ],
    )


# --- text -----------------------------------------------------------------------------


def _make_title(totals: pd.DataFrame) -> str:
    fast, cold = totals[_LAUNCHES].sum(min_count=1)
    launches = _describe_launches(fast, cold, with_verb=True)
    is_unknown = pd.isna(fast) and pd.isna(cold)
    return f"Stock over time, {launches}" if is_unknown else launches.capitalize()


def _describe_launches(fast: Any, cold: Any, *, with_verb: bool = False) -> str:
    """Return the numbers of all and of cold launches as text, as far as they are known.

    CloudWatch may have no number where there was no launch, so a missing one is not "unknown".
    """
    if pd.isna(fast) and pd.isna(cold):
        return "no launches counted"
    if pd.isna(cold):
        return f"{format_count(fast, 'fast launch')}, no cold ones counted"
    if pd.isna(fast):
        return f"{format_count(cold, 'cold launch')}, no fast ones counted"
    total = fast + cold
    if not total:
        return "no launch"
    noun, verb = ("launch", " was") if total == 1 else ("launches", " were")
    return f"{cold:,} of {total:,} {noun}{verb * with_verb} cold"


def _make_legend(panels: list[_Panel]) -> list[LegendEntry]:
    rows, unknown = pd.concat(panel.rows for panel in panels), style.state_style("unknown")
    entries = (
        (_STOCK, "■", "in stock", rows["available_snapshots"].notna().any()),
        (_TARGET, "┅", "target now", any(pd.notna(panel.target) for panel in panels)),
        (unknown.colour, unknown.swatch, "stock unknown", any(panel.gaps for panel in panels)),
        (_FAST, "■", "fast launches", rows["fast_launches"].gt(0).any()),
        (_COLD, "✕", "cold launches", rows["cold_launches"].gt(0).any()),
    )
    return [LegendEntry(colour, swatch, [name]) for colour, swatch, name, drawn in entries if drawn]


def _describe_panel(panel: _Panel) -> RowText:
    values = panel.stock_rows["available_snapshots"]
    stock = "stock unknown"
    if len(values):
        stock = f"stock {values.min():,} to {values.max():,}, latest {values.iloc[-1]:,}"
    target = f"target {alt_text.text_or_default(panel.target, 'unknown')}"
    lines = [panel.launches, stock, target]
    unknown = sum((end - begin for begin, end in panel.gaps), pd.Timedelta(0))
    if unknown and len(values):
        lines.append(f"stock unknown for {format_duration(unknown)}")
    return alt_text.row_text(panel.image, *lines)


# --- panels ---------------------------------------------------------------------------


def _lay_out_panels(figure: go.Figure, count: int) -> None:
    """Give each panel room for its name, an axis for the stock, and one for launches below it."""
    total, margin = count * _PANEL_HEIGHT, figure.layout.margin
    figure.update_layout(height=margin.t + total + margin.b, margin_l=48)
    for position in range(count):
        stock_top = total - position * _PANEL_HEIGHT - _NAME_HEIGHT
        launch_top = stock_top - _STOCK_HEIGHT - _GAP
        tops = ((stock_top, _STOCK_HEIGHT), (launch_top, _LAUNCH_HEIGHT))
        for number, (top, height) in enumerate(tops, 2 * position + 1):
            domain = [(top - height) / total, top / total]
            figure.update_layout({f"yaxis{number}": {"domain": domain, **_Y_AXIS}})
    figure.update_xaxes(anchor=f"y{2 * count}")


def _draw_panel(figure: go.Figure, position: int, panel: _Panel, axis: _Span) -> None:
    number = 2 * position + 1
    stock_axis, launch_axis = f"y{number}" if position else "y", f"y{number + 1}"
    values = [panel.rows["available_snapshots"].max(), panel.target]
    highest = _fit_axis(figure, number, values, _STOCK_TOP)
    figure.add_trace(_gap_trace(panel.gaps, highest * _STOCK_TOP, stock_axis))
    figure.add_traces(_stock_traces(panel, stock_axis))
    if pd.notna(panel.target):
        x, y = [*map(markup.to_plotly_time, axis)], [int(panel.target)] * 2
        line = {"mode": "lines", "line": {"color": _TARGET, "width": 1.5, "dash": "dash"}}
        figure.add_scatter(name="target now", x=x, y=y, yaxis=stock_axis, hoverinfo="skip", **line)
    bins = _bin_launches(panel.rows, axis)
    most = _fit_axis(figure, number + 1, bins["fast"] + bins["cold"], _LAUNCH_TOP)
    figure.add_traces(_launch_traces(bins, launch_axis, lift=most * _CROSS_LIFT))
    heading = f"<b>{markup.escape_markup(panel.label)}</b> · {panel.launches}"
    left = {"x": 0, "xref": "paper", "xanchor": "left"}
    above = {"y": 1, "yref": f"{stock_axis} domain", "yanchor": "bottom", "yshift": 1}
    figure.add_annotation(text=heading, font={"size": 11}, showarrow=False, **left, **above)


def _fit_axis(figure: go.Figure, number: int, values: Iterable[Any], stretch: float) -> int:
    """Let an axis begin at 0 and label its largest value; return that, or 1."""
    highest = max([int(value) for value in values if pd.notna(value)], default=0) or 1
    axis = {"range": [0, highest * stretch], "tickvals": [0, highest]}
    figure.update_layout({f"yaxis{number}": axis})
    return highest


def _stock_traces(panel: _Panel, yaxis: str) -> list[go.Scatter]:
    """Return a line of steps that breaks where the stock is unknown, and the area below it.

    The area is a trace of its own, because plotly would fill the breaks as well.
    """
    x, y = _stock_steps(panel.stock_rows)
    target = f" of {panel.target}" if pd.notna(panel.target) else ""
    hover = f"%{{x|%Y-%m-%d %H:%M}} UTC<br>stock %{{y}}{target}<extra></extra>"
    heights = [stock or 0 for stock in y]
    shared = {"x": x, "yaxis": yaxis, "mode": "lines"}
    area = {"fill": "tozeroy", "fillcolor": "rgba(51,146,209,0.3)", "hoverinfo": "skip"}
    line = {"shape": "hv", "color": _STOCK, "width": 1.5}
    return [
        go.Scatter(name="area", y=heights, line={"shape": "hv", "width": 0}, **area, **shared),
        go.Scatter(
            name="in stock", y=y, line=line, connectgaps=False, hovertemplate=hover, **shared
        ),
    ]


def _stock_steps(rows: pd.DataFrame) -> tuple[list[str], list[int | None]]:
    """Return a step for each period; a null follows a period that ends before the next one."""
    x: list[str] = []
    y: list[int | None] = []
    next_begins = [*rows["time"], None][1:]
    for begin, end, next_begin, stock in zip(
        rows["time"], rows["_end"], next_begins, rows["available_snapshots"], strict=True
    ):
        x.append(markup.to_plotly_time(begin))
        y.append(int(stock))
        if next_begin is None or next_begin > end:
            x += [markup.to_plotly_time(end)] * 2
            y += [int(stock), None]
    return x, y


def _gap_trace(gaps: list[_Span], height: float, yaxis: str) -> go.Scatter:
    """Return areas in the style of unknown states, as high as the panel."""
    x: list[str | None] = []
    for gap in gaps:
        begin, end = map(markup.to_plotly_time, gap)
        x += [begin, begin, end, end, None]
    y = [0, height, height, 0, None] * len(gaps)
    area = {"mode": "lines", "line": {"width": 0}, "fill": "toself", "hoveron": "fills"}
    hover = {"text": "stock unknown", "hoverinfo": "text"}
    return go.Scatter(
        name="stock unknown", x=x, y=y, yaxis=yaxis, **area, **hover, **style.state_fill("unknown")
    )


def _launch_traces(bins: pd.DataFrame, yaxis: str, *, lift: float) -> list[Any]:
    """Return bars of fast launches, bars of cold ones on top of them, and crosses above these."""

    def place(rows: pd.DataFrame) -> dict[str, Any]:
        hover = {"hovertext": list(rows["hover_label"]), "hovertemplate": style.HOVER}
        return {"x": list(rows["x"]), "yaxis": yaxis, **hover}

    def bar(kind: str, colour: str, base: list[int] | None = None) -> go.Bar:
        rows = bins[bins[kind] > 0]
        shape = {"y": list(rows[kind]), "base": base, "width": list(rows["width"])}
        marker = {"color": colour, "line": {"width": 0}}
        return go.Bar(name=f"{kind} launches", marker=marker, **shape, **place(rows))

    cold = bins[bins["cold"] > 0]
    top = list(cold["fast"] + cold["cold"] + lift)
    cross = {"symbol": "x-thin", "size": 7, "line": {"color": _COLD, "width": 2}}
    crosses = go.Scatter(name="cold", mode="markers", y=top, marker=cross, **place(cold))
    return [bar("fast", _FAST), bar("cold", _COLD, list(cold["fast"])), crosses]
