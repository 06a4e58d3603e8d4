"""The timeline chart: the states of each image over time, as bars or as cells."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from narwhals.stable.v2.typing import IntoDataFrame

from fastlaunch_nb.charts import alt_text, markup, row_order, style
from fastlaunch_nb.charts.fleet_strip import add_fleet_strip
from fastlaunch_nb.charts.markup import Line
from fastlaunch_nb.charts.row_order import RowOrder, order_rows
from fastlaunch_nb.charts.time_bins import Numbers, TimeBins, find_worst_states, time_bins
from fastlaunch_nb.charts.time_window import UNKNOWN, TimeWindow, explain_empty, time_window
from fastlaunch_nb.formatting import format_count, format_duration, format_time
from fastlaunch_nb.validation import require_columns

MOST_BARS: Final = 3_000
"""The maximum of segments drawn as bars; a browser takes seconds for more."""
MOST_ROWS: Final = 500
"""The maximum of rows in a figure; each is two pixels high then."""
_MOST_MARKED_ROWS: Final = 80  # more are too low for marks
_SHORTEST_BAR: Final = 0.006  # as a share of the axis
_EARLIER, _INEXACT, _OPEN = "◀", "○", "▶"
_SYMBOLS = {_EARLIER: "triangle-left", _INEXACT: "circle", _OPEN: "triangle-right"}
_MEANINGS = {_EARLIER: "began earlier", _INEXACT: "start not exact", _OPEN: "ongoing"}
_BUTTONS, _BUTTON_HEIGHT = (1, 7, 14, 30), 22  # days; pixels
_DESCRIBED: Final = 20  # images in the text of a figure of cells


def timeline(
    intervals: IntoDataFrame,
    *,
    coverage: IntoDataFrame | None = None,
    since: str | pd.Timedelta | None = "14D",
    sort: str = "worst",
    group: str | None = None,
) -> go.Figure:
    """Draw the states of each image over time, in a row for each image.

    Parameters
    ----------
    intervals : DataFrame
        State intervals of :func:`fastlaunch_nb.intervals`, or a frame of images, which
        counts as a single scan. Labels use the columns ``image_name`` and
        ``account_name`` instead of ids if they exist.
    coverage : DataFrame, optional
        The scans behind the intervals: ``account_id``, ``region`` and ``observed_at``.
        The axis begins at the first scan and ends at the last one. Without a coverage
        it begins at the first scan that the intervals prove.
    since : str or pandas.Timedelta, default "14D"
        The maximum length of the axis, back from the last scan. Bars that began earlier
        are cut there and marked ◀. None shows the whole coverage.
    sort : {"worst", "recent", "name", "account", "region"}, default "worst"
        The order of rows from the top: the worst current state first, and the latest
        change first within a state; the latest change first; or by name.
    group : {"account", "region", "state"}, optional
        Put the rows of each account, region or current state together under a heading.

    Returns
    -------
    plotly.graph_objects.Figure
        Times are in UTC. A bar ends where its state ended; ▶ means that the state is
        still the current one, ○ that no scan or event proves the exact start. After more
        than one scan, a strip on top counts the whole fleet by the worst state of each
        image over time; small counts are drawn larger, to be visible. The legend gives
        the current number of images in each state, and its share of the time. More than
        3,000 segments or 500 images become cells, in the colour of their worst state.

    Raises
    ------
    InputError
        If `intervals` is no frame of images or intervals, `coverage` is no coverage,
        `since` is no duration, or `sort` or `group` is none of these.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> page = {"FastLaunchImages": [{"ImageId": "ami-0abcdef1234567890", "State": "enabled",
    ...                               "StateTransitionTime": "2026-01-14T09:00:00Z"}]}
    >>> images = fl.from_pages(page, observed_at="2026-01-15T12:00:00Z")
    >>> print(fl.alt_text(fl.timeline(images)))
    Fast Launch states at 2026-01-15 12:00 UTC
    1 image
    enabled 1
    - ami-0abcdef1234567890, enabled for 1 d 3 h, since 2026-01-14 09:00 UTC, no reason given
    """
    row_order.check_choice("sort", sort, row_order.SORTS)
    row_order.check_choice("group", group, (None, *row_order.GROUPS))
    intervals = require_columns("intervals", intervals)
    window = time_window(intervals, coverage, since)
    if window.segments.empty:
        return style.empty_figure("timeline", intervals, explain_empty(window))
    as_cells = len(window.segments) > MOST_BARS or window.image_count > MOST_ROWS
    order = order_rows(window.segments, sort, group, most=MOST_ROWS)
    marked = not as_cells and order.rows <= _MOST_MARKED_ROWS
    subtitle = _write_subtitle(window, order, group, as_cells=as_cells)
    figure = _make_figure(window, order, subtitle, marked=marked)
    if as_cells:
        _draw_cells(figure, window, order)
    else:
        _draw_bars(figure, window, order, marked=marked)
    _add_headings(figure, order, by_index=as_cells)
    if not window.single_scan:
        add_fleet_strip(figure, window)
    _set_time_axis(figure, window)
    return figure


# --- title, subtitle and legend -------------------------------------------------------


def _write_subtitle(
    window: TimeWindow, order: RowOrder, group: str | None, *, as_cells: bool
) -> list[Line]:
    parts = [format_count(window.image_count)]
    if not window.single_scan:
        parts[0] += f" over {window.length}"
        parts.append("for each state: images now, share of time")
    if group and not order.headings:
        parts.append(f"by {group}, too many groups for headings")
    lines: list[Line] = [[*parts, *window.omissions]]
    if as_cells:
        width = format_duration(time_bins(window.begin, window.end).width)
        per_row = order.images_per_row
        rows = f"each row is up to {per_row:,} images, " if per_row > 1 else ""
        lines.append([f"{rows}each column is {width}, each cell shows its worst state"])
    return lines


def _make_figure(
    window: TimeWindow, order: RowOrder, subtitle: list[Line], *, marked: bool
) -> go.Figure:
    """Return a figure with a title, a legend of states, and a line that explains marks."""
    names, counts = alt_text.shorten_labels(window.states), order.images["state"].value_counts()
    shares = {} if window.single_scan else window.shares
    legend = [
        style.state_legend_entry(
            state,
            f"{name} {counts.get(state, 0):,}",
            alt_text.format_percent(shares[state]) if shares else "",
        )
        for state, name in zip(window.states, names, strict=True)
    ]
    marks = _find_marks(window) if marked else {}
    return style.base_figure(
        f"Fast Launch states {'at' if window.single_scan else 'until'} {format_time(window.end)}",
        subtitle,
        window.segments,
        rows=order.rows,
        legend=legend,
        marks=[f"{mark} {_MEANINGS[mark]}" for mark, mask in marks.items() if mask.any()],
    )


# --- bars and their marks -------------------------------------------------------------


def _draw_bars(figure: go.Figure, window: TimeWindow, order: RowOrder, *, marked: bool) -> None:
    rows = order.find_rows(window.segments)
    figure.add_traces(_bar_traces(window, rows))
    if marked:
        figure.add_trace(_mark_trace(window, rows))
    style.name_rows(figure, style.row_labels(order.images), list(order.images["row"]), order.rows)
    alt_text.attach_bar_order(figure, _order_bars(window, rows))
    alt_text.attach_images(figure, -order.images["row"], order.images)


def _bar_traces(window: TimeWindow, rows: pd.Series) -> list[go.Bar]:
    """Return a trace for each state; the worst is the last, so that no other hides it.

    A bar has a minimum length, so that a state that has just begun is visible.
    """
    start, end = window.segments["visible_start"], window.segments["visible_end"]
    shortest = (window.end - window.begin) * _SHORTEST_BAR
    is_short = end - start < shortest
    start = start.where(~is_short, end - shortest)
    start = start.where(start > window.begin, window.begin)
    end = end.where(~is_short, start + shortest)
    states, segments = window.segments["state"], window.segments.to_dict("records")
    labels = pd.Series(map(window.describe, segments), index=rows.index, dtype=object)
    return [
        go.Bar(
            name=markup.escape_markup(state),
            orientation="h",
            y=list(-rows[states == state]),
            base=[markup.to_plotly_time(time) for time in start[states == state]],
            x=[round(length / pd.Timedelta("1ms")) for length in (end - start)[states == state]],
            width=style.state_style(state).height,
            marker=style.state_marker(state),
            **markup.draw_hover_labels(list(labels[states == state])),
        )
        for state in reversed(window.states)
    ]


def _order_bars(window: TimeWindow, rows: pd.Series) -> list[int]:
    """Return the numbers of the bars by row and time, counted through all traces."""
    segments = window.segments.assign(row=rows)
    traces = [segments[segments["state"] == state] for state in reversed(window.states)]
    bars = pd.concat(traces, ignore_index=True)
    return bars.sort_values(["row", "visible_start"], kind="stable").index.to_list()


def _find_marks(window: TimeWindow) -> dict[str, pd.Series]:
    """Return for each mark a mask of the segments that have it."""
    segments = window.segments
    earlier = segments["start"] < window.begin
    return {
        _EARLIER: earlier,
        _INEXACT: ~segments["start_exact"] & ~earlier,
        _OPEN: segments["end"].isna(),
    }


def _mark_trace(window: TimeWindow, rows: pd.Series) -> go.Scatter:
    """Return the marks at the ends of bars: arrow heads and circles."""
    x, y, symbols, colours = [], [], [], []
    for mark, mask in _find_marks(window).items():
        ends = window.segments["visible_end" if mark == _OPEN else "visible_start"]
        x += [markup.to_plotly_time(time) for time in ends[mask]]
        y += list(-rows[mask])
        symbols += [_SYMBOLS[mark]] * int(mask.sum())
        colours += [
            "white" if mark == _INEXACT else style.state_style(state).colour
            for state in window.segments["state"][mask]
        ]
    are_circles = [symbol == _SYMBOLS[_INEXACT] for symbol in symbols]
    return go.Scatter(
        name="marks",
        mode="markers",
        x=x,
        y=y,
        marker={
            "symbol": symbols,
            "color": colours,
            "opacity": 1,
            "size": [8 if is_circle else 12 for is_circle in are_circles],
            "line": {
                "color": style.GREY,
                "width": [1.5 if is_circle else 0 for is_circle in are_circles],
            },
        },
        cliponaxis=False,
        hoverinfo="skip",
    )


# --- cells: too many segments for bars ------------------------------------------------


def _draw_cells(figure: go.Figure, window: TimeWindow, order: RowOrder) -> None:
    """Draw the worst state in each row and time bin, with labels and text for the rows."""
    bins, names = time_bins(window.begin, window.end), _name_rows(order)
    rows = order.find_rows(window.segments).to_numpy()
    worst = find_worst_states(window, bins, rows, order.rows)
    figure.add_trace(_make_heatmap(worst, window.states, bins, names))
    style.widen_left_margin(figure, [name for name in names if markup.INVISIBLE not in name])
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
        row: markup.escape_markup(label) + (f" + {counts[row] - 1:,}" if counts[row] > 1 else "")
        for row, label in zip(first["row"], style.row_labels(first), strict=True)
    }
    invisible = (markup.INVISIBLE * count for count in range(1, order.rows + 1))
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
        x0=markup.to_plotly_time(bins.begin + bins.width / 2),
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


# --- headings and the time axis -------------------------------------------------------


def _add_headings(figure: go.Figure, order: RowOrder, *, by_index: bool) -> None:
    labels = alt_text.shorten_labels([heading.name for heading in order.headings])
    place = {"x": 0, "xref": "paper", "xanchor": "left", "xshift": 2, "yanchor": "middle"}
    for heading, label in zip(order.headings, labels, strict=True):
        text = f"<b>{markup.escape_markup(label)}</b> · {format_count(heading.images)}"
        middle = heading.row + (heading.height - 1) / 2
        y = middle if by_index else -middle
        figure.add_annotation(text=text, font={"size": 12}, showarrow=False, y=y, **place)


def _set_time_axis(figure: go.Figure, window: TimeWindow) -> None:
    """Limit the axis to the window, and add buttons for its last days."""
    begin, end = map(markup.to_plotly_time, (window.begin, window.end))
    figure.update_xaxes(
        type="date",
        range=[begin, end],
        minallowed=begin,
        maxallowed=end,
        autorangeoptions={"include": [begin, end], "clipmin": begin, "clipmax": end},
        tickformatstops=style.TIME_TICKS,
    )
    buttons: list[dict[str, Any]] = [
        {"step": "day", "stepmode": "backward", "count": days, "label": f"{days} d"}
        for days in _BUTTONS
        if pd.Timedelta(days=days) < window.end - window.begin
    ]
    if not buttons:
        return
    layout, top = figure.layout, 1 + 8 / style.plot_height(figure)
    figure.update_layout(
        height=layout.height + _BUTTON_HEIGHT, margin_t=layout.margin.t + _BUTTON_HEIGHT
    )
    figure.update_xaxes(
        rangeselector={
            "buttons": [*buttons, {"step": "all", "label": "all"}],
            "x": 0,
            "xanchor": "left",
            "y": top,
            "yanchor": "bottom",
            "bgcolor": "rgba(128,128,128,0.12)",
            "activecolor": "rgba(128,128,128,0.38)",
            "font": {"size": 11, "color": style.GREY},
        }
    )
