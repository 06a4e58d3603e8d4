"""Thinning: unchanged scans, whose images equal those of the scans before and after.

A store of months holds the same images thousands of times. Unchanged scans affect no
answer but by their times, and those stay in the coverage. Scans within MAX_AHEAD of each
other always count, because a transition that one saw ahead may come after the next one.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from fastlaunch_nb.history.deduplicate import Array
from fastlaunch_nb.history.file_schema import KINDS, RECORD
from fastlaunch_nb.schema.columns import ACCOUNT_REGION, COMPLETE, NOT_OPTED_IN
from fastlaunch_nb.state_intervals.inputs import MAX_AHEAD, SECOND
from fastlaunch_nb.validation import EPOCH

_COMPARED: Final = [
    column.name
    for column in KINDS["images"]
    if column not in RECORD and column.name not in (*ACCOUNT_REGION, "observed_at")
]


def find_successors(
    coverage: pd.DataFrame, events: pd.DataFrame, max_gap: timedelta | None
) -> Array:
    """Return the position of the next scan of the account and region, for scans sorted by time.

    It is -1 where the two scans must both stay: one of them is incomplete, filtered or too
    close to another scan, only one found the region opted in, an event lies between them, or
    `max_gap` would be exceeded.
    """
    columns = [*ACCOUNT_REGION, "observed_at"]
    rows = pd.concat([coverage[columns], events[columns]], ignore_index=True)
    rows["region"] = rows.groupby(list(ACCOUNT_REGION), dropna=False).ngroup()
    rows["time"] = rows["observed_at"].dt.floor("s")
    scans, times = rows[: len(coverage)], rows[len(coverage) :].sort_values("time")
    times = times[["region", "time"]].assign(event=times["time"])
    scans = pd.merge_asof(scans, times, on="time", by="region", direction="forward")
    is_unfiltered = coverage["scope"].fillna("").eq("")
    is_comparable = is_unfiltered & coverage["status"].isin([COMPLETE, NOT_OPTED_IN])
    scans["status"] = coverage["status"].where(is_comparable)
    scans["position"] = range(len(scans))
    grouped = scans.groupby("region")[["time", "status", "position"]]
    previous, following = grouped.shift(1), grouped.shift(-1)
    time, next_time = scans["time"], following["time"]
    comparable = (
        scans["status"].eq(following["status"]).fillna(False).astype(bool)
        & (next_time > time)
        & ~(time - previous["time"] <= MAX_AHEAD)
        & ~(scans["event"] <= next_time)
    )
    if max_gap:
        step = max(max_gap - max_gap % SECOND, SECOND)
        comparable &= (time - EPOCH) // step == (next_time - EPOCH) // step
    return following["position"].where(comparable, -1).to_numpy("int64")


def hash_scans(images: pa.Table, count: int) -> Array:
    """Return a hash of the images of each scan, in whatever order they come."""
    rows = images.select(_COMPARED).to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    hashes = np.zeros(count, dtype="uint64")
    row_hashes = pd.util.hash_pandas_object(rows, index=False).to_numpy()
    np.add.at(hashes, images["scan"].to_numpy(), row_hashes)
    return hashes


def find_unchanged_scans(successors: Array, hashes: Array, is_intact: Array) -> Array:
    """Return a mask of the scans that equal both the scan before and the scan after."""
    first = np.flatnonzero(successors >= 0)
    second = successors[first]
    equal = is_intact[first] & is_intact[second] & (hashes[first] == hashes[second])
    equals_next, equals_previous = np.zeros((2, len(successors)), dtype=bool)
    equals_next[first[equal]] = True
    equals_previous[second[equal]] = True
    return equals_next & equals_previous
