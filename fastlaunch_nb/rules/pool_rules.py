"""Rules about pools: too small, passed by, slow to fill, too many at once."""

from __future__ import annotations

import math
from typing import Any, Final

import pandas as pd

from fastlaunch_nb.rules import cli_commands
from fastlaunch_nb.rules.rule import (
    PREPARATION,
    Rule,
    RuleInput,
    format_since,
    is_known,
    map_rows,
    rounded_duration,
    where_true,
    with_evidence,
)
from fastlaunch_nb.schema.columns import COUNT
from fastlaunch_nb.schema.joins import DEFAULT_QUOTA

LONGEST_FILL: Final = pd.Timedelta(hours=4)
"""How long an empty pool may take to fill."""
MANY_COLD: Final = 0.1
"""The share of cold launches above which they are serious."""
_DAY = pd.Timedelta(days=1).total_seconds()
_AT_WORK = ("enabling", "enabled")


def below_target(facts: RuleInput) -> pd.DataFrame:
    """Find pools with fewer snapshots than their target, and tell a refill from a fault."""
    images = facts.images.assign(_stock=facts.stock)
    target = images["target_resource_count"]
    rows = where_true(images, (images["state"] == "enabled") & (images["_stock"] < target))
    parallel = rows["max_parallel_launches"].where(rows["max_parallel_launches"] > 0)
    rounds = ((rows["target_resource_count"] - rows["_stock"]) / parallel).map(
        math.ceil, na_action="ignore"
    )
    rows = rows.assign(
        _refill=pd.to_timedelta(rounds.astype("Float64") * PREPARATION.total_seconds(), unit="s"),
        _lasted=facts.at - rows["below_target_since"],
    )
    late = rows["_lasted"] > rows["_refill"] + PREPARATION  # False where a time is unknown
    severity = pd.Series("low", rows.index).mask(late, "medium")
    severity = severity.mask(late & rows["_stock"].eq(0), "high")
    said = map_rows(
        rows,
        lambda stock, target, moment, refill: _shortage(facts, stock, target, moment, refill),
        *("_stock", "target_resource_count", "below_target_since", "_refill"),
    )
    return with_evidence(rows, said, map_rows(rows, _refill, "region", "image_id")).assign(
        severity=severity
    )


def _shortage(facts: RuleInput, stock: int, target: int, moment: Any, refill: Any) -> str:
    takes = f"; a refill takes {rounded_duration(refill)}" if is_known(refill) else ""
    return f"{stock} of {target} snapshots in stock, {format_since(moment, facts.at)}{takes}"


def _refill(region: Any, image_id: Any) -> str:
    return f"See whether it is being filled: {cli_commands.preparing(region, image_id)}"


def cold_launches(facts: RuleInput) -> pd.DataFrame:
    """Find images whose launches found no snapshot."""
    images = facts.images
    rows = where_true(images, (images["cold_launches"] > 0) & ~_passed_by(facts))
    days = (rows["metrics_until"] - rows["metrics_since"]).dt.total_seconds() / _DAY
    more = (rows["cold_launches"] / days).map(math.ceil, na_action="ignore")
    rows = rows.assign(_target=rows["target_resource_count"] + more.astype(COUNT))
    share = rows["cold_launches"] / (rows["cold_launches"] + rows["fast_launches"].fillna(0))
    said = map_rows(rows, _cold, "cold_launches", "fast_launches", "metrics_since",
                "target_resource_count")  # fmt: skip
    remedy = cli_commands.enabling(rows, {"target_resource_count": "_target"}, _raise)
    return with_evidence(rows, said, remedy).assign(
        severity=share.gt(MANY_COLD).map({True: "high", False: "medium"})
    )


def _cold(cold: int, fast: Any, moment: Any, target: Any) -> str:
    of = f"{cold} of {cold + fast} launches" if is_known(fast) else f"{cold} launches"
    when = f" since {moment:%Y-%m-%d}" if is_known(moment) else ""
    return (
        f"{of}{when} found no snapshot; the target is {target if is_known(target) else 'unknown'}"
    )


def _raise(*settings: Any) -> str:
    return (
        "Size it by fl.right_size with the launches of fl.metrics; as a first step, by as many "
        f"more as are missing on an average day: {cli_commands.enable(*settings)}"
    )


def passed_by(facts: RuleInput) -> pd.DataFrame:
    """Find full pools that launches do not take from."""
    rows = where_true(facts.images.assign(_stock=facts.stock), _passed_by(facts))
    said = map_rows(rows, _passed, "_stock", "target_resource_count", "cold_launches",
                "instances_cold")  # fmt: skip
    return with_evidence(
        rows, said, map_rows(rows, _look, "region", "image_id"), rows["monthly_usd"]
    )


def _look(region: Any, image_id: Any) -> str:
    of_it = f"Name=image-id,Values={image_id}"
    return (
        "See how they are launched: with BlockDeviceMappings, in the request or its launch "
        "template, snapshots are not used: "
        + cli_commands.command("ec2", "describe-instances", region, "--filters", of_it)
    )


def _passed_by(facts: RuleInput) -> pd.Series:
    images = facts.images
    full = (facts.stock >= images["target_resource_count"]) & (facts.stock > 0)
    by_metrics = (images["cold_launches"] > 0) & (images["fast_launches"] == 0)
    by_volumes = (images["instances_cold"] > 0) & (images["instances_fast"] == 0)
    none = (images["fast_launches"] > 0).fillna(False)
    found = by_metrics.fillna(False) | by_volumes.fillna(False)
    return (full.fillna(False) & found & ~none).astype(bool)


def _passed(stock: int, target: int, cold: Any, instances: Any) -> str:
    launched = f"{cold} launches" if is_known(cold) and cold else f"{instances} instances"
    return f"{launched} booted from the AMI's own snapshot, with {stock} of {target} in stock"


def slow_to_fill(facts: RuleInput) -> pd.DataFrame:
    """Find targets that their parallel launches fill too slowly."""
    images = facts.images
    target, parallel = images["target_resource_count"], images["max_parallel_launches"]
    rounds = -(-target // parallel.where(parallel > 0))
    most = int(LONGEST_FILL / PREPARATION)
    rows = where_true(
        images.assign(_rounds=rounds), images["state"].isin(_AT_WORK) & (rounds > most)
    )
    rows = rows.assign(_parallel=-(-rows["target_resource_count"] // most))
    said = map_rows(
        rows,
        lambda target, parallel, rounds: (
            f"{target} snapshots, {parallel} at once, "
            f"take {rounded_duration(rounds * PREPARATION)} to fill"
        ),
        *("target_resource_count", "max_parallel_launches", "_rounds"),
    )
    return with_evidence(
        rows, said, cli_commands.enabling(rows, {"max_parallel_launches": "_parallel"})
    )


def over_quota(facts: RuleInput) -> pd.DataFrame:
    """Find places whose images may together start more instances than the quota allows."""
    images = facts.images
    at_work = where_true(images, images["state"].isin(_AT_WORK))
    places = at_work.groupby(["account_id", "region"], dropna=False, as_index=False).agg(
        images=("image_id", "size"),
        asked=("max_parallel_launches", "sum"),
        quota=("parallel_launches_quota", "max"),
    )
    places = places.assign(_assumed=places["quota"].isna(), image_id=None)
    places["quota"] = places["quota"].fillna(DEFAULT_QUOTA)
    rows = where_true(places, places["asked"] > places["quota"])
    said = map_rows(rows, _asked, "images", "asked", "quota", "_assumed")
    return with_evidence(rows, said, map_rows(rows, _ask_for_more, "region", "asked"))


def _asked(images: int, asked: int, quota: int, assumed: bool) -> str:
    default = ", AWS's default" if assumed else ""
    return (
        f"{images} images may start {asked} preparation instances at once; "
        f"the quota is {quota}{default}"
    )


def _ask_for_more(region: Any, asked: int) -> str:
    return cli_commands.command(
        "service-quotas", "request-service-quota-increase", region,
        "--service-code", "ec2fastlaunch", "--quota-code", "L-DC79B53E", "--desired-value", asked,
    )  # fmt: skip


RULES = (
    Rule(
        "below-target",
        "low",
        "fewer snapshots in stock than the target; worse where a refill should be over",
        "EC2 User Guide: Monitor EC2 Fast Launch, its CloudWatch metrics",
        below_target,
    ),
    Rule(
        "cold-launches",
        "medium",
        "launches found no snapshot and booted cold",
        "EC2 User Guide: Monitor EC2 Fast Launch; cdk-github-runners 466",
        cold_launches,
    ),
    Rule(
        "passed-by",
        "high",
        "the pool is full, and launches do not take from it",
        "karpenter-provider-aws 9014: BlockDeviceMappings bypass the snapshots",
        passed_by,
    ),
    Rule(
        "slow-to-fill",
        "low",
        "an empty pool takes more than 4 hours to fill",
        "EC2 User Guide: 30 minutes for a preparation instance, so many at once",
        slow_to_fill,
    ),
    Rule(
        "over-quota",
        "low",
        "images of a region may together start more instances than its quota allows",
        "Service Quotas: Parallel instance launches (ec2fastlaunch, L-DC79B53E)",
        over_quota,
    ),
)
