"""Builders of intervals and coverages, and readers of figures, for the tests of charts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from fastlaunch_nb.schema.columns import INTERVAL_TIMES, TEXT, TIME

NOON = pd.Timestamp("2026-01-15T12:00:00Z")
DAY = pd.Timedelta("1D")
DAY_MS = 86_400_000
SCAN = "2026-01-15T12:00:00Z"

_STATES = ["enabled", "enabling-failed", "enabling", "unknown", "absent", "disabled", "brand-new"]
LIVES = st.lists(
    st.lists(
        st.tuples(st.sampled_from(_STATES), st.integers(1, 40 * 3600)), min_size=1, max_size=6
    ),
    min_size=1,
    max_size=7,
)
"""The lives of some images: the states of each, and their seconds."""


def make_intervals(
    *segments: tuple[int, str | None, float, float | None], **columns: Any
) -> pd.DataFrame:
    """Return intervals by image number, state, and days before noon; an open one ends at None."""
    rows = [
        {
            "account_id": "999988887777",
            "region": "eu-west-1",
            "image_id": f"ami-{image:017x}",
            "state": state,
            "start": NOON - start * DAY,
            "end": pd.NaT if end is None else NOON - end * DAY,
            "last_seen": None if state == "unknown" else NOON - (end or 0) * DAY,
            "start_exact": True,
            "state_transition_reason": None,
            **columns,
        }
        for image, state, start, end in segments
    ]
    table = pd.DataFrame(rows).astype({"state": TEXT})
    times = {name: pd.to_datetime(table[name], utc=True) for name in INTERVAL_TIMES}
    return table.assign(**{name: values.astype(TIME) for name, values in times.items()})


def make_lives(lives: list[list[tuple[str, int]]]) -> pd.DataFrame:
    """Return intervals of images by states and seconds, one after another until noon."""
    segments: list[tuple[int, str, float, float]] = []
    for image, life in enumerate(lives):
        remaining = sum(seconds for _, seconds in life)
        for state, seconds in life:
            start, remaining = remaining, remaining - seconds
            segments.append((image, state, start / 86_400, remaining / 86_400))
    return make_intervals(*segments)


def make_coverage(*days: float) -> pd.DataFrame:
    """Return a coverage with scans at these numbers of days before noon."""
    times = pd.Series([NOON - day * DAY for day in days]).astype(TIME)
    return pd.DataFrame({"account_id": "999988887777", "region": "eu-west-1", "observed_at": times})


FLEET = pd.concat(
    [
        make_intervals(
            (1, "enabling", 4, 1), (1, "enabled", 1, None), account_name="b", region="us-east-1"
        ),
        make_intervals((2, "enabled", 4, None), account_name="a", region="us-east-1"),
        make_intervals((3, "enabled-failed", 3, None), account_name="b", region="eu-west-1"),
        make_intervals((4, "absent", 2, None), account_name="a", region="eu-west-1"),
    ]
).assign(account_id=lambda rows: rows["account_name"].map({"a": "1" * 12, "b": "2" * 12}))


# --- readers of figures ---------------------------------------------------------------


def find_bars(figure: Any) -> dict[str, Any]:
    """Return the bar traces by name."""
    return {trace.name: trace for trace in figure.data if trace.type == "bar"}


def find_trace(figure: Any, name: str) -> Any:
    """Return the one trace with this name."""
    (trace,) = [trace for trace in figure.data if trace.name == name]
    return trace


def find_headings(figure: Any) -> list[Any]:
    """Return the annotations of groups, and not that of the strip."""
    return [note for note in figure.layout.annotations if note.yref != "y2"]


def read_subtitle(figure: Any) -> str:
    """Return the subtitle as markup."""
    return str(figure.layout.title.subtitle.text)


def read_labels(figure: Any) -> list[str]:
    """Return the labels of the rows from the top."""
    return list(figure.layout.yaxis.ticktext)


def read_image_numbers(figure: Any) -> list[int]:
    """Return the numbers of the images from the top."""
    matches = [re.search(r"ami-([0-9a-f]+)", label) for label in read_labels(figure)]
    return [int(match[1], 16) for match in matches if match]


def read_axis(figure: Any) -> tuple[float, float]:
    """Return the begin and end of the time axis in days before noon."""
    begin, end = (pd.Timestamp(time, tz="UTC") for time in figure.layout.xaxis.range)
    return (NOON - begin) / DAY, (NOON - end) / DAY


def read_bins(trace: Any, count: int) -> list[tuple[Any, Any]]:
    """Return the begin and end of each column of a heatmap."""
    width = pd.Timedelta(milliseconds=trace.dx)
    first = pd.Timestamp(trace.x0, tz="UTC") - width / 2
    return [(first + width * n, first + width * (n + 1)) for n in range(count)]


def read_colours(trace: Any) -> list[list[str]]:
    """Return the colour of each cell of a heatmap."""
    scale = [colour for _, colour in trace.colorscale[::2]]
    return [[scale[code] for code in row] for row in np.asarray(trace.z)]


def states_between(intervals: pd.DataFrame, begin: Any, end: Any) -> set[str]:
    """Return the states of the last seven days that touch a time, the naive way."""
    return {
        row["state"]
        for row in intervals.to_dict("records")
        if max(row["start"], NOON - 7 * DAY, begin) < min(row["end"], NOON, end)
    }


def read_hover_labels(trace: Any) -> list[str]:
    """Return the hover labels of a trace as markup, filled in as plotly does."""
    cells = trace.customdata[0] if trace.type == "heatmap" else trace.customdata
    parts = trace.hovertemplate.removesuffix("<extra></extra>").split("%{")

    def fill(own: Sequence[str]) -> str:
        filled = (part.split("}", 1) for part in parts[1:])
        values = (own[int(name[len("customdata[") : -1])] + rest for name, rest in filled)
        return str(parts[0]) + "".join(values)

    return [*map(fill, cells)]
