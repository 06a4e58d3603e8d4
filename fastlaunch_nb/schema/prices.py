"""Prices of AWS by region: a dated table of public figures, and prices of your own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

from fastlaunch_nb.errors import InputError, warn, warn_renamed
from fastlaunch_nb.number_checks import parse_number

ByRegion: TypeAlias = float | Mapping[str, float]
"""A price in USD: one for every region, or one for each region by its name."""


class RegionPrices(NamedTuple):
    """On-demand prices of a region, in USD."""

    snapshot_gib_month: float
    """One GiB of standard EBS snapshots for a month."""
    instance_hour: float
    """One hour of :data:`PRICED_INSTANCE`, with Windows."""


PRICED_INSTANCE: Final = "t3.xlarge"
"""The instance type of the default prices, which the EC2 User Guide recommends for templates."""
PRICES_DATE: Final = "2026-11-30"
"""The day on which the table of default prices was written."""
DEFAULT_PRICES: Final[Mapping[str, RegionPrices]] = MappingProxyType(
    {
        "us-east-1": RegionPrices(0.05, 0.24),
        "us-east-2": RegionPrices(0.05, 0.24),
        "us-west-2": RegionPrices(0.05, 0.24),
        "eu-west-1": RegionPrices(0.05, 0.256),
        "eu-west-2": RegionPrices(0.053, 0.2624),
        "eu-central-1": RegionPrices(0.054, 0.2656),
        "ap-southeast-2": RegionPrices(0.055, 0.2848),
    }
)
"""Public prices of a few regions. Sources: aws.amazon.com/ebs/pricing (Amazon EBS snapshots,
standard) and aws.amazon.com/ec2/pricing/on-demand (Windows). Other regions have no price here."""
EXAMPLE_SHARE: Final = 0.38
"""The share of the full price of its snapshots that AWS's worked example pays for storage.

The EC2 User Guide ("Manage costs for EC2 Fast Launch") has an AMI with 50 GiB and a target of 5
for about 5 USD a month, all in. Five volumes of 50 GiB are 12.50 USD at 0.05 USD a GiB; five
preparations at 0.04 USD are 0.20 USD of the 5, which leaves 4.80 USD, or 0.38.
"""
_OLD_REGION: Final = "us-east-1"  # whose prices the attributes of the first version had
_OLD_PREPARATION: Final = 0.05


@dataclass(frozen=True, init=False, repr=False)
class Prices:
    """Prices of AWS, in USD, by region; Fast Launch itself is free.

    The defaults are the public prices in ``fastlaunch_nb.schema.prices.DEFAULT_PRICES``, a
    table of a few regions with its date and sources. A region without a price has no
    money: its costs are null, never those of another region. Prices of your own replace
    the table.

    Parameters
    ----------
    snapshot_gib_month : float, or mapping of str to float, optional
        One GiB of standard snapshots for a month: one price for every region, or
        prices by region.
    preparation : float, optional
        The instance that prepares one snapshot, in every region. Deprecated: use
        `instance_hour`.
    instance_hour : float, or mapping of str to float, optional
        One hour of an instance that prepares snapshots, with Windows. The default is
        that of a t3.xlarge, and null for images whose template has another type.

    Raises
    ------
    InputError
        If a price is not a number, or is below 0; or if a mapping has no region's name.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> fl.Prices(snapshot_gib_month=0.055)
    Prices(snapshot_gib_month=0.055)
    >>> fl.Prices().find_snapshot_price("eu-central-1")
    0.054
    >>> fl.Prices({"eu-south-2": 0.05}).find_snapshot_price("eu-central-1") is None
    True
    """

    _snapshots: float | tuple[tuple[str, float], ...] | None  # tuples, so that it has a hash
    _instances: float | tuple[tuple[str, float], ...] | None
    _preparation: float | None

    def __init__(
        self,
        snapshot_gib_month: ByRegion | None = None,
        preparation: float | None = None,
        *,
        instance_hour: ByRegion | None = None,
    ) -> None:
        if preparation is not None:
            parse_number("preparation", preparation, "USD, 0 or more", allow_zero=True)
            if instance_hour is not None:
                raise InputError(
                    "Both preparation and instance_hour are set. Expected instance_hour alone."
                )
            warn_renamed("Prices(preparation=)", "Prices(instance_hour=)")
        snapshots = _parse_prices("snapshot_gib_month", snapshot_gib_month)
        object.__setattr__(self, "_snapshots", snapshots)
        object.__setattr__(self, "_instances", _parse_prices("instance_hour", instance_hour))
        object.__setattr__(self, "_preparation", preparation)

    def __repr__(self) -> str:
        values = {
            "snapshot_gib_month": self._snapshots,
            "preparation": self._preparation,
            "instance_hour": self._instances,
        }
        arguments = [
            f"{name}={dict(value) if isinstance(value, tuple) else value!r}"
            for name, value in values.items()
            if value is not None
        ]
        return f"Prices({', '.join(arguments)})"

    def find_snapshot_price(self, region: str) -> float | None:
        """Return the price of one GiB of snapshots for a month; None if it is unknown."""
        default = DEFAULT_PRICES.get(region)
        return _find(self._snapshots, region, default and default.snapshot_gib_month)

    def find_preparation_price(
        self, region: str, seconds: float, instance_type: str | None = None
    ) -> float | None:
        """Return the price of an instance that prepares one snapshot; None if it is unknown.

        Examples
        --------
        >>> Prices().find_preparation_price("us-east-1", 600)
        0.04
        >>> Prices().find_preparation_price("us-east-1", 600, "m5.4xlarge") is None
        True
        """
        if self._preparation is not None:
            return self._preparation
        is_priced = instance_type in (None, PRICED_INSTANCE)
        default = DEFAULT_PRICES.get(region) if is_priced else None
        price = _find(self._instances, region, default and default.instance_hour)
        return None if price is None else price * seconds / 3600

    @property
    def snapshot_gib_month(self) -> float | None:
        """The price for every region; if prices differ by region, that of us-east-1."""
        if isinstance(self._snapshots, int | float):
            return self._snapshots
        warn_renamed("Prices.snapshot_gib_month", "Prices.find_snapshot_price(region)")
        return self.find_snapshot_price(_OLD_REGION)

    @property
    def preparation(self) -> float:
        """The old price of one preparation. AWS names it for storing a snapshot. Deprecated."""
        warn(
            "Prices.preparation goes with the next release: AWS names 0.02 to 0.05 USD for "
            "storing a snapshot. Use Prices.find_preparation_price(region, seconds).",
            DeprecationWarning,
        )
        return _OLD_PREPARATION if self._preparation is None else self._preparation


def _parse_prices(
    name: str, prices: ByRegion | None
) -> float | tuple[tuple[str, float], ...] | None:
    if prices is None:
        return None
    if not isinstance(prices, Mapping):
        parse_number(name, prices, "USD, 0 or more, or prices by region", allow_zero=True)
        return prices
    for region, price in prices.items():
        if not isinstance(region, str) or not region:
            raise InputError(f"{name} has {region!r}. Expected names such as 'eu-west-1'.")
        parse_number(f"{name}[{region!r}]", price, "USD, 0 or more", allow_zero=True)
    return tuple(sorted(prices.items()))


def _find(
    prices: float | tuple[tuple[str, float], ...] | None, region: str, default: float | None
) -> float | None:
    """Return the price of a region; the default if there are no prices of one's own."""
    if isinstance(prices, tuple):
        return dict(prices).get(region)
    return default if prices is None else prices
