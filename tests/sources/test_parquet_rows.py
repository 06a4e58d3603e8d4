"""Parquet rows: files of other writers, damaged ones, and small ones that hold too much."""

from __future__ import annotations

import io
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastlaunch_nb as fl


def write_parquet(columns: dict[str, Any]) -> bytes:
    """Return a table as Parquet."""
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def test_parquet_of_other_writers() -> None:
    """Numbers as floats, times in nanoseconds or as text, and categories are read."""
    times = pd.DatetimeIndex(["2026-01-10T20:30:12.5Z", "NaT"]).as_unit("ns")
    data = write_parquet(
        {
            "image_id": pa.array(["ami-1", "ami-2"]).dictionary_encode(),
            "state": pa.array(["enabled", None]),
            "target_resource_count": pa.array([5.0, float("nan")]),
            "state_transition_time": pa.array(times),
            "observed_at": pa.array(["2026-01-10T21:00:00Z", None]),
        }
    )
    images = fl.from_pages(data)
    assert images["image_id"].tolist() == ["ami-1", "ami-2"]
    assert images["target_resource_count"].fillna(-1).tolist() == [5, -1]
    assert images["state_transition_time"].tolist() == [times[0], pd.NaT]
    assert images["observed_at"].tolist() == [pd.Timestamp("2026-01-10T21:00:00Z"), pd.NaT]


def test_parquet_of_polars() -> None:
    """Polars' own types of text are read, and nested columns left out."""
    frame = pl.DataFrame(
        {
            "image_id": ["ami-1", None],
            "state": ["enabled"] * 2,
            "tags": [[1], []],
            "raw": [b"x"] * 2,
        },
        schema_overrides={"state": pl.Categorical},
    )
    file = io.BytesIO()
    frame.write_parquet(file)
    images = fl.from_pages(file.getvalue())
    assert images["state"].tolist() == ["enabled", "enabled"]
    assert images["image_id"].isna().tolist() == [False, True]


def test_a_damaged_parquet_file_is_refused() -> None:
    """A Parquet file that is cut or changed is an error on one line."""
    data = write_parquet({"image_id": ["ami-1"] * 100, "state": ["enabled"] * 100})
    for damaged in (data[:-9], data[:50], data[:4] + b"\xff" * 60 + data[64:]):
        with pytest.raises(fl.SourceError, match=r"^[^\n]*Cannot parse the text as Parquet"):
            fl.from_pages(damaged)


@pytest.mark.parametrize(
    ("limit", "value", "problem"),
    [
        ("parquet_rows.MAX_ROWS", 99, "more than 1,073,741,824 bytes or 99 rows"),
        ("json_input.MAX_BYTES", 5_000, "its text has more than 5,000 characters"),
    ],
)
def test_a_parquet_bomb_is_refused(
    monkeypatch: pytest.MonkeyPatch, limit: str, value: int, problem: str
) -> None:
    """A small file that repeats a value would fill the memory: it is refused before that."""
    data = write_parquet({"image_id": ["ami-1"] * 100, "state": ["x" * 100] * 100})
    assert len(data) < 5_000
    assert len(fl.from_pages(data)) == 100
    monkeypatch.setattr(f"fastlaunch_nb.sources.{limit}", value)
    with pytest.raises(fl.SourceError, match=problem):
        fl.from_pages(data)
