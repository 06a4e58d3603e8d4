"""Conversion of sweeps and events into files: odd frames are recorded, wrong ones refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

import fastlaunch_nb as fl
from tests.helpers.cases import some
from tests.helpers.histories import (
    ACCOUNT_REGIONS,
    SweepData,
    assert_same_answers,
    count_images,
    list_files,
    make_small_sweep,
    make_sweep,
    query_all,
)

SWEEP = make_small_sweep(0)


def change_coverage(**columns: Any) -> SweepData:
    """Return a sweep whose coverage has other values."""
    return SWEEP._replace(coverage=SWEEP.coverage.assign(**columns))


@pytest.mark.parametrize(
    ("recorded", "message"),
    [
        (None, "record got a NoneType"),
        ("2026", "record got a str"),
        ({}, "record got a dict"),
        (fl.History("somewhere"), "record got a History"),
        (SWEEP.images, "without event_id"),
        (SWEEP._replace(coverage=None), "record got a SweepData"),  # type: ignore[arg-type]
        (
            SWEEP._replace(coverage=make_sweep(0, (ACCOUNT_REGIONS[2], [])).coverage),
            "belongs to no scan",
        ),
        (SWEEP._replace(coverage=pd.DataFrame()), "belongs to no scan"),
        (SWEEP._replace(started_at="x"), "started_at is 'x'"),  # type: ignore[arg-type]
        (change_coverage(sweep_id=None), "no sweep_id, status or observed_at"),
        (change_coverage(status=None), "no sweep_id, status or observed_at"),
        (change_coverage(observed_at=None), "no sweep_id, status or observed_at"),
        (change_coverage(observed_at=pd.Timestamp(0)), "times without a time zone"),
        (change_coverage(observed_at="soon"), "observed_at is str, not datetime64"),
        (change_coverage(rows="many"), "rows is str, not Int64"),
        (SWEEP._replace(coverage=pd.concat([SWEEP.coverage] * 2)), "two rows for one scan"),
    ],
)
def test_wrong_values_are_refused(tmp_path: Path, recorded: Any, message: str) -> None:
    """Nothing is written if the value is neither a sweep nor events."""
    with pytest.raises(fl.InputError, match=message):
        fl.History(tmp_path / "store").record(recorded)
    assert not (tmp_path / "store").exists()


def test_odd_frames_are_recorded(tmp_path: Path) -> None:
    """An index, other columns, attrs, missing times and an account that never opened are fine."""
    plain, odd = fl.History(tmp_path / "plain"), fl.History(tmp_path / "odd")
    unopened = SWEEP.coverage[:1].assign(account_id=None, region=None, status="failed", rows=0)
    sweep = SWEEP._replace(coverage=pd.concat([SWEEP.coverage, unopened]))
    plain.record(sweep)
    images = sweep.images.set_index("image_id", drop=False)
    images["more"] = pd.Series([object()] * 4, images.index, dtype=object)
    images["observed_at"] = pd.NaT
    images.attrs["notes"] = ["AKIAIOSFODNN7EXAMPLE"] * 10_000
    odd.record(sweep._replace(images=images))
    assert_same_answers(query_all(odd), query_all(plain))
    assert odd.coverage()["account_id"].isna().tolist() == [False, False, True]
    files = some(list_files(tmp_path / "odd"))
    assert [path for path in files if b"EXAMPLE" in path.read_bytes()] == []
    assert images["observed_at"].isna().tolist() == [True] * 4  # the caller's frame is unchanged


def test_an_image_that_was_listed_twice_is_stored_once(tmp_path: Path) -> None:
    """An image is stored once for each scan, and no merge makes a scan partial."""
    plain, twice = fl.History(tmp_path / "plain"), fl.History(tmp_path / "twice")
    for minute in range(2):
        sweep = make_small_sweep(minute)
        plain.record(sweep)
        twice.record(sweep._replace(images=pd.concat([sweep.images[:3], sweep.images])))
    for _ in range(2):
        assert_same_answers(query_all(twice), query_all(plain))
        assert set(twice.coverage()["status"]) == {"complete"}
        twice.compact()


def test_a_sweep_id_may_be_any_text(tmp_path: Path) -> None:
    """It never leads out of the store."""
    history = fl.History(tmp_path / "store")
    names = ["../../out", "a/b", "CON", "x" * 500, "ü\n\x1b[31m", ".hidden", "_too", ""]
    for name in names:
        history.record(change_coverage(sweep_id=name))
    assert set(count_images(history)) == set(names)
    assert pq.read_table(tmp_path / "store" / "images").num_rows == 4 * len(names)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
    files = list_files(tmp_path / "store")
    assert len(files) == 2 * len(names)
    assert max(len(path.name.partition(".")[0]) for path in files) == 60
