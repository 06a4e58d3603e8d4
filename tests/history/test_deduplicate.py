"""Deduplication: one recording of each sweep counts, and one copy of each row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.history.deduplicate import index_scans, select_recordings, select_rows
from fastlaunch_nb.history.file_schema import KINDS
from fastlaunch_nb.schema.columns import TEXT, TIME
from tests.helpers.histories import ACCOUNT_REGIONS, SECOND, START, make_event, make_sweep
from tests.helpers.samples import item

ACCOUNT = ACCOUNT_REGIONS[0][0]


# --- recordings of a sweep ------------------------------------------------------------


def make_coverage(*rows: str) -> pd.DataFrame:
    """Return a coverage of sweep, recording, region, status and, if known, number of rows."""
    names = ["sweep_id", "record_id", "region", "status", "rows"]
    table = pd.DataFrame([dict(zip(names, row.split(), strict=False)) for row in rows])
    table = table.assign(account_id=ACCOUNT, observed_at=START, rows=pd.to_numeric(table["rows"]))
    dtypes = {column.name: column.dtype for column in KINDS["coverage"]}
    return table.reindex(columns=list(dtypes)).astype(dtypes)


RECORDINGS: dict[str, tuple[list[str], str]] = {
    "more regions complete": (
        ["s a x complete 1", "s a y complete 0", "s b x complete 9", "s b y failed 9"],
        "a",
    ),
    "as many complete, more rows": (["s a x complete 3", "s b x complete 2"], "a"),
    "rows of all regions together": (
        ["s a x complete 3", "s a y complete 3", "s b x complete 5", "s b y complete 0"],
        "a",
    ),
    "partial rows count as rows": (["s b x failed", "s a x partial 1"], "a"),
    "null rows count as none": (["s a x complete 1", "s b x complete"], "a"),
    "equal: the last by name": (["s b x complete 1", "s a x complete 1"], "b"),
    "a copy of a row adds nothing": (
        ["s a x complete 2", "s a x complete 2", "s b x complete 3"],
        "b",
    ),
}


@pytest.mark.parametrize("name", RECORDINGS)
def test_the_most_complete_recording_counts(name: str) -> None:
    """It is the one with most complete regions, then with most rows; it counts as a whole."""
    rows, expected = RECORDINGS[name]
    for order in (rows, rows[::-1]):
        assert {expected} == set(select_recordings(make_coverage(*order))["record_id"])


def test_a_scan_counts_once_whatever_its_message() -> None:
    """A killed redact leaves two rows of a scan; rows without an account are of different ones."""
    twice = make_coverage("s a x failed 0", "s a x failed 0", "s a y failed 0")
    twice["error_message"] = ["hunter2", "***", "***"]
    assert select_recordings(twice)["region"].tolist() == ["x", "y"]
    twice["account_id"] = pd.array([None] * 3, dtype=TEXT)
    assert select_recordings(twice)["region"].tolist() == ["x", "x", "y"]


def test_each_sweep_has_its_own_recording() -> None:
    """A recording of one sweep does not replace that of another; each row counts once."""
    rows = ["s a x complete 9", "t b x failed 0", "t c y complete 1"]
    selected = select_recordings(make_coverage(*rows, *rows))
    pairs = selected[["record_id", "region"]].itertuples(index=False, name=None)
    assert list(pairs) == [("a", "x"), ("c", "y")]


def test_scans_are_sorted_by_time() -> None:
    """An earlier scan comes first, whichever sweep it belongs to."""
    coverage = make_coverage("s a x complete 1", "t b x complete 1")
    coverage["observed_at"] = pd.Series([START + SECOND, START], dtype=TIME)
    assert select_recordings(coverage)["sweep_id"].tolist() == ["t", "s"]


# --- rows of a scan -------------------------------------------------------------------


def select_images(expected: int, *images: tuple[str, str | None]) -> list[str | None]:
    """Return the images that count among rows (sweep, image), if one scan recorded so many."""
    coverage = make_coverage(f"s a x complete {expected}")
    names = {"account_id": ACCOUNT, "region": "x", "record_id": "a"}
    texts = {
        **{name: [value] * len(images) for name, value in names.items()},
        "sweep_id": [sweep for sweep, _ in images],
        "image_id": [image for _, image in images],
    }
    rows = pa.table(
        {name: pa.array(values, pa.string()).dictionary_encode() for name, values in texts.items()}
    )
    selected = select_rows(rows, index_scans(coverage), np.array([expected]))
    assert set(selected["scan"].to_pylist()) <= {0}
    ids: list[str | None] = selected["image_id"].to_pylist()
    return ids


@pytest.mark.parametrize(
    ("expected", "rows", "counting"),
    [
        pytest.param(2, [("s", "1"), ("s", "2")], ["1", "2"], id="each once"),
        pytest.param(2, [("s", "1"), ("s", "2"), ("s", "1")], ["1", "2"], id="a copy"),
        pytest.param(2, [("s", "1"), ("s", "1")], ["1", "1"], id="as many as recorded"),
        pytest.param(1, [("t", "1"), ("s", "2")], ["2"], id="of another sweep"),
        pytest.param(0, [("t", "1")], [], id="of no scan"),
        pytest.param(1, [("s", None), ("s", None)], [None], id="without an id"),
    ],
)
def test_rows_of_scans_in_the_coverage_count(
    expected: int, rows: list[tuple[str, str | None]], counting: list[str | None]
) -> None:
    """If a scan has more rows than it recorded, repeated images are copies."""
    assert counting == select_images(expected, *rows)


def test_scans_without_a_region_are_told_apart_from_others() -> None:
    """An account that could not be opened has a null region in the coverage, maybe repeatedly."""
    coverage = make_coverage("s a x complete 1", "s a y failed 0", "s a y failed 1")
    coverage.loc[1:, "region"] = pd.NA
    positions = index_scans(coverage)
    assert positions.tolist() == [0, 2]
    rows = coverage[["sweep_id", "record_id", "account_id", "region"]]
    table = pa.table({name: pa.array(rows[name]).dictionary_encode() for name in rows})
    table = table.append_column("image_id", pa.array(["1", "2", "3"]).dictionary_encode())
    assert select_rows(table, positions, np.ones(3, dtype="int64"))["scan"].to_pylist() == [0, 2, 2]


def test_a_merged_file_and_its_sources_count_once(tmp_path: Path) -> None:
    """Recorded twice and merged, with the old files still there: each row counts once."""
    history = fl.History(tmp_path)
    sweep = make_sweep(0, (ACCOUNT_REGIONS[0], [item(1), item(2)]))
    events = fl.from_events([make_event(ACCOUNT_REGIONS[0], 1, "enabled", START)])
    for _ in range(2):
        history.record(sweep)
        history.record(events)
    sources = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    history.compact()
    for path, content in sources.items():  # as if the merge had died before it removed them
        path.write_bytes(content)
    history = fl.History(tmp_path)
    assert len(history.observations()) == 3
    assert history.coverage()["status"].tolist() == ["complete"]
