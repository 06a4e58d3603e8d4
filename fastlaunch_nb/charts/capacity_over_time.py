"""The capacity chart over time: how the stock of each image went, and which launches were cold."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fastlaunch_nb.charts import alt_text, style
from fastlaunch_nb.charts.alt_text import LegendEntry, Line, RowText
from fastlaunch_nb.charts.time_bins import time_bins
from fastlaunch_nb.formatting import format_duration, format_time
from fastlaunch_nb.schema.columns import COUNT, KEY
from fastlaunch_nb.schema.joins import METRICS
from fastlaunch_nb.validation import require_columns, rows_error

_STOCK, _TARGET, _FAST, _COLD = "#3392d1", "#7f7f7f", "#009e73", "#d55e00"
_NEEDED: Final = (*KEY, "time", "period", "available_snapshots", "fast_launches", "cold_launches")
_PARTS: Final = 120  # of time: launches are added up in each, so that a bar can be seen
_NAME, _STOCKS, _BETWEEN, _LAUNCHES, _APART = 20, 84, 6, 40, 14  # pixels of a panel
_ABOVE, _FOR_CROSSES, _LIFT = 1.08, 1.6, 0.3  # of the largest: how far axes go, where crosses are
_PANEL: Final = _NAME + _STOCKS + _BETWEEN + _LAUNCHES + _APART
_TICKS = (
    {"dtickrange": [None, 86_399_999], "value": "%H:%M\n%b %-d"},
    {"dtickrange": [86_400_000, "M1"], "value": "%b %-d\n%Y"},
)
_NOTHING = (
    "No metrics of these images.",
    "None of the rows of metrics is of one of them.",
)


class _ImageMetrics(NamedTuple):
    """What happened to an image: its rows of metrics in the order of time, and their sums."""

    image: dict[Any, Any]
    label: str
    rows: pd.DataFrame
    fast: Any  # null where no number is known
    cold: Any

    @property
    def target(self) -> Any:
        """The target now; null where it is not known."""
        return self.image["target_resource_count"]


class _Axis(NamedTuple):
    """The time that is drawn."""

    begin: pd.Timestamp
    end: pd.Timestamp


def capacity_over_time(images: pd.DataFrame, metrics: object, top: int) -> go.Figure:
    """Draw a panel for each image, those with the most cold launches on top."""
    rows, foreign = _of_images(images, _checked(metrics))
    if rows.empty:
        return style.empty_figure("capacity", images, None if images.empty else _NOTHING)
    sums = _sums(images, rows)
    shown = sums.head(top)
    drawn = [*_each(images, rows, shown)]
    axis = _Axis(rows["time"].min(), _ends(rows).max())
    gaps = [_gaps(course.rows, axis) for course in drawn]
    figure = style.base_figure(
        _title(sums), _under(images, sums, len(shown), foreign, axis), images,
        rows=1, legend=_legend(drawn, any(map(len, gaps))),
    )  # fmt: skip
    _make_panels(figure, len(drawn))
    for place, (course, gap) in enumerate(zip(drawn, gaps, strict=True)):
        _draw(figure, place, course, gap, axis)
    _draw_time(figure, axis)
    alt_text.attach_rows(
        figure, [_words(course, gap) for course, gap in zip(drawn, gaps, strict=True)]
    )
    return figure


# --- what there is --------------------------------------------------------------------


def _checked(metrics: object) -> pd.DataFrame:
    rows = require_columns("metrics", metrics, *_NEEDED)
    fitted = rows[list(_NEEDED)].reset_index(drop=True)
    for column in METRICS:
        if column.name in fitted and not rows.empty:
            try:
                fitted[column.name] = fitted[column.name].astype(column.dtype)
            except (TypeError, ValueError):
                raise rows_error(
                    "metrics",
                    f"In this one {column.name} is {rows[column.name].dtype}, not {column.dtype}.",
                ) from None
    untimed = fitted["time"].isna() | fitted["period"].isna() | fitted["period"].le(0)
    if untimed.any():
        raise rows_error("metrics", f"{untimed.sum():,} of its rows have no time or no period.")
    return fitted


def _of_images(images: pd.DataFrame, metrics: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Return rows with the place of their image, in order; and how many other images there are."""
    keys = images[list(KEY)].assign(_at=range(len(images))).drop_duplicates(list(KEY))
    rows = metrics.merge(keys, on=list(KEY), how="left")
    foreign = rows[rows["_at"].isna()].drop_duplicates(list(KEY))
    mine = rows[rows["_at"].notna()].astype({"_at": "int64"})
    return mine.sort_values(["_at", "time"], kind="stable"), len(foreign)


def _sums(images: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the launches of each image: the most cold ones first, then the least in stock."""
    by_image = rows.groupby("_at")
    launches = by_image[["fast_launches", "cold_launches"]].sum(min_count=1).astype(COUNT)
    target = images["target_resource_count"].iloc[launches.index].clip(lower=1)
    least = by_image["available_snapshots"].min() / target.to_numpy(dtype=float, na_value=np.nan)
    return launches.assign(_least=least).sort_values(
        ["cold_launches", "_least"], ascending=[False, True], na_position="last", kind="stable"
    )


def _each(images: pd.DataFrame, rows: pd.DataFrame, shown: pd.DataFrame) -> list[_ImageMetrics]:
    chosen = images.iloc[shown.index]
    found = zip(
        shown.index, chosen.to_dict("records"), style.row_labels(chosen),
        shown["fast_launches"], shown["cold_launches"], strict=True,
    )  # fmt: skip
    return [
        _ImageMetrics(image, label, rows[rows["_at"] == place], fast, cold)
        for place, image, label, fast, cold in found
    ]


def _ends(rows: pd.DataFrame) -> pd.Series:
    ends: pd.Series = rows["time"] + pd.to_timedelta(rows["period"].astype("int64"), unit="s")
    return ends


def _gaps(rows: pd.DataFrame, axis: _Axis) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """Return the times of which no stock is told, that before the first and after the last too."""
    told = rows[rows["available_snapshots"].notna()]
    since = [*told["time"], axis.end]
    until = [axis.begin, *_ends(told).cummax()]
    return [(a, b) for a, b in zip(until, since, strict=True) if a < b]


# --- words ----------------------------------------------------------------------------


def _title(sums: pd.DataFrame) -> str:
    fast, cold = _totals(sums)
    if pd.isna(fast) and pd.isna(cold):
        return "Stock over time, launches unknown"
    one = pd.notna(fast) and pd.notna(cold) and fast + cold == 1
    return _launches(fast, cold, " was" if one else " were").capitalize()


def _totals(sums: pd.DataFrame) -> tuple[Any, Any]:
    fast, cold = (sums[name].sum(min_count=1) for name in ("fast_launches", "cold_launches"))
    return fast, cold


def _launches(fast: Any, cold: Any, verb: str = "") -> str:
    """Say how many launches there were and how many of them were cold, as far as it is known."""
    if pd.isna(fast) and pd.isna(cold):
        return "launches unknown"
    if pd.isna(cold):
        return f"{fast:,} fast launches, cold ones unknown"
    if pd.isna(fast):
        return f"{cold:,} cold launches, fast ones unknown"
    if not (whole := fast + cold):
        return "no launch"
    return f"{cold:,} of {whole:,} launch{'' if whole == 1 else 'es'}{verb} cold"


def _under(
    images: pd.DataFrame, sums: pd.DataFrame, shown: int, foreign: int, axis: _Axis
) -> list[Line]:
    said = [f"{alt_text.count_images(len(sums))} over {format_duration(axis.end - axis.begin)}"]
    if without := len(images) - len(sums):
        said.append(f"{without:,} without metrics")
    if foreign:
        said.append(f"metrics of {alt_text.count_images(foreign)} left out")
    lines: list[Line] = [said]
    if left := len(sums) - shown:
        others = _launches(*_totals(sums.iloc[shown:]))
        lines.append([f"drawn: the worst {shown:,}; the other {left:,}: {others}"])
    return lines


def _legend(drawn: list[_ImageMetrics], gaps: bool) -> list[LegendEntry]:
    unknown = style.state_style("unknown")
    entries = {
        ("in stock", _STOCK, "■"): any(c.rows["available_snapshots"].notna().any() for c in drawn),
        ("target now", _TARGET, "┅"): any(pd.notna(course.target) for course in drawn),
        ("stock unknown", unknown.colour, unknown.swatch): gaps,
        ("fast launches", _FAST, "■"): any(_some(course.fast) for course in drawn),
        ("cold launches", _COLD, "✕"): any(_some(course.cold) for course in drawn),
    }
    return [
        LegendEntry(colour, swatch, [name])
        for (name, colour, swatch), there in entries.items()
        if there
    ]


def _some(count: Any) -> bool:
    return bool(pd.notna(count) and count > 0)


def _words(course: _ImageMetrics, gaps: list[tuple[pd.Timestamp, pd.Timestamp]]) -> RowText:
    stock = course.rows["available_snapshots"].dropna()
    told = "stock unknown"
    if len(stock):
        told = f"stock {stock.min():,} to {stock.max():,}, at last {stock.iloc[-1]:,}"
    lines = [
        _launches(course.fast, course.cold),
        told,
        f"target {alt_text.text_or_default(course.target, 'unknown')}",
    ]
    unknown = sum((until - since for since, until in gaps), pd.Timedelta(0))
    if unknown and len(stock):
        lines.append(f"stock unknown for {format_duration(unknown)}")
    return alt_text.row_text(course.image, *lines)


# --- panels ---------------------------------------------------------------------------


def _make_panels(figure: go.Figure, count: int) -> None:
    """Give each panel a place of its name, an axis for the stock and one for launches below it."""
    whole, margin = count * _PANEL, figure.layout.margin
    figure.update_layout(height=margin.t + whole + margin.b, margin_l=48)
    for place in range(count):
        top = whole - place * _PANEL - _NAME
        below = top - _STOCKS - _BETWEEN
        for number, high, low in ((1, top, top - _STOCKS), (2, below, below - _LAUNCHES)):
            axis = {"domain": [low / whole, high / whole], "anchor": "x", "fixedrange": True}
            look_of = {
                "showgrid": False,
                "zeroline": True,
                "zerolinecolor": "rgba(128,128,128,0.4)",
            }
            font = {"tickfont": {"size": 10}, "tickformat": ",d", "ticklen": 4}
            font |= {"ticks": "outside", "tickcolor": style.CLEAR}
            figure.update_layout({f"yaxis{2 * place + number}": {**axis, **look_of, **font}})
    figure.update_xaxes(anchor=f"y{2 * count}")


def _draw(
    figure: go.Figure,
    place: int,
    course: _ImageMetrics,
    gaps: list[tuple[pd.Timestamp, pd.Timestamp]],
    axis: _Axis,
) -> None:
    """Draw the panel of an image."""
    stocks, launches = f"y{2 * place + 1}" if place else "y", f"y{2 * place + 2}"
    known = [course.rows["available_snapshots"].max(), course.target]
    highest = _scale(figure, 2 * place + 1, known, _ABOVE)
    figure.add_trace(_gap_trace(gaps, highest * _ABOVE, stocks))
    figure.add_traces(_stock_traces(course, stocks))
    if pd.notna(course.target):
        figure.add_trace(_target_trace(int(course.target), axis, stocks))
    counts = _counts(course.rows, axis)
    most = _scale(figure, 2 * place + 2, counts["fast"] + counts["cold"], _FOR_CROSSES)
    figure.add_traces(_launch_traces(counts, launches, lift=most * _LIFT))
    head = f"<b>{alt_text.escape_markup(course.label)}</b> · {_launches(course.fast, course.cold)}"
    figure.add_annotation(
        text=head, font={"size": 11}, showarrow=False, x=0, xref="paper", xanchor="left",
        y=1, yref=f"{stocks} domain", yanchor="bottom", yshift=1,
    )  # fmt: skip


def _scale(figure: go.Figure, number: int, values: Iterable[Any], stretch: float) -> int:
    """Let an axis begin at 0 and name the largest value; return that, or 1."""
    highest = max([int(value) for value in values if pd.notna(value)], default=0) or 1
    figure.update_layout(
        {f"yaxis{number}": {"range": [0, highest * stretch], "tickvals": [0, highest]}}
    )
    return highest


def _stock_traces(course: _ImageMetrics, yaxis: str) -> list[go.Scatter]:
    """Return steps, each as long as its period, that break off where the next begins later.

    What lies below them is a trace of its own: plotly would fill where they broke off, too.
    """
    x, y = _steps(course.rows[course.rows["available_snapshots"].notna()])
    of = f" of {course.target}" if pd.notna(course.target) else ""
    shape = {"shape": "hv"}
    return [
        go.Scatter(
            name="area", x=x, y=[held or 0 for held in y], yaxis=yaxis, mode="lines",
            line={**shape, "width": 0}, fill="tozeroy", fillcolor="rgba(51,146,209,0.3)",
            hoverinfo="skip",
        ),
        go.Scatter(
            name="in stock", x=x, y=y, yaxis=yaxis, mode="lines", connectgaps=False,
            line={**shape, "color": _STOCK, "width": 1.5},
            hovertemplate=f"%{{x|%Y-%m-%d %H:%M}} UTC<br>stock %{{y}}{of}<extra></extra>",
        ),
    ]  # fmt: skip


def _steps(told: pd.DataFrame) -> tuple[list[str], list[int | None]]:
    x: list[str] = []
    y: list[int | None] = []
    following = [*told["time"], None][1:]
    for begin, end, then, held in zip(
        told["time"], _ends(told), following, told["available_snapshots"], strict=True
    ):
        x.append(alt_text.plotly_time(begin))
        y.append(int(held))
        if then is None or then > end:
            x += [alt_text.plotly_time(end)] * 2
            y += [int(held), None]
    return x, y


def _target_trace(target: int, axis: _Axis, yaxis: str) -> go.Scatter:
    return go.Scatter(
        name="target now", x=[*map(alt_text.plotly_time, axis)], y=[target, target],
        yaxis=yaxis, mode="lines", line={"color": _TARGET, "width": 1.5, "dash": "dash"},
        hoverinfo="skip",
    )  # fmt: skip


def _gap_trace(
    gaps: list[tuple[pd.Timestamp, pd.Timestamp]], height: float, yaxis: str
) -> go.Scatter:
    """Return areas that look unknown, as high as the panel."""
    x: list[str | None] = []
    y: list[float | None] = []
    for since, until in gaps:
        a, b = alt_text.plotly_time(since), alt_text.plotly_time(until)
        x += [a, a, b, b, None]
        y += [0, height, height, 0, None]
    return go.Scatter(
        name="stock unknown", x=x, y=y, yaxis=yaxis, mode="lines", line={"width": 0},
        fill="toself", hoveron="fills", text="stock unknown", hoverinfo="text",
        **style.state_fill("unknown"),
    )  # fmt: skip


def _counts(rows: pd.DataFrame, axis: _Axis) -> pd.DataFrame:
    """Return the launches in equal parts of time that have any: a sum is of the part it began."""
    longest = pd.Timedelta(seconds=int(rows["period"].max()))
    parts = time_bins(axis.begin, axis.end, most=_PARTS, least=longest)
    part = (rows["time"] - parts.begin) // parts.width
    sums = rows.groupby(part)[["fast_launches", "cold_launches"]].sum()
    sums = sums.astype("int64").set_axis(["fast", "cold"], axis=1)
    sums = sums[(sums["fast"] > 0) | (sums["cold"] > 0)]
    seconds = sums.index.to_numpy(dtype=np.int64) * parts.width.total_seconds()
    begin = parts.begin + pd.to_timedelta(seconds, unit="s")
    return sums.assign(begin=begin, width=parts.width)


def _launch_traces(counts: pd.DataFrame, yaxis: str, *, lift: float) -> list[Any]:
    """Return bars for fast launches, those for cold ones on top of them, and a cross over these."""
    said = [
        f"{format_time(begin)}, {format_duration(width)}<br>{fast:,} fast<br><b>{cold:,} cold</b>"
        for begin, width, fast, cold in zip(
            *(counts[name] for name in ("begin", "width", "fast", "cold")), strict=True
        )
    ]
    counts = counts.assign(said=said)
    cold = counts[counts["cold"] > 0]
    return [
        _launch_bars("fast launches", counts[counts["fast"] > 0], "fast", {"color": _FAST}, yaxis),
        _launch_bars("cold launches", cold, "cold", {"color": _COLD}, yaxis),
        go.Scatter(
            name="cold", mode="markers", yaxis=yaxis,
            x=[alt_text.plotly_time(moment) for moment in cold["begin"] + cold["width"] / 2],
            y=list(cold["fast"] + cold["cold"] + lift),
            marker={"symbol": "x-thin", "size": 7, "line": {"color": _COLD, "width": 2}},
            hovertext=list(cold["said"]), hovertemplate="%{hovertext}<extra></extra>",
        ),
    ]  # fmt: skip


def _launch_bars(
    name: str, counts: pd.DataFrame, column: str, marker: dict[str, Any], yaxis: str
) -> go.Bar:
    return go.Bar(
        name=name, yaxis=yaxis,
        x=[alt_text.plotly_time(moment) for moment in counts["begin"] + counts["width"] / 2],
        y=list(counts[column]),
        base=list(counts["fast"]) if column == "cold" else None,
        width=[width.total_seconds() * 1000 for width in counts["width"]],
        marker={**marker, "line": {"width": 0}},
        hovertext=list(counts["said"]), hovertemplate="%{hovertext}<extra></extra>",
    )  # fmt: skip


def _draw_time(figure: go.Figure, axis: _Axis) -> None:
    begin, end = alt_text.plotly_time(axis.begin), alt_text.plotly_time(axis.end)
    figure.update_xaxes(
        type="date", range=[begin, end], minallowed=begin, maxallowed=end, tickformatstops=_TICKS,
        title={"text": "UTC", "standoff": 4},
    )  # fmt: skip
