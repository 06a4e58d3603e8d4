"""Joins: the stock of an image, from whichever column knows it."""

from __future__ import annotations

import pandas as pd
import pytest

from fastlaunch_nb.schema.columns import COUNT
from fastlaunch_nb.schema.joins import coalesce_stock


@pytest.mark.parametrize(
    ("available", "snapshots", "pending", "expected"),
    [
        (4, 9, 2, 4),
        (0, 9, 2, 0),
        (None, 9, 2, 7),
        (None, 9, 0, 9),
        (None, 9, None, None),
        (None, None, None, None),
    ],
)
def test_stock_is_that_of_cloudwatch_or_of_completed_snapshots(
    available: int | None, snapshots: int | None, pending: int | None, expected: int | None
) -> None:
    """CloudWatch's number counts, 0 included; without it, the snapshots that are complete."""
    columns = {
        "available_snapshots": available,
        "snapshots": snapshots,
        "snapshots_pending": pending,
    }
    images = pd.DataFrame({name: pd.array([n], dtype=COUNT) for name, n in columns.items()})
    assert coalesce_stock(images).astype(object).replace(pd.NA, None).tolist() == [expected]


@pytest.mark.parametrize(
    ("age", "expected"),
    [("-1 days", 4), ("0 s", 4), ("59 min", 4), ("1 h", 4), ("61 min", 7), ("3 days", 7)],
)
def test_a_stale_stock_gives_way_to_fresher_snapshots(age: str, expected: int) -> None:
    """CloudWatch's number counts until EC2 listed the snapshots more than an hour later."""
    time = pd.Timestamp("2026-01-15T12:00Z")
    columns = {"available_snapshots": 4, "snapshots": 9, "snapshots_pending": 2}
    images = pd.DataFrame({name: pd.array([n], dtype=COUNT) for name, n in columns.items()})
    times = {"available_snapshots_time": time, "snapshots_time": time + pd.Timedelta(age)}
    assert coalesce_stock(images.assign(**times)).tolist() == [expected]
    for name, value in times.items():
        assert coalesce_stock(images.assign(**{name: value})).tolist() == [4]
    unknown = images.assign(snapshots=pd.array([None], dtype=COUNT), **times)
    assert coalesce_stock(unknown).tolist() == [4]
