"""The timeline: since when each image has been in its state."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from fastlaunch_nb.charts import look, words
from fastlaunch_nb.errors import InputError
from fastlaunch_nb.frame import KEY, fit_to_show, severity
from fastlaunch_nb.intervals import from_look

_UNSEEN_ROWS = ("No image to show.", "No row says when it was seen: from_pages takes observed_at.")
_DAY = 86_400_000  # milliseconds
_TICKS = (  # plotly's own name the year under each hour, and so stand aslant where it is narrow
    {"dtickrange": [None, _DAY - 1], "value": "%H:%M\n%b %-d"},
    {"dtickrange": [_DAY, "M1"], "value": "%b %-d\n%Y"},
)
_SHORTEST = pd.Timedelta("1h")  # what the axis shows at least


def timeline(intervals: pd.DataFrame, *, since: str | pd.Timedelta | None = "14D") -> go.Figure:
    """Draw since when each image has been in its state: a row an image, coloured by state.

    Parameters
    ----------
    intervals : pandas.DataFrame
        State intervals, or a frame of images: of that, the one interval that a
        single look tells. Columns ``image_name`` and ``account_name``, where
        they are there, are shown instead of ids.
    since : str or pandas.Timedelta, default "14D"
        How far the axis goes back from the last look. What began earlier is cut
        there and marked ◀; None shows all of it.

    Returns
    -------
    plotly.graph_objects.Figure
        The worst states on top, the latest first within a state; times in UTC.

    Raises
    ------
    InputError
        It is no frame of images or intervals, or `since` is no duration.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> page = {"FastLaunchImages": [{"ImageId": "ami-0abcdef1234567890", "State": "enabled",
    ...                               "StateTransitionTime": "2026-01-14T09:00:00Z"}]}
    >>> images = fl.from_pages(page, observed_at="2026-01-15T12:00:00Z")
    >>> [trace.name for trace in fl.timeline(images).data]
    ['enabled']
    """
    window = _window(since)
    told = _as_intervals(intervals)
    drawn = told[told["last_seen"].notna()]
    if drawn.empty:
        return look.empty("timeline", intervals, _UNSEEN_ROWS if len(told) else None)
    now = drawn["last_seen"].max()
    left = min(drawn["start"].min(), now - _SHORTEST)
    left = left if window is None else max(left, now - window)
    bars = _bars(drawn, left, now)
    rows = _rows(bars)
    bars = bars[bars["to"] > left]  # what ended before the axis begins is not drawn
    bars["y"] = _positions(bars, rows)
    bars["words"] = [_interval_words(row) for row in bars.to_dict("records")]
    states = sorted(bars["state"].fillna("unknown").unique(), key=severity)
    title = f"Fast Launch states at {now:%Y-%m-%d %H:%M} UTC"
    unseen = len(set(_keys(told)) - set(_keys(drawn)))
    note = f" · {unseen} not drawn: never observed" if unseen else ""
    figure = look.blank(
        title, words.images(len(rows)) + note, bars,
        rows=len(rows), legend=_state_legend(states, rows),
    )  # fmt: skip
    for state in states:
        same = bars[bars["state"].fillna("unknown") == state]
        figure.add_trace(_state_bars(state, same, marked=look.roomy(figure, len(rows))))
    look.label_rows(figure, rows)
    words.remember(figure, bars.sort_values(["y", "from"], ascending=[False, True])["words"])
    end = _iso(now + (now - left) * 0.02)
    figure.update_xaxes(type="date", range=[_iso(left), end], tickformatstops=_TICKS)
    return figure


def _as_intervals(intervals: pd.DataFrame) -> pd.DataFrame:
    """Return intervals, of a frame of images those that one look tells; none begins after it."""
    if isinstance(intervals, pd.DataFrame) and "start" in intervals:
        fit = fit_to_show(intervals, *KEY, "state", "start", "end", "last_seen", "start_exact")
        if fit["start"].isna().any():
            raise InputError("An interval has no start. Expected one in each row of intervals.")
        return fit
    images = fit_to_show(intervals, *KEY, "state", "state_transition_time", "observed_at")
    told = from_look(images)
    # Observed in whole seconds, a transition may seem to come up to one later.
    return told.assign(
        start=told["start"].where(told["start"] < told["last_seen"], told["last_seen"])
    )


def _state_legend(states: Sequence[str], rows: pd.DataFrame) -> list[str]:
    counts = rows["state"].fillna("unknown").value_counts()
    names = words.short(states)
    return [
        look.in_legend(look.state_look(state).colour, look.state_look(state).swatch, names[state])
        + (f" {count}" if (count := counts.get(state)) else "")
        for state in states
    ]


def _window(since: Any) -> pd.Timedelta | None:
    if since is None:
        return None
    window = pd.Timedelta(0)
    if isinstance(since, str | timedelta):  # a bare number would be nanoseconds
        with suppress(ValueError):
            window = pd.Timedelta(since)
    if not window > pd.Timedelta(0):
        raise InputError(f"since is {since!r}. Expected a duration such as '14D', or None.")
    return window


def _bars(intervals: pd.DataFrame, left: pd.Timestamp, now: pd.Timestamp) -> pd.DataFrame:
    """Cut the intervals to the axis; a state that has only just begun still gets a sliver."""
    bars = intervals.copy()
    end = bars["end"].fillna(bars["last_seen"])
    bars["from"] = bars["start"].where(bars["start"] > left, left)
    bars["to"] = end.where(end > left, left)
    sliver = (now - left) * 0.006
    bars["from"] = bars["from"].where(bars["to"] - bars["from"] > sliver, bars["to"] - sliver)
    bars["cut"] = bars["start"] < left
    return bars


def _rows(bars: pd.DataFrame) -> pd.DataFrame:
    """Return a row an image, in the order they are drawn: worst first, then latest first."""
    latest = bars.sort_values("start").drop_duplicates(list(KEY), keep="last")
    worst = latest["state"].fillna("unknown").map(severity)
    return latest.assign(_worst=worst).sort_values(
        ["_worst", "start", *KEY], ascending=[True, False, True, True, True]
    )


def _positions(bars: pd.DataFrame, rows: pd.DataFrame) -> list[int]:
    position = {key: -n for n, key in enumerate(_keys(rows))}
    return [position[key] for key in _keys(bars)]


def _keys(frame: pd.DataFrame) -> list[tuple[str, ...]]:
    return list(frame[list(KEY)].astype(object).fillna("").itertuples(index=False, name=None))


def _state_bars(state: str, bars: pd.DataFrame, *, marked: bool) -> go.Bar:
    drawn = look.state_look(state)
    return go.Bar(
        name=words.safe(state),
        orientation="h",
        y=list(bars["y"]),
        base=[_iso(moment) for moment in bars["from"]],
        x=[round(span / pd.Timedelta("1ms")) for span in bars["to"] - bars["from"]],
        width=0.72,
        marker={
            "color": drawn.colour,
            "line": {"width": 0},
            "pattern": {"shape": drawn.pattern, "fgcolor": "white", "size": 6, "solidity": 0.35},
        },
        text=["◀" if cut and marked else "" for cut in bars["cut"]],
        textposition="inside",
        insidetextanchor="start",
        textangle=0,
        textfont={"color": "white", "size": 11},
        constraintext="none",
        hovertext=list(bars["words"]),
        hovertemplate="%{hovertext}<extra></extra>",
    )


def _interval_words(row: dict[Any, Any]) -> str:
    end = row["end"] if pd.notna(row["end"]) else row["last_seen"]
    start = f"{row['start']:%Y-%m-%d %H:%M} UTC"
    return words.hover(
        row,
        f"<b>{words.safe(row['state'], 'state unknown')}</b> for {_duration(end - row['start'])}",
        f"since {start}" if row["start_exact"] else f"first seen {start}",
        words.safe(row.get("state_transition_reason"), "no reason given"),
    )


def _iso(moment: pd.Timestamp) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]


def _duration(span: pd.Timedelta) -> str:
    minutes = max(0, round(span.total_seconds() / 60))
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
