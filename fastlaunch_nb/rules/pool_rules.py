"""Rules about pools: too few snapshots, cold launches, bypassed pools, slow fills, the quota."""

from __future__ import annotations

import math
from typing import Any, Final

import pandas as pd

from fastlaunch_nb.formatting import format_count
from fastlaunch_nb.rules import cli_commands
from fastlaunch_nb.rules.rule import (
    ACTIVE_STATES,
    PREPARATION,
    RuleInput,
    format_minutes,
    format_since,
    is_known,
    map_rows,
    rule,
    where_true,
    with_evidence,
)
from fastlaunch_nb.schema.columns import COUNT
from fastlaunch_nb.schema.joins import DEFAULT_QUOTA

MAX_FILL_TIME: Final = pd.Timedelta(hours=4)
"""The time in which an empty pool should fill."""
MANY_COLD: Final = 0.1
"""The share of cold launches above which the severity is high."""
_DAY = pd.Timedelta(days=1).total_seconds()


@rule(
    "below-target",
    "low",
    "fewer snapshots are available than the target; more severe if a refill should be complete",
    source="EC2 User Guide: Monitor EC2 Fast Launch, its CloudWatch metrics",
)
def find_shortages(facts: RuleInput) -> pd.DataFrame:
    """Find pools below their target; those that had the time to refill are more severe."""
    images = facts.images.assign(_stock=facts.stock)
    target = images["target_resource_count"]
    rows = where_true(images, (images["state"] == "enabled") & (images["_stock"] < target))
    parallel = rows["max_parallel_launches"].where(rows["max_parallel_launches"] > 0)
    rounds = (rows["target_resource_count"] - rows["_stock"]) / parallel
    seconds = rounds.map(math.ceil, na_action="ignore").astype("Float64")
    rows = rows.assign(_refill=pd.to_timedelta(seconds * PREPARATION.total_seconds(), unit="s"))
    age = facts.at - rows["below_target_since"]
    is_late = age > rows["_refill"] + PREPARATION  # False where a time is unknown
    severity = pd.Series("low", rows.index).mask(is_late, "medium")
    severity = severity.mask(is_late & rows["_stock"].eq(0), "high")

    def describe(stock: int, target: int, start: Any, refill: Any) -> str:
        duration = f"; a refill takes {format_minutes(refill)}" if is_known(refill) else ""
        since = format_since(start, facts.at)
        return f"{stock:,} of {target:,} snapshots available, below target {since}{duration}"

    def advise(region: Any, image_id: Any) -> str:
        command = cli_commands.format_list_preparations(region, image_id)
        return f"Check whether preparation instances are at work: {command}"

    columns = ("_stock", "target_resource_count", "below_target_since", "_refill")
    remedy = map_rows(rows, advise, "region", "image_id")
    return with_evidence(rows, map_rows(rows, describe, *columns), remedy).assign(severity=severity)


@rule(
    "cold-launches",
    "medium",
    "launches found no snapshot and booted cold",
    source="EC2 User Guide: Monitor EC2 Fast Launch; cdk-github-runners 466",
)
def find_cold_launches(facts: RuleInput) -> pd.DataFrame:
    """Find images with launches that found no snapshot."""
    images = facts.images
    rows = where_true(images, (images["cold_launches"] > 0) & ~_is_bypassed(facts))
    days = (rows["metrics_until"] - rows["metrics_since"]).dt.total_seconds() / _DAY
    a_day = (rows["cold_launches"] / days.where(days > 0)).map(math.ceil, na_action="ignore")
    rows = rows.assign(_target=rows["target_resource_count"] + a_day.astype(COUNT))
    share = rows["cold_launches"] / (rows["cold_launches"] + rows["fast_launches"].fillna(0))

    def describe(cold: int, fast: Any, start: Any, target: Any) -> str:
        total = format_count(cold, "launch")
        if is_known(fast):
            total = f"{cold:,} of {cold + fast:,} launches"
        since = f" since {start:%Y-%m-%d}" if is_known(start) else ""
        target = f"{target:,}" if is_known(target) else "unknown"
        return f"{total}{since} found no snapshot; the target is {target}"

    def advise(*settings: Any) -> str:
        return (
            "Choose a target with fl.right_size and the launches of fl.metrics. As a first step, "
            "raise the target by the cold launches of an average day: "
            f"{cli_commands.format_enable(*settings)}"
        )

    columns = ("cold_launches", "fast_launches", "metrics_since", "target_resource_count")
    remedy = cli_commands.format_enable_rows(rows, {"target_resource_count": "_target"}, advise)
    severity = share.gt(MANY_COLD).map({True: "high", False: "medium"})
    return with_evidence(rows, map_rows(rows, describe, *columns), remedy).assign(severity=severity)


@rule(
    "pool-bypassed",
    "high",
    "the pool is full, but launches do not use its snapshots",
    source="karpenter-provider-aws 9014: BlockDeviceMappings bypass the snapshots",
)
def find_bypassed_pools(facts: RuleInput) -> pd.DataFrame:
    """Find full pools that launches do not use."""
    rows = where_true(facts.images.assign(_stock=facts.stock), _is_bypassed(facts))

    def describe(stock: int, target: int, cold: Any, instances: Any) -> str:
        is_launch = is_known(cold) and cold
        count = format_count(cold, "launch") if is_launch else format_count(instances, "instance")
        available = f"{stock:,} of {target:,} snapshots available"
        return f"{count} booted from the AMI's own snapshot; {available}"

    def advise(region: Any, image_id: Any) -> str:
        filters = ("--filters", f"Name=image-id,Values={image_id}")
        command = cli_commands.format_command("ec2", "describe-instances", region, *filters)
        return (
            "Check how the instances are launched. BlockDeviceMappings in the request or its "
            f"launch template bypass the snapshots: {command}"
        )

    columns = ("_stock", "target_resource_count", "cold_launches", "instances_cold")
    remedy = map_rows(rows, advise, "region", "image_id")
    return with_evidence(rows, map_rows(rows, describe, *columns), remedy, rows["monthly_usd"])


def _is_bypassed(facts: RuleInput) -> pd.Series:
    images = facts.images
    is_full = (facts.stock >= images["target_resource_count"]) & (facts.stock > 0)
    by_metrics = (images["cold_launches"] > 0) & (images["fast_launches"] == 0)
    by_volumes = (images["instances_cold"] > 0) & (images["instances_fast"] == 0)
    is_used = (images["fast_launches"] > 0).fillna(False)
    is_cold = by_metrics.fillna(False) | by_volumes.fillna(False)
    return (is_full.fillna(False) & is_cold & ~is_used).astype(bool)


@rule(
    "slow-to-fill",
    "low",
    "an empty pool takes more than 4 hours to fill",
    source="EC2 User Guide: 30 minutes for a preparation instance, a limited number at once",
)
def find_slow_fills(facts: RuleInput) -> pd.DataFrame:
    """Find targets that are too high for the parallel launches that fill them."""
    images = facts.images
    target, parallel = images["target_resource_count"], images["max_parallel_launches"]
    rounds = -(-target // parallel.where(parallel > 0))
    max_rounds = int(MAX_FILL_TIME / PREPARATION)
    is_slow = images["state"].isin(ACTIVE_STATES) & (rounds > max_rounds)
    rows = where_true(images.assign(_rounds=rounds), is_slow)
    rows = rows.assign(_parallel=-(-rows["target_resource_count"] // max_rounds))

    def describe(target: int, parallel: int, rounds: int) -> str:
        duration = format_minutes(rounds * PREPARATION)
        return f"{target:,} snapshots, {parallel:,} at a time, take {duration} to fill"

    columns = ("target_resource_count", "max_parallel_launches", "_rounds")
    remedy = cli_commands.format_enable_rows(rows, {"max_parallel_launches": "_parallel"})
    return with_evidence(rows, map_rows(rows, describe, *columns), remedy)


@rule(
    "over-quota",
    "low",
    "images of a region may together start more preparation instances than its quota allows",
    source="Service Quotas: Parallel instance launches (ec2fastlaunch, L-DC79B53E)",
)
def find_exceeded_quotas(facts: RuleInput) -> pd.DataFrame:
    """Find regions where images may together start more instances than the quota allows."""
    images = where_true(facts.images, facts.images["state"].isin(ACTIVE_STATES))
    regions = images.groupby(["account_id", "region"], dropna=False, as_index=False).agg(
        images=("image_id", "size"),
        parallel=("max_parallel_launches", "sum"),
        quota=("parallel_launches_quota", "max"),
    )
    regions = regions.assign(_is_default=regions["quota"].isna(), image_id=None)
    regions["quota"] = regions["quota"].fillna(DEFAULT_QUOTA)
    rows = where_true(regions, regions["parallel"] > regions["quota"])

    def describe(images: int, parallel: int, quota: int, is_default: bool) -> str:
        default = ", AWS's default" if is_default else ""
        instances = f"{format_count(images, 'image')} may start {parallel:,} preparation instances"
        return f"{instances} at once; the quota is {quota:,}{default}"

    def advise(region: Any, parallel: int) -> str:
        options = ("--service-code", "ec2fastlaunch", "--quota-code", "L-DC79B53E")
        operation = "request-service-quota-increase"
        return cli_commands.format_command(
            "service-quotas", operation, region, *options, "--desired-value", parallel
        )

    evidence = map_rows(rows, describe, "images", "parallel", "quota", "_is_default")
    return with_evidence(rows, evidence, map_rows(rows, advise, "region", "parallel"))
