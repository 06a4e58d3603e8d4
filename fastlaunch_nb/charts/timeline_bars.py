"""The bars of a timeline: a trace a state, the marks at their ends, and what each says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd
import plotly.graph_objects as go

from fastlaunch_nb.charts import alt_text, style
from fastlaunch_nb.charts.alt_text import RowText
from fastlaunch_nb.charts.time_window import TimeWindow, clip_times
from fastlaunch_nb.formatting import format_duration, format_time

_SLIVER: Final = 0.006  # of the axis: how long a bar is at least
_EARLIER, _INEXACT, _STILL = "◀", "○", "▶"
_SYMBOLS = {_EARLIER: "triangle-left", _INEXACT: "circle", _STILL: "triangle-right"}
_MEANINGS = {_EARLIER: "began earlier", _INEXACT: "start not exact", _STILL: "still so"}
_NO_REASON = {"unknown": "no look tells", "absent": "no look lists it"}


def state_bars(there: TimeWindow, rows: pd.Series, said: Sequence[RowText]) -> list[go.Bar]:
    """Return a trace for each state, the worst one last, so that it lies on all others.

    What has only just begun still gets a sliver.
    """
    since, until = there.runs["shown_from"], there.runs["shown_to"]
    sliver = (there.end - there.begin) * _SLIVER
    short = until - since < sliver
    since = clip_times(since.where(~short, until - sliver), there.begin, there.end)
    until = until.where(~short, since + sliver)
    texts = pd.Series([alt_text.draw_row(text) for text in said], index=rows.index, dtype=object)
    traces = []
    for state in reversed(there.states):
        same = there.runs["state"] == state
        traces.append(
            go.Bar(
                name=alt_text.escape_markup(state),
                orientation="h",
                y=list(-rows[same]),
                base=[alt_text.plotly_time(moment) for moment in since[same]],
                x=[round(span / pd.Timedelta("1ms")) for span in until[same] - since[same]],
                width=style.state_style(state).height,
                marker=style.state_marker(state),
                hovertext=list(texts[same]),
                hovertemplate="%{hovertext}<extra></extra>",
            )
        )
    return traces


def _marked(there: TimeWindow) -> dict[str, pd.Series]:
    """Return of each mark which runs have it."""
    runs = there.runs
    earlier = runs["start"] < there.begin
    return {
        _EARLIER: earlier,
        _INEXACT: ~runs["start_exact"] & ~earlier,
        _STILL: runs["end"].isna(),
    }


def marks(there: TimeWindow, rows: pd.Series) -> go.Scatter:
    """Return the marks at the ends of bars: heads of arrows, where they go on, and circles."""
    x, y, symbols, colours = [], [], [], []
    for mark, which in _marked(there).items():
        ends = there.runs["shown_to" if mark == _STILL else "shown_from"]
        x += [alt_text.plotly_time(moment) for moment in ends[which]]
        y += list(-rows[which])
        symbols += [_SYMBOLS[mark]] * int(which.sum())
        states = there.runs["state"][which]
        colours += [
            "white" if mark == _INEXACT else style.state_style(state).colour for state in states
        ]
    circles = [symbol == _SYMBOLS[_INEXACT] for symbol in symbols]
    return go.Scatter(
        name="marks",
        mode="markers",
        x=x,
        y=y,
        marker={
            "symbol": symbols,
            "color": colours,
            "opacity": 1,
            "size": [8 if circle else 12 for circle in circles],
            "line": {"color": style.GREY, "width": [1.5 if circle else 0 for circle in circles]},
        },
        cliponaxis=False,
        hoverinfo="skip",
    )


def marks_in_legend(there: TimeWindow) -> list[str]:
    """Return what explains the marks that there are."""
    return [f"{mark} {_MEANINGS[mark]}" for mark, which in _marked(there).items() if which.any()]


def interval_words(row: dict[Any, Any], there: TimeWindow) -> RowText:
    """Say of a run what it is, since when, until when, and why."""
    still = pd.isna(row["end"])
    until = row["end"] if not still else row["last_seen"]
    until = there.end if pd.isna(until) else until
    start = format_time(row["start"])
    lines = [
        f"{row['state']} for {format_duration(until - row['start'])}",
        f"since {start}" if row["start_exact"] else f"first seen {start}",
    ]
    if not still:
        lines.append(f"until {format_time(until)}")
    elif not there.once:
        lines.append(f"still so {format_time(until)}")
    reason = alt_text.text_or_default(
        row.get("state_transition_reason"), _NO_REASON.get(row["state"], "no reason given")
    )
    return alt_text.row_text(row, *lines, reason)
