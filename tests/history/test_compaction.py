"""Merges by `record`, and deleted days: no answer changes but by the days that are gone."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.history.compaction import group_small_files, merge_files
from fastlaunch_nb.history.file_rows import VERSION, VERSION_KEY
from fastlaunch_nb.history.store import LocalFiles, ParquetStore
from tests.helpers.cases import costly, some
from tests.helpers.histories import (
    ACCOUNT_REGIONS,
    MINUTE,
    START,
    assert_same_answers,
    count_images,
    list_files,
    make_event,
    make_small_sweep,
)

CLOCK = "fastlaunch_nb.history.history.read_clock"
DAYS = ["2026-03-28", "2026-03-29", "2026-03-30"]
"""The days of START and after: the second begins an hour after START."""
LAST_DAY = 25 * 60
"""The minute at which the third day begins."""


def record_minutes(folder: Path, *minutes: float, compact: bool = True) -> fl.History:
    """Record a sweep and an event for each minute after START."""
    history = fl.History(folder)
    for minute in minutes:
        history.record(make_small_sweep(minute), compact=compact)
        event = make_event(ACCOUNT_REGIONS[0], 1, "enabled", START + minute * MINUTE)
        history.record(fl.from_events([event]), compact=compact)
    return history


def count_files(folder: Path, date: str) -> dict[str, int]:
    """Return the number of files of each kind on a day."""
    names = [path.parts[-3] for path in list_files(folder) if path.parts[-2] == f"date={date}"]
    return {kind: names.count(kind) for kind in ("images", "coverage", "events")}


def read_all(history: fl.History) -> list[pd.DataFrame]:
    """Return the rows of a history, from which all other answers follow."""
    return [history.observations(), history.coverage()]


# --- merges by record -----------------------------------------------------------------


def test_record_merges_the_files_of_a_day_that_is_over(tmp_path: Path) -> None:
    """With the first sweep of a day, each kind of file of the day before becomes one."""
    minutes = (*range(0, 50, 10), 60)
    plain = record_minutes(tmp_path / "plain", *minutes, compact=False)
    assert count_files(tmp_path / "plain", DAYS[0]) == dict.fromkeys(
        ["images", "coverage", "events"], 5
    )
    history = record_minutes(tmp_path / "store", *minutes)
    assert count_files(tmp_path / "store", DAYS[0]) == dict.fromkeys(
        ["images", "coverage", "events"], 1
    )
    assert count_files(tmp_path / "store", DAYS[1])["images"] == 1
    assert_same_answers(read_all(history), read_all(plain))


@pytest.mark.parametrize(("today", "files"), [("2026-03-28", 5), ("2026-03-29", 1)])
def test_a_day_is_over_for_this_machine_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, today: str, files: int
) -> None:
    """A sweep that is dated in the future by mistake has nothing of today merged."""
    monkeypatch.setattr(CLOCK, lambda: pd.Timestamp(f"{today}T23:59:00Z"))
    record_minutes(tmp_path, *range(0, 50, 10), 60)
    assert count_files(tmp_path, DAYS[0])["coverage"] == files


def test_a_day_with_few_files_is_left_alone(tmp_path: Path) -> None:
    """Three files are not worth a merge, and neither is one that came after the merge."""
    record_minutes(tmp_path, 0, 10, 20, 60)
    assert count_files(tmp_path, DAYS[0])["images"] == 3
    record_minutes(tmp_path, 30, 61, 31, 62)
    assert count_files(tmp_path, DAYS[0])["images"] == 2


def test_record_without_merges_lists_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With compact=False, record only writes, so that it needs no other permission."""
    for name in ("list", "read", "remove"):
        monkeypatch.setattr(LocalFiles, name, None)  # a call would fail
    record_minutes(tmp_path, *range(0, 50, 10), 60, compact=False)
    assert count_files(tmp_path, DAYS[0])["images"] == 5


@pytest.mark.parametrize("method", ["list", "read", "remove"])
def test_a_merge_that_fails_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """The sweep is there; a merge that cannot remove files is not repeated again and again."""
    record_minutes(tmp_path, *range(0, 50, 10))

    def refuse(*_: object) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(LocalFiles, method, refuse)
    with pytest.warns(
        fl.FastLaunchWarning, match="recorded, but files .*Permission denied"
    ) as caught:
        record_minutes(tmp_path, *range(60, 66))
    assert {warning.filename for warning in caught} == {__file__}
    merged = [path for path in list_files(tmp_path, "images") if path.name.startswith("merged-")]
    assert len(merged) == (2 if method == "remove" else 0)
    monkeypatch.undo()
    assert set(count_images(fl.History(tmp_path)).values()) == {4}
    assert len(count_images(fl.History(tmp_path))) == 11


def test_a_merge_of_too_much_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ends a merge, the sweep is recorded."""
    record_minutes(tmp_path, *range(0, 50, 10))

    def fail(*_: object) -> None:
        raise pa.ArrowInvalid("offset overflow")

    monkeypatch.setattr("fastlaunch_nb.history.history.merge_files", fail)
    with pytest.warns(fl.FastLaunchWarning, match="recorded, but files .*: offset overflow$"):
        record_minutes(tmp_path, 60)
    assert len(count_images(fl.History(tmp_path))) == 6


def test_a_file_of_a_later_version_is_never_merged(tmp_path: Path) -> None:
    """It stays as it is, the others are merged, and its day keeps no other day from a merge."""
    record_minutes(tmp_path, *range(0, 50, 10))
    later = list_files(tmp_path, "images")[0]
    table = pq.read_table(later, partitioning=None)
    pq.write_table(table.replace_schema_metadata({VERSION_KEY: str(VERSION + 1)}), later)
    content = later.read_bytes()
    history = record_minutes(tmp_path, *range(60, 65), LAST_DAY, LAST_DAY + 1)
    assert later.read_bytes() == content
    assert [count_files(tmp_path, day)["images"] for day in DAYS[:2]] == [2, 1]
    assert set(count_images(history).values()) == {4}


def test_two_merges_of_one_day_become_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes that merged the same files at one time leave two; the next record merges."""
    history = record_minutes(tmp_path, *range(0, 50, 10))
    monkeypatch.setattr(ParquetStore, "remove", lambda *_: None)
    for _ in range(2):
        history.compact()
    monkeypatch.undo()
    for path in list_files(tmp_path):
        if not path.name.startswith("merged-"):
            path.unlink()
    assert count_files(tmp_path, DAYS[0])["images"] == 2
    record_minutes(tmp_path, 60)
    assert count_files(tmp_path, DAYS[0])["images"] == 1
    assert set(count_images(history).values()) == {4}
    assert len(history.coverage()) == 12


# --- races of merges ------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["images", "coverage", "events"])
@pytest.mark.parametrize(
    ("meanwhile", "files"),
    [
        pytest.param(lambda history: history.compact(), 1, id="merged"),
        pytest.param(lambda history: history.delete_before("2026-03-29"), 0, id="deleted"),
    ],
)
def test_a_merge_of_files_that_vanish_is_withdrawn(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    meanwhile: Callable[[fl.History], object],
    files: int,
) -> None:
    """Files that others merged or deleted while a process read them do not come back."""
    history = record_minutes(tmp_path, *range(0, 50, 10), 60)
    record_minutes(tmp_path, 1, 2, compact=False)
    slow, write = ParquetStore(tmp_path), ParquetStore.write

    def write_late(self: ParquetStore, *args: Any) -> str:
        if self is slow:
            meanwhile(fl.History(tmp_path))
        return write(self, *args)

    monkeypatch.setattr(ParquetStore, "write", write_late)
    groups = [group for group in group_small_files(slow.list_files()) if group[0].kind == kind]
    merge_files(slow, groups[0])
    assert count_files(tmp_path, DAYS[0]) == dict.fromkeys(["images", "coverage", "events"], files)
    assert len(count_images(history)) == 7 * files + 1
    assert set(history.coverage()["status"]) == {"complete"}


# --- deleted days ---------------------------------------------------------------------

MINUTES = (0, 59, 60, LAST_DAY)


@pytest.mark.parametrize(
    ("time", "days", "left"),
    [
        ("2026-03-28T23:59:59Z", [], MINUTES),
        ("2026-03-29", DAYS[:1], MINUTES[2:]),
        ("2026-03-30T23:30:00Z", DAYS[:2], MINUTES[3:]),
        (START + 25 * 60 * MINUTE, DAYS[:2], MINUTES[3:]),
        ("2026-04-01T02:00:00+02:00", DAYS, ()),
    ],
)
def test_a_store_without_old_days_never_had_them(
    tmp_path: Path, time: Any, days: list[str], left: tuple[int, ...]
) -> None:
    """Whole days go, with the images, scans and events of each; all later answers stay."""
    history = record_minutes(tmp_path / "store", *MINUTES, compact=False)
    history.compact()
    assert history.delete_before(time) == days
    assert history.delete_before(time) == []
    (tmp_path / "other").mkdir()
    expected = record_minutes(tmp_path / "other", *left, compact=False)
    assert_same_answers(read_all(history), read_all(expected))
    history.record(make_small_sweep(-5))
    assert len(count_images(history)) == len(left) + 1


recordings = st.lists(
    st.tuples(st.integers(0, 3 * 24 * 60), st.booleans()), max_size=12, unique_by=lambda it: it[0]
)


@costly
@given(recordings, st.integers(1, 5))
def test_merges_and_deleted_days_change_no_other_answer(
    recorded: list[tuple[int, bool]], days: int
) -> None:
    """In any order, merged or not, the days that are left answer as if there were no others."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for minute, is_merged in recorded:
            record_minutes(folder / "store", minute, compact=is_merged)
        first = START.replace(hour=0) + days * timedelta(days=1)
        left = sorted(minute for minute, _ in recorded if START + minute * MINUTE >= first)
        for part in ("store", "other"):
            (folder / part).mkdir(exist_ok=True)
        fl.History(folder / "store").delete_before(first)
        expected = record_minutes(folder / "other", *left, compact=False)
        assert_same_answers(read_all(fl.History(folder / "store")), read_all(expected))


def test_other_files_stay_where_a_day_was_deleted(tmp_path: Path) -> None:
    """Only Parquet files in folders of days go."""
    history = record_minutes(tmp_path, 0, 60)
    folder = list_files(tmp_path, "images")[0].parent
    others = [folder / "_SUCCESS", folder / ".part.parquet", tmp_path / "images" / "x.parquet"]
    (tmp_path / "images" / "date=2025").mkdir()
    others.append(tmp_path / "images" / "date=2025" / "year.parquet")
    for path in others:
        path.touch()
    history.delete_before("2026-03-29")
    assert [path for path in others if not path.exists()] == []
    assert len(list_files(tmp_path, "images")) == 2


@pytest.mark.parametrize("time", ["2026-03-30T12:00:01Z", "2062-01-01"])
def test_the_last_day_is_never_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, time: str
) -> None:
    """A sweep that began at that time may still be recorded; nothing is deleted."""
    history = record_minutes(tmp_path, 0)
    monkeypatch.setattr(CLOCK, lambda: pd.Timestamp("2026-03-31T12:00:00Z"))
    with pytest.raises(fl.InputError, match="at least a day ago"):
        history.delete_before(time)
    assert history.delete_before("2026-03-30T12:00:00Z") == DAYS[:1]


def test_arguments_of_delete_before_are_checked(tmp_path: Path) -> None:
    """A time that is none, and a store that is not there, are clear errors."""
    history = fl.History(tmp_path / "none")
    with pytest.raises(fl.InputError, match="time is 'yesterday'"):
        history.delete_before("yesterday")
    with pytest.raises(fl.StoreError, match="There is no store"):
        history.delete_before("2026-01-01")


def test_a_deletion_that_stops_anywhere_damages_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever file is the last to go, no scan has lost its images; the next call goes on."""
    real, remaining = LocalFiles.remove, [0]

    def remove(self: LocalFiles, path: str) -> None:
        if not remaining[0]:
            raise OSError(5, "Input/output error")
        remaining[0] -= 1
        real(self, path)

    monkeypatch.setattr(LocalFiles, "remove", remove)
    for steps in range(6):
        remaining[0] = steps
        history = record_minutes(tmp_path / str(steps), 0, 10, 60, compact=False)
        with pytest.raises(fl.StoreError, match="could not be tidied: Input/output error"):
            history.delete_before("2026-03-29")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert set(history.coverage()["status"]) == {"complete"}
        remaining[0] = 9
        assert history.delete_before("2026-03-29") == DAYS[:1]
        assert list(count_images(history)) == ["sweep-0060.00"]


def test_a_reader_during_a_deletion_sees_all_of_a_day_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before whichever step of a reader days are deleted, no scan seems damaged."""
    steps = 0

    def delete_at(number: int, folder: Path, reader: fl.History) -> None:
        nonlocal steps
        steps = 0
        for name in ("list_kind", "_read_file"):
            real = getattr(ParquetStore, name)

            def work(self: ParquetStore, *args: Any, real: Any = real) -> Any:
                nonlocal steps
                if self is reader._store:
                    steps += 1
                    if steps == number:
                        fl.History(folder).delete_before("2026-03-29")
                return real(self, *args)

            monkeypatch.setattr(ParquetStore, name, work)

    counts = []
    for number in range(1, 15):
        folder = tmp_path / str(number)
        record_minutes(folder, 0, 60, compact=False)
        reader = fl.History(folder)
        delete_at(number, folder, reader)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            coverage = reader.coverage()
        monkeypatch.undo()
        assert set(some(coverage["status"])) == {"complete"}
        counts.append(len(coverage))
    assert set(counts) == {2, 4}
