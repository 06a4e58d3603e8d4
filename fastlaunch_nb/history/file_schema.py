"""What a store keeps: the columns of its three kinds of files, and how rows get into them."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import pandas as pd
import pyarrow as pa

from fastlaunch_nb.errors import InputError
from fastlaunch_nb.schema.columns import (
    COLUMNS,
    COUNT,
    COVERAGE,
    EVENTS,
    KEY,
    NUMBER,
    TEXT,
    TIME,
    Column,
)
from fastlaunch_nb.validation import parse_time, validate_columns

PLACE: Final = KEY[:2]
NAMES: Final = (
    Column("account_name", TEXT, "the account's name, where it was known"),
    Column("image_name", TEXT, "the AMI's name, where it was known"),
)
RECORD: Final = (
    Column("sweep_id", TEXT, "the sweep that saw it"),
    Column("record_id", TEXT, "which recording of that sweep it is: the fullest one counts"),
)
KINDS: Final[Mapping[str, tuple[Column, ...]]] = {
    "images": (*COLUMNS, *NAMES, *RECORD),
    "coverage": (
        *(column for column in COVERAGE if column.name not in ("sweep_id", "checkpoint")),
        Column("images_recorded", COUNT, "rows of images that were recorded for it"),
        *RECORD,
    ),
    "events": EVENTS,
}
"""The columns of each kind of file. A page token is not kept: it is of no use later."""

_ARROW = {
    TEXT: pa.string(),
    COUNT: pa.int64(),
    NUMBER: pa.float64(),
    TIME: pa.timestamp("us", "UTC"),
}
SCHEMAS: Final = {
    kind: pa.schema([(column.name, _ARROW[column.dtype]) for column in columns])
    for kind, columns in KINDS.items()
}


class PendingFile(NamedTuple):
    """What is to become one file."""

    kind: str
    date: str
    name: str
    rows: pa.Table


def split_into_files(what: object) -> list[PendingFile]:
    """Return the files that record a sweep, events, or both, in the order to write them.

    Images come before the coverage: without that, a sweep never happened.
    """
    if isinstance(what, pd.DataFrame):
        return list(_events(what))
    images = getattr(what, "images", getattr(what, "observations", None))
    coverage = getattr(what, "coverage", None)
    if not isinstance(images, pd.DataFrame) or not isinstance(coverage, pd.DataFrame):
        raise InputError(
            f"record got a {type(what).__name__}. Expected a Sweep, what from_events returns, or "
            "what has observations, coverage and events, such as the demo's history."
        )
    events = getattr(what, "events", None)
    told = [] if events is None else list(_events(events))
    return [*told, *_looks(images, coverage, getattr(what, "started_at", None))]


def _events(events: pd.DataFrame) -> Iterator[PendingFile]:
    if "event_id" not in events:
        raise InputError(
            "record got a frame without event_id. Expected what from_events returns; of images, "
            "record the Sweep: only its coverage tells what is absent."
        )
    fit = _with_columns(
        "events", validate_columns("events", events, "event_id", *KEY, "observed_at")
    )
    if fit["observed_at"].isna().any():
        raise InputError("An event has no time. Expected what from_events returns.")
    for date, rows in fit.groupby(_dates(fit["observed_at"])):
        yield _part("events", str(date), "events", rows, secrets.token_hex(8))


def _looks(images: pd.DataFrame, coverage: pd.DataFrame, began: Any) -> Iterator[PendingFile]:
    """Yield the parts of looks, by the day on which each sweep began."""
    record = secrets.token_hex(8)
    covered = _with_columns("coverage", coverage).assign(record_id=record)
    if covered[["sweep_id", "status", "observed_at"]].isna().any(axis=None):
        raise InputError("A row of the coverage has no sweep_id, no status or no observed_at.")
    dates = _dates(_days(covered, began))
    seen = _with_columns("images", validate_columns("images", images, *KEY, "observed_at"))
    look = _look_of(seen, covered)
    found = look.to_numpy()
    counts = look.value_counts()
    covered["images_recorded"] = counts.reindex(covered.index, fill_value=0).astype(COUNT)
    looked = covered["observed_at"].take(found).set_axis(seen.index)
    seen = seen.assign(
        observed_at=seen["observed_at"].fillna(looked),
        sweep_id=covered["sweep_id"].take(found).set_axis(seen.index),
        record_id=record,
    )
    seen_on = dates.to_numpy()[found]
    names = covered.groupby(dates)["sweep_id"].min()
    for date in sorted(names.index):
        yield _part("images", date, names[date], seen[seen_on == date], record)
    for date in sorted(names.index):
        yield _part("coverage", date, names[date], covered[dates == date], record)


def _days(coverage: pd.DataFrame, began: Any) -> pd.Series:
    """Return a time on the day on which the sweep of each row began."""
    if began is not None:
        return pd.Series(parse_time("started_at", began), coverage.index)
    first: pd.Series = coverage.groupby("sweep_id")["observed_at"].transform("min")
    return first


def _look_of(images: pd.DataFrame, coverage: pd.DataFrame) -> pd.Series:
    """Return for each image the number of the look that saw it."""
    by = list(PLACE)
    looks = coverage.assign(_look=range(len(coverage))).dropna(subset=by)
    if looks.duplicated(by).any():  # many sweeps at once: they differ in when they looked
        by.append("observed_at")
    if looks.duplicated(by).any() or looks.duplicated(["sweep_id", *PLACE]).any():
        raise InputError("The coverage has two rows for one look. Expected a row for each.")
    found = images[by].merge(looks[[*by, "_look"]], on=by, how="left")["_look"]
    if found.isna().any():
        lost = images.iloc[int(found.isna().to_numpy().argmax())]
        raise InputError(
            f"The image {lost['image_id']} in {lost['region']} of {lost['account_id']} is of no "
            "look in the coverage. Expected the images and the coverage of one sweep."
        )
    return found.astype("int64")


def _with_columns(kind: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows with the columns of a kind, in their order; what is not there is null."""
    fit = rows.reset_index(drop=True).reindex(columns=[column.name for column in KINDS[kind]])
    try:
        return fit.astype({column.name: column.dtype for column in KINDS[kind]})
    except (TypeError, ValueError) as error:
        raise InputError(
            f"The {kind} have a column of another kind than expected: {error}"
        ) from None


def _dates(times: pd.Series) -> pd.Series:
    dates: pd.Series = times.dt.strftime("%Y-%m-%d")
    return dates


def _part(kind: str, date: str, name: str, rows: pd.DataFrame, record: str) -> PendingFile:
    table = pa.Table.from_pandas(rows, SCHEMAS[kind], preserve_index=False)
    # Any text may be a sweep's name, but what begins with _ or a dot is hidden from some readers.
    plain = re.sub(r"[^A-Za-z0-9-]", "-", name)[:60] or kind
    return PendingFile(kind, date, f"{plain}.{record}", table.replace_schema_metadata())
