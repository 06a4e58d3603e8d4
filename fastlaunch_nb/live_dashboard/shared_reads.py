"""Reads that the pages of one server share.

Voila starts a process for each page. Each keeps the filters of its visitor, but one of them reads
for all: it writes what it read to a folder that only the user can read, and the others open it.
A lock lets one read at a time; who waited for it takes what was read meanwhile. The file appears
whole, so nobody opens half a read. Pages that read other accounts, regions or filters have other
files: what one may see never appears on another.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import time
from pathlib import Path
from threading import Event
from typing import Final

from fastlaunch_nb.aws.targets import Target
from fastlaunch_nb.live_dashboard.fleet_reader import FleetRead, FleetReader, Report
from fastlaunch_nb.whole_files import SHARED_FOLDER, lock_file, write_file

MAX_AGE: Final = 300
"""Seconds after which a new page reads again."""


def share_reads(reader: FleetReader) -> FleetReader | SharedReader:
    """Return a reader that shares its reads with the other pages of its server, if it has any.

    An open session has no name that other processes know, so it shares nothing.
    """
    folder = os.environ.get(SHARED_FOLDER)
    if not folder or not all(isinstance(target, Target) for target in reader.targets):
        return reader
    return SharedReader(reader, Path(folder))


class SharedReader:
    """A reader whose reads are in a file, for all that read the same."""

    def __init__(self, reader: FleetReader, folder: Path) -> None:
        self._reader = reader
        key = hashlib.sha256(repr(reader).encode()).hexdigest()[:16]
        self._path = folder / f"{key}.read"
        self._seen = 0  # the time of the file that this page shows, in nanoseconds

    def read(self, report: Report, stop: Event) -> FleetRead:
        """Take a read of another page that this one has not shown yet, or read for all of them."""
        with lock_file(self._path):
            is_fresh = self._written_at > time.time_ns() - MAX_AGE * 1_000_000_000
            if is_fresh and (news := self.read_news()):
                return news
            read = self._reader.read(report, stop)
            if read.has_answer and not stop.is_set():
                write_file(self._path, pickle.dumps(read))
                self._seen = self._written_at
            return read

    def read_news(self) -> FleetRead | None:
        """Return what another page has read since, if there is such a read."""
        written_at = self._written_at
        if written_at <= self._seen:
            return None
        read: FleetRead = pickle.loads(self._path.read_bytes())  # noqa: S301  the user's own file
        self._seen = written_at
        return read

    @property
    def _written_at(self) -> int:
        try:
            return self._path.stat().st_mtime_ns
        except FileNotFoundError:
            return 0
