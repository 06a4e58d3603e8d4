"""Prices: a table by region, prices of one's own, and the old attributes."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.schema.prices import DEFAULT_PRICES, PRICED_INSTANCE

ELSEWHERE = "xx-nowhere-1"


@pytest.mark.parametrize("region", DEFAULT_PRICES)
def test_default_prices_are_those_of_the_table(region: str) -> None:
    """Each region has its own prices: of a GiB for a month, and of a t3.xlarge by its minutes."""
    prices, row = fl.Prices(), DEFAULT_PRICES[region]
    assert prices.find_snapshot_price(region) == row.snapshot_gib_month
    assert prices.find_preparation_price(region, 1800) == row.instance_hour / 2
    assert prices.find_preparation_price(region, 3600, PRICED_INSTANCE) == row.instance_hour


def test_an_unknown_region_has_no_price() -> None:
    """Neither the table nor prices by region lend a price to another region."""
    for prices in (fl.Prices(), fl.Prices({"us-east-1": 0.04}, instance_hour={"us-east-1": 0.2})):
        assert prices.find_snapshot_price(ELSEWHERE) is None
        assert prices.find_preparation_price(ELSEWHERE, 600) is None


def test_another_instance_type_has_no_default_price() -> None:
    """The table knows one instance type; a price of one's own counts for every type."""
    assert fl.Prices().find_preparation_price("us-east-1", 600, "m5.4xlarge") is None
    own = fl.Prices(instance_hour={"us-east-1": 0.9})
    assert own.find_preparation_price("us-east-1", 600, "m5.4xlarge") == pytest.approx(0.15)


def test_a_plain_number_counts_for_every_region() -> None:
    """A price of one's own needs no region, and replaces no other price."""
    prices = fl.Prices(0.04)
    assert prices.find_snapshot_price(ELSEWHERE) == prices.snapshot_gib_month == 0.04
    assert prices.find_preparation_price("us-east-1", 3600) == 0.24
    assert fl.Prices(instance_hour=0.3).find_preparation_price(ELSEWHERE, 3600) == 0.3
    assert fl.Prices(0).find_snapshot_price("us-east-1") == 0


def test_prices_never_change() -> None:
    """They are values: equal, hashable, copied and pickled as such, whatever becomes of a dict."""
    by_region = {"eu-west-1": 0.05}
    prices = fl.Prices(by_region, instance_hour=0.3)
    by_region["eu-west-1"] = 9.0
    assert prices.find_snapshot_price("eu-west-1") == 0.05
    for other in (copy.deepcopy(prices), pickle.loads(pickle.dumps(prices))):
        assert (other, hash(other), repr(other)) == (prices, hash(prices), repr(prices))
    assert repr(prices) == "Prices(snapshot_gib_month={'eu-west-1': 0.05}, instance_hour=0.3)"
    assert prices != fl.Prices()
    with pytest.raises(FrozenInstanceError, match="_snapshots"):
        prices._snapshots = 1.0  # type: ignore[misc]


@pytest.mark.parametrize("name", ["snapshot_gib_month", "preparation", "instance_hour"])
@pytest.mark.parametrize(
    "price", [-0.01, -1, float("nan"), float("inf"), True, "0.05", [0.05]], ids=repr
)
def test_wrong_prices_are_refused(name: str, price: Any) -> None:
    """A price is a number, 0 or more."""
    with pytest.raises(fl.InputError, match=f"^{name} is .*Expected USD, 0 or more"):
        fl.Prices(**{name: price})


@pytest.mark.parametrize(
    ("prices", "message"),
    [
        ({"us-east-1": -1}, r"snapshot_gib_month\['us-east-1'\] is -1. Expected USD"),
        ({"us-east-1": None}, r"snapshot_gib_month\['us-east-1'\] is None"),
        ({None: 0.05}, "snapshot_gib_month has None. Expected names such as"),
    ],
)
def test_wrong_prices_of_a_region_are_refused(prices: Any, message: str) -> None:
    """The error has the region, the price and what was expected."""
    with pytest.raises(fl.InputError, match=message):
        fl.Prices(prices)


# --- old names ------------------------------------------------------------------------


def test_the_old_price_of_a_preparation_works_with_a_warning() -> None:
    """It is the price of each preparation, in every region and for every time."""
    with pytest.warns(DeprecationWarning, match=r"Prices\(instance_hour=\)") as caught:
        prices = fl.Prices(0.05, 0.5)
    assert caught[0].filename == __file__
    assert prices.find_preparation_price(ELSEWHERE, 60) == 0.5
    with pytest.warns(DeprecationWarning, match="goes with the next release"):
        assert prices.preparation == 0.5
    with pytest.warns(DeprecationWarning, match="for storing a snapshot"):
        assert fl.Prices().preparation == 0.05
    with pytest.raises(fl.InputError, match="Expected instance_hour alone"):
        fl.Prices(preparation=0.5, instance_hour=0.3)


def test_the_old_price_of_all_regions_works_with_a_warning() -> None:
    """Where prices differ by region, the old attribute is that of us-east-1."""
    with pytest.warns(DeprecationWarning, match=r"find_snapshot_price\(region\)"):
        assert fl.Prices().snapshot_gib_month == 0.05
