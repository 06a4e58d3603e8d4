"""Tests of the cheapest target: what snapshots cost, and what a warm launch is worth."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.pool.sizing import Cheapest
from tests.pool.test_model import fills, launch_times, play_launches
from tests.pool.test_sizing import datetimes


def test_the_cheapest_target() -> None:
    """Forty launches a working day: at 0.20 USD each, all of them are worth their snapshots."""
    size = fl.right_size("40 at 08:00 on weekdays", value_of_warm=0.2, prices=0.05)
    a_month = 260 / 364 * 365 / 12  # working days
    assert size.cheapest is not None
    assert size.cheapest == pytest.approx(Cheapest(40, 1, 100, 0, 2.5 / a_month, 2.5 / a_month))
    assert "cheapest: target 40, 100.00% warm, 100.00 USD a month at most; it pays from 0.12" in (
        repr(size)
    )


def test_launches_may_stay_cold_in_the_cheapest_pool() -> None:
    """Seven launches on one day of a week are not worth what three on each day are."""
    pattern = "3 at 08:00; 4 at 08:00 on first Mon"
    size = fl.right_size(pattern, days=7, value_of_warm=0.5, prices=0.05)
    months = 7 * 12 / 365
    assert size.cheapest is not None
    assert size.cheapest == pytest.approx(
        Cheapest(3, 21 / 25, 7.5, 4 * 0.5 / months, 7.5 * months / 21, 2.5 * months / 7)
    )


@pytest.mark.parametrize(("value", "target"), [(0.115, 0), (0.116, 40)])
def test_break_even_is_where_a_pool_begins_to_pay(value: float, target: int) -> None:
    """Below its break-even no pool is the cheapest, above it the pool is."""
    size = fl.right_size("40 at 08:00 on weekdays", value_of_warm=value, prices=0.05)
    assert size.cheapest is not None
    assert size.cheapest.target_count == target
    assert ("cheapest: no pool, as no snapshot is worth its cost" in repr(size)) is (target == 0)


@given(launch_times, st.floats(0.01, 100), fills)
@example([0] * 30 + [60] * 30 + list(range(100, 200, 9)), 0.5, 30)
def test_no_target_is_cheaper(times: list[int], value: float, fill: int) -> None:
    """Law: event by event, no other target costs less."""
    size = fl.right_size(datetimes(*times), fill_time=fill, value_of_warm=value, prices=0.05)
    months = 12 / 365  # the launches are of one day

    def cost(target: int) -> float:
        cold = play_launches(times, target, 40, fill).count(False) if target else len(times)
        return target * 2.5 * months + cold * value

    assert size.cheapest is not None
    assert cost(size.cheapest.target_count) == pytest.approx(min(map(cost, range(len(times) + 1))))
    total = size.cheapest.snapshots_monthly_usd + size.cheapest.cold_monthly_usd
    assert total == pytest.approx(cost(size.cheapest.target_count) / months)


def test_a_last_snapshot_costs_more_than_the_others() -> None:
    """The last snapshot of the cheapest target is worth its cost, and the next one is not."""
    size = fl.right_size("10 an hour", fill_time=1800, days=60, value_of_warm=1, prices=0.05)
    assert size.cheapest is not None
    assert size.cheapest.break_even_usd is not None
    assert size.cheapest.last_snapshot_usd is not None
    assert size.cheapest.break_even_usd < size.cheapest.last_snapshot_usd <= 1
    more = fl.right_size("10 an hour", fill_time=1800, days=60, value_of_warm=5, prices=0.05)
    assert more.cheapest is not None
    assert more.cheapest.target_count > size.cheapest.target_count


def test_prices_may_be_an_object() -> None:
    """`fl.Prices` and a plain number are the same, and so is a larger volume."""
    sizes = [
        fl.right_size("40 at 08:00", days=7, value_of_warm=1, prices=prices, root_volume_gib=gib)
        for prices, gib in ((0.1, 50), (fl.Prices(snapshot_gib_month=0.1), 50), (0.05, 100))
    ]
    assert sizes[0].cheapest == sizes[1].cheapest == sizes[2].cheapest


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"value_of_warm": 0, "prices": 0.05}, "value_of_warm is 0"),
        (
            {"value_of_warm": 1},
            "prices is None, without a price of snapshots in 'us-east-1'. Expected USD",
        ),
        ({"value_of_warm": 1, "prices": {}}, "prices is {}"),
        ({"value_of_warm": 1, "prices": -1}, "prices is -1"),
        ({"value_of_warm": 1, "prices": 1, "root_volume_gib": 0}, "root_volume_gib is 0"),
    ],
    ids=str,
)
def test_a_value_needs_a_price(wrong: dict[str, Any], message: str) -> None:
    """The error names the price that is missing or wrong."""
    with pytest.raises(fl.InputError, match=message):
        fl.right_size("40 at 08:00", **wrong)
