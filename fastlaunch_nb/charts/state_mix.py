"""The mix of states: which share of the time was spent in each, by the fleet and by its parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import pandas as pd
import plotly.graph_objects as go

from fastlaunch_nb.charts import alt_text, row_order, style
from fastlaunch_nb.charts.alt_text import LegendEntry, Line, RowText
from fastlaunch_nb.charts.time_window import UNKNOWN, TimeWindow, explain_empty, time_window
from fastlaunch_nb.formatting import format_duration, format_time, state_rank

_BY: Final = (None, "account", "region", "image")
_MOST: Final = 500  # rows
_WRITTEN: Final = 0.1  # of all time: what share has room for its number
_BAR: Final = 0.72  # of a row
_MARGIN: Final = 28  # pixels at the right, for half of "100 %"


class _Row(NamedTuple):
    """A bar: what it is called, what hovering says first, and the seconds in each state."""

    label: str
    head: RowText
    spent: dict[str, float]

    @property
    def total(self) -> float:
        """All seconds in it."""
        return sum(self.spent.values())

    def share(self, state: str) -> float:
        """The share of a state; 0 where there is no time at all."""
        return self.spent[state] / (self.total or 1)


def state_mix(
    intervals: pd.DataFrame,
    *,
    coverage: pd.DataFrame | None = None,
    by: str | None = None,
    since: str | pd.Timedelta | None = "14D",
) -> go.Figure:
    """Draw which share of the time images spent in each state.

    Parameters
    ----------
    intervals : pandas.DataFrame
        As :func:`fastlaunch_nb.timeline` takes them.
    coverage : pandas.DataFrame, optional
        The looks that the intervals were reckoned from; of the time outside nothing counts.
    by : {"account", "region", "image"}, optional
        Of what there is a bar each, besides the one of all images.
    since : str or pandas.Timedelta, default "14D"
        How far it goes back from the last look, at most; None is all that was covered.

    Returns
    -------
    plotly.graph_objects.Figure
        A bar of 100 % for all images, and one for each account, region or image, those
        that failed the longest on top. The time of each image counts from its first
        sight; what no look tells is unknown, and drawn so.

    Raises
    ------
    InputError
        It is no frame of images or intervals, no coverage, `since` is no duration, or
        `by` is none of these.

    Examples
    --------
    >>> import pandas as pd
    >>> import fastlaunch_nb as fl
    >>> looks = [("2026-01-14T12:00:00Z", "enabling", "2026-01-14T11:00:00Z"),
    ...          ("2026-01-15T12:00:00Z", "enabled", "2026-01-14T18:00:00Z")]
    >>> seen = [fl.from_pages([{"ImageId": "ami-0abcdef1234567890", "State": state,
    ...                         "StateTransitionTime": since}], observed_at=look)
    ...         for look, state, since in looks]
    >>> print(fl.text(fl.state_mix(fl.intervals(pd.concat(seen)))))
    Share of time in each state until 2026-01-15 12:00 UTC
    1 image over 1 d
    enabling 25 %, enabled 75 %
    - all images, 1 d in all, enabling 25 % (6 h), enabled 75 % (18 h)
    """
    row_order.check_choice("by", by, _BY)
    there = time_window(intervals, coverage, since)
    if there.runs.empty:
        return style.empty_figure("state_mix", intervals, explain_empty(there))
    rows, parts = _rows(there, by)
    figure = style.base_figure(
        f"Share of time in each state until {format_time(there.end)}",
        _under(there, by, parts), there.runs, rows=len(rows), legend=_legend(there),
    )  # fmt: skip
    for state in there.states:
        figure.add_trace(_bars(state, rows, written=style.has_room(figure, len(rows))))
    style.name_rows(figure, [row.label for row in rows])
    figure.update_layout(barmode="stack", margin_r=_MARGIN)
    figure.update_xaxes(range=[0, 100], ticksuffix=" %", minallowed=0, maxallowed=100)
    alt_text.attach_rows(figure, [_words_of(row) for row in rows])
    return figure


def _under(there: TimeWindow, by: str | None, parts: int) -> list[Line]:
    said = [f"{alt_text.count_images(there.images)} over {there.span}", *there.not_drawn]
    if there.once:
        said.append("one look: only the time since each state began")
    if parts > _MOST:
        said.append(f"the worst {_MOST:,} of {parts:,} {by}s are drawn")
    return [said]


def _legend(there: TimeWindow) -> list[LegendEntry]:
    names, shares = alt_text.shorten_labels(there.states), there.shares
    return [
        style.state_in_legend(state, f"{names[state]} {alt_text.format_percent(shares[state])}")
        for state in there.states
    ]


# --- rows -----------------------------------------------------------------------------


def _rows(there: TimeWindow, by: str | None) -> tuple[list[_Row], int]:
    """Return a row for all images and one for each part, the worst first; how many parts are."""
    images = there.runs.drop_duplicates("image", keep="last")
    names = ["all images"]
    numbers = pd.Series(range(len(images)), index=images.index)
    if by in row_order.GROUPS:
        numbers, names = row_order.group_images(images, by)
    whole = _Row("all images", [["all images"]], _spent(there, [0] * len(there.runs))[0])
    if by is None:
        return [whole], 0
    of = there.runs["image"].map(dict(zip(images["image"], numbers, strict=True)))
    spent = _spent(there, of)
    worst = sorted(spent, key=lambda part: _how_good(spent[part]))[:_MOST]
    if by == "image":
        shown = images.iloc[worst]
        labels = style.row_labels(shown)
        heads = [alt_text.row_text(row) for row in shown.to_dict("records")]
    else:
        short = alt_text.shorten_labels(names)
        labels = [short[names[part]] for part in worst]
        heads = [[[alt_text.text_or_default(names[part])]] for part in worst]
    found = zip(labels, heads, (spent[part] for part in worst), strict=True)
    return [whole, *(_Row(*row) for row in found)], len(spent)


def _spent(there: TimeWindow, of: Any) -> dict[int, dict[str, float]]:
    """Return the seconds that each part of the fleet spent in each state."""
    seconds = there.runs["spent"].dt.total_seconds()
    table = seconds.groupby([of, there.runs["state"]]).sum().unstack()
    found: Any = table.fillna(0.0)[there.states].to_dict("index")
    return dict(found)


def _how_good(spent: dict[str, float]) -> tuple[float, ...]:
    """Return what sorts rows: those that failed the longest first, then the least known."""
    total, unknown = sum(spent.values()) or 1, state_rank(UNKNOWN)
    failed = sum(time for state, time in spent.items() if state_rank(state) < unknown)
    unsure = sum(time for state, time in spent.items() if state_rank(state) == unknown)
    shares = -failed / total, -unsure / total, spent.get("enabled", 0) / total
    return tuple(round(share, 9) for share in shares)  # so that what is as good is alike


# --- bars -----------------------------------------------------------------------------


def _bars(state: str, rows: Sequence[_Row], *, written: bool) -> go.Bar:
    shares = [row.share(state) for row in rows]
    written = written and not style.state_style(state).pattern  # where nobody reads a number
    return go.Bar(
        name=alt_text.escape_markup(state),
        orientation="h",
        y=[-place for place in range(len(rows))],
        x=[round(100 * share, 3) for share in shares],
        width=_BAR,
        marker=style.state_marker(state),
        text=[
            alt_text.format_percent(share) if written and share > _WRITTEN else ""
            for share in shares
        ],
        textposition="inside",
        insidetextanchor="middle",
        textangle=0,
        constraintext="none",
        cliponaxis=False,
        insidetextfont={"color": style.ink_on(state), "size": 11},
        hovertext=[_hover(row, state) for row in rows],
        hovertemplate="%{hovertext}<extra></extra>",
    )


def _hover(row: _Row, state: str) -> str:
    share, spent = alt_text.format_percent(row.share(state)), _long(row.spent[state])
    return alt_text.draw_row([*row.head, [f"{state} {share}: {spent} of {_long(row.total)}"]])


def _words_of(row: _Row) -> RowText:
    said = [
        f"{state} {alt_text.format_percent(row.share(state))} ({_long(spent)})"
        for state, spent in row.spent.items()
        if spent
    ]
    return [*row.head, *([line] for line in (f"{_long(row.total)} in all", *said))]


def _long(seconds: float) -> str:
    return format_duration(pd.Timedelta(seconds=seconds))
