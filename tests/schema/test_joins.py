"""Joins: the prices of AWS, and the stock of an image from whichever column knows it."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.schema.columns import COUNT
from fastlaunch_nb.schema.joins import coalesce_stock


def test_prices_are_those_of_us_east_1() -> None:
    """The defaults are those that AWS publishes, and prices never change afterwards."""
    prices = fl.Prices()
    assert (prices.snapshot_gib_month, prices.preparation) == (0.05, 0.05)
    with pytest.raises(FrozenInstanceError, match="preparation"):
        prices.preparation = 1.0  # type: ignore[misc]


@pytest.mark.parametrize("name", ["snapshot_gib_month", "preparation"])
@pytest.mark.parametrize("price", [-0.01, float("nan"), "0.05", None, True])
def test_wrong_prices_are_refused(name: str, price: Any) -> None:
    """A price is a number, 0 or more."""
    with pytest.raises(fl.InputError, match=f"{name} is .*Expected USD, 0 or more"):
        fl.Prices(**{name: price})
    assert getattr(fl.Prices(**{name: 0}), name) == 0


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
