"""Costs: prices, the stock that is known, and the monthly cost of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.joins import merge
from fastlaunch_nb.schema.columns import COUNT, NUMBER, TEXT, TIME
from fastlaunch_nb.schema.joins import coalesce_stock
from fastlaunch_nb.sources.pages import empty_images
from tests.helpers.cases import some
from tests.helpers.joins import assert_declared, list_values

START = datetime(2026, 1, 15, tzinfo=UTC)
counts = st.none() | st.integers(0, 1000)
sizes = st.none() | st.floats(0, 1000)


def make_images(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return images with the columns that costs come from, in us-east-1 by default."""
    columns = {"snapshot_gib": COUNT, "snapshot_full_gib": NUMBER, "fast_launches": COUNT}
    columns |= {"metrics_since": TIME, "metrics_until": TIME, "region": TEXT}
    defaults = {"region": "us-east-1", "metrics_since": START}
    return pd.DataFrame([{**defaults, **row} for row in rows], columns=list(columns)).astype(
        columns
    )


def list_costs(images: pd.DataFrame, prices: fl.Prices) -> list[dict[str, Any]]:
    """Return the costs of images, rounded."""
    found = merge.join_cost(images, prices)
    assert_declared("cost", found, images)
    return [
        {name: cost if cost is None else round(cost, 6) for name, cost in row.items()}
        for row in list_values(found)
    ]


@given(st.lists(st.tuples(counts, sizes, counts, st.integers(1, 90)), max_size=6))
def test_cost_of_snapshots_and_launches(drawn: list[Any]) -> None:
    """Law: what is unknown makes each end unknown that depends on it; low ends are not above."""
    images = make_images(
        [
            {
                "snapshot_gib": gib,
                "snapshot_full_gib": full,
                "fast_launches": fast,
                "metrics_until": START + timedelta(days=days),
            }
            for gib, full, fast, days in drawn
        ]
    )
    rows = list_costs(images, fl.Prices(0.5, instance_hour=1.5))
    for (gib, full, fast, days), row in zip(drawn, rows, strict=True):
        size = gib if full is None else full
        stored = None if size is None else size * 0.5
        prepared = None if fast is None else fast / days * 30 * 0.25
        total = None if stored is None or prepared is None else stored + prepared
        expected = {"snapshots": stored, "preparation": prepared, "": total}
        for name, high in expected.items():
            column = f"{name}_monthly_usd".strip("_")
            for end in (row[f"{column}_high"], row[column]):
                assert (end is None) == (high is None)
                assert end is None or abs(end - high) < 1e-5
        assert row["preparation_monthly_usd_low"] == (None if prepared is None else 0)
        low = row["snapshots_monthly_usd_low"]
        assert low == row["monthly_usd_low"]
        assert (low is None) == (stored is None)
        assert stored is None or 0 <= low <= stored


def test_the_example_of_aws_is_inside_the_range() -> None:
    """50 GiB and a target of 5 are about 5 USD a month, all in, whatever is launched."""
    launches = range(0, 200, 50)
    images = make_images(
        [
            {
                "snapshot_gib": 250,
                "fast_launches": fast,
                "metrics_until": START + timedelta(days=30),
            }
            for fast in launches
        ]
    )
    for row in some(list_costs(images, fl.Prices())):
        assert row["monthly_usd_low"] < 5 < row["monthly_usd_high"]


@pytest.mark.parametrize(
    ("row", "prices", "snapshots", "preparation"),
    [
        ({}, fl.Prices(), (9.5, 25.0), (0.0, 1.6)),
        ({"metrics_until": START + timedelta(days=60)}, fl.Prices(), (9.5, 25.0), (0.0, 0.8)),
        ({"snapshot_full_gib": 100}, fl.Prices(), (1.9, 5.0), (0.0, 1.6)),
        ({"fast_launches": 0}, fl.Prices(), (9.5, 25.0), (0.0, 0.0)),
        ({"snapshot_gib": 0}, fl.Prices(), (0.0, 0.0), (0.0, 1.6)),
        ({"fast_launches": None}, fl.Prices(), (9.5, 25.0), (None, None)),
        ({"metrics_until": None}, fl.Prices(), (9.5, 25.0), (None, None)),
        ({"snapshot_gib": None}, fl.Prices(), (None, None), (0.0, 1.6)),
        ({"region": "eu-central-1"}, fl.Prices(), (10.26, 27.0), (0.0, 1.770667)),
        ({"region": "mars-north-1"}, fl.Prices(), (None, None), (None, None)),
        ({"region": None}, fl.Prices(), (None, None), (None, None)),
        ({"region": "mars-north-1"}, fl.Prices(0.1), (19.0, 50.0), (None, None)),
        ({}, fl.Prices({"us-east-1": 0.1}), (19.0, 50.0), (0.0, 1.6)),
        ({}, fl.Prices(instance_hour=0.6), (9.5, 25.0), (0.0, 4.0)),
        ({}, fl.Prices(0, instance_hour=0), (0.0, 0.0), (0.0, 0.0)),
    ],
)
def test_the_cost_of_an_image(
    row: dict[str, Any],
    prices: fl.Prices,
    snapshots: tuple[float | None, ...],
    preparation: tuple[float | None, ...],
) -> None:
    """It is that of its GiB for a month, and of ten minutes per fast launch in 30 days."""
    image = {
        "snapshot_gib": 500,
        "fast_launches": 40,
        "metrics_until": START + timedelta(days=30),
        **row,
    }
    [found] = list_costs(make_images([image]), prices)
    ends = ("low", "high")
    assert tuple(found[f"snapshots_monthly_usd_{end}"] for end in ends) == snapshots
    assert tuple(found[f"preparation_monthly_usd_{end}"] for end in ends) == preparation


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
    """Without joined metrics, images have the cost of their snapshots, and a low end in total."""
    images = make_images([{"snapshot_gib": 100}, {}])[["region", "snapshot_gib"]]
    first, second = list_costs(images, fl.Prices())
    assert {name for name in first if first[name] is None} == {
        "preparation_monthly_usd_low",
        "preparation_monthly_usd_high",
        "preparation_monthly_usd",
        "monthly_usd_high",
        "monthly_usd",
    }
    assert first["monthly_usd_low"] == 1.9
    assert set(second.values()) == {None}
