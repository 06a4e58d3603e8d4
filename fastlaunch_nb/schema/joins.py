"""Columns of joins, snapshots, metrics and findings.

Readers fill these columns, rules and charts read them. A missing column and a
null both mean that a value is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from fastlaunch_nb.schema.columns import (
    ABSENT,
    COLUMNS,
    COUNT,
    DISABLED,
    INTERVAL_TIMES,
    NUMBER,
    TEXT,
    TIME,
    Column,
)

JOINS: Mapping[str, tuple[Column, ...]] = {
    "ami": (
        Column("image_name", TEXT, "the AMI's name"),
        Column("image_state", TEXT, "EC2's state of the AMI; `absent`: EC2 does not list it"),
        Column("image_creation_time", TIME, "creation time of the AMI"),
        Column("image_deprecation_time", TIME, "deprecation time of the AMI, past or future"),
        Column("image_owner_id", TEXT, "the account that owns the AMI"),
        Column("root_volume_gib", COUNT, "size of its root volume, in GiB"),
        Column(
            "image_last_launched_time",
            TIME,
            "its last launch that EC2 reports, 24 hours late; only for the owner of the AMI",
        ),
        Column(
            "image_source_id",
            TEXT,
            "the AMI that it was copied from, or its instance launched from",
        ),
        Column("image_source_region", TEXT, "the region of that AMI"),
    ),
    "siblings": (
        Column(
            "siblings",
            COUNT,
            "copies of the same AMI in the other accounts and regions read; where EC2 names no "
            "source, Windows AMIs of the same name",
        ),
        Column(
            "siblings_without_fast_launch",
            TEXT,
            "those without Fast Launch, as `account/region/ami`, separated by commas",
        ),
        Column(
            "successor_in_use",
            TEXT,
            "the newer build in its account and region that was launched last, if that has no Fast "
            "Launch; else empty. Names of builds differ in a version or date at their end only",
        ),
    ),
    "template": (
        Column(
            "template_forbidden",
            TEXT,
            "settings of its launch template that Fast Launch forbids, separated by commas",
        ),
        Column(
            "template_http_tokens",
            TEXT,
            "HttpTokens in its launch template: `required` or `optional`; empty: not set there",
        ),
        Column("template_instance_type", TEXT, "the instance type in it; empty: not set there"),
    ),
    "snapshots": (
        Column("snapshots", COUNT, "snapshots that Fast Launch created for it, in any state"),
        Column("snapshots_pending", COUNT, "those that are not completed"),
        Column("snapshot_gib", COUNT, "total size of their volumes, in GiB"),
        Column(
            "snapshot_full_gib",
            NUMBER,
            "total of the blocks written in them, in GiB; the blocks in common count each time",
        ),
        Column("oldest_snapshot_time", TIME, "start time of the oldest snapshot"),
        Column(
            "leftover_snapshots",
            COUNT,
            "snapshots above the target; all of them if disabling failed",
        ),
        Column("snapshots_time", TIME, "time of EC2's response with the snapshots, by its clock"),
    ),
    "metrics": (
        Column("available_snapshots", COUNT, "available snapshots, by CloudWatch's latest value"),
        Column("available_snapshots_time", TIME, "time of that value"),
        Column(
            "below_target_since", TIME, "start of the time with fewer snapshots than the target"
        ),
        Column("fast_launches", COUNT, "launches with a snapshot, since `metrics_since`"),
        Column("cold_launches", COUNT, "launches without a snapshot, since `metrics_since`"),
        Column("metrics_since", TIME, "start of the metrics window"),
        Column("metrics_until", TIME, "end of the metrics window"),
    ),
    "launches": (
        Column("instances", COUNT, "instances of the AMI that EC2 lists"),
        Column("instances_fast", COUNT, "instances with a root volume from the pool"),
        Column("instances_cold", COUNT, "instances with a root volume from the AMI's own snapshot"),
        Column(
            "last_instance_launch_time",
            TIME,
            "the latest first launch of an instance; to start one again is no launch",
        ),
        Column(
            "instances_fast_since_enabled",
            COUNT,
            "those of `instances_fast` that were launched in the state `enabled`",
        ),
        Column(
            "instances_cold_since_enabled",
            COUNT,
            "those of `instances_cold` that were launched in the state `enabled`",
        ),
    ),
    "quota": (Column("parallel_launches_quota", COUNT, "the region's quota of parallel launches"),),
    "cost": (
        Column(
            "snapshots_monthly_usd_low",
            NUMBER,
            "monthly cost of its snapshots at the share of their full price that AWS's example has",
        ),
        Column(
            "snapshots_monthly_usd_high",
            NUMBER,
            "monthly cost of its snapshots if they have no block in common: their full price",
        ),
        Column(
            "preparation_monthly_usd_low",
            NUMBER,
            "monthly cost of preparing snapshots if AWS bills no instance for it: 0",
        ),
        Column(
            "preparation_monthly_usd_high",
            NUMBER,
            "monthly cost of an instance that prepares a snapshot for each fast launch",
        ),
        Column("monthly_usd_low", NUMBER, "total of the low ends"),
        Column(
            "monthly_usd_high", NUMBER, "total of the high ends; null if the launches are unknown"
        ),
        Column("snapshots_monthly_usd", NUMBER, "the high end, until the next release"),
        Column("preparation_monthly_usd", NUMBER, "the high end, until the next release"),
        Column("monthly_usd", NUMBER, "the high end, until the next release"),
    ),
    "recycle_bin": (
        Column(
            "recycle_bin_rules",
            TEXT,
            "retention rules of its account and region that keep used snapshots, by their ids, "
            "separated by commas; empty: none",
        ),
    ),
    "leftovers": (
        Column(
            "leftover_volumes",
            COUNT,
            "volumes of Fast Launch in its account and region that are attached to nothing",
        ),
        Column("leftover_volume_gib", COUNT, "their total size, in GiB"),
        Column("leftover_interfaces", COUNT, "network interfaces of Fast Launch, likewise"),
    ),
    "launchers": (
        Column(
            "bypassing_launchers",
            TEXT,
            "launch templates and Auto Scaling groups that map its root volume and so bypass the "
            "pool, as `launch-template/name:version` or `auto-scaling-group/name`, separated by "
            "commas; empty: none",
        ),
    ),
    "kms": (
        Column(
            "kms_key_id",
            TEXT,
            "the customer managed key of its root snapshot; empty: not encrypted with one",
        ),
        Column("kms_key_state", TEXT, "KMS's state of that key, such as `Enabled`"),
        Column(
            "kms_grant",
            TEXT,
            "`granted`: a grant names the role of Fast Launch; `missing`: none does, but the key's "
            "policy may",
        ),
    ),
    "imds": (
        Column(
            "imds_http_tokens_enforced",
            TEXT,
            "whether its account and region enforce IMDSv2: `enabled`, `disabled` or "
            "`no-preference`",
        ),
    ),
    "intent": (
        Column(
            "intended_fast_launch",
            TEXT,
            "Fast Launch in Image Builder's distribution configurations: `enabled`, or `disabled`, "
            "for which Image Builder does nothing; null: none has the account, region and name",
        ),
        Column("intended_target_resource_count", COUNT, "target in them"),
        Column("intended_max_parallel_launches", COUNT, "maximum of parallel launches in them"),
        Column(
            "intended_launch_template", TEXT, "launch template in them, as `id or name:version`"
        ),
        Column("intended_by", TEXT, "ARN of the first of them; null if they differ"),
    ),
}
"""Joins of images, with the columns that each adds."""

DEFAULT_JOINS: Final = tuple(JOINS)[: list(JOINS).index("cost") + 1]
"""The joins that ``enrich`` makes by default: those from ``ami`` to ``cost``.

The others would nearly double the requests, and need permissions of four more services.
"""

NOT_READ: Final = Column(
    "not_read",
    TEXT,
    "joins that could not be read for it, with error codes, such as "
    "`metrics: AccessDenied; quota: Timeout`; empty: all were read",
)
"""The column that every join adds. Without a request, the code is `NoTarget` or `NoKey`."""

JOINED: Mapping[str, Any] = {
    **{column.name: column.dtype for columns in JOINS.values() for column in columns},
    NOT_READ.name: NOT_READ.dtype,
}
"""Dtypes of the joined columns."""

DTYPES: Mapping[str, Any] = {
    **{column.name: column.dtype for column in COLUMNS},
    **INTERVAL_TIMES,
    **JOINED,
}
"""Dtypes of the columns of images and intervals, joined or not."""

SNAPSHOTS = (
    Column("account_id", TEXT, "the account that was read, which owns the snapshot"),
    Column("region", TEXT, "the region that was read"),
    Column("snapshot_id", TEXT, "the snapshot"),
    Column("image_id", TEXT, "the AMI that its description names"),
    Column("snapshot_state", TEXT, "`pending`, `completed` or `error`"),
    Column("snapshot_time", TIME, "start time of the snapshot"),
    Column("volume_gib", COUNT, "size of its volume, in GiB"),
    Column("full_snapshot_bytes", COUNT, "all blocks written in it, in bytes"),
    Column("launch_template_id", TEXT, "launch template in its tags"),
    Column("launch_template_name", TEXT, "name of the launch template in its tags"),
    Column("launch_template_version", TEXT, "version of the launch template in its tags"),
    Column("observed_at", TIME, "time of AWS's response, by its clock"),
)
"""Columns of the snapshots that Fast Launch created."""

METRICS = (
    Column("account_id", TEXT, "the account that was read"),
    Column("region", TEXT, "the region that was read"),
    Column("image_id", TEXT, "the AMI"),
    Column("time", TIME, "start of the period"),
    Column("period", COUNT, "length of the period, in seconds"),
    Column("available_snapshots", COUNT, "NumberOfAvailableFastLaunchSnapshots, minimum"),
    Column("fast_launches", COUNT, "NumberOfInstancesFastLaunched, sum"),
    Column("cold_launches", COUNT, "NumberOfInstancesNotFastLaunched, sum"),
    Column("refill_start_time", NUMBER, "FastLaunchSnapshotUsedToRefillStartTime, average"),
    Column("snapshot_creation_time", NUMBER, "FastLaunchSnapshotCreationTime, average"),
)
"""Columns of metrics, which have a row for each image and period with data."""

FINDINGS = (
    Column("severity", TEXT, "`high`, `medium`, `low` or `info`"),
    Column("finding", TEXT, "name of the rule"),
    Column("account_id", TEXT, "the account"),
    Column("region", TEXT, "the region"),
    Column("image_id", TEXT, "the AMI; null for a finding on a whole account or region"),
    Column("evidence", TEXT, "the observed values"),
    Column("advice", TEXT, "what to look at, decide and do"),
    Column("command", TEXT, "a command for a POSIX shell that runs as it is, or null"),
    Column("monthly_usd_low", NUMBER, "monthly cost, at least; null if unknown"),
    Column("monthly_usd_high", NUMBER, "monthly cost, at most; null if unknown"),
    Column("remedy", TEXT, "advice and command together; until the next release"),
    Column("monthly_usd", NUMBER, "the same as `monthly_usd_high`; until the next release"),
)
"""Columns of findings, which have a row for each problem."""

UNCHECKED = (
    Column("rule", TEXT, "name of the rule"),
    Column("account_id", TEXT, "the account"),
    Column("region", TEXT, "the region; null for all"),
    Column("why", TEXT, "`join`, `permission` or `value`"),
    Column("how", TEXT, "how to have the value read"),
)
"""Columns of what findings could not judge."""

STOCK_TOLERANCE: Final = pd.Timedelta(hours=1)
"""The age of CloudWatch's number of snapshots up to which it counts, at EC2's response.

CloudWatch names the start of a period of 15 minutes, or of an hour, and is minutes late.
"""


def coalesce_stock(images: pd.DataFrame) -> pd.Series:
    """Return the number of available snapshots of each image; null if it is unknown.

    It is CloudWatch's number, unless EC2 listed the snapshots more than
    :data:`STOCK_TOLERANCE` later. Then, and without CloudWatch's number, it is the number
    of completed snapshots. Where one of the times is unknown, CloudWatch's number counts.
    """
    names = ["available_snapshots", "snapshots", "snapshots_pending"]
    counts = images.reindex(columns=names).astype(COUNT)
    times = images.reindex(columns=["available_snapshots_time", "snapshots_time"]).astype(TIME)
    completed = counts["snapshots"] - counts["snapshots_pending"]
    age = times["snapshots_time"] - times["available_snapshots_time"]
    is_stale = (age > STOCK_TOLERANCE) & completed.notna()
    return counts["available_snapshots"].mask(is_stale).fillna(completed)


MISSING: Final = "missing_snapshots"
"""The range of filters whose values :func:`count_missing_snapshots` returns: no column has them."""
STOCK_COLUMNS: Final = ("available_snapshots", "snapshots")
"""Columns of which a stock needs one."""
_ENDING: Final = ("disabling", "disabling-failed", DISABLED, ABSENT)


def count_missing_snapshots(images: pd.DataFrame) -> pd.Series:
    """Return how many snapshots each pool has below its target.

    It is null where the stock or the target is unknown, and where Fast Launch ends or has ended:
    nobody wants such a pool to be full.

    Examples
    --------
    >>> images = pd.DataFrame({"state": ["enabled", "enabled", "disabling"],
    ...                        "target_resource_count": 5, "available_snapshots": [3, None, 0]})
    >>> count_missing_snapshots(images).tolist()
    [2, <NA>, <NA>]
    """
    target = images["target_resource_count"].astype(COUNT)
    missing = (target - coalesce_stock(images)).clip(lower=0)
    return missing.mask(images["state"].isin(_ENDING))
