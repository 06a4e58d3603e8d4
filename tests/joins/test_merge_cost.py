"""Costs: prices, the stock that is known, and the monthly cost of images."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.errors import InputError
from fastlaunch_nb.joins import merge
from fastlaunch_nb.schema.columns import COUNT, TIME
from fastlaunch_nb.schema.joins import coalesce_stock
from fastlaunch_nb.sources.pages import empty_images
from tests.helpers.joins import assert_declared, list_values

START = datetime(2026, 1, 15, tzinfo=UTC)
counts = st.none() | st.integers(0, 1000)


@given(st.lists(st.tuples(counts, counts, st.integers(1, 90)), max_size=6))
def test_cost_of_snapshots_and_launches(drawn: list[Any]) -> None:
    """Law: unknown launches add nothing; with unknown snapshots the total is unknown too."""
    images = pd.DataFrame(
        {
            "snapshot_gib": pd.array([gib for gib, _, _ in drawn], dtype=COUNT),
            "fast_launches": pd.array([fast for _, fast, _ in drawn], dtype=COUNT),
            "metrics_since": pd.Series([START] * len(drawn)).astype(TIME),
            "metrics_until": pd.Series([START + timedelta(days=days) for *_, days in drawn]).astype(
                TIME
            ),
        }
    )
    found = merge.join_cost(images, fl.Prices(snapshot_gib_month=0.5, preparation=0.25))
    assert_declared("cost", found, images)
    for (gib, fast, days), row in zip(drawn, list_values(found), strict=True):
        stored = None if gib is None else gib * 0.5
        prepared = None if fast is None else fast / days * 30 * 0.25
        total = None if stored is None else stored + (prepared or 0)
        for name, expected in zip(row, (stored, prepared, total), strict=True):
            assert (row[name] is None) == (expected is None)
            assert expected is None or abs(row[name] - expected) < 1e-6


@pytest.mark.parametrize(
    ("gib", "fast", "days", "prices", "expected"),
    [
        (500, 40, 14, fl.Prices(), (25.0, 4.285714, 29.285714)),
        (500, 40, 30, fl.Prices(), (25.0, 2.0, 27.0)),
        (500, 40, 60, fl.Prices(), (25.0, 1.0, 26.0)),
        (500, 0, 30, fl.Prices(), (25.0, 0.0, 25.0)),
        (0, 40, 30, fl.Prices(), (0.0, 2.0, 2.0)),
        (500, None, 30, fl.Prices(), (25.0, None, 25.0)),
        (None, 40, 30, fl.Prices(), (None, 2.0, None)),
        (500, 40, None, fl.Prices(), (25.0, None, 25.0)),
        (500, 40, 30, fl.Prices(snapshot_gib_month=0.1), (50.0, 2.0, 52.0)),
        (500, 40, 30, fl.Prices(preparation=0.1), (25.0, 4.0, 29.0)),
        (500, 40, 30, fl.Prices(0, 0), (0.0, 0.0, 0.0)),
    ],
)
def test_the_cost_of_an_image(
    gib: int | None,
    fast: int | None,
    days: int | None,
    prices: fl.Prices,
    expected: tuple[float | None, ...],
) -> None:
    """It is that of its GiB for a month, and of one preparation per fast launch in 30 days."""
    until = None if days is None else START + timedelta(days=days)
    images = pd.DataFrame(
        {
            "snapshot_gib": pd.array([gib], dtype=COUNT),
            "fast_launches": pd.array([fast], dtype=COUNT),
            "metrics_since": pd.Series([START]).astype(TIME),
            "metrics_until": pd.Series([until]).astype(TIME),
        }
    )
    [found] = list_values(merge.join_cost(images, prices))
    rounded = tuple(cost if cost is None else round(cost, 6) for cost in found.values())
    assert rounded == expected


@pytest.mark.parametrize("name", ["snapshot_gib_month", "preparation"])
@pytest.mark.parametrize(
    "price", [-0.01, -1, float("nan"), float("inf"), True, "0.05", None, [0.05]]
)
def test_an_invalid_price_is_refused(name: str, price: Any) -> None:
    """A price is a number of 0 or more."""
    with pytest.raises(InputError, match=f"^{name} is .* Expected USD, 0 or more"):
        fl.Prices(**{name: price})


def test_default_prices() -> None:
    """The defaults are on AWS's pages; 0 and integers are prices too."""
    assert fl.Prices() == fl.Prices(snapshot_gib_month=0.05, preparation=0.05)
    assert fl.Prices(0, 1) == fl.Prices(snapshot_gib_month=0.0, preparation=1.0)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({}, None),
        ({"available_snapshots": 3}, 3),
        ({"available_snapshots": 0, "snapshots": 5, "snapshots_pending": 1}, 0),
        ({"available_snapshots": None, "snapshots": 5, "snapshots_pending": 1}, 4),
        ({"snapshots": 5, "snapshots_pending": 1}, 4),
        ({"snapshots": 5, "snapshots_pending": None}, None),
        ({"snapshots": None, "snapshots_pending": 0}, None),
        ({"snapshots": 5}, None),
        ({"available_snapshots": None}, None),
    ],
)
def test_the_known_stock(columns: dict[str, int | None], expected: int | None) -> None:
    """It comes from CloudWatch, or else from the completed snapshots if both numbers are known."""
    values = {name: pd.array([value], dtype=COUNT) for name, value in columns.items()}
    images = empty_images().reindex([0]).assign(**values)
    [found] = coalesce_stock(images).astype(object)
    assert (None if pd.isna(found) else found) == expected


def test_without_metrics_preparation_is_unknown() -> None:
    """Without joined metrics, images have only the cost of their snapshots."""
    images = pd.DataFrame({"snapshot_gib": pd.array([100, None], dtype=COUNT)})
    found = merge.join_cost(images, fl.Prices())
    assert list_values(found[["monthly_usd"]]) == [{"monthly_usd": 5.0}, {"monthly_usd": None}]
    assert found["preparation_monthly_usd"].isna().tolist() == [True, True]
