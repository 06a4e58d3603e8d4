"""The look: frame in, plotly Figure out; one set of state colours for every view.

Pure: no clock, no network, no state. A figure is transparent and its grey text
reads on white and on black, so that it fits any theme it is put into. Whatever
came from AWS is escaped, because plotly draws a little HTML and formulas. The
legend is text under the title: plotly's own takes the width that row labels leave, and climbs
over the title on a narrow screen. plotly's button that uploads the data is off.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from html import escape, unescape
from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go

from fastlaunch_nb import intervals as reckoning
from fastlaunch_nb.errors import InputError
from fastlaunch_nb.frame import (
    DEMO_MARK,
    KEY,
    STATES,
    fit_to_show,
    image_labels,
    is_demo,
    one_line,
    severity,
)


class Look(NamedTuple):
    """How a state is drawn: a colour, and a pattern so that colour is never the only sign.

    The swatch is the pattern once more, as a letter of a legend.
    """

    colour: str
    pattern: str = ""
    swatch: str = "■"


STATE_LOOKS = {
    "enabling": Look("#56b4e9"),
    "enabling-failed": Look("#d55e00", "x", "▩"),
    "enabled": Look("#009e73"),
    "enabled-failed": Look("#cc79a7", "/", "▨"),
    "disabling": Look("#e69f00"),
    "disabling-failed": Look("#8c510a", "\\", "▧"),
    "disabled": Look("#8a8a8a"),
    "absent": Look("#c8c8c8"),
    "unknown": Look("#b0b0b0", ".", "▒"),
}
"""The palette of Okabe and Ito (Color Universal Design, 2008), which people with any kind of
colour vision tell apart; failures carry a pattern as well."""
UNSEEN = Look("#b0b0b0", "+", "▦")
"""How a state is drawn that AWS has added since."""

_UNSEEN_ROWS = "No image to show: no row says when it was seen (from_pages takes observed_at)"
_GREY, _FAINT, _TARGET, _PARALLEL = "#7a7a7a", "rgba(128,128,128,0.22)", "#0072b2", "#e69f00"
_ROW, _TALLEST, _HEAD, _LINE, _FOOT, _LETTER = 19, 1400, 48, 17, 44, 6.3  # pixels
_READABLE = 12  # pixels a row needs for a mark or words of its own
_SHORTEST = pd.Timedelta("1h")  # what an axis of time shows at least
_LABEL = 30  # characters


def state_look(state: object) -> Look:
    """Return how a state is drawn, also one that nobody has seen yet."""
    return STATE_LOOKS.get(str(state), UNSEEN)


# --- timeline -------------------------------------------------------------------------


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
    intervals = _as_intervals(intervals)
    drawn = intervals[intervals["last_seen"].notna()]
    if drawn.empty:
        return _nothing("No image to show" if intervals.empty else _UNSEEN_ROWS, intervals)
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
    unseen = len(set(_keys(intervals)) - set(_keys(drawn)))
    figure = _figure(
        title, bars, rows=len(rows), legend=_state_legend(states, rows),
        note=f" · {unseen} not drawn: never observed" if unseen else "",
    )  # fmt: skip
    for state in states:
        same = bars[bars["state"].fillna("unknown") == state]
        figure.add_trace(_state_bars(state, same, marked=_row_height(len(rows)) >= _READABLE))
    _label_rows(figure, rows)
    _remember(figure, bars.sort_values(["y", "from"], ascending=[False, True])["words"])
    figure.update_xaxes(type="date", range=[_iso(left), _iso(now + (now - left) * 0.02)])
    return figure


def _as_intervals(intervals: pd.DataFrame) -> pd.DataFrame:
    """Return intervals, of a frame of images those that one look tells; none begins after it."""
    if isinstance(intervals, pd.DataFrame) and "start" in intervals:
        fit = fit_to_show(intervals, *KEY, "state", "start", "end", "last_seen", "start_exact")
        if fit["start"].isna().any():
            raise InputError("An interval has no start. Expected one in each row of intervals.")
        return fit
    images = fit_to_show(intervals, *KEY, "state", "state_transition_time", "observed_at")
    told = reckoning.from_look(images)
    # Observed in whole seconds, a transition may seem to come up to one later.
    return told.assign(
        start=told["start"].where(told["start"] < told["last_seen"], told["last_seen"])
    )


def _state_legend(states: Sequence[str], rows: pd.DataFrame) -> list[str]:
    counts = rows["state"].fillna("unknown").value_counts()
    return [
        _swatch(state_look(state).colour, state_look(state).swatch, _short(state))
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
    look = state_look(state)
    return go.Bar(
        name=escape(state),
        orientation="h",
        y=list(bars["y"]),
        base=[_iso(moment) for moment in bars["from"]],
        x=[round(span / pd.Timedelta("1ms")) for span in bars["to"] - bars["from"]],
        width=0.72,
        marker={
            "color": look.colour,
            "line": {"width": 0},
            "pattern": {"shape": look.pattern, "fgcolor": "white", "size": 6, "solidity": 0.35},
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
    return _hover(
        row,
        f"<b>{_safe(row['state'], 'state unknown')}</b> for {_duration(end - row['start'])}",
        f"since {start}" if row["start_exact"] else f"first seen {start}",
        _safe(row.get("state_transition_reason"), "no reason given"),
    )


# --- capacity -------------------------------------------------------------------------


def capacity(images: pd.DataFrame) -> go.Figure:
    """Draw how many snapshots each image is to keep, and how many it may prepare at once.

    Parameters
    ----------
    images : pandas.DataFrame
        A frame of :func:`fastlaunch_nb.from_pages` or :func:`fastlaunch_nb.describe`.
        Columns ``image_name`` and ``account_name``, where they are there, are
        shown instead of ids.

    Returns
    -------
    plotly.graph_objects.Figure
        A row an image, the largest target on top: a bar for
        ``target_resource_count``, a diamond for ``max_parallel_launches``.
        A number that AWS does not give is said to be unknown, never drawn as 0.

    Raises
    ------
    InputError
        It is no frame of images.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> images = fl.from_pages([{"ImageId": "ami-0abcdef1234567890", "MaxParallelLaunches": 6,
    ...                          "SnapshotConfiguration": {"TargetResourceCount": 10}}])
    >>> [trace.name for trace in fl.capacity(images).data]
    ['target snapshots', 'max parallel launches']
    """
    images = fit_to_show(images, *KEY, "target_resource_count", "max_parallel_launches")
    if images.empty:
        return _nothing("No image to show", images)
    rows = images.assign(_label=image_labels(images)).sort_values(
        ["target_resource_count", "_label", *KEY],
        ascending=[False, True, True, True, True],
        na_position="last",
    )
    words = [_capacity_words(row) for row in rows.to_dict("records")]
    legend = [
        _swatch(_TARGET, "■", "target snapshots"),
        _swatch(_PARALLEL, "◆", "max parallel launches"),
    ]
    figure = _figure(_capacity_title(rows), rows, rows=len(rows), legend=legend)
    figure.add_trace(
        _counts(rows["target_resource_count"], words, go.Bar, "target snapshots",
                orientation="h", width=0.62, marker={"color": _TARGET, "line": {"width": 0}})
    )  # fmt: skip
    figure.add_trace(
        _counts(rows["max_parallel_launches"], words, go.Scatter, "max parallel launches",
                mode="markers", marker=_diamond(len(rows)))
    )  # fmt: skip
    _label_rows(figure, rows)
    figure.update_xaxes(title="snapshots · launches", rangemode="tozero")
    _say_unknown(figure, rows)
    _remember(figure, words)
    return figure


def _diamond(rows: int) -> dict[str, Any]:
    roomy = _row_height(rows) >= _READABLE
    line = {"color": "white", "width": 1 if roomy else 0}
    return {"color": _PARALLEL, "symbol": "diamond", "size": 9 if roomy else 5, "line": line}


def _capacity_title(rows: pd.DataFrame) -> str:
    targets = rows["target_resource_count"]
    known, unknown = targets.count(), targets.isna().sum()
    if not known:
        return f"Target unknown for {_images(unknown)}"
    title = f"Target: {targets.sum()} snapshots for {_images(known)}"
    return title + (f", unknown for {unknown}" if unknown else "")


def _say_unknown(figure: go.Figure, rows: pd.DataFrame) -> None:
    """Write it at the right edge, where the axis makes room, of each row without a target."""
    unknown = [place for place, target in enumerate(rows["target_resource_count"].isna()) if target]
    if not unknown:
        return
    largest = rows[["target_resource_count", "max_parallel_launches"]].max().max()
    figure.update_xaxes(range=[0, 1 if pd.isna(largest) else float(largest) * 1.35])
    said = dict.fromkeys(unknown, "target unknown")
    if _row_height(len(rows)) < _READABLE:  # they stand together, below all others
        said = {unknown[len(unknown) // 2]: f"target unknown<br>for {_images(len(unknown))}"}
    for place, text in said.items():
        figure.add_annotation(
            text=f"<i>{text}</i>", font={"size": 11}, showarrow=False,
            x=1, xref="paper", xanchor="right", y=-place,
        )  # fmt: skip


def _counts(values: pd.Series, words: list[str], kind: Any, name: str, **look: Any) -> Any:
    known = [position for position, value in enumerate(values) if pd.notna(value)]
    return kind(
        name=name,
        x=[int(values.iloc[position]) for position in known],
        y=[-position for position in known],
        hovertext=[words[position] for position in known],
        hovertemplate="%{hovertext}<extra></extra>",
        **look,
    )


def _capacity_words(row: dict[Any, Any]) -> str:
    return _hover(
        row,
        f"target {_safe(row['target_resource_count'], 'unknown')} snapshots",
        f"at most {_safe(row['max_parallel_launches'], 'unknown')} parallel launches",
        f"state {_safe(row.get('state'), 'unknown')}",
    )


# --- text -----------------------------------------------------------------------------


def text(figure: go.Figure) -> str:
    """Say what a figure shows in words and numbers: the same, for who can not see it.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        A figure of :func:`fastlaunch_nb.timeline` or :func:`fastlaunch_nb.capacity`.

    Returns
    -------
    str
        Its title, what stands under it, and a line for each bar or row, from
        the top of the figure to its bottom. Plain text, with no markup.

    Raises
    ------
    InputError
        It is another figure.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> images = fl.from_pages([{"ImageId": "ami-0abcdef1234567890", "MaxParallelLaunches": 6,
    ...                          "SnapshotConfiguration": {"TargetResourceCount": 10}}])
    >>> print(fl.text(fl.capacity(images)))
    Target: 10 snapshots for 1 image
    1 image
    target snapshots   max parallel launches
    - ami-0abcdef1234567890, target 10 snapshots, at most 6 parallel launches, state unknown
    """
    meta = figure.layout.meta if isinstance(figure, go.Figure) else None
    if not isinstance(meta, dict) or "words" not in meta:
        raise InputError("Expected a figure that timeline or capacity made.")
    head = [figure.layout.title.text, *figure.layout.title.subtitle.text.split("<br>")]
    lines = [*map(_plain, head), *(f"- {_plain(words)}" for words in meta["words"])]
    return "\n".join(line for line in lines if line)


def _remember(figure: go.Figure, words: Iterable[str]) -> None:
    """Keep the words of the rows in the figure itself, for its twin in text."""
    figure.update_layout(meta={"words": list(words)})


def _plain(drawn: str) -> str:
    """Return what plotly draws as plain text: lines joined, its markup gone, escapes undone."""
    joined = drawn.replace("<br>", ", ").replace(" · ", ", ")
    swatches = r"<span [^>]*>.</span> "
    return unescape(re.sub(r"</?[bi]>", "", re.sub(swatches, "", joined)))


# --- what all figures share -----------------------------------------------------------


def _figure(
    title: str, data: pd.DataFrame, *, rows: int, legend: Sequence[str], note: str = ""
) -> go.Figure:
    """Return a figure without data: its head, with the legend in lines of three, and its look."""
    mark = f"{DEMO_MARK} · " if is_demo(data) else ""
    lines = [
        f"{mark}{_images(rows)}{note}",
        *("   ".join(legend[start : start + 3]) for start in range(0, len(legend), 3)),
    ]
    head = _HEAD + _LINE * len(lines)
    figure = go.Figure()
    figure.update_layout(
        title={
            "text": title,
            "font": {"size": 16, "weight": 600},
            "subtitle": {"text": "<br>".join(lines), "font": {"size": 12}},
            "x": 0,
            "xref": "container",
            "pad": {"l": 12, "t": 12},
            "yref": "container",
            "y": 1,
            "yanchor": "top",
        },
        height=min(_TALLEST, head + _FOOT + _ROW * max(rows, 4)),
        margin={"l": 12, "r": 16, "t": head, "b": _FOOT},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": _GREY, "size": 12},
        barmode="overlay",
        showlegend=False,
        modebar={"remove": ["sendChartToCloud"], "bgcolor": "rgba(0,0,0,0)", "color": _GREY},
        hoverlabel={"align": "left"},
    )
    figure.update_xaxes(
        gridcolor=_FAINT, zeroline=False, linecolor=_FAINT, autotickangles=[0, 45], nticks=7
    )
    figure.update_yaxes(showgrid=False, zeroline=False, ticks="outside", tickcolor="rgba(0,0,0,0)")
    return figure


def _row_height(rows: int) -> float:
    """Return how many pixels a row gets: less where a figure would become too tall."""
    return min(_ROW, (_TALLEST - _HEAD - _FOOT) / max(rows, 1))


def _images(count: int) -> str:
    return f"{count} image" if count == 1 else f"{count} images"


def _label_rows(figure: go.Figure, rows: pd.DataFrame) -> None:
    """Name the rows by image and region; fewer labels where it is tight."""
    every = max(1, -(-len(rows) * 13 // (_TALLEST - _FOOT - figure.layout.margin.t)))
    labels = [
        [_short(part) for part in (name, region) if not _missing(part)]
        for name, region in zip(image_labels(rows), rows["region"], strict=True)
    ]
    longest = max(len(" · ".join(label)) for label in labels)
    figure.update_layout(margin_l=16 + round(_LETTER * longest))
    figure.update_yaxes(
        range=[-len(rows) + 0.4, 0.6],
        tickmode="array",
        tickvals=[-position for position in range(0, len(rows), every)],
        ticktext=[" · ".join(map(_safe, label)) for label in labels[::every]],
        tickfont={"size": 11},
    )


def _nothing(why: str, data: pd.DataFrame) -> go.Figure:
    """Return an empty figure that says why it is empty."""
    figure = _figure(why, data, rows=0, legend=())
    _remember(figure, [])
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure


def _hover(row: dict[Any, Any], *lines: str) -> str:
    names: Sequence[Any] = (row.get("image_name"), row.get("image_id"))
    places: Sequence[Any] = (row.get("account_name"), row.get("account_id"), row.get("region"))
    head = [f"<b>{_safe(value)}</b>" for value in names if not _missing(value)][:1]
    ids = [_safe(value) for value in names if not _missing(value)][1:]
    where = " · ".join(_safe(value) for value in places if not _missing(value))
    return "<br>".join(filter(None, [*head, *ids, where, *lines]))


def _missing(value: Any) -> bool:
    return bool(pd.isna(value)) or value == ""


def _safe(value: Any, missing: str = "?") -> str:
    """Return text that plotly draws as it stands: its bit of HTML and its formulas are escaped."""
    if _missing(value):
        return missing
    return escape(one_line(value), quote=False).replace("$", "&#36;")


def _swatch(colour: str, swatch: str, name: str) -> str:
    size = 12 if swatch in "▩▨▧▦▒" else 17  # plain shapes are drawn smaller than patterned ones
    return f"<span style='color:{colour};font-size:{size}px'>{swatch}</span> {_safe(name)}"


def _short(label: str) -> str:
    """Shorten a long label in its middle: names differ at their ends."""
    keep = (_LABEL - 1) // 2
    return label if len(label) <= _LABEL else f"{label[:keep]}…{label[-keep:]}"


def _iso(moment: pd.Timestamp) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]


def _duration(span: pd.Timedelta) -> str:
    minutes = max(0, round(span.total_seconds() / 60))
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


assert STATE_LOOKS.keys() == set(STATES)  # noqa: S101  every state has its look
