"""Loading: stable listings, damaged files, files of others, and reads during merges."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.history.load import with_stable_listing
from fastlaunch_nb.history.store import FileVanishedError, LocalFiles, ParquetStore, StoredFile
from fastlaunch_nb.schema import columns
from tests.helpers.cases import some
from tests.helpers.histories import (
    ACCOUNT_REGIONS,
    MINUTE,
    SECOND,
    START,
    assert_same,
    assert_same_answers,
    count_images,
    list_files,
    make_event,
    make_history,
    make_small_sweep,
    query_all,
)

KEY = list(columns.KEY)

# --- times in the future ---------------------------------------------------------------


def test_scans_and_events_in_the_future_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scan or event over 10 minutes ahead is reported, and hides nothing; later it counts."""
    history = make_history(tmp_path)
    expected = query_all(history)
    ahead, far = 13.0, 7_900 * 525_600  # minutes after the start; the second is after the year 9900
    for minute in (ahead, far):
        history.record(make_small_sweep(minute))
    event = make_event(ACCOUNT_REGIONS[0], 1, "enabling-failed", START + ahead * MINUTE)
    history.record(fl.from_events([event]))
    clock = "fastlaunch_nb.sources.pages.read_clock"
    monkeypatch.setattr(clock, lambda: pd.Timestamp(START + 3 * MINUTE - SECOND))
    with pytest.warns(fl.FastLaunchWarning, match="^5 scans and events are dated in the future"):
        assert_same_answers(query_all(history), expected)
    monkeypatch.setattr(clock, lambda: pd.Timestamp(START + 3 * MINUTE))
    images, message = catch_warning(history.images)
    assert message.startswith("2 scans and events")
    assert images["observed_at"].max() == START + ahead * MINUTE


# --- listings -------------------------------------------------------------------------


class ListingStore:
    """A store of which each listing is the next of these."""

    root = "a store"

    def __init__(self, *listings: Sequence[StoredFile]) -> None:
        self.listings = [list(listing) for listing in listings]

    def list_files(self) -> list[StoredFile]:
        """Return the next listing; in the end the last one again and again."""
        return self.listings.pop(0) if len(self.listings) > 1 else self.listings[0]


PLAIN, NEW, MERGED = (
    StoredFile("images", "2026-01-01", name, 1)
    for name in ("a.parquet", "b.parquet", "merged-c.parquet")
)


@pytest.mark.parametrize(
    ("listings", "expected"),
    [
        pytest.param([[PLAIN]], [PLAIN], id="steady"),
        pytest.param([[PLAIN], [PLAIN, NEW]], [PLAIN], id="a new file does not matter"),
        pytest.param([[PLAIN, NEW], [PLAIN]], [PLAIN], id="a file vanished"),
        pytest.param([[PLAIN], [NEW]], [NEW], id="another file"),
        pytest.param([[PLAIN], [PLAIN, MERGED]], [PLAIN, MERGED], id="a new merged file"),
    ],
)
def test_a_listing_counts_if_the_next_has_all_of_it(
    listings: list[list[StoredFile]], expected: list[StoredFile]
) -> None:
    """A listing counts if all of its files are in the next one, and nothing was merged."""
    assert {file: file.is_merged for file in (PLAIN, MERGED)} == {PLAIN: False, MERGED: True}
    store: Any = ListingStore(*listings)
    assert expected == with_stable_listing(store, lambda listing: listing)


@pytest.mark.deep
def test_writes_between_the_listings_of_two_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader misses no sweep, whatever others do between the listings of two folders."""
    folder = tmp_path / "store"
    for minute in range(3):
        fl.History(folder).record(make_small_sweep(minute))
    real = ParquetStore.list_kind
    draw, minutes = random.Random(4), iter(range(3, 10_000))
    writer = fl.History(folder)

    def write_and_list(self: ParquetStore, *args: str) -> Iterator[Any]:
        if self is not writer._store:
            for _ in range(draw.randrange(2)):
                writer.record(make_small_sweep(next(minutes)))
            if draw.random() < 0.2:
                writer.compact()
        return real(self, *args)

    monkeypatch.setattr(ParquetStore, "list_kind", write_and_list)
    for _ in range(5):
        before = len(count_images(writer))
        reader = fl.History(folder)
        assert len(count_images(reader)) >= before
        assert set(reader.coverage()["status"]) == {"complete"}


def test_files_merged_during_a_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader whose files are merged away starts again, and gives up if that never ends."""
    for minute in range(3):
        fl.History(tmp_path).record(make_small_sweep(minute))
    real, merges = ParquetStore.read, [1]

    def merge_and_read(self: ParquetStore, *args: Any) -> Any:
        if self is reader._store and merges[0]:
            merges[0] -= 1
            fl.History(tmp_path).compact()
        return real(self, *args)

    reader = fl.History(tmp_path)
    monkeypatch.setattr(ParquetStore, "read", merge_and_read)
    assert len(count_images(reader)) == 3

    def vanish(*_: object) -> Any:
        raise FileVanishedError

    monkeypatch.setattr(ParquetStore, "read", vanish)
    with pytest.raises(fl.StoreError, match="merged all the time"):
        reader.observations()


# --- damage ---------------------------------------------------------------------------

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut short": lambda content: content[:-10],
    "half": lambda content: content[: len(content) // 2],
    "empty": lambda _: b"",
    "garbage": lambda content: random.Random(0).randbytes(len(content)),
    "zeros": lambda content: bytes(len(content)),
}


def catch_warning(query: Callable[[], Any]) -> tuple[Any, str]:
    """Return an answer and its one warning, which points at this file."""
    with pytest.warns(fl.FastLaunchWarning) as caught:
        answer = query()
    assert [warning.filename for warning in caught] == [__file__]
    return answer, str(caught[0].message)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", ["images", "coverage", "events"])
def test_a_damaged_file_is_named_and_left_out(tmp_path: Path, kind: str, damage: str) -> None:
    """One warning names it; all other files are read, and a merge leaves it alone."""
    make_history(tmp_path)
    damaged = list_files(tmp_path, kind)[0]
    damaged.write_bytes(DAMAGES[damage](damaged.read_bytes()))
    observations, message = catch_warning(fl.History(tmp_path).observations)
    assert message.startswith("1 file is damaged")
    assert message.endswith(str(damaged))
    assert observations["sweep_id"].nunique() == (3 if kind == "events" else 2)
    assert observations["event_id"].notna().sum() == (0 if kind == "events" else 1)
    content = damaged.read_bytes()
    fl.History(tmp_path).compact()
    assert damaged.read_bytes() == content
    again, message = catch_warning(fl.History(tmp_path).observations)
    assert message.endswith(str(damaged))
    assert_same(again, observations)


def test_each_query_warns_once(tmp_path: Path) -> None:
    """Every query warns once, of all damaged files."""
    make_history(tmp_path)
    for kind in ("images", "coverage"):
        list_files(tmp_path, kind)[0].write_bytes(b"?")
    time = START
    for query in (
        lambda: fl.History(tmp_path).coverage(),
        lambda: fl.History(tmp_path).intervals(),
        lambda: fl.History(tmp_path).images(),
        lambda: fl.History(tmp_path).images(at=time),
        lambda: fl.History(tmp_path).diff(START, START + MINUTE),
    ):
        assert catch_warning(query)[1].startswith("2 files are damaged")


def test_a_damaged_file_proves_no_absence(tmp_path: Path) -> None:
    """A scan that lost its images has failed: they are unknown, not absent."""
    history = make_history(tmp_path)
    (path,) = (path for path in list_files(tmp_path, "images") if "0002" in path.name)
    path.write_bytes(b"PAR1")
    coverage, _ = catch_warning(history.coverage)
    is_lost = coverage["sweep_id"].eq("sweep-0002.00")
    failures = coverage[is_lost][["status", "error_code"]].values.tolist()
    assert failures == [["failed", "DamagedFile"]] * 2
    assert set(coverage[~is_lost]["status"]) == {"complete"}
    intervals = catch_warning(fl.History(tmp_path).intervals)[0]
    assert intervals.drop_duplicates(KEY, keep="last")["state"].tolist() == ["unknown"] * 4


@pytest.mark.parametrize("column", ["image_id", "max_parallel_launches", "state"])
def test_coverage_finds_damage_in_any_column(tmp_path: Path, column: str) -> None:
    """A scan has lost its images for `coverage`, which only counts them, as for other queries."""
    make_history(tmp_path)
    path = list_files(tmp_path, "images")[0]
    chunks = pq.read_metadata(path).row_group(0)
    index = pq.read_schema(path).names.index(column)
    content = bytearray(path.read_bytes())
    chunk = chunks.column(index)
    content[chunk.dictionary_page_offset + chunk.total_compressed_size - 1] ^= 1
    path.write_bytes(content)
    history = fl.History(tmp_path)
    coverage, message = catch_warning(history.coverage)
    assert coverage["status"].value_counts().to_dict() == {"complete": 4, "failed": 2}
    observations, again = catch_warning(history.observations)
    assert again == message
    assert observations["sweep_id"].nunique() == 2


def test_a_scan_that_lost_some_images_is_partial(tmp_path: Path) -> None:
    """The other images of the scan still count."""
    history = fl.History(tmp_path)
    history.record(make_small_sweep(0))
    (path,) = list_files(tmp_path, "images")
    pq.write_table(pq.read_table(path, partitioning=None).slice(0, 3), path)
    assert history.coverage()["status"].tolist() == ["complete", "partial"]


def test_a_damaged_merged_file(tmp_path: Path) -> None:
    """If a merged file is damaged, all scans in it have failed; later ones are read."""
    history = make_history(tmp_path)
    history.compact()
    (damaged,) = list_files(tmp_path, "images")
    damaged.write_bytes(damaged.read_bytes()[:-50])
    history.record(make_small_sweep(5))
    coverage, message = catch_warning(history.coverage)
    assert message.endswith(str(damaged))
    assert coverage["status"].tolist() == ["failed"] * 6 + ["complete"] * 2
    history.compact()
    assert_same(catch_warning(history.coverage)[0], coverage)


@pytest.mark.deep
def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    """No flipped bit changes a row without a warning."""
    fl.History(tmp_path).record(make_small_sweep(0))
    expected = fl.History(tmp_path).observations()
    (path,) = list_files(tmp_path, "images")
    content = path.read_bytes()
    draw, noticed = random.Random(1), 0
    data_pages = range(content.index(b"sweep") + 400)
    for position in some(draw.sample(data_pages, 60)):
        flipped = bytearray(content)
        flipped[position] ^= 1 << draw.randrange(8)
        path.write_bytes(flipped)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            observations = fl.History(tmp_path).observations()
        noticed += bool(caught)
        assert_same(expected if caught else observations, expected)
    assert noticed > 10


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    """Other files in the folder survive, and are part of no answer."""
    history = make_history(tmp_path)
    expected = query_all(history)
    foreign = pd.DataFrame({"a": [1, 2], "state": ["x", None]})
    folders = [list_files(tmp_path, kind)[0].parent for kind in ("images", "coverage", "events")]
    (tmp_path / "README.txt").write_text("hello")
    (tmp_path / "images" / "_SUCCESS").touch()
    (folders[0] / "_SUCCESS").touch()
    (folders[0] / "notes.parquet.bak").touch()
    (tmp_path / "images" / "backup").mkdir()
    for path in (tmp_path, tmp_path / "images", tmp_path / "images" / "backup"):
        foreign.to_parquet(path / "other.parquet")
    assert_same_answers(query_all(fl.History(tmp_path)), expected)
    for folder in folders:
        path = folder / "other.parquet"
        foreign.to_parquet(path)
        message = catch_warning(fl.History(tmp_path).observations)[1]
        assert message.endswith(str(path))
        fl.History(tmp_path).compact()
        pd.testing.assert_frame_equal(pd.read_parquet(path, partitioning=None), foreign)
        path.unlink()
        assert_same_answers(query_all(fl.History(tmp_path)), expected)


def test_an_unreadable_file_is_not_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that lacks a permission, or does not fit into memory, is not called damaged."""
    history = make_history(tmp_path)

    def refuse(self: Any, path: str) -> Any:  # root could read any real file
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(LocalFiles, "read", refuse)
    with pytest.raises(fl.StoreError, match="could not be read: Permission denied"):
        history.observations()
    monkeypatch.undo()

    def run_out_of_memory(*_: object) -> Any:
        raise pa.ArrowMemoryError("no room")

    monkeypatch.setattr("fastlaunch_nb.history.store.parse_file", run_out_of_memory)
    for method in (history.observations, history.compact):
        with pytest.raises(MemoryError, match="no room"):
            method()
    monkeypatch.undo()
    assert count_images(history) == {f"sweep-{n:07.2f}": 4 for n in range(3)}
