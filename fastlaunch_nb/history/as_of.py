"""The fleet at a time, and the differences between two times.

States come from the intervals, so that later evidence counts and the answers agree
with the timeline at every instant. Everything else comes from the last scan until
then. A scan that saw a transition ahead counts as made at that transition.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import pandas as pd

from fastlaunch_nb.filters.fields import get_facet_values
from fastlaunch_nb.history.file_schema import NAMES
from fastlaunch_nb.schema.columns import (
    ABSENT,
    ACCOUNT_REGION,
    COLUMNS,
    COMPLETE,
    DISABLED,
    KEY,
    NOT_OPTED_IN,
    TEXT,
    UNKNOWN,
)
from fastlaunch_nb.state_intervals.inputs import compute_instants

_GONE: Final = (ABSENT, DISABLED)
_STATELESS: Final = ""  # stands for the null state of an image that a scan listed
_NAMES: Final = tuple(column.name for column in NAMES)
_COMPARED: Final = ("state", "target", "parallel launches", "template")
_COLUMNS: Final = (*KEY, *_NAMES, "change", "before", "after")


class HistoryData(NamedTuple):
    """A fleet's history: images and coverage as in `StoreContents`, and the state intervals."""

    images: pd.DataFrame
    coverage: pd.DataFrame
    intervals: pd.DataFrame


def find_images(data: HistoryData, time: pd.Timestamp) -> pd.DataFrame:
    """Return the images at a time, with the columns of the schema and their names."""
    rows = _find_states(data, time)
    rows = rows[~rows["interval_state"].isin(_GONE)]
    dtypes = {column.name: column.dtype for column in (*COLUMNS, *NAMES)}
    return rows[list(dtypes)].astype(dtypes).reset_index(drop=True)


def _find_states(data: HistoryData, time: pd.Timestamp) -> pd.DataFrame:
    """Return a row for each image seen until a time; `interval_state` is its state then.

    State, reason and times are those of the last row if it shows that state, and else those
    of the interval, which an event or a later scan proved.
    """
    current = data.intervals
    current = current[(current["start"] <= time) & ~(current["end"] <= time)]
    current = current.rename(
        columns={"state": "interval_state", "state_transition_reason": "interval_reason"}
    )
    rows = current[[*KEY, "interval_state", "interval_reason", "start", "start_exact"]].merge(
        _find_last_rows(data, time), on=list(KEY), how="left"
    )
    state, scanned, start = rows["interval_state"], rows["observed_at"], rows["start"]
    agrees = state.eq(rows["state"].fillna(UNKNOWN)) & (rows["instant"] >= start)
    return rows.assign(
        interval_state=state.mask(agrees & rows["state"].isna(), _STATELESS),
        state=rows["state"].where(agrees, state),
        state_transition_reason=rows["state_transition_reason"].where(
            agrees, rows["interval_reason"]
        ),
        state_transition_time=rows["state_transition_time"].where(
            agrees, start.where(rows["start_exact"])
        ),
        observed_at=scanned.where(agrees | state.eq(UNKNOWN), start).fillna(start),
    )


def _find_last_rows(data: HistoryData, time: pd.Timestamp) -> pd.DataFrame:
    """Return the last row of each image until a time, with the `instant` of its last scan.

    An unchanged scan, whose rows are not among the images, has those of the scan before it.
    """
    keys = list(ACCOUNT_REGION)
    rows = data.images.assign(instant=compute_instants(data.images))
    rows = rows[rows["instant"] <= time].sort_values(["instant", "observed_at"], kind="stable")
    rows = rows.drop_duplicates(list(KEY), keep="last").rename(columns={"observed_at": "read_at"})
    scans = data.coverage[[*keys, "observed_at"]]
    scans = scans.assign(read_at=scans["observed_at"].mask(data.coverage["unchanged"]))
    scans = scans[scans["observed_at"].dt.floor("s") <= time]
    scans["read_at"] = scans.groupby(keys)["read_at"].ffill()
    scans = scans.groupby([*keys, "read_at"], as_index=False)["observed_at"].max()
    rows = rows.merge(scans, on=[*keys, "read_at"], how="left")
    scanned = rows["observed_at"].fillna(rows["read_at"])
    instant = rows["instant"].where(rows["instant"] > scanned, scanned.dt.floor("s"))
    return rows.assign(observed_at=scanned, instant=instant)


def find_differences(data: HistoryData, first: pd.Timestamp, second: pd.Timestamp) -> pd.DataFrame:
    """Return a row for each way in which an image differs between two times."""
    both = _describe_images(data, first).merge(
        _describe_images(data, second), how="outer", on=list(KEY), suffixes=("_1", "_2")
    )
    was_listed = _find_complete_regions(data, both, first)
    never_seen = was_listed.map({True: ABSENT, False: UNKNOWN}).astype(TEXT)
    old, new = both["interval_state_1"].fillna(never_seen), both["interval_state_2"].fillna(UNKNOWN)
    was_there, is_there = (~state.isin([*_GONE, UNKNOWN]) for state in (old, new))
    null = pd.Series(pd.NA, index=both.index, dtype=TEXT)
    changes = [
        ("appeared", old.isin(_GONE) & is_there, old, new),
        ("gone", was_there & new.isin(_GONE), old, new),
        ("unknown before", old.eq(UNKNOWN) & new.ne(UNKNOWN), null, new),
        ("unknown after", was_there & new.eq(UNKNOWN), old, null),
    ]
    for name in _COMPARED:
        before, after = both[f"{name}_1"], both[f"{name}_2"]
        differs = was_there & is_there & before.fillna("").ne(after.fillna(""))
        changes.append((name, differs, before, after))
    names = {name: both[f"{name}_2"].fillna(both[f"{name}_1"]) for name in _NAMES}
    images = both[list(KEY)].assign(**names)
    rows = pd.concat(
        images.assign(change=change, before=before, after=after)[is_changed]
        for change, is_changed, before, after in changes
    )
    rows = rows.replace(_STATELESS, pd.NA).astype(TEXT)
    # The sort is stable: changes of one image stay in the order above.
    return rows.sort_values(list(KEY), ignore_index=True)[list(_COLUMNS)]


def _describe_images(data: HistoryData, time: pd.Timestamp) -> pd.DataFrame:
    """Return the columns that are compared, as text, for each image seen until a time."""
    rows = _find_states(data, time)
    template, version = get_facet_values(rows, "launch_template"), rows["launch_template_version"]
    return rows[[*KEY, "interval_state", *_NAMES, "state"]].assign(
        **{
            "target": rows["target_resource_count"].astype(TEXT),
            "parallel launches": rows["max_parallel_launches"].astype(TEXT),
            "template": template.astype(TEXT) + (":" + version).fillna(""),
        }
    )


def _find_complete_regions(data: HistoryData, rows: pd.DataFrame, time: pd.Timestamp) -> pd.Series:
    """Return for each row whether the last scan of its region listed every image.

    Scans with filters show only whether the region was opted in.
    """
    is_unfiltered = data.coverage["scope"].fillna("").eq("")
    scans = data.coverage[is_unfiltered | data.coverage["status"].eq(NOT_OPTED_IN)]
    scans = scans[scans["observed_at"].dt.floor("s") <= time]
    scans = scans.drop_duplicates(list(ACCOUNT_REGION), keep="last")
    columns = [*ACCOUNT_REGION, "status"]
    rows = rows[list(ACCOUNT_REGION)].merge(scans[columns], on=list(ACCOUNT_REGION), how="left")
    return rows["status"].isin([COMPLETE])
