"""Files of a store: recorded sweeps survive killed, failing and concurrent writers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import duckdb
import pytest

import fastlaunch_nb as fl
from tests.helpers.histories import (
    assert_same_answers,
    count_images,
    list_files,
    make_history,
    make_small_sweep,
    query_all,
    write_duckdb_source,
)
from tests.helpers.processes import process
from tests.helpers.samples import ROOT
from tests.helpers.store_writers import DAYS, PROCESSES, SWEEPS_EACH

DAY = 24 * 3600
READS = 3  # at least, of a store while others write into it


# --- writers --------------------------------------------------------------------------


def run_writers(mode: str, folder: Path) -> list[str]:
    """Run writers; return the sweeps that they reported as recorded."""
    command = [sys.executable, "-m", "tests.helpers.store_writers", mode, str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.deep
def test_writers_killed_at_each_step(tmp_path: Path) -> None:
    """Killed before, while or after a file is written or renamed: each sweep is complete or absent.

    If record() returned, the sweep is there. No reader sees the files that dead writers
    left; compact() removes them once they are old, and nothing else.
    """
    folder = tmp_path / "store"
    reported = run_writers("step-by-step", folder)
    history = fl.History(folder)
    counts = count_images(history)
    assert set(reported) <= set(counts)
    assert set(counts.values()) == {4}
    assert set(history.coverage()["status"]) == {"complete"}
    rows = duckdb.connect().sql(f"select image_id {write_duckdb_source(folder)}")
    assert len(rows) == 4 * len(counts)

    hidden = sorted(folder.glob("*/*/.*"))
    assert {path.parts[-3] for path in hidden} == {"images", "coverage"}
    assert len({path.stat().st_size for path in hidden}) > 2  # empty, half and complete files
    other = hidden[0].with_name(".part-0.snappy.parquet.crc")
    other.touch()
    for path in (hidden[0], other, list_files(folder)[0]):
        os.utime(path, (time.time() - 2 * DAY,) * 2)
    history.compact()
    assert sorted(folder.glob("*/*/.*")) == sorted([other, *hidden[1:]])
    assert count_images(fl.History(folder)) == counts


@pytest.mark.parametrize(("hours", "is_removed"), [(23, False), (25, True)])
def test_files_of_dead_writers_are_removed_after_a_day(
    tmp_path: Path, hours: int, is_removed: bool
) -> None:
    """A temporary file may have a writer for 24 hours; compact() removes older ones."""
    history = fl.History(tmp_path)
    history.record(make_small_sweep(0))
    complete = list_files(tmp_path)
    temporary = complete[0].with_name(f".{complete[0].name}.0123abcd")
    temporary.touch()
    os.utime(temporary, (time.time() - hours * 3600,) * 2)
    history.compact()
    assert temporary.exists() != is_removed
    assert list_files(tmp_path) == complete


@pytest.mark.deep
def test_writers_killed_at_any_time(tmp_path: Path) -> None:
    """A writer that is killed from outside loses no sweep that it had reported."""
    reported = run_writers("at-random", tmp_path)
    counts = count_images(fl.History(tmp_path))
    assert set(reported) <= set(counts)
    assert len(counts) <= len(reported) + 8  # a writer may die before it reports its last sweep
    assert set(counts.values()) == {4}


@pytest.mark.deep
def test_many_writers_at_once(tmp_path: Path) -> None:
    """8 processes write 30 sweeps each, all merge, one all the time: readers miss nothing, ever."""
    folder = tmp_path / "store"
    fl.History(folder).record(make_small_sweep(0, "first"))
    reported = {"first"}
    command = [sys.executable, "-m", "tests.helpers.store_writers", "together", str(folder)]
    with process(command, cwd=ROOT, stdin=subprocess.PIPE) as writers:
        listener = Thread(target=lambda: reported.update(line.strip() for line in writers.out))
        listener.start()
        reads = 0
        while listener.is_alive():
            expected = set(reported)
            counts = count_images(fl.History(folder))
            assert expected <= set(counts)
            assert set(counts.values()) == {4}
            coverage = fl.History(folder).coverage()
            assert set(counts) <= set(coverage["sweep_id"])
            assert set(coverage["status"]) == {"complete"}
            reads += 1
            if reads == READS and writers.stdin:  # the writers wait for this
                writers.stdin.close()
        listener.join()
        assert writers.wait() == (0, "", "")
    assert reads >= READS
    assert len(reported) == PROCESSES * SWEEPS_EACH + 1
    history = fl.History(folder)
    assert set(count_images(history)) == reported
    before = query_all(history)
    history.compact()
    assert_same_answers(query_all(history), before)
    assert len(list_files(folder)) == 2 * DAYS


def test_threads_that_record_or_merge_the_same(tmp_path: Path) -> None:
    """A sweep that several threads record, or merge, is there once."""
    history = fl.History(tmp_path)
    sweep = make_small_sweep(0)
    for work in (lambda: history.record(sweep), history.compact):
        threads = [Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert count_images(fl.History(tmp_path)) == {"sweep-0000.00": 4}


# --- paths and disks ------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", None, 123, b"x", "gs://x/y", "s3://", "s3:///x", __file__])
def test_wrong_paths_are_refused(path: Any) -> None:
    """A path that is neither a folder nor a prefix of S3 is refused at once, and so is a file."""
    with pytest.raises(fl.InputError, match="Expected a folder, or s3://bucket/prefix"):
        fl.History(path)


def test_a_store_cannot_be_written_below_a_file(tmp_path: Path) -> None:
    """There is no store below a file, or under an impossible name, and none is created."""
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "store", "no\0name"):
        with pytest.raises(fl.StoreError, match="could not be written to"):
            fl.History(path).record(make_small_sweep(0))
        with pytest.raises(fl.StoreError, match=r"There is no store|could not be"):
            fl.History(path).images()


def test_a_full_disk_leaves_no_traces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If there is no space, the error says so, and nothing of the sweep stays."""
    history = make_history(tmp_path)
    expected, files = query_all(history), sorted(tmp_path.rglob("*"))

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    works: list[Callable[[], None]] = [lambda: history.record(make_small_sweep(5)), history.compact]
    for work in works:
        with pytest.raises(fl.StoreError, match="could not be written to: No space left"):
            work()
    assert sorted(tmp_path.rglob("*")) == files
    assert_same_answers(query_all(history), expected)
