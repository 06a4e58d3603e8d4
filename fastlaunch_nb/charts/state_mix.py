"""The state mix chart: the share of time that the fleet and its groups spent in each state."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple

import pandas as pd
import plotly.graph_objects as go
from narwhals.stable.v2.typing import IntoDataFrame

from fastlaunch_nb.charts import alt_text, markup, row_order, style
from fastlaunch_nb.charts.markup import RowText
from fastlaunch_nb.charts.time_window import UNKNOWN, TimeWindow, explain_empty, time_window
from fastlaunch_nb.formatting import format_count, format_duration, format_time, state_rank
from fastlaunch_nb.validation import require_columns

_BY: Final = (None, "account", "region", "image")
_MOST: Final = 500  # rows
_LABELLED: Final = 0.1  # the minimum share that has room for its number
_BAR_HEIGHT: Final = 0.72  # as a share of the row height
_MARGIN: Final = 28  # pixels at the right, for half of "100 %"


class _Row(NamedTuple):
    """A bar: its label, the first lines of its text, and the seconds in each state."""

    label: str
    heading: RowText
    seconds: dict[str, float]

    @property
    def total(self) -> float:
        """The seconds in all states."""
        return sum(self.seconds.values())

    def share(self, state: str) -> float:
        """Return the share of a state; 0 if there is no time at all."""
        return self.seconds[state] / (self.total or 1)

    def describe(self) -> RowText:
        """Return the text of the row: all of its time, then each state."""
        lines = [f"{_format_seconds(self.total)} in total"]
        lines += [
            f"{state} {alt_text.format_percent(self.share(state))} ({_format_seconds(seconds)})"
            for state, seconds in self.seconds.items()
            if seconds
        ]
        return [*self.heading, *([line] for line in lines)]

    def hover_label(self, state: str) -> str:
        """Return the hover label of a state's part of the bar."""
        share = alt_text.format_percent(self.share(state))
        time = f"{_format_seconds(self.seconds[state])} of {_format_seconds(self.total)}"
        return markup.draw_row([*self.heading, [f"{state} {share}: {time}"]])


def state_mix(
    intervals: IntoDataFrame,
    *,
    coverage: IntoDataFrame | None = None,
    by: str | None = None,
    since: str | pd.Timedelta | None = "14D",
) -> go.Figure:
    """Draw the share of time that images spent in each state.

    Parameters
    ----------
    intervals : DataFrame
        State intervals or images, as in :func:`fastlaunch_nb.timeline`.
    coverage : DataFrame, optional
        The scans behind the intervals; only the time between the first and the last counts.
    by : {"account", "region", "image"}, optional
        Draw a bar for each of these as well as the one for all images.
    since : str or pandas.Timedelta, default "14D"
        The maximum time to count, back from the last scan; None counts the whole coverage.

    Returns
    -------
    plotly.graph_objects.Figure
        A bar of 100 % for all images, and one for each account, region or image, those
        that failed the longest on top. The time of an image counts from its first
        observation; time in which no scan proves its state is drawn as unknown.

    Raises
    ------
    InputError
        If `intervals` is no frame of images or intervals, `coverage` is no coverage,
        `since` is no duration, or `by` is none of these.

    Examples
    --------
    >>> import pandas as pd
    >>> import fastlaunch_nb as fl
    >>> scans = [("2026-01-14T12:00:00Z", "enabling", "2026-01-14T11:00:00Z"),
    ...          ("2026-01-15T12:00:00Z", "enabled", "2026-01-14T18:00:00Z")]
    >>> images = [fl.from_pages([{"ImageId": "ami-0abcdef1234567890", "State": state,
    ...                           "StateTransitionTime": since}], observed_at=observed_at)
    ...           for observed_at, state, since in scans]
    >>> print(fl.alt_text(fl.state_mix(fl.intervals(pd.concat(images)))))
    Share of time in each state until 2026-01-15 12:00 UTC
    1 image over 1 d
    enabling 25 %, enabled 75 %
    - all images, 1 d in total, enabling 25 % (6 h), enabled 75 % (18 h)
    """
    row_order.check_choice("by", by, _BY)
    intervals = require_columns("intervals", intervals)
    window = time_window(intervals, coverage, since)
    if window.segments.empty:
        return style.empty_figure("state_mix", intervals, explain_empty(window))
    rows, groups = _make_rows(window, by)
    subtitle = [f"{format_count(window.image_count)} over {window.length}"]
    subtitle += window.omissions
    if window.single_scan:
        subtitle.append("one scan: only the time since each state began")
    if groups > _MOST:
        subtitle.append(f"the worst {_MOST:,} of {groups:,} {by}s are drawn")
    names, shares = alt_text.shorten_labels(window.states), window.shares
    legend = [
        style.state_legend_entry(state, f"{name} {alt_text.format_percent(shares[state])}")
        for state, name in zip(window.states, names, strict=True)
    ]
    figure = style.base_figure(
        f"Share of time in each state until {format_time(window.end)}",
        [subtitle],
        window.segments,
        rows=len(rows),
        legend=legend,
    )
    labelled = style.has_room(figure, len(rows))
    figure.add_traces([_bar_trace(state, rows, labelled=labelled) for state in window.states])
    style.name_rows(figure, [row.label for row in rows])
    figure.update_layout(barmode="stack", margin_r=_MARGIN)
    figure.update_xaxes(range=[0, 100], ticksuffix=" %", minallowed=0, maxallowed=100)
    alt_text.attach_rows(figure, [row.describe() for row in rows])
    return figure


def _make_rows(window: TimeWindow, by: str | None) -> tuple[list[_Row], int]:
    """Return a row for all images and one for each group, worst first; and the number of groups."""
    total = _sum_seconds(window, [0] * len(window.segments))[0]
    rows = [_Row("all images", [["all images"]], total)]
    if by is None:
        return rows, 0
    images = window.segments.drop_duplicates("image", keep="last")
    numbers, names = pd.Series(range(len(images)), index=images.index), [""]
    if by in row_order.GROUPS:
        numbers, names = row_order.group_images(images, by)
    group_of_image = dict(zip(images["image"], numbers, strict=True))
    groups = _sum_seconds(window, window.segments["image"].map(group_of_image))
    worst = sorted(groups, key=lambda group: _sort_key(groups[group]))[:_MOST]
    if by == "image":
        labels = style.row_labels(images.iloc[worst])
        headings = [alt_text.row_text(row) for row in images.iloc[worst].to_dict("records")]
    else:
        short_names = alt_text.shorten_labels(names)
        labels = [short_names[group] for group in worst]
        headings = [[[alt_text.text_or_default(names[group])]] for group in worst]
    rows += map(_Row, labels, headings, (groups[group] for group in worst))
    return rows, len(groups)


def _sum_seconds(window: TimeWindow, groups: Any) -> dict[int, dict[str, float]]:
    """Return the seconds that each group of segments spent in each state."""
    seconds = window.segments["duration"].dt.total_seconds()
    table = seconds.groupby([groups, window.segments["state"]]).sum().unstack()
    sums: Any = table.fillna(0.0)[window.states].to_dict("index")
    return dict(sums)


def _sort_key(seconds: dict[str, float]) -> tuple[float, ...]:
    """Return a key that puts the longest failures first, then the longest unknown time."""
    total, unknown = sum(seconds.values()) or 1, state_rank(UNKNOWN)
    failed = sum(time for state, time in seconds.items() if state_rank(state) < unknown)
    unsure = sum(time for state, time in seconds.items() if state_rank(state) == unknown)
    shares = -failed / total, -unsure / total, seconds.get("enabled", 0) / total
    return tuple(round(share, 9) for share in shares)  # so that equal shares compare as equal


def _bar_trace(state: str, rows: Sequence[_Row], *, labelled: bool) -> go.Bar:
    shares, state_style = [row.share(state) for row in rows], style.state_style(state)
    labelled = labelled and not state_style.pattern  # a number is unreadable on one
    return go.Bar(
        name=markup.escape_markup(state),
        orientation="h",
        y=[-position for position in range(len(rows))],
        x=[round(100 * share, 3) for share in shares],
        width=_BAR_HEIGHT,
        marker=style.state_marker(state),
        text=[
            alt_text.format_percent(share) if labelled and share > _LABELLED else ""
            for share in shares
        ],
        textposition="inside",
        insidetextanchor="middle",
        textangle=0,
        constraintext="none",
        cliponaxis=False,
        insidetextfont={"color": "white" if state_style.solid else style.GREY, "size": 11},
        hovertext=[row.hover_label(state) for row in rows],
        hovertemplate=style.HOVER,
    )


def _format_seconds(seconds: float) -> str:
    return format_duration(timedelta(seconds=seconds))  # longer than pandas knows
