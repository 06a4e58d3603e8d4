"""Reads of a history for a panel: its scans, the fleet at a time, and what changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import pandas as pd

from fastlaunch_nb.errors import InputError, collect_warnings
from fastlaunch_nb.formatting import format_time, state_rank
from fastlaunch_nb.rules.evaluate import findings
from fastlaunch_nb.schema.columns import FAILED, UNKNOWN, WORST_FIRST

_METHODS: Final = ("images", "intervals", "coverage", "diff")
_OF_STATES: Final = ("state", "appeared", "gone", "unknown before", "unknown after")
"""The changes whose new value is a state."""


class HistoryLike(Protocol):
    """A history as :class:`fastlaunch_nb.History` is one."""

    def images(self, at: datetime | str | None = None) -> pd.DataFrame:
        """Return the fleet at a time."""

    def intervals(self) -> pd.DataFrame:
        """Return from when to when each image was in which state."""

    def coverage(self) -> pd.DataFrame:
        """Return a row for each scan."""

    def diff(self, a: datetime | str, b: datetime | str) -> pd.DataFrame:
        """Return what changed between two times."""


class Past(NamedTuple):
    """The fleet at a time in the past: the data of a panel, the last scan until then, and notes."""

    at: pd.Timestamp
    images: pd.DataFrame
    intervals: pd.DataFrame
    coverage: pd.DataFrame
    findings: pd.DataFrame
    last_scan: pd.Timestamp
    notes: list[str]


class Changes(NamedTuple):
    """Changes between two times, worst first, and the images before and after.

    `is_all` is true if the history begins at `since`.
    """

    since: pd.Timestamp
    until: pd.Timestamp
    rows: pd.DataFrame
    before: pd.DataFrame
    after: pd.DataFrame
    is_all: bool
    notes: list[str]


def check_history(history: Any) -> HistoryLike:
    """Refuse an object that lacks the methods of a history."""
    if isinstance(history, type) or not all(callable(getattr(history, n, None)) for n in _METHODS):
        raise InputError(f"history is a {type(history).__name__}. Expected fl.History(...).")
    checked: HistoryLike = history
    return checked


def list_scans(history: HistoryLike) -> list[pd.Timestamp]:
    """Return the times at which sweeps had read what they could; one of each minute."""
    ends = _find_sweep_ends(history.coverage())
    return list(ends[~ends.dt.floor("min").duplicated(keep="last")])


def _find_sweep_ends(coverage: pd.DataFrame) -> pd.Series:
    """Return the time of the last scan of each sweep that read anything, in order."""
    read = coverage[coverage["status"].ne(FAILED) & coverage["observed_at"].notna()]
    return read.groupby("sweep_id")["observed_at"].max().sort_values()


def read_past(history: HistoryLike, at: pd.Timestamp) -> Past:
    """Read the fleet at a time, and judge it by what was known then.

    Its findings have no commands: these would change the fleet of now.
    """
    with collect_warnings() as notes:
        images, coverage = history.images(at=at), history.coverage()
        intervals = _cut_intervals(history.intervals(), at)
        coverage = coverage[coverage["observed_at"].dt.floor("s") <= at]
        found = findings(images, intervals=intervals, coverage=coverage, at=at)
    found["command"] = pd.Series(pd.NA, index=found.index, dtype=found["command"].dtype)
    last_scan = coverage["observed_at"].max()
    return Past(at, images, intervals, coverage, found, last_scan, list(dict.fromkeys(notes)))


def _cut_intervals(intervals: pd.DataFrame, at: pd.Timestamp) -> pd.DataFrame:
    """Return the intervals that began until a time; those that go on then are open."""
    begun = intervals[intervals["start"] <= at]
    end, last_seen = begun["end"], begun["last_seen"]
    return begun.assign(end=end.where(end <= at), last_seen=last_seen.mask(last_seen > at, at))


def read_changes(
    history: HistoryLike, since: pd.Timestamp | pd.Timedelta, until: pd.Timestamp | None
) -> Changes:
    """Read what changed until a time, by default the newest that the history knows.

    `since` is a time, or how long before `until` it was. Changes begin with the first sweep:
    before it, the history knows of an image at most its state.
    """
    with collect_warnings() as notes:
        ends, intervals = _find_sweep_ends(history.coverage()), history.intervals()
        if ends.empty:
            raise InputError("The history has no scan yet.")
        first = ends.iloc[0]
        newest = pd.concat([ends, intervals["start"], intervals["last_seen"]]).max()
        end = newest if until is None else until
        start = max(first, end - since if isinstance(since, pd.Timedelta) else since)
        if not start <= end:
            raise InputError(f"Choose a day before {format_time(end)}.")
        rows = history.diff(start, end)
        before, after = history.images(at=start), history.images(at=end)
    order = np.argsort(_rank_changes(rows), kind="stable")
    rows = rows.iloc[order].reset_index(drop=True)
    is_all = start == first
    return Changes(start, end, rows, before, after, is_all, list(dict.fromkeys(notes)))


def _rank_changes(rows: pd.DataFrame) -> Any:
    """Return numbers that sort by the new state, the worst first; other values come last."""
    states = rows["after"].fillna(UNKNOWN)
    ranks = states.map({state: state_rank(state) for state in states.unique()})
    return ranks.where(rows["change"].isin(_OF_STATES), len(WORST_FIRST)).to_numpy(int)
