"""The time bar of an image: its states one after the other, as HTML, with a list of them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final, NamedTuple

import pandas as pd

from fastlaunch_nb.charts.style import state_style
from fastlaunch_nb.filter_panel.table_columns import Record, format_value, render_swatch
from fastlaunch_nb.formatting import format_duration, format_time

MAX_STATES: Final = 6
"""How many of the last states the list has."""


class Stay(NamedTuple):
    """An image's stay in a state, from `start` to `end`; it began earlier if not `is_exact`."""

    state: str
    start: pd.Timestamp
    end: pd.Timestamp
    is_exact: bool

    @property
    def text(self) -> str:
        """The state, how long it lasted, and since when."""
        if self.end <= self.start and not self.is_exact:
            return f"{format_value(self.state)}, seen at {format_time(self.start)}"
        earlier = "" if self.is_exact else " or earlier"
        duration = format_duration(self.end - self.start)
        return f"{format_value(self.state)} {duration}, since {format_time(self.start)}{earlier}"


def find_stays(image: Record, intervals: pd.DataFrame | None) -> list[Stay]:
    """Return the stays of an image, in order; without intervals, only that in its state of now."""
    if intervals is None:
        state, start, end = (
            image[name] for name in ("state", "state_transition_time", "observed_at")
        )
        is_known = pd.notna([state, start, end]).all()
        return [Stay(state, start, max(start, end), is_exact=True)] if is_known else []
    known = intervals.assign(end=intervals["end"].fillna(intervals["last_seen"]))
    known = known.dropna(subset=["state", "start", "end"]).sort_values("start")
    columns = (known[name] for name in ("state", "start", "end", "start_exact"))
    return [Stay(*values) for values in zip(*columns, strict=True)]


def render_time_bar(stays: Sequence[Stay], start: pd.Timestamp, end: pd.Timestamp) -> str:
    """Render stays between two times, which several bars may share, and the list of them."""
    if not stays:
        return "<p class='fl-hint'>No time of this image is known.</p>"
    before, after = stays[0].start - start, end - stays[-1].end
    parts = [_render_gap(before), *map(_render_stay, stays), _render_gap(after)]
    label = escape("; ".join(stay.text for stay in stays[-MAX_STATES:]), quote=True)
    lines = "".join(
        f"<li>{render_swatch(stay.state)} {stay.text}</li>"
        for stay in stays[: -MAX_STATES - 1 : -1]
    )
    more = len(stays) - MAX_STATES
    earlier = f"<li>and {more:,} earlier</li>" if more > 0 else ""
    return (
        f"<div class='fl-time-bar' role='img' aria-label='{label}'>{''.join(parts)}</div>"
        f"<div class='fl-time-ends' aria-hidden='true'><span>{format_time(start)}</span>"
        f"<span>{format_time(end)}</span></div><ul class='fl-stays'>{lines}{earlier}</ul>"
    )


def _render_stay(stay: Stay) -> str:
    style = state_style(stay.state)
    kinds = ["fl-stay", *["fl-hollow"] * (not style.solid), *["fl-striped"] * bool(style.pattern)]
    css = f"{_grow(stay.end - stay.start)};--fl-state:{style.colour}"
    return f"<i class='{' '.join(kinds)}' style='{css}' title='{escape(stay.text)}'></i>"


def _render_gap(duration: pd.Timedelta) -> str:
    return f"<i style='{_grow(duration)}'></i>"


def _grow(duration: pd.Timedelta) -> str:
    """Return the CSS of a part that is as wide as its share of the time."""
    return f"flex-grow:{max(0.0, duration.total_seconds()):.0f}"
