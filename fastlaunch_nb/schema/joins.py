"""Columns of joins, snapshots, metrics and findings; prices.

Readers fill these columns, rules and charts read them. A missing column and a
null both mean that a value is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

import pandas as pd

from fastlaunch_nb.errors import InputError
from fastlaunch_nb.schema.columns import COUNT, NUMBER, TEXT, TIME, Column

JOINS: Mapping[str, tuple[Column, ...]] = {
    "ami": (
        Column("image_name", TEXT, "the AMI's name"),
        Column("image_state", TEXT, "EC2's state of the AMI; `absent`: EC2 lists it no more"),
        Column("image_creation_time", TIME, "when the AMI was made"),
        Column("image_deprecation_time", TIME, "when it is deprecated, or was"),
        Column("image_owner_id", TEXT, "the account that owns the AMI"),
        Column("root_volume_gib", COUNT, "size of its root volume, in GiB"),
    ),
    "siblings": (
        Column("siblings", COUNT, "Windows AMIs of its name in the other places that were read"),
        Column(
            "siblings_without_fast_launch",
            TEXT,
            "those of them without Fast Launch, as `account/region/ami`, with commas between",
        ),
    ),
    "template": (
        Column(
            "template_forbidden",
            TEXT,
            "settings of its launch template that Fast Launch forbids, with commas between",
        ),
    ),
    "snapshots": (
        Column("snapshots", COUNT, "snapshots that Fast Launch has made for it, in any state"),
        Column("snapshots_pending", COUNT, "those of them that are not completed"),
        Column("snapshot_gib", COUNT, "sizes of their volumes together, in GiB"),
        Column("oldest_snapshot_time", TIME, "when the oldest of them was begun"),
        Column(
            "leftover_snapshots",
            COUNT,
            "those above the target; all of them, where disabling has failed",
        ),
    ),
    "metrics": (
        Column("available_snapshots", COUNT, "snapshots in stock, as CloudWatch last had it"),
        Column("available_snapshots_time", TIME, "when that was"),
        Column("below_target_since", TIME, "since when the stock has been below the target"),
        Column("fast_launches", COUNT, "launches that took a snapshot, since `metrics_since`"),
        Column("cold_launches", COUNT, "launches that did not, since `metrics_since`"),
        Column("metrics_since", TIME, "where the window of the metrics begins"),
        Column("metrics_until", TIME, "where it ends"),
    ),
    "launches": (
        Column("instances", COUNT, "instances of the AMI that EC2 lists"),
        Column("instances_fast", COUNT, "those whose root volume came from the pool"),
        Column("instances_cold", COUNT, "those whose root volume came from the AMI's own snapshot"),
    ),
    "quota": (Column("parallel_launches_quota", COUNT, "the region's quota of parallel launches"),),
    "cost": (
        Column("snapshots_monthly_usd", NUMBER, "what its snapshots cost a month, at most"),
        Column(
            "preparation_monthly_usd", NUMBER, "what its preparation instances cost a month, about"
        ),
        Column("monthly_usd", NUMBER, "both together"),
    ),
}
"""Joins of images, with the columns that each adds."""

JOINED: Mapping[str, Any] = {
    column.name: column.dtype for columns in JOINS.values() for column in columns
}
"""Dtypes of the joined columns."""

SNAPSHOTS = (
    Column("account_id", TEXT, "the account that was asked, and owns the snapshot"),
    Column("region", TEXT, "the region that was asked"),
    Column("snapshot_id", TEXT, "the snapshot"),
    Column("image_id", TEXT, "the AMI that its description names"),
    Column("snapshot_state", TEXT, "`pending`, `completed` or `error`"),
    Column("snapshot_time", TIME, "when it was begun"),
    Column("volume_gib", COUNT, "size of its volume, in GiB"),
    Column("launch_template_id", TEXT, "the template that its tags name"),
    Column("launch_template_name", TEXT, "the name that its tags have for it"),
    Column("launch_template_version", TEXT, "and the version"),
    Column("observed_at", TIME, "when AWS answered, by its clock"),
)
"""Columns of the snapshots that Fast Launch created."""

METRICS = (
    Column("account_id", TEXT, "the account that was asked"),
    Column("region", TEXT, "the region that was asked"),
    Column("image_id", TEXT, "the AMI"),
    Column("time", TIME, "where the period begins"),
    Column("period", COUNT, "how long it is, in seconds"),
    Column("available_snapshots", COUNT, "NumberOfAvailableFastLaunchSnapshots, the least"),
    Column("fast_launches", COUNT, "NumberOfInstancesFastLaunched, added up"),
    Column("cold_launches", COUNT, "NumberOfInstancesNotFastLaunched, added up"),
    Column(
        "refill_start_time",
        NUMBER,
        "FastLaunchSnapshotUsedToRefillStartTime, on average, as CloudWatch has it",
    ),
    Column(
        "snapshot_creation_time",
        NUMBER,
        "FastLaunchSnapshotCreationTime, on average, as CloudWatch has it",
    ),
)
"""Columns of metrics, which have a row for each image and period with data."""

FINDINGS = (
    Column("severity", TEXT, "`high`, `medium` or `low`"),
    Column("finding", TEXT, "the rule that found it"),
    Column("account_id", TEXT, "the account"),
    Column("region", TEXT, "the region"),
    Column("image_id", TEXT, "the AMI; null where it is about all of them"),
    Column("evidence", TEXT, "the numbers"),
    Column("remedy", TEXT, "what to do; commands are for a person to run"),
    Column("monthly_usd", NUMBER, "what it costs a month, where that is known"),
)
"""Columns of findings, which have a row for each problem."""

DEFAULT_QUOTA: Final = 40
"""Parallel launches in a region, across all AMIs, by default (EC2 User Guide; Service Quotas:
`ec2fastlaunch`, `L-DC79B53E`)."""


@dataclass(frozen=True)
class Prices:
    """Prices of AWS, in USD; Fast Launch itself is free.

    The defaults are those of us-east-1, from AWS's pages on EBS pricing and on the
    cost of EC2 Fast Launch. Prices differ by region and by your agreements.

    Attributes
    ----------
    snapshot_gib_month : float
        One GiB of standard snapshots for a month: 0.05.
    preparation : float
        The instance and volume that prepare one snapshot: 0.05, the upper end of
        AWS's estimate of 0.02 to 0.05.

    Raises
    ------
    InputError
        If a price is not a number, or is below 0.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> fl.Prices(snapshot_gib_month=0.055)
    Prices(snapshot_gib_month=0.055, preparation=0.05)
    """

    snapshot_gib_month: float = 0.05
    preparation: float = 0.05

    def __post_init__(self) -> None:
        for field in fields(self):
            price = getattr(self, field.name)
            is_number = isinstance(price, int | float) and not isinstance(price, bool)
            if not is_number or not 0 <= price < float("inf"):
                raise InputError(f"{field.name} is {price!r}. Expected USD, 0 or more.")


def known_stock(images: pd.DataFrame) -> pd.Series:
    """Return the number of available snapshots of each image; null if it is unknown.

    It is CloudWatch's number, or else the number of completed snapshots.
    """
    stock = pd.Series(pd.array([None] * len(images), dtype=COUNT), index=images.index)
    if "available_snapshots" in images:
        stock = images["available_snapshots"].astype(COUNT)
    if {"snapshots", "snapshots_pending"} <= set(images):
        completed = images["snapshots"] - images["snapshots_pending"]
        stock = stock.fillna(completed.astype(COUNT))
    return stock
