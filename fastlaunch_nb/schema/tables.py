"""Tables: the columns of every table that the toolkit returns, and the marks of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from fastlaunch_nb.schema.columns import COVERAGE, EVENTS, FLAG, TEXT, TIME, Column
from fastlaunch_nb.schema.joins import DTYPES, FINDINGS, METRICS, SNAPSHOTS, UNCHECKED

INTERVALS: Final = (
    Column("account_id", TEXT, "the account"),
    Column("region", TEXT, "the region"),
    Column("image_id", TEXT, "the AMI"),
    Column("state", TEXT, "its state in this interval"),
    Column("start", TIME, "begin of the interval, which includes it"),
    Column("end", TIME, "end of the interval, which excludes it; null for the current state"),
    Column("last_seen", TIME, "the last scan that saw the state"),
    Column("start_exact", FLAG, "whether `start` is a transition's time, not that of a scan"),
    Column("state_transition_reason", TEXT, "reason for this state"),
)
"""Columns of state intervals."""

CHANGES: Final = tuple(
    Column(name, TEXT, "")
    for name in (
        *("account_id", "region", "image_id", "account_name", "image_name"),
        *("change", "before", "after"),
    )
)
"""Columns of the differences between two times."""

LAUNCHES: Final = (
    Column("time", TIME, "when the instance was launched; or the start of the period"),
    Column("end", TIME, "the same, or the end of the period if only the sum is known"),
    Column("account_id", TEXT, "the account"),
    Column("region", TEXT, "the region"),
    Column("image_id", TEXT, "the AMI"),
)
"""Columns of launches, which have a row for each launched instance."""

ACCOUNT_IDS: Final = frozenset({"account_id", "owner_id", "image_owner_id"})
"""Columns with ids of accounts, which are 12 digits as text."""


def _map_dtypes(*columns: Column) -> dict[str, Any]:
    return {column.name: column.dtype for column in columns}


_RECORDED: Final = dict.fromkeys(("account_name", "sweep_id", "event_id"), TEXT)
TABLE_DTYPES: Final[Mapping[str, Mapping[str, Any]]] = {
    "images": DTYPES,
    "intervals": {**DTYPES, **_map_dtypes(*INTERVALS)},
    "events": {**DTYPES, **_map_dtypes(*EVENTS)},
    "coverage": {**_map_dtypes(*COVERAGE), "asked_at": TIME},
    "findings": _map_dtypes(*FINDINGS),
    "metrics": _map_dtypes(*METRICS),
    "snapshots": _map_dtypes(*SNAPSHOTS),
}
"""Dtypes of the known columns of each kind of rows, joined columns included."""

_MARKS: Final[Mapping[str, frozenset[str]]] = {
    "findings": frozenset({"severity", "finding"}),
    "unchecked": frozenset({"rule", "why"}),
    "changes": frozenset({"change", "before", "after"}),
    "snapshots": frozenset({"snapshot_id"}),
    "metrics": frozenset({"time", "period"}),
    "launches": frozenset({"time", "end"}),
    "intervals": frozenset({"image_id", "start", "end"}),
    "images": frozenset({"image_id"}),
    "coverage": frozenset({"region", "status"}),
}
"""Columns by which a table is recognized; the first match counts."""

_LOADED: Final[Mapping[str, Mapping[str, Any]]] = {
    **TABLE_DTYPES,
    "images": {**TABLE_DTYPES["images"], **_RECORDED},
    "intervals": {**TABLE_DTYPES["intervals"], **_RECORDED},
    "unchecked": _map_dtypes(*UNCHECKED),
    "changes": _map_dtypes(*CHANGES),
    "launches": _map_dtypes(*LAUNCHES),
}


def find_dtypes(names: Iterable[str]) -> Mapping[str, Any] | None:
    """Return the dtypes of the table with these columns; None if it is none of ours.

    Examples
    --------
    >>> find_dtypes(["region", "status", "rows"])["rows"]
    'Int64'
    >>> find_dtypes(["name", "price"])
    """
    given = set(names)
    kinds = [kind for kind, marks in _MARKS.items() if marks <= given]
    return _LOADED[kinds[0]] if kinds else None
