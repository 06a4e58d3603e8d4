"""Reading a store: what counts of its files, all of it or what tells something new."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from itertools import groupby
from typing import Final, NamedTuple, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa

from fastlaunch_nb.errors import StoreError, escape_unprintable, warn
from fastlaunch_nb.history.deduplicate import Numbers, ScanIndex, counted_scans
from fastlaunch_nb.history.file_schema import KINDS, SCHEMAS
from fastlaunch_nb.history.store import FileVanishedError, ParquetStore, StoredFile
from fastlaunch_nb.history.thin import UnchangedScanFilter
from fastlaunch_nb.schema.arrow import to_pandas
from fastlaunch_nb.schema.columns import FAILED, PARTIAL
from fastlaunch_nb.sources.events import deduplicate_events

_TRIES = 200  # each of which takes as long as a read; to merge takes longer
_T = TypeVar("_T")
_DAMAGED: Final = "DamagedFile"
_WHY_DAMAGED: Final = "A file of the store that held some of its images is damaged or lost."


class StoreContents(NamedTuple):
    """What a store holds.

    Attributes
    ----------
    images : pandas.DataFrame
        The rows of all looks, or of those that tell something new.
    coverage : pandas.DataFrame
        A row for each look.
    events : pandas.DataFrame
        A row for each event.
    told_anew : numpy.ndarray
        Of each row of the coverage, whether the images have its rows.
    """

    images: pd.DataFrame
    coverage: pd.DataFrame
    events: pd.DataFrame
    told_anew: Numbers


def with_stable_listing(files: ParquetStore, take: Callable[[list[StoredFile]], _T]) -> _T:
    """Return what is taken from the files of a store, while others may merge them.

    Who lists a folder may miss a new file, and the old ones that it replaces as
    well. So a listing counts only if the next one has all of it, and no merged file
    that it lacks.
    """
    listing = files.listed()
    for _ in range(_TRIES):
        following = files.listed()
        new = set(following).difference(listing)
        if len(following) - len(new) == len(listing) and not any(file.is_merged for file in new):
            with suppress(FileVanishedError):
                return take(listing)
        listing = following
    raise StoreError(f"The files of {files.root!r} are merged all the time. Try again later.")


def load_store(
    files: ParquetStore,
    listing: list[StoredFile],
    *,
    anew: bool = False,
    gap: timedelta | None = None,
) -> StoreContents:
    """Read what counts; with `anew`, only the looks that tell something new.

    With a `gap`, looks stay as close to each other as that where they were.
    """
    reader = _Reader(files)
    coverage, events = reader.covered(listing)
    tally = ScanIndex(coverage)
    sieve = UnchangedScanFilter(tally, coverage, events, gap) if anew else None
    days, counts = [], np.zeros(len(coverage), dtype="int64")
    for rows in reader.days(listing):
        counted = tally.counting(rows)
        counts += tally.found(counted.looks)
        counted = sieve.through(counted) if sieve else counted
        days.append(counted.rows)
    reader.warn_of_damage()
    images = pa.concat_tables([SCHEMAS["images"].empty_table(), *map(_plain, days)])
    dropped = sieve.dropped if sieve else np.zeros(len(coverage), dtype=bool)
    return StoreContents(
        to_pandas(images, KINDS["images"]),
        _demoted(coverage, counts, counts < tally.expected),
        events,
        ~dropped,
    )


def _plain(rows: pa.Table) -> pa.Table:
    """Return rows with their text as text: the numbers of each day are others."""
    return rows.cast(SCHEMAS["images"])


def _demoted(coverage: pd.DataFrame, found: Numbers, short: Numbers) -> pd.DataFrame:
    """Return the coverage, in which a look that lost images proves no absence any more."""
    if not short.any():
        return coverage
    lost = {"error_code": _DAMAGED, "error_message": _WHY_DAMAGED}
    coverage = coverage.copy()
    coverage.loc[short, list(lost)] = list(lost.values())
    coverage.loc[short, "status"] = np.where(found[short] > 0, PARTIAL, FAILED)
    return coverage


class _Reader:
    """The files of a store as tables; remembers which are damaged."""

    def __init__(self, files: ParquetStore) -> None:
        self._files = files
        self.damaged: list[str] = []

    def _table(self, kind: str, files: Iterable[StoredFile]) -> pa.Table:
        table, damaged = self._files.read(kind, list(files))
        self.damaged += damaged
        return table

    def covered(self, listing: list[StoredFile]) -> tuple[pd.DataFrame, pd.DataFrame]:
        coverage = counted_scans(self._frame("coverage", listing))
        return coverage, deduplicate_events(self._frame("events", listing))

    def _frame(self, kind: str, listing: list[StoredFile]) -> pd.DataFrame:
        chosen = [file for file in listing if file.kind == kind]
        return to_pandas(self._table(kind, chosen), KINDS[kind])

    def days(self, listing: list[StoredFile]) -> Iterator[pa.Table]:
        """Yield the images a day at a time: all at once may be more than there is room for."""
        images = (file for file in listing if file.kind == "images")
        for _, files in groupby(images, key=lambda file: file.date):
            yield self._table("images", files)

    def warn_of_damage(self) -> None:
        """Name the files that could not be read."""
        if self.damaged:
            several = "s are" if len(self.damaged) > 1 else " is"
            warn(
                f"{len(self.damaged)} file{several} damaged and left out, all else was read: "
                f"{escape_unprintable(', '.join(self.damaged))}"
            )
