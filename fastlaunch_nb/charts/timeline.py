"""The timeline: since when, and until when, each image has been in which state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fastlaunch_nb.charts import (
    alt_text,
    fleet_strip,
    row_order,
    style,
    time_bins,
    timeline_bars,
)
from fastlaunch_nb.charts.alt_text import LegendEntry, Line
from fastlaunch_nb.charts.row_order import RowOrder, order_rows
from fastlaunch_nb.charts.time_window import TimeWindow, explain_empty, time_window
from fastlaunch_nb.charts.timeline_cells import cell_heatmap
from fastlaunch_nb.formatting import format_duration, format_time

MOST_BARS: Final = 3_000
"""How many runs are drawn as bars; a browser takes seconds for more."""
MOST_ROWS: Final = 500
"""How many rows a figure has; each is two pixels high then."""
_MOST_MARKED: Final = 80  # rows that are high enough for marks of their own
_SAID: Final = 20  # images that a raster says in words
_NOTHING: Final = "\u200b"  # a letter that is not seen
_HEADING = 0.015  # of all rows: how high a heading is where they are many
_DAY = 86_400_000  # milliseconds
_TICKS = (  # plotly's own name the year under each hour, and so stand aslant where it is narrow
    {"dtickrange": [None, _DAY - 1], "value": "%H:%M\n%b %-d"},
    {"dtickrange": [_DAY, "M1"], "value": "%b %-d\n%Y"},
)
_BUTTONS, _BUTTON_ROW = (1, 7, 14, 30), 22  # days; pixels


def timeline(
    intervals: pd.DataFrame,
    *,
    coverage: pd.DataFrame | None = None,
    since: str | pd.Timedelta | None = "14D",
    sort: str = "worst",
    group: str | None = None,
) -> go.Figure:
    """Draw since when, and until when, each image was in which state: a row an image.

    Parameters
    ----------
    intervals : pandas.DataFrame
        State intervals of :func:`fastlaunch_nb.state_intervals`, or a frame of images: of
        that, the one interval that a single look tells. Columns ``image_name`` and
        ``account_name``, where they are there, are shown instead of ids.
    coverage : pandas.DataFrame, optional
        The looks that the intervals were reckoned from: ``account_id``, ``region`` and
        ``observed_at``. The axis begins at the first of them and ends at the last.
        Without it, it begins where the intervals prove the first look.
    since : str or pandas.Timedelta, default "14D"
        How far the axis goes back from the last look, at most. What began earlier is
        cut there and marked ◀; None shows all that was covered.
    sort : {"worst", "recent", "name", "account", "region"}, default "worst"
        The order of rows, from the top: the worst states now, the latest first within
        a state; the latest changes; or by what it is called.
    group : {"account", "region", "state"}, optional
        Rows of one account, region or present state together, under a heading.

    Returns
    -------
    plotly.graph_objects.Figure
        Times in UTC. A bar ends where the state did; one that still holds goes on as ▶,
        a start that nobody saw exactly is marked ○. Above, where there was more than
        one look, how many images were in which state: of all the worst one at each
        time; few are drawn larger, to be seen. The legend says how many images are in
        which state now, and its share of the time. Where there are more than
        thousands of bars, or too many rows, it is made of cells, and says so: each
        shows the worst state in it.

    Raises
    ------
    InputError
        It is no frame of images or intervals, no coverage, `since` is no duration, or
        `sort` or `group` is none of these.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> page = {"FastLaunchImages": [{"ImageId": "ami-0abcdef1234567890", "State": "enabled",
    ...                               "StateTransitionTime": "2026-01-14T09:00:00Z"}]}
    >>> images = fl.from_pages(page, observed_at="2026-01-15T12:00:00Z")
    >>> print(fl.text(fl.timeline(images)))
    Fast Launch states at 2026-01-15 12:00 UTC
    1 image
    enabled 1
    - ami-0abcdef1234567890, enabled for 1 d 3 h, since 2026-01-14 09:00 UTC, no reason given
    """
    row_order.check_choice("sort", sort, row_order.SORTS)
    row_order.check_choice("group", group, (None, *row_order.GROUPS))
    there = time_window(intervals, coverage, since)
    if there.runs.empty:
        return style.empty_figure("timeline", intervals, explain_empty(there))
    many = len(there.runs) > MOST_BARS or there.images > MOST_ROWS
    order = order_rows(there.runs, sort, group, most=MOST_ROWS, heading=_HEADING)
    marked = order.rows <= _MOST_MARKED
    figure = style.base_figure(
        f"Fast Launch states {'at' if there.once else 'until'} {format_time(there.end)}",
        _under(there, order, group, many=many), there.runs,
        rows=order.rows, legend=_legend(there, order),
        marks=timeline_bars.marks_in_legend(there) if marked else [],
    )  # fmt: skip
    if many:
        _draw_cells(figure, there, order)
    else:
        _draw_bars(figure, there, order, marked=marked)
    _name_groups(figure, order, by_index=many)
    _put_strip_above(figure, there)
    _draw_time(figure, there)
    return figure


# --- words ----------------------------------------------------------------------------


def _under(there: TimeWindow, order: RowOrder, group: str | None, *, many: bool) -> list[Line]:
    parts = [alt_text.count_images(there.images)]
    if not there.once:
        parts[0] += f" over {there.span}"
        parts.append("of each state: images now, share of time")
    if group and not order.headings:
        parts.append(f"by {group}, too many for headings")
    cells = [[_of_cells(there, order)]] if many else []
    return [[*parts, *there.not_drawn], *cells]


def _of_cells(there: TimeWindow, cells: RowOrder) -> str:
    width = format_duration(time_bins.time_bins(there.begin, there.end).width)
    row = f"each row is up to {cells.per_row:,} images, " if cells.per_row > 1 else ""
    return f"{row}each column is {width}: the worst state in it is shown"


def _legend(there: TimeWindow, order: RowOrder) -> list[LegendEntry]:
    now, shares = order.images["state"].value_counts(), there.shares
    names = alt_text.shorten_labels(there.states)
    return [
        style.state_in_legend(
            state,
            f"{names[state]} {now.get(state, 0):,}",
            "" if there.once else alt_text.format_percent(shares[state]),
        )
        for state in there.states
    ]


# --- parts of the figure --------------------------------------------------------------


def _draw_bars(figure: go.Figure, there: TimeWindow, order: RowOrder, *, marked: bool) -> None:
    rows = order.of(there.runs)
    said = [timeline_bars.interval_words(row, there) for row in there.runs.to_dict("records")]
    for trace in timeline_bars.state_bars(there, rows, said):
        figure.add_trace(trace)
    if marked:
        figure.add_trace(timeline_bars.marks(there, rows))
    style.name_rows(figure, style.row_labels(order.images), list(order.images["row"]), order.rows)
    in_turn = sorted(zip(rows, there.runs["shown_from"], said, strict=True))
    alt_text.attach_rows(figure, [text for *_, text in in_turn])
    alt_text.attach_images(figure, -order.images["row"], order.images)


def _draw_cells(figure: go.Figure, there: TimeWindow, order: RowOrder) -> None:
    parts = time_bins.time_bins(there.begin, there.end)
    worst = time_bins.worst_states(
        order.of(there.runs).to_numpy(), time_bins.cell_ranges(there.runs, parts), _numbers(there),
        (order.rows, parts.total),
    )  # fmt: skip
    names = _names_of_rows(order)
    figure.add_trace(cell_heatmap(worst, there.states, parts, names))
    style.make_room(figure, [name for name in names if _NOTHING not in name])
    every = style.label_every(figure, order.rows)
    figure.update_yaxes(
        type="category", range=[order.rows - 0.5, -0.5], tickfont={"size": 11},
        tickmode="linear", tick0=0, dtick=every,
    )  # fmt: skip
    said = [
        timeline_bars.interval_words(row, there)
        for row in order.images.head(_SAID).to_dict("records")
    ]
    more = len(order.images) - len(said)
    alt_text.attach_rows(
        figure, [*said, *([[[f"and {alt_text.count_images(more)} more"]]] if more else [])]
    )
    alt_text.attach_images(figure, [names[row] for row in order.images["row"]], order.images)


def _names_of_rows(order: RowOrder) -> list[str]:
    """Return what each row is called: by its first image, and how many more there are.

    Those that headings take have names that are not seen; no two rows have the same.
    """
    counts = order.images["row"].value_counts()
    first = order.images.drop_duplicates("row")
    named = {
        row: alt_text.escape_markup(label) + (f" + {counts[row] - 1:,}" if counts[row] > 1 else "")
        for row, label in zip(first["row"], style.row_labels(first), strict=True)
    }
    unseen = (_NOTHING * count for count in range(1, order.rows + 1))
    return [named.get(row) or next(unseen) for row in range(order.rows)]


def _numbers(there: TimeWindow) -> time_bins.Numbers:
    """Return the state of each run as its number, the worst one 0."""
    number = {state: place for place, state in enumerate(there.states)}
    return there.runs["state"].map(number).to_numpy(dtype=np.int64)


def _name_groups(figure: go.Figure, order: RowOrder, *, by_index: bool) -> None:
    short = alt_text.shorten_labels([heading.name for heading in order.headings])
    for heading in order.headings:
        middle = heading.row + (heading.height - 1) / 2
        figure.add_annotation(
            text=f"<b>{alt_text.escape_markup(short[heading.name])}</b> · "
            f"{alt_text.count_images(heading.images)}",
            font={"size": 12}, showarrow=False, x=0, xref="paper", xanchor="left", xshift=2,
            y=middle if by_index else -middle, yanchor="middle",
        )  # fmt: skip


def _put_strip_above(figure: go.Figure, there: TimeWindow) -> None:
    if there.once:
        return
    parts, shape = time_bins.time_bins(there.begin, there.end), (len(there.states),)
    counts = time_bins.count_states(
        there.runs["image"].to_numpy(), time_bins.cell_ranges(there.runs, parts), _numbers(there),
        (*shape, parts.total),
    )  # fmt: skip
    fleet_strip.add_fleet_strip(figure, counts, there.states, parts)
    fleet_strip.label_fleet_strip(
        figure, "all " * (there.images > 1) + alt_text.count_images(there.images)
    )


def _draw_time(figure: go.Figure, there: TimeWindow) -> None:
    """Draw the axis of what was covered, and no more; with buttons for the last days of it."""
    begin, end = alt_text.plotly_time(there.begin), alt_text.plotly_time(there.end)
    days = [days for days in _BUTTONS if pd.Timedelta(days=days) < there.end - there.begin]
    figure.update_xaxes(
        type="date", range=[begin, end], minallowed=begin, maxallowed=end,
        autorangeoptions={"include": [begin, end], "clipmin": begin, "clipmax": end},
        tickformatstops=_TICKS,
    )  # fmt: skip
    if days:
        _add_buttons(figure, days)


def _add_buttons(figure: go.Figure, days: Sequence[int]) -> None:
    layout = figure.layout
    figure.update_layout(height=layout.height + _BUTTON_ROW, margin_t=layout.margin.t + _BUTTON_ROW)
    inside = figure.layout.height - figure.layout.margin.t - figure.layout.margin.b
    back: list[dict[str, Any]] = [
        {"step": "day", "stepmode": "backward", "count": count, "label": f"{count} d"}
        for count in days
    ]
    figure.update_xaxes(
        rangeselector={
            "buttons": [*back, {"step": "all", "label": "all"}],
            "x": 0, "xanchor": "left", "y": 1 + 8 / inside, "yanchor": "bottom",
            "bgcolor": "rgba(128,128,128,0.12)", "activecolor": "rgba(128,128,128,0.38)",
            "font": {"size": 11, "color": style.GREY},
        }
    )  # fmt: skip
