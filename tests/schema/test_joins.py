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
