"""The memory of a fleet: what was seen and told, kept for good; and what can be asked of it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final, Protocol

import pandas as pd
import pyarrow as pa

from fastlaunch_nb.errors import InputError
from fastlaunch_nb.history.as_of import HistoryData, difference, images_at
from fastlaunch_nb.history.deduplicate import copies
from fastlaunch_nb.history.file_schema import NAMES, SCHEMAS, split_into_files
from fastlaunch_nb.history.load import StoreContents, load_store, with_stable_listing
from fastlaunch_nb.history.store import MERGED, FileVanishedError, ParquetStore, StoredFile
from fastlaunch_nb.schema.columns import COLUMNS, COVERAGE, EVENTS, KEY, TEXT, Column
from fastlaunch_nb.state_intervals.inputs import parse_max_gap
from fastlaunch_nb.state_intervals.pipeline import intervals
from fastlaunch_nb.validation import parse_time

_SMALL: Final = 32 << 20  # bytes up to which a file is small; merged ones are about as large
_NAMED_BY: Final = (("account_name", ["account_id"]), ("image_name", list(KEY)))
"""Names, and what has them."""
_OBSERVED: Final = (
    *EVENTS,
    *NAMES,
    Column("sweep_id", TEXT, "the sweep that saw it; null for an event"),
)


class HasLooks(Protocol):
    """What a sweep has: the images that were seen, and what was covered."""

    @property
    def images(self) -> pd.DataFrame:
        """A row for each account, region and image."""

    @property
    def coverage(self) -> pd.DataFrame:
        """A row for each account and region that was to be read."""


class History:
    """A store of sweeps and events, and the answers that only it has.

    The API tells what is now. A history keeps every sweep and every event, and tells
    what was: when it broke, and for how long.

    Parameters
    ----------
    path : str or path
        A folder, or ``s3://bucket/prefix``; :meth:`record` makes it. For S3, credentials
        and the region are those of AWS's environment variables and configuration files.

    Raises
    ------
    InputError
        It is neither. Nothing is read or sent before a method needs it.

    Notes
    -----
    A store is Parquet that never changes, in ``images/``, ``coverage/`` and ``events/``,
    by ``date=``, the day on which a sweep began: Spark, Athena, DuckDB and Polars read
    it in place. Many may write at once. A file appears whole or not at all, and a sweep
    counts once its coverage is there; of one that was recorded twice, the fullest counts.

    Examples
    --------
    >>> import tempfile
    >>> import fastlaunch_nb as fl
    >>> with fl.demo() as demo, tempfile.TemporaryDirectory() as folder:
    ...     history = fl.History(folder)
    ...     history.record(demo.history)
    ...     history.record(fl.sweep(fl.targets(profiles=demo.accounts.values()),
    ...                             regions=demo.regions, progress=False))
    ...     print(len(history.images()), len(history.images(at="2026-01-10T12:00:00Z")))
    42 39
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._files = ParquetStore(path)
        self._known: tuple[tuple[Any, ...], Any] | None = None

    @property
    def path(self) -> str:
        """Where the store is."""
        return self._files.root

    # --- writing ----------------------------------------------------------------------

    def record(self, sweep_or_events: HasLooks | pd.DataFrame) -> None:
        """Keep a sweep, or events, for good.

        Parameters
        ----------
        sweep_or_events : Sweep or DataFrame
            What :func:`fastlaunch_nb.collect` returned, with its failures: they tell what
            is unknown. Or what :func:`fastlaunch_nb.from_events` returned. Or both at
            once, as ``demo.history`` has them. What is recorded again does no harm.

        Raises
        ------
        InputError
            It is none of these. Nothing was written.
        StoreError
            The store can not be written to. The sweep is not in it.
        """
        for part in split_into_files(sweep_or_events):
            self._files.write(part.kind, part.date, part.name, part.rows)

    def compact(self) -> None:
        """Merge small files into larger ones, which are faster to read; no answer changes.

        Others may read and write meanwhile. Call it now and then, such as once a day.

        Raises
        ------
        StoreError
            There is no store, or it can not be written to. Nothing is lost.
        """
        for files in _groups(self._files.listed()):
            with suppress(FileVanishedError):  # somebody else is merging them
                self._merge(files)
        self._files.remove_forgotten()

    def _merge(self, files: list[StoredFile]) -> None:
        kind, date = files[0].kind, files[0].date
        table, damaged = self._files.read(kind, files)
        sound = [file for file in files if file.path not in damaged]
        if len(sound) > 1:
            merged = table.filter(pa.array(~copies(table))).cast(SCHEMAS[kind])
            self._files.write(kind, date, f"{MERGED}{secrets.token_hex(8)}", merged)
            self._files.remove(sound)

    # --- reading ----------------------------------------------------------------------

    def observations(self) -> pd.DataFrame:
        """Return all that was seen and told, in the order of its times.

        Returns
        -------
        pandas.DataFrame
            A row for each image and look, and for each event: the columns of
            :func:`fastlaunch_nb.from_events`, and ``account_name``, ``image_name``,
            ``sweep_id``. ``event_id`` is null for a look, ``sweep_id`` for an event.

        Raises
        ------
        StoreError
            There is no store, or it can not be read.

        Warns
        -----
        FastLaunchWarning
            A file is damaged. It is named and left out.
        """
        found = self._held()
        told = pd.concat([_observed(found.images), _observed(found.events)])
        by = ["observed_at", *KEY]
        return told.sort_values(by, kind="stable", ignore_index=True)

    def coverage(self) -> pd.DataFrame:
        """Return what was covered: a row for each look, with the columns of a sweep's coverage.

        A look that lost images, because a file is damaged, is ``partial`` or ``failed``.
        """
        return (
            self._held()
            .coverage.reindex(columns=[column.name for column in COVERAGE])
            .astype({"checkpoint": TEXT})
        )

    def intervals(self, *, max_gap: str | timedelta | None = None) -> pd.DataFrame:
        """Return since when and until when each image was in which state.

        Parameters
        ----------
        max_gap : str or timedelta, optional
            As :func:`fastlaunch_nb.state_intervals` takes it.

        Returns
        -------
        pandas.DataFrame
            What :func:`fastlaunch_nb.state_intervals` makes of :meth:`observations` and
            :meth:`coverage`, only sooner; and ``account_name`` and ``image_name``.
        """
        return self._all_known(max_gap).intervals.copy()

    def images(self, at: datetime | str | None = None) -> pd.DataFrame:
        """Return the fleet as it was at a moment.

        Parameters
        ----------
        at : datetime or str, optional
            When; UTC where it names no time zone. By default the last look or event.

        Returns
        -------
        pandas.DataFrame
            A row for each image that there was: the columns of
            :func:`fastlaunch_nb.describe`, ``account_name`` and ``image_name``. The state
            is that of :meth:`intervals`, so that what was learnt later counts: ``unknown``
            where nothing proves it. All else is as the last look until then saw it;
            ``observed_at`` is that look, or since when an event or a later look tells
            that the state was another one.

        Raises
        ------
        InputError
            `at` is no time.
        """
        moment = parse_time("at", at) if at is not None else None
        known = self._all_known()
        return images_at(known, _last(known) if moment is None else moment)

    def diff(self, a: datetime | str, b: datetime | str) -> pd.DataFrame:
        """Return what changed between two moments.

        Parameters
        ----------
        a, b : datetime or str
            Before and after; UTC where they name no time zone.

        Returns
        -------
        pandas.DataFrame
            A row for each change: ``account_id``, ``region``, ``image_id``,
            ``account_name``, ``image_name``, ``change``, ``before``, ``after``; all text.
            ``change`` is ``appeared`` or ``gone``; ``state``, ``target``,
            ``parallel launches`` or ``template``, of an image that was there both times;
            or ``not known before`` or ``not known after``, where nothing tells whether it
            was there and in which state.

        Raises
        ------
        InputError
            One of them is no time, or `a` is later than `b`.
        """
        first, second = parse_time("a", a), parse_time("b", b)
        if first > second:
            raise InputError(f"a is later than b: {a!r}, {b!r}. Expected the earlier one first.")
        return difference(self._all_known(), first, second)

    def _held(self) -> StoreContents:
        return with_stable_listing(self._files, lambda listing: load_store(self._files, listing))

    def _all_known(self, max_gap: str | timedelta | None = None) -> HistoryData:
        """Return what is known, read anew only if the files are others than the last time."""
        gap = parse_max_gap(max_gap)

        def know(listing: list[StoredFile]) -> HistoryData:
            key = (gap, *listing)
            if self._known is None or self._known[0] != key:
                found = load_store(self._files, listing, anew=True, gap=gap)
                self._known = (key, _known(found, gap))
            known: HistoryData = self._known[1]
            return known

        return with_stable_listing(self._files, know)

    def __getstate__(self) -> dict[str, Any]:
        """Pickle where the store is, without what has been read of it."""
        return {**self.__dict__, "_known": None}

    def __repr__(self) -> str:
        return f"History({self.path!r})"  # reads no file: debuggers and logs ask for it


def _groups(listing: Sequence[StoredFile]) -> Iterator[list[StoredFile]]:
    """Yield small files that belong together, as many at a time as make a large one."""
    small = [file for file in listing if file.kind in SCHEMAS and file.size < _SMALL]
    for _, files in groupby(small, key=lambda file: (file.kind, file.date)):
        group: list[StoredFile] = []
        size = 0
        for file in files:
            group.append(file)
            size += file.size
            if size >= _SMALL:
                yield group
                group, size = [], 0
        if len(group) > 1:
            yield group


def _observed(rows: pd.DataFrame) -> pd.DataFrame:
    columns = {column.name: column.dtype for column in _OBSERVED}
    return rows.reindex(columns=list(columns)).astype(columns)


def _known(found: StoreContents, gap: timedelta | None) -> HistoryData:
    columns = [column.name for column in COLUMNS]
    told = pd.concat([found.images[columns], found.events[columns]], ignore_index=True)
    anew = pd.Series(found.told_anew, index=found.coverage.index)
    reckoned = intervals(told, found.coverage[anew], max_gap=gap)
    names = found.images[[*KEY, *(name for name, _ in _NAMED_BY)]]
    return HistoryData(_named(found.images, names), found.coverage, _named(reckoned, names), anew)


def _named(rows: pd.DataFrame, names: pd.DataFrame) -> pd.DataFrame:
    """Add the names that were known last, or put them where they were not known."""
    for name, key in _NAMED_BY:
        known = names.dropna(subset=[name]).drop_duplicates(key, keep="last")[[*key, name]]
        rows = rows.drop(columns=name, errors="ignore").merge(known, on=key, how="left")
    return rows


def _last(known: HistoryData) -> pd.Timestamp:
    """Return the last moment of which anything is known."""
    columns = (
        known.coverage["observed_at"],
        known.intervals["start"],
        known.intervals["last_seen"],
    )
    times = [column.max() for column in columns]
    return max((time for time in times if pd.notna(time)), default=pd.Timestamp(0, tz="UTC"))
