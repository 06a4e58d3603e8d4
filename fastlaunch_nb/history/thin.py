"""Which looks tell something new: a store of months has the same answer thousands of times.

A look that brought just what the one before it and the one after it brought adds
nothing to any answer but its own time, and that stays in the coverage. Looks that
come within AHEAD of one another stay: what one of them saw ahead may be later than the next.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from fastlaunch_nb.history.deduplicate import Numbers, ScanIndex, ScanRows, codes
from fastlaunch_nb.history.file_schema import KINDS, PLACE, RECORD
from fastlaunch_nb.schema.columns import COMPLETE, NOT_OPTED_IN, TEXT, Column
from fastlaunch_nb.state_intervals.inputs import AHEAD

_SECOND = 1_000_000  # in microseconds, as Arrow and pandas count here
_FAR: Final = 1 << 40  # seconds: more than any time has
_TOLD: Final = [
    column
    for column in KINDS["images"]
    if column not in RECORD and column.name not in (*PLACE, "observed_at")
]
"""The columns in which one look may differ from the next."""


class UnchangedScanFilter:
    """Lets through only the looks that tell something new.

    Parameters
    ----------
    tally : Tally
        Of the coverage.
    coverage : pandas.DataFrame
        All looks, whether their images come through or not.
    events : pandas.DataFrame
        What was told besides: looks beside an event stay.
    gap : timedelta, optional
        Looks that were no further apart than this stay so.
    """

    def __init__(
        self, tally: ScanIndex, coverage: pd.DataFrame, events: pd.DataFrame, gap: timedelta | None
    ) -> None:
        self._tally = tally
        moments = _moments(coverage, coverage)  # which orders them by place and second
        self._order = np.argsort(moments, kind="stable")
        ordered = moments[self._order]
        place, seconds = np.divmod(ordered, _FAR)
        span = (place, seconds // _seconds(gap)) if gap else (place,)
        beside = np.ones(max(0, len(ordered) - 1), dtype=bool)  # a look and the next one
        for part in span:
            beside &= part[1:] == part[:-1]
        beside &= np.diff(seconds) > 0
        beside[1:] &= (place[2:] != place[:-2]) | (seconds[1:-1] - seconds[:-2] > AHEAD.seconds)
        self._beside = beside & ~_event_between(ordered, _moments(events, coverage))
        whole = coverage["scope"].fillna("").eq("") & coverage["status"].isin(
            [COMPLETE, NOT_OPTED_IN]
        )
        self._whole = whole.to_numpy(dtype=bool)
        self.dropped: Numbers = np.zeros(len(coverage), dtype=bool)

    def through(self, day: ScanRows) -> ScanRows:
        """Return the rows of a day that tell something new; note which looks are dropped."""
        told = np.zeros(len(self.dropped), dtype="uint64")
        np.add.at(told, day.looks, _fingerprints(day.rows))  # in any order
        sound = self._whole & (self._tally.found(day.looks) == self._tally.expected)
        told, sound = told[self._order], sound[self._order]
        same = self._beside & (told[1:] == told[:-1]) & sound[1:] & sound[:-1]
        self.dropped[self._order[1:-1]] |= same[1:] & same[:-1]
        left = ~self.dropped[day.looks]
        return ScanRows(day.rows.filter(pa.array(left)), day.looks[left])


def _seconds(gap: timedelta) -> int:
    return max(1, gap // timedelta(seconds=1))


def _moments(rows: pd.DataFrame, coverage: pd.DataFrame) -> Numbers:
    """Return a number for each row that grows with its place and its second."""
    places = pd.MultiIndex.from_frame(coverage[list(PLACE)].drop_duplicates().fillna(""))
    place = places.get_indexer(pd.MultiIndex.from_frame(rows[list(PLACE)].fillna("")))
    seconds: Any = rows["observed_at"].astype("int64").to_numpy() // _SECOND
    moments: Numbers = place * _FAR + seconds
    return moments


def _event_between(looks: Numbers, events: Numbers) -> Numbers:
    """Tell of each look whether there was an event at its place until the next one."""
    events = np.sort(events)
    return np.searchsorted(events, looks[:-1], "left") < np.searchsorted(events, looks[1:], "right")


def _fingerprints(rows: pa.Table) -> Numbers:
    """Return a number for each row that differs where one of its columns does."""
    mixed = np.zeros(len(rows), dtype="uint64")
    for place, column in enumerate(_TOLD):
        values = _numbers(rows[column.name], column)
        mixed = _stirred(mixed ^ (values.view("uint64") + np.uint64(place)))
    return mixed


def _numbers(values: pa.ChunkedArray, column: Column) -> Numbers:
    if column.dtype == TEXT:
        return codes(values).astype("int64")
    whole = values.cast(pa.int64()).fill_null(np.iinfo("int64").min)
    numbers: Numbers = whole.to_numpy()
    return numbers


def _stirred(numbers: Numbers) -> Numbers:
    """Spread numbers over all of 64 bits, as splitmix64 does (Steele, Lea and Flood, 2014)."""
    numbers = numbers + np.uint64(0x9E3779B97F4A7C15)
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    stirred: Numbers = numbers ^ (numbers >> np.uint64(31))
    return stirred
