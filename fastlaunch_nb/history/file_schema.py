"""Schema of the stored files, and the conversion of sweeps and events into such files."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from fastlaunch_nb.errors import InputError
from fastlaunch_nb.frames import is_frame
from fastlaunch_nb.schema.arrow import make_schema
from fastlaunch_nb.schema.columns import (
    ACCOUNT_REGION,
    COLUMNS,
    COUNT,
    COVERAGE,
    EVENTS,
    KEY,
    TEXT,
    Column,
)
from fastlaunch_nb.validation import parse_time, require_columns, validate_columns

NAMES: Final = (
    Column("account_name", TEXT, "the account's name, if known"),
    Column("image_name", TEXT, "the AMI's name, if known"),
)
RECORD: Final = (
    Column("sweep_id", TEXT, "the sweep that read the row"),
    Column("record_id", TEXT, "the recording of that sweep; the most complete one counts"),
)
KINDS: Final[Mapping[str, tuple[Column, ...]]] = {
    "images": (*COLUMNS, *NAMES, *RECORD),
    "coverage": (
        *(column for column in COVERAGE if column.name not in ("sweep_id", "checkpoint")),
        Column("images_recorded", COUNT, "rows of images recorded for the scan"),
        *RECORD,
    ),
    "events": EVENTS,
}
"""Columns of each kind of file. Page tokens are not stored: they expire."""

_DAY = "%Y-%m-%d"
SCHEMAS: Final = {kind: make_schema(columns, pa.string()) for kind, columns in KINDS.items()}


class PendingFile(NamedTuple):
    """A file to write: its kind, date and name, and its rows."""

    kind: str
    date: str
    name: str
    table: pa.Table


def split_into_files(recorded: object) -> list[PendingFile]:
    """Split a sweep, events, or both into files, in the order in which to write them.

    Images come before the coverage, because a sweep counts once its coverage is there.

    Raises
    ------
    InputError
        If it is none of these, or its columns do not fit.
    """
    if is_frame(recorded):
        return list(_split_events(recorded))
    images = getattr(recorded, "images", getattr(recorded, "observations", None))
    coverage = getattr(recorded, "coverage", None)
    if not is_frame(images) or not is_frame(coverage):
        raise InputError(
            f"record got a {type(recorded).__name__}. Expected a Sweep, a DataFrame of "
            "from_events, or an object with observations, coverage and events, such as the "
            "demo's history."
        )
    events = getattr(recorded, "events", None)
    event_files = [] if events is None else list(_split_events(events))
    return [*event_files, *_split_sweep(images, coverage, getattr(recorded, "started_at", None))]


def _split_events(given: object) -> Iterator[PendingFile]:
    """Yield the files of events, by the day of each event."""
    events = require_columns("events", given)
    if "event_id" not in events:
        raise InputError(
            "record got a DataFrame without event_id. Expected events, as from_events returns "
            "them. To record images, pass the Sweep: only its coverage proves absences."
        )
    events = validate_columns("events", events, "event_id", *KEY, "observed_at")
    events = _select_columns("events", events)
    if events["observed_at"].isna().any():
        raise InputError(
            "An event has no observed_at. Expected events, as from_events returns them."
        )
    for date, rows in events.groupby(events["observed_at"].dt.strftime(_DAY)):
        yield _make_file("events", str(date), "events", rows, secrets.token_hex(8))


def _split_sweep(images: object, scans: object, started_at: Any) -> Iterator[PendingFile]:
    """Yield the files of images, then those of coverage, by the day on which each sweep began."""
    record_id = secrets.token_hex(8)
    coverage = validate_columns("coverage", scans)
    coverage = _select_columns("coverage", coverage).assign(record_id=record_id)
    if coverage[["sweep_id", "status", "observed_at"]].isna().any(axis=None):
        raise InputError(
            "A row of the coverage has no sweep_id, status or observed_at. Expected the coverage "
            "of a Sweep."
        )
    started = coverage.groupby("sweep_id")["observed_at"].transform("min")
    if started_at is not None:
        started = pd.Series(parse_time("started_at", started_at), coverage.index)
    dates = started.dt.strftime(_DAY)
    rows = validate_columns("images", images, *KEY, "observed_at")
    rows = _select_columns("images", rows)
    positions = _find_scans(rows, coverage)
    listed = pd.DataFrame({"scan": positions, "image_id": rows["image_id"]})
    is_last = ~listed.duplicated(keep="last").to_numpy()  # AWS may list an image twice
    rows, positions = rows[is_last], positions[is_last]
    counts = np.bincount(positions, minlength=len(coverage))
    coverage["images_recorded"] = pd.array(counts, dtype=COUNT)
    scanned = coverage[["sweep_id", "observed_at"]].take(positions).set_axis(rows.index)
    rows["observed_at"] = rows["observed_at"].fillna(scanned["observed_at"])
    rows = rows.assign(sweep_id=scanned["sweep_id"], record_id=record_id)
    names = coverage.groupby(dates)["sweep_id"].min()
    image_dates = dates.to_numpy()[positions]
    for kind, table, days in (("images", rows, image_dates), ("coverage", coverage, dates)):
        for date, name in names.items():
            yield _make_file(kind, str(date), name, table[days == date], record_id)


def _find_scans(images: pd.DataFrame, coverage: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Return the position in the coverage of the scan that each image comes from."""
    keys = list(ACCOUNT_REGION)
    scans = coverage.assign(_scan=range(len(coverage))).dropna(subset=keys)
    if scans.duplicated(keys).any():  # scans of many sweeps, which differ in their times
        keys.append("observed_at")
    if scans.duplicated(keys).any() or scans.duplicated(["sweep_id", *ACCOUNT_REGION]).any():
        raise InputError(
            "The coverage has two rows for one scan. Expected a row for each account and region."
        )
    positions = images[keys].merge(scans[[*keys, "_scan"]], on=keys, how="left")["_scan"]
    if positions.isna().any():
        image = images.iloc[int(positions.isna().to_numpy().argmax())]
        raise InputError(
            f"The image {image['image_id']} in {image['region']} of account "
            f"{image['account_id']} belongs to no scan in the coverage. Expected the images and "
            "the coverage of one sweep."
        )
    return positions.to_numpy("int64")


def _select_columns(kind: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows with the columns of a kind, in their order; missing ones are null."""
    dtypes = {column.name: column.dtype for column in KINDS[kind]}
    try:
        return rows.reset_index(drop=True).reindex(columns=list(dtypes)).astype(dtypes)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"The {kind} have a column of an unexpected dtype: {error}. Expected the dtypes that "
            "sweep and from_events return."
        ) from None


def _make_file(kind: str, date: str, name: str, rows: pd.DataFrame, record_id: str) -> PendingFile:
    table = pa.Table.from_pandas(rows, SCHEMAS[kind], preserve_index=False)
    # A sweep_id may be any text. Some readers hide files whose names begin with _ or a dot.
    plain = re.sub(r"[^A-Za-z0-9-]", "-", name)[:60] or kind
    return PendingFile(kind, date, f"{plain}.{record_id}", table.replace_schema_metadata())
