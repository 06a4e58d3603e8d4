"""The timeline: since when, and until when, each image has been in which state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fastlaunch_nb.charts import bars, bins, look, ranks, strips, words
from fastlaunch_nb.charts.ranks import Ranks, ranked
from fastlaunch_nb.charts.rasters import raster
from fastlaunch_nb.charts.told import Told, told, why_nothing
from fastlaunch_nb.charts.words import LegendEntry, Line
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
        State intervals of :func:`fastlaunch_nb.intervals`, or a frame of images: of
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
    ranks.check("sort", sort, ranks.SORTS)
    ranks.check("group", group, (None, *ranks.GROUPS))
    there = told(intervals, coverage, since)
    if there.runs.empty:
        return look.empty("timeline", intervals, why_nothing(there))
    many = len(there.runs) > MOST_BARS or there.images > MOST_ROWS
    order = ranked(there.runs, sort, group, most=MOST_ROWS, heading=_HEADING)
    marked = order.rows <= _MOST_MARKED
    figure = look.blank(
        f"Fast Launch states {'at' if there.once else 'until'} {format_time(there.end)}",
        _under(there, order, group, many=many), there.runs,
        rows=order.rows, legend=_legend(there, order),
        marks=bars.marks_in_legend(there) if marked else [],
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


def _under(there: Told, order: Ranks, group: str | None, *, many: bool) -> list[Line]:
    parts = [words.images(there.images)]
    if not there.once:
        parts[0] += f" over {there.span}"
        parts.append("of each state: images now, share of time")
    if group and not order.headings:
        parts.append(f"by {group}, too many for headings")
    cells = [[_of_cells(there, order)]] if many else []
    return [[*parts, *there.not_drawn], *cells]


def _of_cells(there: Told, cells: Ranks) -> str:
    width = format_duration(bins.bins(there.begin, there.end).width)
    row = f"each row is up to {cells.per_row:,} images, " if cells.per_row > 1 else ""
    return f"{row}each column is {width}: the worst state in it is shown"


def _legend(there: Told, order: Ranks) -> list[LegendEntry]:
    now, shares = order.images["state"].value_counts(), there.shares
    names = words.short(there.states)
    return [
        look.state_in_legend(
            state,
            f"{names[state]} {now.get(state, 0):,}",
            "" if there.once else words.percent(shares[state]),
        )
        for state in there.states
    ]


# --- parts of the figure --------------------------------------------------------------


def _draw_bars(figure: go.Figure, there: Told, order: Ranks, *, marked: bool) -> None:
    rows = order.of(there.runs)
    said = [bars.interval_words(row, there) for row in there.runs.to_dict("records")]
    for trace in bars.state_bars(there, rows, said):
        figure.add_trace(trace)
    if marked:
        figure.add_trace(bars.marks(there, rows))
    look.name_rows(figure, look.row_labels(order.images), list(order.images["row"]), order.rows)
    in_turn = sorted(zip(rows, there.runs["shown_from"], said, strict=True))
    words.attach_rows(figure, [text for *_, text in in_turn])
    words.attach_images(figure, -order.images["row"], order.images)


def _draw_cells(figure: go.Figure, there: Told, order: Ranks) -> None:
    parts = bins.bins(there.begin, there.end)
    worst = bins.worst(
        order.of(there.runs).to_numpy(), bins.cells(there.runs, parts), _numbers(there),
        (order.rows, parts.total),
    )  # fmt: skip
    names = _names_of_rows(order)
    figure.add_trace(raster(worst, there.states, parts, names))
    look.make_room(figure, [name for name in names if _NOTHING not in name])
    every = look.label_every(figure, order.rows)
    figure.update_yaxes(
        type="category", range=[order.rows - 0.5, -0.5], tickfont={"size": 11},
        tickmode="linear", tick0=0, dtick=every,
    )  # fmt: skip
    said = [bars.interval_words(row, there) for row in order.images.head(_SAID).to_dict("records")]
    more = len(order.images) - len(said)
    words.attach_rows(figure, [*said, *([[[f"and {words.images(more)} more"]]] if more else [])])
    words.attach_images(figure, [names[row] for row in order.images["row"]], order.images)


def _names_of_rows(order: Ranks) -> list[str]:
    """Return what each row is called: by its first image, and how many more there are.

    Those that headings take have names that are not seen; no two rows have the same.
    """
    counts = order.images["row"].value_counts()
    first = order.images.drop_duplicates("row")
    named = {
        row: words.safe(label) + (f" + {counts[row] - 1:,}" if counts[row] > 1 else "")
        for row, label in zip(first["row"], look.row_labels(first), strict=True)
    }
    unseen = (_NOTHING * count for count in range(1, order.rows + 1))
    return [named.get(row) or next(unseen) for row in range(order.rows)]


def _numbers(there: Told) -> bins.Numbers:
    """Return the state of each run as its number, the worst one 0."""
    number = {state: place for place, state in enumerate(there.states)}
    return there.runs["state"].map(number).to_numpy(dtype=np.int64)


def _name_groups(figure: go.Figure, order: Ranks, *, by_index: bool) -> None:
    short = words.short([heading.name for heading in order.headings])
    for heading in order.headings:
        middle = heading.row + (heading.height - 1) / 2
        figure.add_annotation(
            text=f"<b>{words.safe(short[heading.name])}</b> · {words.images(heading.images)}",
            font={"size": 12}, showarrow=False, x=0, xref="paper", xanchor="left", xshift=2,
            y=middle if by_index else -middle, yanchor="middle",
        )  # fmt: skip


def _put_strip_above(figure: go.Figure, there: Told) -> None:
    if there.once:
        return
    parts, shape = bins.bins(there.begin, there.end), (len(there.states),)
    counts = bins.counts(
        there.runs["image"].to_numpy(), bins.cells(there.runs, parts), _numbers(there),
        (*shape, parts.total),
    )  # fmt: skip
    strips.put_above(figure, counts, there.states, parts)
    strips.label(figure, "all " * (there.images > 1) + words.images(there.images))


def _draw_time(figure: go.Figure, there: Told) -> None:
    """Draw the axis of what was covered, and no more; with buttons for the last days of it."""
    begin, end = words.iso(there.begin), words.iso(there.end)
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
            "font": {"size": 11, "color": look.GREY},
        }
    )  # fmt: skip
