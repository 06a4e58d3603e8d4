"""History of a fleet: record sweeps and events, and query the fleet at any time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import pandas as pd
from narwhals.stable.v2.typing import IntoDataFrame

from fastlaunch_nb.errors import InputError, escape_unprintable, redact, warn
from fastlaunch_nb.history.as_of import HistoryData, find_differences, find_images
from fastlaunch_nb.history.compaction import (
    choose_day,
    delete_days,
    group_small_files,
    merge_files,
    replace_files,
)
from fastlaunch_nb.history.file_rows import redact_rows
from fastlaunch_nb.history.file_schema import KINDS, NAMES, split_into_files
from fastlaunch_nb.history.load import StoreContents, load_store, with_stable_listing
from fastlaunch_nb.history.store import FileVanishedError, ParquetStore, StoredFile
from fastlaunch_nb.schema.columns import COLUMNS, COVERAGE, EVENTS, KEY, TEXT, Column
from fastlaunch_nb.sources.pages import find_latest_time, read_clock
from fastlaunch_nb.state_intervals.inputs import parse_max_gap
from fastlaunch_nb.state_intervals.pipeline import intervals
from fastlaunch_nb.validation import parse_time

if TYPE_CHECKING:
    import boto3

    from fastlaunch_nb.aws.targets import Target

_MAX_SWEEP: Final = timedelta(days=1)  # from the beginning of a sweep until it is recorded
_NAME_KEYS: Final = {"account_name": ["account_id"], "image_name": list(KEY)}
_OBSERVATIONS: Final = (
    *EVENTS,
    *NAMES,
    Column("sweep_id", TEXT, "the sweep that read the row; null for an event"),
)


class SweepLike(Protocol):
    """A sweep, or an object with its coverage, and with images, observations or events."""

    @property
    def coverage(self) -> pd.DataFrame:
        """A row for each account and region that was to be scanned."""


class _Cache(NamedTuple):
    """Data of some files, until the time of the next scan that is dated in the future, or NaT."""

    key: tuple[Any, ...]
    data: HistoryData
    next_time: pd.Timestamp


class History:
    """A store of sweeps and events, and queries of it.

    AWS reports the current state only. A history stores every sweep and every event, so
    that you can ask when a state began and how long it lasted.

    Parameters
    ----------
    path : str or path
        A folder, or ``s3://bucket/prefix``; :meth:`record` creates it.
    target : Target or boto3.Session, optional
        The account with which to read and write S3, one of :func:`fastlaunch_nb.targets`.
        Default: the credentials that boto3 finds. Region, endpoint, proxy and certificates are
        those of its configuration.

    Raises
    ------
    InputError
        If `path` or `target` is something else. No file is read and no request is sent until
        a method needs it.

    Notes
    -----
    A store consists of Parquet files that never change, in ``images/``, ``coverage/`` and
    ``events/``, partitioned by ``date=``, the day on which a sweep began. Spark, Athena,
    DuckDB and Polars read it in place. Several processes may write at once: a file appears
    completely or not at all, and a sweep counts once its coverage is there. If a sweep was
    recorded twice, the more complete recording counts.

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

    def __init__(
        self, path: str | os.PathLike[str], *, target: Target | boto3.Session | None = None
    ) -> None:
        self._store = ParquetStore(path, target)
        self._cache: _Cache | None = None

    @property
    def path(self) -> str:
        """The folder or S3 address of the store."""
        return self._store.root

    # --- writing ----------------------------------------------------------------------

    def record(self, sweep_or_events: SweepLike | IntoDataFrame, *, compact: bool = True) -> None:
        """Store a sweep, or events.

        Recording the same sweep or events again changes no answer.

        Parameters
        ----------
        sweep_or_events : Sweep or DataFrame
            The result of :func:`fastlaunch_nb.sweep`, whose failures show what is unknown, or of
            :func:`fastlaunch_nb.from_events`; or an object with both, such as ``demo.history``.
        compact : bool, default True
            Afterwards merge the files of one earlier day that has many small ones, as
            :meth:`compact` does. So a store stays fast to read. False sends no request to S3
            but those that write.

        Raises
        ------
        InputError
            If it is none of these. Nothing was written.
        StoreError
            If the store cannot be written to. The sweep is not in it.

        Warns
        -----
        FastLaunchWarning
            If the files of an earlier day cannot be merged. The sweep is in the store.
        """
        files = split_into_files(sweep_or_events)
        for file in files:
            self._store.write(*file)
        if compact and files:
            self._merge_earlier_day(max(file.date for file in files))

    def _merge_earlier_day(self, date: str) -> None:
        """Merge the files of a day that is over: before a date, and before today."""
        try:
            before = min(date, read_clock().date().isoformat())
            for files in choose_day(self._store.list_files(), before):
                merge_files(self._store, files)
        except Exception as error:  # whatever happens to old files, the new ones are written
            warn(
                "The sweep or the events are recorded, but files of an earlier day were not "
                f"merged; record(compact=False) merges none: {redact(str(error))}"
            )

    def compact(self) -> None:
        """Merge small files into larger ones, which are faster to read.

        No answer changes, and other processes may read and write meanwhile. Call it now and
        then, such as once a day.

        Raises
        ------
        StoreError
            If there is no store, or it cannot be written to. Nothing is lost.
        """
        for files in group_small_files(self._store.list_files()):
            merge_files(self._store, files)
        self._store.remove_temporary_files()

    def delete_before(self, time: datetime | str) -> list[str]:
        """Delete the days that were over at a time, with all their files.

        A day has the sweeps that began on it, in UTC, and the events that happened on it. So a
        sweep that began before midnight goes with its scans after midnight. Other processes may
        read, record and merge meanwhile.

        Parameters
        ----------
        time : datetime or str
            A time at least a day ago, in UTC if it has no time zone.

        Returns
        -------
        list of str
            The days that had files, such as ``"2026-01-15"``, in order.

        Raises
        ------
        InputError
            If `time` is not such a time. Nothing was deleted.
        StoreError
            If there is no store, or files cannot be deleted. Each remaining sweep is complete:
            call it again.
        """
        limit = parse_time("time", time)
        if limit > read_clock() - _MAX_SWEEP:
            raise InputError(
                f"time is {time!r}. Expected a time at least a day ago, because a process may "
                "still be recording a sweep that began later."
            )
        self._store.list_files()  # raises if there is no store
        return delete_days(self._store, limit.date().isoformat())

    def redact(self, *texts: str) -> int:
        """Replace secrets in the messages of the store with ``***``.

        This version records no secrets, but an earlier one may have. Replaced are keys, tokens,
        signatures and addresses with credentials in their known forms, secrets of this machine's
        proxies and endpoints, and `texts`, in any case and as a URL encodes them. No other value
        changes. Call it when no other process records or compacts.

        Parameters
        ----------
        *texts : str
            Secrets to replace, such as the password of a proxy.

        Returns
        -------
        int
            The number of changed rows, in all files.

        Raises
        ------
        InputError
            If one of `texts` is no text, or empty.
        StoreError
            If there is no store, or it cannot be written to. Nothing is lost: call it again.

        Warns
        -----
        FastLaunchWarning
            If files stay as they are, because they are damaged or of a later version.
        """
        if not all(isinstance(text, str) and text.strip() for text in texts):
            raise InputError("A text to redact is empty or no text. Expected secrets as text.")
        done: set[StoredFile] = set()
        changed, left = 0, list[str]()
        while new := [file for file in self._store.list_files() if file not in done]:
            for file in new:  # more come if another process merges files meanwhile
                with suppress(FileVanishedError):
                    count = self._redact_file(file, texts)
                    changed += count or 0
                    left += [file.path] if count is None else []
            done.update(new)
        self._store.remove_temporary_files()
        if left:
            paths = escape_unprintable(", ".join(left))
            warn(f"Damaged or of a later version, and left as they are: {paths}")
        return changed

    def _redact_file(self, file: StoredFile, texts: Sequence[str]) -> int | None:
        """Replace a file if it has secrets; return the number of changed rows, None if unknown."""
        [(rows, _, is_known)] = self._store.read(file.kind, [file])
        if rows is None:
            return None
        redacted, count = redact_rows(file.kind, rows, texts)
        if count and is_known:
            replace_files(self._store, [file], redacted)
        return count if is_known or not count else None

    # --- reading ----------------------------------------------------------------------

    def observations(self) -> pd.DataFrame:
        """Return all observations: the images of every scan, and every event.

        Returns
        -------
        pandas.DataFrame
            A row for each image and scan, and for each event, sorted by time: the columns
            of :func:`fastlaunch_nb.from_events`, and ``account_name``, ``image_name``,
            ``sweep_id``. ``event_id`` is null for a scan, ``sweep_id`` for an event.

        Raises
        ------
        StoreError
            If there is no store, or it cannot be read.

        Warns
        -----
        FastLaunchWarning
            If files are damaged, or scans and events are dated in the future. The message names
            them; their rows are left out.
        """
        contents = self._load()
        columns = {column.name: column.dtype for column in _OBSERVATIONS}
        rows = pd.concat(
            rows.reindex(columns=list(columns)).astype(columns)
            for rows in (contents.images, contents.events)
        )
        return rows.sort_values(["observed_at", *KEY], kind="stable", ignore_index=True)

    def coverage(self) -> pd.DataFrame:
        """Return the coverage: a row for each scan, with the columns of a sweep's coverage.

        A scan is ``partial`` or ``failed`` if some or all of its images are lost because a
        file is damaged.
        """
        coverage = self._load(columns=()).coverage  # images are counted, and let go
        columns = [column.name for column in COVERAGE]
        return coverage.reindex(columns=columns).astype({"checkpoint": TEXT})

    def intervals(self, *, max_gap: str | timedelta | None = None) -> pd.DataFrame:
        """Return from when to when each image was in which state.

        Parameters
        ----------
        max_gap : str or timedelta, optional
            The longest gap between scans, as for :func:`fastlaunch_nb.intervals`.

        Returns
        -------
        pandas.DataFrame
            The result of :func:`fastlaunch_nb.intervals` for :meth:`observations` and
            :meth:`coverage`, computed faster; and ``account_name`` and ``image_name``.
        """
        return self._load_data(max_gap).intervals.copy()

    def images(self, at: datetime | str | None = None) -> pd.DataFrame:
        """Return the fleet at a time.

        Parameters
        ----------
        at : datetime or str, optional
            The time, in UTC if it has no time zone. By default that of the last scan or event
            that is not dated in the future.

        Returns
        -------
        pandas.DataFrame
            A row for each image: the columns of :func:`fastlaunch_nb.describe`,
            ``account_name`` and ``image_name``. The state is that of :meth:`intervals`, so
            that later evidence counts; it is ``unknown`` where nothing proves it. Other
            columns are those of the last scan until then. ``observed_at`` is the time of
            that scan, or the start of the state if an event or a later scan proved it.

        Raises
        ------
        InputError
            If `at` is not a time.
        """
        time = None if at is None else parse_time("at", at)
        data = self._load_data()
        if time is None:
            states = data.intervals
            times = [data.coverage["observed_at"], states["start"], states["last_seen"]]
            time = pd.concat(times).max()
        return find_images(data, time)

    def diff(self, a: datetime | str, b: datetime | str) -> pd.DataFrame:
        """Return what changed between two times.

        Parameters
        ----------
        a, b : datetime or str
            The earlier and the later time, in UTC if they have no time zone.

        Returns
        -------
        pandas.DataFrame
            A row for each change: ``account_id``, ``region``, ``image_id``,
            ``account_name``, ``image_name``, ``change``, ``before``, ``after``; all text.
            ``change`` is ``appeared`` or ``gone``; or ``state``, ``target``,
            ``parallel launches`` or ``template``, for an image that was there both times;
            or ``unknown before`` or ``unknown after`` (``not known …`` in earlier releases),
            where nothing proves at that time whether the image was there, and in which state.

        Raises
        ------
        InputError
            If one of them is not a time, or `a` is later than `b`.
        """
        first, second = parse_time("a", a), parse_time("b", b)
        if first > second:
            raise InputError(f"a is later than b: {a!r}, {b!r}. Expected the earlier time first.")
        return find_differences(self._load_data(), first, second)

    def _load(self, columns: Sequence[Column] = KINDS["images"]) -> StoreContents:
        def load(listing: list[StoredFile]) -> StoreContents:
            return load_store(self._store, listing, columns=columns)

        return with_stable_listing(self._store, load)

    def _load_data(self, max_gap: str | timedelta | None = None) -> HistoryData:
        """Load the data for queries, from the cache if the files are the same as last time."""
        gap = parse_max_gap(max_gap)

        def load(listing: list[StoredFile]) -> HistoryData:
            key = (gap, *listing)
            cached = self._cache
            if cached is None or cached.key != key or cached.next_time <= find_latest_time():
                contents = load_store(self._store, listing, only_changes=True, max_gap=gap)
                cached = _Cache(key, _compute_data(contents, gap), contents.next_time)
                self._cache = cached
            return cached.data

        return with_stable_listing(self._store, load)

    def __getstate__(self) -> dict[str, Any]:
        """Pickle the path of the store, without data that was read."""
        return {**self.__dict__, "_cache": None}

    def __repr__(self) -> str:
        return f"History({self.path!r})"  # reads no file, because debuggers and logs call it


def _compute_data(contents: StoreContents, max_gap: timedelta | None) -> HistoryData:
    """Compute the intervals, and add the latest names to images and intervals."""
    columns = [column.name for column in COLUMNS]
    images, coverage = contents.images, contents.coverage
    rows = pd.concat([images[columns], contents.events[columns]], ignore_index=True)
    states = intervals(rows, coverage[~coverage["unchanged"]], max_gap=max_gap)
    named_images = images
    for name, key in _NAME_KEYS.items():
        latest = images.dropna(subset=[name]).drop_duplicates(key, keep="last")[[*key, name]]
        named_images = named_images.drop(columns=name).merge(latest, on=key, how="left")
        states = states.merge(latest, on=key, how="left")
    return HistoryData(named_images, coverage, states)
