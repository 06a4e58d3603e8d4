"""The store: what was recorded stays, whoever dies, damages, merges or reads meanwhile."""

from __future__ import annotations

import copy
import os
import pickle
import random
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.emulator.faults import inject_faults
from fastlaunch_nb.history.store import FileVanishedError, ParquetStore
from fastlaunch_nb.schema import columns
from tests.helpers.cases import some
from tests.helpers.histories import (
    MINUTE,
    PLACES,
    START,
    Swept,
    answers,
    counts,
    eventful,
    files,
    in_place,
    looked,
    same,
    same_answers,
    small,
)
from tests.helpers.processes import process
from tests.helpers.samples import ROOT, item
from tests.helpers.store_writers import EACH, PROCESSES

KEY = list(columns.KEY)
DAY = 24 * 3600
ENOUGH = 3  # reads of a store while others write into it


# --- writers that die -----------------------------------------------------------------


def written(how: str, store: Path) -> list[str]:
    """Have writers write into a store; return the sweeps that they said they had kept."""
    command = [sys.executable, "-m", "tests.helpers.store_writers", how, str(store)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.deep
def test_killed_at_each_step_of_writing(tmp_path: Path) -> None:
    """Killed before, while and after a file is written or renamed: each sweep is whole or not.

    What record() returned from is there. What a dead writer left is hidden from every reader,
    and compact() takes it away once it is old, and nothing else.
    """
    store = tmp_path / "store"
    kept = written("dying", store)
    history = fl.History(store)
    found = counts(history)
    assert set(kept) <= set(found)
    assert set(found.values()) == {4}
    assert set(history.coverage()["status"]) == {"complete"}
    assert len(duckdb.connect().sql(f"select image_id {in_place(store)}")) == 4 * len(found)

    left = sorted(store.glob("*/*/.*"))
    assert {path.parts[-3] for path in left} == {"images", "coverage"}
    assert len({path.stat().st_size for path in left}) > 2  # empty, half, whole
    other = left[0].with_name(".part-0.snappy.parquet.crc")
    other.touch()
    for path in (left[0], other, files(store)[0]):
        os.utime(path, (time.time() - 2 * DAY,) * 2)
    history.compact()
    assert sorted(store.glob("*/*/.*")) == sorted([other, *left[1:]])
    assert counts(fl.History(store)) == found


@pytest.mark.deep
def test_killed_at_any_moment(tmp_path: Path) -> None:
    """Killed from outside, a writer loses no sweep that it had said was kept."""
    kept = written("stopped", tmp_path)
    found = counts(fl.History(tmp_path))
    assert set(kept) <= set(found)
    assert len(found) <= len(kept) + 8  # one more a writer: kept, but not yet said so
    assert set(found.values()) == {4}


@pytest.mark.deep
def test_many_writers_at_once(tmp_path: Path) -> None:
    """8 processes write 50 sweeps each, one merges all the time: readers miss nothing, ever."""
    store = tmp_path / "store"
    fl.History(store).record(small(0, "first"))
    said = {"first"}
    command = [sys.executable, "-m", "tests.helpers.store_writers", "racing", str(store)]
    with process(command, cwd=ROOT, stdin=subprocess.PIPE) as writers:
        listener = Thread(target=lambda: said.update(line.strip() for line in writers.out))
        listener.start()
        reads = 0
        while listener.is_alive():
            sure = set(said)
            found = counts(fl.History(store))
            assert sure <= set(found)
            assert set(found.values()) == {4}
            covered = fl.History(store).coverage()
            assert set(found) <= set(covered["sweep_id"])
            assert set(covered["status"]) == {"complete"}
            reads += 1
            if reads == ENOUGH and writers.stdin:  # until now they held back their last sweep
                writers.stdin.close()
        listener.join()
        assert writers.wait() == (0, "", "")
    assert reads >= ENOUGH
    assert len(said) == PROCESSES * EACH + 1
    history = fl.History(store)
    assert set(counts(history)) == said
    before = answers(history)
    history.compact()
    same_answers(answers(history), before)
    assert len(files(store)) == 2


@pytest.mark.deep
def test_a_listing_that_tore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever others do between the listing of one folder and that of the next does no harm."""
    store = tmp_path / "store"
    for minute in range(3):
        fl.History(store).record(small(minute))
    real = ParquetStore._list_kind
    draw, minutes = random.Random(4), iter(range(3, 10_000))
    writer = fl.History(store)

    def torn(self: ParquetStore, kind: str) -> Iterator[Any]:
        if self is not writer._store:
            for _ in range(draw.randrange(2)):
                writer.record(small(next(minutes)))
            if draw.random() < 0.2:
                writer.compact()
        return real(self, kind)

    monkeypatch.setattr(ParquetStore, "_list_kind", torn)
    for _ in range(5):
        before = len(counts(writer))
        reader = fl.History(store)
        assert len(counts(reader)) >= before
        assert set(reader.coverage()["status"]) == {"complete"}


def test_merged_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader whose files are merged away begins again; where that never ends, it says so."""
    for minute in range(3):
        fl.History(tmp_path).record(small(minute))
    real, left = ParquetStore.read, [1]

    def read(self: ParquetStore, kind: str, listing: Any) -> Any:
        if self is reader._store and left[0]:
            left[0] -= 1
            fl.History(tmp_path).compact()
        return real(self, kind, listing)

    reader = fl.History(tmp_path)
    monkeypatch.setattr(ParquetStore, "read", read)
    assert len(counts(reader)) == 3

    def gone(*_: object) -> Any:
        raise FileVanishedError

    monkeypatch.setattr(ParquetStore, "read", gone)
    with pytest.raises(fl.StoreError, match="merged all the time"):
        reader.observations()


# --- damage ---------------------------------------------------------------------------

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut short": lambda content: content[:-10],
    "only begun": lambda content: content[: len(content) // 2],
    "empty": lambda _: b"",
    "garbage": lambda content: random.Random(0).randbytes(len(content)),
    "of zeros": lambda content: bytes(len(content)),
}


def warned(ask: Callable[[], Any]) -> tuple[Any, str]:
    """Return an answer, and the one warning that it came with, about whoever asked."""
    with pytest.warns(fl.FastLaunchWarning) as caught:
        answer = ask()
    assert [warning.filename for warning in caught] == [__file__]
    return answer, str(caught[0].message)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", ["images", "coverage", "events"])
def test_a_damaged_file(tmp_path: Path, kind: str, damage: str) -> None:
    """A damaged file is named in one warning and left out; all else is read, and stays."""
    eventful(tmp_path)
    bad = files(tmp_path, kind)[0]
    bad.write_bytes(DAMAGES[damage](bad.read_bytes()))
    told, said = warned(fl.History(tmp_path).observations)
    assert said.startswith("1 file is damaged")
    assert said.endswith(str(bad))
    assert told["sweep_id"].nunique() == (3 if kind == "events" else 2)
    assert told["event_id"].notna().sum() == (0 if kind == "events" else 1)
    content = bad.read_bytes()
    fl.History(tmp_path).compact()
    assert bad.read_bytes() == content
    again, said = warned(fl.History(tmp_path).observations)
    assert said.endswith(str(bad))
    same(again, told)


def test_each_question_warns_once(tmp_path: Path) -> None:
    """Whatever is asked, the one who asks is warned, once, of all files that are damaged."""
    eventful(tmp_path)
    for kind in ("images", "coverage"):
        files(tmp_path, kind)[0].write_bytes(b"?")
    asked = {"at": START}
    for ask in (
        lambda: fl.History(tmp_path).coverage(),
        lambda: fl.History(tmp_path).intervals(),
        lambda: fl.History(tmp_path).images(),
        lambda: fl.History(tmp_path).images(**asked),
        lambda: fl.History(tmp_path).diff(START, START + MINUTE),
    ):
        assert warned(ask)[1].startswith("2 files are damaged")


def test_a_damaged_file_proves_no_absence(tmp_path: Path) -> None:
    """A look that lost its images has failed: what it may have seen is unknown, not absent."""
    history = eventful(tmp_path)
    names = [path for path in files(tmp_path, "images") if "0002" in path.name]
    names[0].write_bytes(b"PAR1")
    covered, _ = warned(history.coverage)
    lost = covered["sweep_id"].eq("sweep-0002.00")
    assert (
        covered[lost][["status", "error_code"]].values.tolist() == [["failed", "DamagedFile"]] * 2
    )
    assert set(covered[~lost]["status"]) == {"complete"}
    last = warned(fl.History(tmp_path).intervals)[0].drop_duplicates(KEY, keep="last")
    assert last["state"].tolist() == ["unknown"] * 4


def test_some_images_of_a_look_are_lost(tmp_path: Path) -> None:
    """A look that lost some of its images is partial."""
    history = fl.History(tmp_path)
    history.record(small(0))
    (path,) = files(tmp_path, "images")
    pq.write_table(pq.read_table(path, partitioning=None).slice(0, 3), path)
    assert history.coverage()["status"].tolist() == ["complete", "partial"]


def test_a_damaged_merged_file(tmp_path: Path) -> None:
    """If a merged file is damaged, all looks in it have failed; what came later is read."""
    history = eventful(tmp_path)
    history.compact()
    (bad,) = files(tmp_path, "images")
    bad.write_bytes(bad.read_bytes()[:-50])
    history.record(small(5))
    covered, said = warned(history.coverage)
    assert said.endswith(str(bad))
    assert covered["status"].tolist() == ["failed"] * 6 + ["complete"] * 2
    history.compact()
    same(warned(history.coverage)[0], covered)


@pytest.mark.deep
def test_a_flipped_bit(tmp_path: Path) -> None:
    """No bit of a file can flip and bring other rows, unnoticed."""
    fl.History(tmp_path).record(small(0))
    truth = fl.History(tmp_path).observations()
    (path,) = files(tmp_path, "images")
    content = path.read_bytes()
    draw, noticed = random.Random(1), 0
    for place in some(draw.sample(range(content.index(b"sweep") + 400), 60)):  # the pages of data
        flipped = bytearray(content)
        flipped[place] ^= 1 << draw.randrange(8)
        path.write_bytes(flipped)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = fl.History(tmp_path).observations()
        noticed += bool(caught)
        same(found if not caught else truth, truth)
    assert noticed > 10


def test_files_of_others(tmp_path: Path) -> None:
    """What others have put into the folder is left alone, and is no part of any answer."""
    history = eventful(tmp_path)
    truth = answers(history)
    foreign = pd.DataFrame({"a": [1, 2], "state": ["x", None]})
    images, coverage, events = (files(tmp_path, kind)[0].parent for kind in
                                ("images", "coverage", "events"))  # fmt: skip
    (tmp_path / "README.txt").write_text("hello")
    (tmp_path / "images" / "_SUCCESS").touch()
    (images / "_SUCCESS").touch()
    (images / "notes.parquet.bak").touch()
    (tmp_path / "images" / "backup").mkdir()
    for path in (tmp_path, tmp_path / "images", tmp_path / "images" / "backup"):
        foreign.to_parquet(path / "other.parquet")
    same_answers(answers(fl.History(tmp_path)), truth)
    for folder in (images, coverage, events):
        foreign.to_parquet(folder / "other.parquet")
        said = warned(fl.History(tmp_path).observations)[1]
        assert said.endswith(f"{folder / 'other.parquet'}")
        fl.History(tmp_path).compact()
        pd.testing.assert_frame_equal(
            pd.read_parquet(folder / "other.parquet", partitioning=None), foreign
        )
        (folder / "other.parquet").unlink()
        same_answers(answers(fl.History(tmp_path)), truth)


def test_what_may_not_be_read_is_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that does not come, for want of a permission or of memory, is not called damaged."""
    history = eventful(tmp_path)
    system, root = history._store._location

    class Closed:
        """A file system in which no file may be read; root could read all of a real one."""

        def __getattr__(self, name: str) -> Any:
            return getattr(system, name)

        def open_input_file(self, path: str) -> Any:
            raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(history._store, "_location", (Closed(), root))
    with pytest.raises(fl.StoreError, match="could not be read: Permission denied"):
        history.observations()
    monkeypatch.undo()

    def full(*_: object, **__: object) -> Any:
        raise pa.ArrowMemoryError("no room")

    monkeypatch.setattr("fastlaunch_nb.history.store._parse_file", full)
    for ask in (history.observations, history.compact):
        with pytest.raises(MemoryError, match="no room"):
            ask()
    monkeypatch.undo()
    assert counts(history) == {f"sweep-{n:07.2f}": 4 for n in range(3)}


# --- what can not be done -------------------------------------------------------------


def without(sweep: Swept, **columns: Any) -> Swept:
    """Return a sweep whose coverage has other values."""
    return sweep._replace(coverage=sweep.coverage.assign(**columns))


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (None, "record got a NoneType"),
        ("2026", "record got a str"),
        ({}, "record got a dict"),
        (fl.History("somewhere"), "record got a History"),
        (small(0).images, "without event_id"),
        (small(0)._replace(coverage=None), "record got a Swept"),  # type: ignore[arg-type]
        (small(0)._replace(coverage=looked(0, (PLACES[2], [])).coverage), "to no scan"),
        (small(0)._replace(coverage=pd.DataFrame()), "to no scan"),
        (small(0)._replace(started_at="x"), "started_at is 'x'"),  # type: ignore[arg-type]
        (without(small(0), sweep_id=None), "no sweep_id"),
        (without(small(0), status=None), "status or"),
        (without(small(0), observed_at=None), "or observed_at"),
        (without(small(0), observed_at=pd.Timestamp(0)), "unexpected dtype"),
        (without(small(0), observed_at="soon"), "unexpected dtype"),
        (without(small(0), rows="many"), "unexpected dtype"),
        (small(0)._replace(coverage=pd.concat([small(0).coverage] * 2)), "two rows for one scan"),
    ],
)
def test_what_can_not_be_recorded(tmp_path: Path, what: Any, said: str) -> None:
    """What is no sweep and no events is refused before anything is written."""
    with pytest.raises(fl.InputError, match=said):
        fl.History(tmp_path / "store").record(what)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("path", ["", None, 123, b"x", "gs://x/y", "s3://", "s3:///x", __file__])
def test_what_can_be_no_store(path: Any) -> None:
    """What is neither a folder nor a prefix of S3 is refused at once, and so is a file."""
    with pytest.raises(fl.InputError, match="Expected a folder, or s3://bucket/prefix"):
        fl.History(path)


def test_what_can_not_be_asked(tmp_path: Path) -> None:
    """What is asked is checked first; then, whether there is a store."""
    history = fl.History(tmp_path / "none")
    for wrong in ("yesterday", "", 5):
        with pytest.raises(fl.InputError, match="at is"):
            history.images(at=wrong)  # type: ignore[arg-type]
    with pytest.raises(fl.InputError, match="a is later than b"):
        history.diff("2026-01-02", "2026-01-01")
    with pytest.raises(fl.InputError, match="max_gap is 'x'"):
        history.intervals(max_gap="x")
    for ask in (history.images, history.observations, history.coverage, history.intervals,
                history.compact, lambda: history.diff(START, START)):  # fmt: skip
        with pytest.raises(fl.StoreError, match=r"There is no store at .*record\(\) makes one"):
            ask()
    assert not (tmp_path / "none").exists()


def test_a_repr_reads_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A history says where it is, and asks the disk, or S3, for nothing to say so."""
    history = eventful(tmp_path)
    for name in ("list_files", "read"):
        monkeypatch.setattr(ParquetStore, name, None)  # calling it would fail
    assert repr(history) == f"History({str(tmp_path)!r})"


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    """Below a file, or under a name that can be none, there is no store and will be none."""
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "store", "no\0name"):
        with pytest.raises(fl.StoreError, match="could not be written to"):
            fl.History(path).record(small(0))
        with pytest.raises(fl.StoreError, match=r"There is no store|could not be"):
            fl.History(path).images()


# --- what strangers do ----------------------------------------------------------------


@pytest.mark.deep
def test_a_resumed_sweep(demo: Demo, tmp_path: Path) -> None:
    """A sweep that was resumed, and recorded each time, counts as what it became, row by row."""
    accounts = fl.targets(profiles=demo.accounts.values())
    with inject_faults(unauthorized=["111122223333"]):
        broken = fl.sweep(accounts, regions=demo.regions, progress=False)
    whole = fl.sweep(resume=broken, progress=False)
    assert 0 < len(broken.images) < len(whole.images)
    once = fl.History(tmp_path / "once")
    once.record(whole)
    expected = answers(once)
    for place, order in enumerate([[broken, whole], [whole, broken, whole]]):
        history = fl.History(tmp_path / str(place))
        for swept in order:
            history.record(swept)
        same_answers(answers(history), expected)
        history.compact()
        same_answers(answers(history), expected)


def test_the_same_sweep_twice_at_once(tmp_path: Path) -> None:
    """Who records the same sweep from two threads, or merges from two, has it once."""
    history = fl.History(tmp_path)
    sweep = small(0)
    for work in (lambda: history.record(sweep), history.compact):
        threads = [Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert counts(fl.History(tmp_path)) == {"sweep-0000.00": 4}


def test_odd_frames(tmp_path: Path) -> None:
    """An index, further columns, large attrs, times that are not there, a row that never opened."""
    plain, odd = fl.History(tmp_path / "plain"), fl.History(tmp_path / "odd")
    sweep = small(0)
    never = sweep.coverage[:1].assign(account_id=None, region=None, status="failed", rows=0)
    sweep = sweep._replace(coverage=pd.concat([sweep.coverage, never]))
    plain.record(sweep)
    images = sweep.images.set_index("image_id", drop=False)
    images["more"] = pd.Series([object()] * 4, images.index, dtype=object)
    images["observed_at"] = pd.NaT
    images.attrs["notes"] = ["AKIAIOSFODNN7EXAMPLE"] * 10_000
    odd.record(sweep._replace(images=images))
    same_answers(answers(odd), answers(plain))
    assert odd.coverage()["account_id"].isna().tolist() == [False, False, True]
    kept = some(files(tmp_path / "odd"))
    assert [path for path in kept if b"EXAMPLE" in path.read_bytes()] == []
    assert images["observed_at"].isna().tolist() == [True] * 4  # what was handed over is as it was


def test_a_sweep_that_found_nothing(tmp_path: Path) -> None:
    """A sweep without images is one: it proves that there are none."""
    history = fl.History(tmp_path)
    history.record(looked(0, (PLACES[0], [])))
    assert [len(answer) for answer in answers(history)] == [0, 1, 0, 0, 0, 0]
    history.record(looked(4, (PLACES[0], [item(1)])))
    assert history.diff(START, START + 5 * MINUTE)["change"].tolist() == ["appeared"]


def test_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path is of the folder where it was given; ~ is the home of who gave it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    relative, home = fl.History("a=b c/store"), fl.History("~/a=b c/store")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    relative.record(small(0))
    assert relative.path == "a=b c/store"
    for history in (relative, home, fl.History(tmp_path / "a=b c" / "store" / "")):
        for copied in (history, copy.copy(history), pickle.loads(pickle.dumps(history))):
            assert counts(copied) == {"sweep-0000.00": 4}
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_name_of_any_kind(tmp_path: Path) -> None:
    """The name of a sweep may be any text: it never leads out of the store."""
    history = fl.History(tmp_path / "store")
    names = ["../../out", "a/b", "CON", "x" * 500, "ü\n\x1b[31m", ".hidden", "_too", ""]
    for name in names:
        sweep = small(0)
        history.record(without(sweep, sweep_id=name))
    assert set(counts(history)) == set(names)
    assert pq.read_table(tmp_path / "store" / "images").num_rows == 4 * len(names)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
    assert len(files(tmp_path / "store")) == 2 * len(names)


def test_the_reckoning_is_kept_while_the_files_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks again waits for a listing only; who changes an answer changes no later one."""
    history = eventful(tmp_path)
    told = history.intervals()
    told.loc[:, "state"] = "broken"
    monkeypatch.setattr(ParquetStore, "read", lambda *_: pytest.fail("read again"))
    assert set(history.intervals()["state"]) == {"enabled", "enabling"}
    monkeypatch.undo()
    history.record(looked(9, (PLACES[0], [])))
    assert history.intervals()["state"].eq("absent").sum() == 2


def test_a_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If there is no room, that is said; nothing of it stays."""
    history = eventful(tmp_path)
    truth, before = answers(history), sorted(tmp_path.rglob("*"))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    works: list[Callable[[], None]] = [lambda: history.record(small(5)), history.compact]
    for work in works:
        with pytest.raises(fl.StoreError, match="could not be written to: No space left"):
            work()
    assert sorted(tmp_path.rglob("*")) == before
    same_answers(answers(history), truth)
