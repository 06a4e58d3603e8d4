"""Pages of one server share their reads: one reads for all, and nobody opens half a read."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any, cast

import boto3
import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.live_dashboard.fleet_reader import FleetRead, FleetReader
from fastlaunch_nb.live_dashboard.shared_reads import MAX_AGE, SharedReader, share_reads
from fastlaunch_nb.schema.columns import COMPLETE, FAILED
from fastlaunch_nb.whole_files import SHARED_FOLDER
from tests.helpers.panel_widgets import make_images

READER = FleetReader([fl.Target("build-farm")], ["us-east-1"], None, None, None)


class FakeReader:
    """Reads as many images as it has read times; two reads at once fail."""

    def __init__(self, status: str = COMPLETE) -> None:
        self.reads, self._status = 0, status
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return "a reader"

    def read(self, _report: Any, _stop: Event) -> FleetRead:
        """Return one more image each time."""
        assert self._lock.acquire(blocking=False), "another read is under way"
        self.reads += 1
        images, now = make_images(self.reads), pd.Timestamp("2026-01-15", tz="UTC")
        self._lock.release()
        coverage = pd.DataFrame({"status": [self._status]})
        swept = fl.Sweep("a", images, coverage, now, now, [])
        return FleetRead(swept, images, None, None, None, [])


def make_page(reader: FakeReader, folder: Path) -> SharedReader:
    """Return the reader of one more page."""
    return SharedReader(cast("FleetReader", reader), folder)


def read(page: SharedReader) -> int:
    """Read as a page does when it opens, or on Refresh; return the number of images."""
    return len(page.read(lambda *_: None, Event()).images)


def test_one_page_reads_for_all(tmp_path: Path) -> None:
    """A new page opens what another has read; Refresh reads again, and is news for the others."""
    reader = FakeReader()
    first, second = make_page(reader, tmp_path), make_page(reader, tmp_path)
    assert (read(first), read(second), reader.reads) == (1, 1, 1)
    assert first.read_news() is None
    assert read(second) == 2
    news = first.read_news()
    assert news is not None
    assert len(news.images) == 2
    assert (first.read_news(), second.read_news()) == (None, None)
    pd.testing.assert_frame_equal(news.images, make_images(2))


def test_reads_at_the_same_time_are_one(tmp_path: Path) -> None:
    """Pages that open at the same time wait for one read, and all have it."""
    reader = FakeReader()
    pages = [make_page(reader, tmp_path) for _ in range(8)]
    with ThreadPoolExecutor(8) as executor:
        assert list(executor.map(read, pages)) == [1] * 8
    assert reader.reads == 1


def test_an_old_read_is_not_opened(tmp_path: Path) -> None:
    """A page that opens long after the last read reads again."""
    reader = FakeReader()
    read(make_page(reader, tmp_path))
    (path,) = tmp_path.glob("*.read")
    age = path.stat().st_mtime - MAX_AGE - 1
    os.utime(path, (age, age))
    assert read(make_page(reader, tmp_path)) == 2


def test_a_read_without_an_answer_is_not_shared(tmp_path: Path) -> None:
    """What could not be read, or was stopped, is nobody else's."""
    read(make_page(FakeReader(FAILED), tmp_path))
    stopped = Event()
    stopped.set()
    make_page(FakeReader(), tmp_path).read(lambda *_: None, stopped)
    assert list(tmp_path.glob("*.read")) == []


def test_others_reads_stay_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only pages of a server share, and only those that read the same accounts and regions."""
    assert share_reads(READER) is READER
    monkeypatch.setenv(SHARED_FOLDER, str(tmp_path))
    others = [
        READER,
        FleetReader([fl.Target("game-servers")], ["us-east-1"], None, None, None),
        FleetReader([fl.Target("build-farm")], ["eu-west-1"], None, None, None),
        FleetReader(READER.targets, READER.regions, fl.Filters(state="enabled"), None, None),
        FleetReader(READER.targets, READER.regions, None, fl.History(tmp_path / "store"), None),
        FleetReader(READER.targets, READER.regions, None, None, fl.Prices(snapshot_gib_month=1)),
    ]
    paths = [cast("SharedReader", share_reads(reader))._path for reader in others]
    assert len(set(paths)) == len(others)
    same = FleetReader([fl.Target("build-farm")], ["us-east-1"], None, None, None)
    assert cast("SharedReader", share_reads(same))._path == paths[0]
    session = FleetReader([boto3.Session()], None, None, None, None)
    assert share_reads(session) is session
