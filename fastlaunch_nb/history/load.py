"""Loading of a store: the rows that count, of all scans or of those that changed something."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from itertools import groupby, starmap
from operator import attrgetter
from typing import Final, NamedTuple, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa

from fastlaunch_nb.errors import StoreError, escape_unprintable, warn
from fastlaunch_nb.history.deduplicate import (
    IMAGE_KEY,
    Array,
    index_scans,
    select_recordings,
    select_rows,
)
from fastlaunch_nb.history.file_rows import encode_schema
from fastlaunch_nb.history.file_schema import KINDS, SCHEMAS
from fastlaunch_nb.history.store import FileVanishedError, ParquetStore, StoredFile
from fastlaunch_nb.history.thin import find_successors, find_unchanged_scans, hash_scans
from fastlaunch_nb.schema.arrow import to_pandas
from fastlaunch_nb.schema.columns import FAILED, PARTIAL, Column
from fastlaunch_nb.sources.events import deduplicate_events
from fastlaunch_nb.sources.pages import find_latest_time

_TRIES = 200  # each takes as long as a read, and a merge takes longer than that
_T = TypeVar("_T")
_DAMAGED: Final = {
    "error_code": "DamagedFile",
    "error_message": "A file of the store with images of this scan is damaged or missing.",
}


class StoreContents(NamedTuple):
    """Contents of a store, without duplicates."""

    images: pd.DataFrame  # a row for each image and scan, except unchanged scans
    coverage: pd.DataFrame  # a scan is `unchanged` if the rows of the one before stand for its own
    events: pd.DataFrame
    next_time: pd.Timestamp  # of scans and events that are dated in the future; NaT if none is


def with_stable_listing(store: ParquetStore, read: Callable[[list[StoredFile]], _T]) -> _T:
    """Return what `read` makes of the files of a store while others may merge them.

    A listing may miss both a new merged file and the old files that it replaces. So it
    counts only if the next listing has all of its files and no other merged file.
    """
    listing = store.list_files()
    for _ in range(_TRIES):
        following = store.list_files()
        new = set(following).difference(listing)
        if len(following) - len(new) == len(listing) and not any(file.is_merged for file in new):
            with suppress(FileVanishedError):
                return read(listing)
        listing = following
    raise StoreError(f"The files of {store.root!r} are merged all the time. Try again later.")


def load_store(
    store: ParquetStore,
    listing: list[StoredFile],
    *,
    columns: Sequence[Column] = KINDS["images"],
    only_changes: bool = False,
    max_gap: timedelta | None = None,
) -> StoreContents:
    """Load the rows that count, with these columns of the images.

    With `only_changes`, the images of unchanged scans stay out. No gap between scans then grows
    beyond `max_gap`.
    """
    problems: defaultdict[str, list[str]] = defaultdict(list)

    def read_days(kind: str, names: Sequence[str]) -> Iterator[pa.Table]:
        """Yield the rows of each day: those of a month at once may not fit into memory."""
        files = [file for file in listing if file.kind == kind]
        for _, group in groupby(files, attrgetter("date")):
            day = list(group)
            parsed = dict(zip(day, store.read(kind, day, names), strict=True))
            for file, (rows, problem, _) in parsed.items():
                if rows is None:
                    problems[problem].append(file.path)
            yield concat_rows(kind, (it.rows for it in parsed.values()), names)

    def read(kind: str) -> pd.DataFrame:
        names = SCHEMAS[kind].names
        return to_pandas(concat_rows(kind, read_days(kind, names), names), KINDS[kind])

    names = [column.name for column in columns]
    coverage = select_recordings(read("coverage"))
    events = deduplicate_events(read("events"))
    coverage, scans_ahead = _split_off_future(coverage)
    events, events_ahead = _split_off_future(events)
    times_ahead = pd.concat([scans_ahead, events_ahead])
    _warn_of_future(times_ahead)
    successors = find_successors(coverage, events, max_gap) if only_changes else None
    needed = [name for name in SCHEMAS["images"].names if name in {*names, *IMAGE_KEY}]
    images, coverage = _select_images(read_days("images", needed), coverage, successors, names)
    if problems:
        warn(" ".join(starmap(_describe_problem, problems.items())))
    return StoreContents(to_pandas(images, columns), coverage, events, times_ahead.min())


def concat_rows(
    kind: str, tables: Iterable[pa.Table | None], columns: Sequence[str] | None = None
) -> pa.Table:
    """Return the rows of several files of one kind, which have these columns; None has none."""
    known = [table for table in tables if table is not None]
    empty = encode_schema(kind).empty_table()
    table = pa.concat_tables(known or [empty.select(columns or empty.column_names)])
    return table.unify_dictionaries().combine_chunks()


def _describe_problem(problem: str, paths: Sequence[str]) -> str:
    files_are = "files are" if len(paths) > 1 else "file is"
    return (
        f"{len(paths)} {files_are} {problem} and left out; all other files were read: "
        f"{escape_unprintable(', '.join(paths))}"
    )


def _split_off_future(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """Return rows without those that are dated in the future, and the times of those."""
    is_ahead = rows["observed_at"] > find_latest_time()
    return rows[~is_ahead].reset_index(drop=True), rows.loc[is_ahead, "observed_at"]


def _warn_of_future(times: pd.Series) -> None:
    if len(times):
        warn(
            f"{len(times):,} scans and events are dated in the future, up to "
            f"{times.max():%Y-%m-%d %H:%M:%S} UTC, and are left out. A clock was wrong when they "
            "were recorded, or this machine's is wrong."
        )


def _select_images(
    days: Iterable[pa.Table], coverage: pd.DataFrame, successors: Array | None, names: Sequence[str]
) -> tuple[pa.Table, pd.DataFrame]:
    """Return columns of the images that count, and the coverage with a mark for unchanged scans.

    A scan that lost images to damage is partial or failed, so that it proves no absence.
    """
    schema = pa.schema([SCHEMAS["images"].field(name) for name in names])
    positions = index_scans(coverage)
    expected = coverage["images_recorded"].fillna(0).to_numpy("int64")
    counts, unchanged = np.zeros_like(expected), np.zeros(len(expected), dtype=bool)
    selected = [schema.empty_table()]
    for day in days:
        images = select_rows(day, positions, expected)
        scans = images["scan"].to_numpy()
        day_counts = np.bincount(scans, minlength=len(expected))
        counts += day_counts
        if successors is not None:
            hashes = hash_scans(images, len(expected))
            unchanged |= find_unchanged_scans(successors, hashes, day_counts == expected)
            images = images.filter(pa.array(~unchanged[scans]))
        selected.append(images.select(schema.names).cast(schema))  # each day has its dictionaries
    coverage, lost = coverage.assign(unchanged=unchanged), counts < expected
    coverage.loc[lost, list(_DAMAGED)] = list(_DAMAGED.values())
    coverage.loc[lost, "status"] = np.where(counts[lost] > 0, PARTIAL, FAILED)
    return pa.concat_tables(selected), coverage
