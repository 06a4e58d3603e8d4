"""Rules about pools: too few snapshots, cold launches, bypassed pools, slow fills, the quota."""

from __future__ import annotations

import math
from typing import Any, Final

import pandas as pd

from fastlaunch_nb.formatting import format_count, format_duration, to_single_line
from fastlaunch_nb.pool.fill_time import DEFAULT_FILL_TIME, FILL_TIME_RANGE, PREPARATION_LIMIT
from fastlaunch_nb.rules.cli_commands import (
    Step,
    list_instances,
    list_preparations,
    make_step,
    row_command,
)
from fastlaunch_nb.rules.rule import (
    ACTIVE_STATES,
    ENDING_RULES,
    STOCK,
    Problems,
    RowText,
    RuleInput,
    format_minutes,
    format_since,
    is_known,
    make_problems,
    rule,
    where_true,
)
from fastlaunch_nb.schema.columns import ACCOUNT_REGION, FAILED_STATES

FILL_LIMIT: Final = pd.Timedelta(hours=4)
"""The time in which an empty pool should fill."""
MIN_WARM_SHARE: Final = 0.99
"""The share of launches that find a snapshot from which on a pool works well."""
MANY_COLD: Final = 0.1
"""The share of cold launches above which the severity is high."""
MIN_MINUTES_LOST: Final = 10
"""The minutes that launches lost below which cold launches are not worth a finding."""
COLD_BOOT_DELAY: Final = pd.Timedelta(seconds=100)
"""The time that a cold boot takes longer: 122 s against 20 to 24 s (sloper-ai/cucina)."""
MIN_DIFFERENCE: Final = 2
"""The difference of two counts of the stock from which on it is worth a finding."""
MAX_DIFFERENCE: Final = 0.2
"""The share of the larger count up to which launches in between explain a difference."""
_MAX_ROUNDS, _MAX_MINUTES = 1_000_000, 10**8  # whose durations pandas can still add up
_RECENT = pd.Timedelta(hours=1)
_LIMIT = pd.Timedelta(seconds=PREPARATION_LIMIT)
_FILL_TIME = pd.Timedelta(seconds=DEFAULT_FILL_TIME)
_FAST_FILL = pd.Timedelta(seconds=FILL_TIME_RANGE[0])
_SPECIFIC = (*ENDING_RULES, "failed", "forbidden-template")
"""More specific rules: where one of them has a finding, a short or cold pool follows from it."""


def _warm_share(images: pd.DataFrame) -> pd.Series:
    """Return the share of launches that found a snapshot; null without launches."""
    launches = images["fast_launches"] + images["cold_launches"]
    return images["fast_launches"] / launches.where(launches > 0)


@rule(
    "below-target",
    "medium",
    "fewer snapshots are available than the target, for longer than a refill can take",
    source="EC2 User Guide: Troubleshoot EC2 Fast Launch, and its CloudWatch metrics",
    statement="EC2 gives a preparation instance 30 minutes, and no more of them run than the "
    "target and the maximum of parallel launches allow.",
    reads=("target_resource_count", "max_parallel_launches", STOCK, "metrics_since"),
    silent="99 in 100 launches find a snapshot, or a refill may still go on",
    advises="see whether preparation instances are at work",
    yields_to=(*_SPECIFIC, "cold-launches"),
)
def find_shortages(facts: RuleInput) -> Problems:
    """Find pools that are below their target although they had the time to refill."""
    images = facts.images.assign(_stock=facts.stock)
    parallel = images["max_parallel_launches"].where(images["max_parallel_launches"] > 0)
    rounds = (images["target_resource_count"] - images["_stock"]) / parallel
    whole = rounds.clip(-_MAX_ROUNDS, _MAX_ROUNDS).map(math.ceil, na_action="ignore")
    images["_rounds"] = whole.astype("Float64")
    longest = pd.to_timedelta((images["_rounds"] + 1) * PREPARATION_LIMIT, unit="s")
    is_short = images["state"].isin(["enabled"]) & (
        images["_stock"] < images["target_resource_count"]
    )
    is_late = facts.at - images["below_target_since"] > longest
    works_well = (_warm_share(images) >= MIN_WARM_SHARE).fillna(False)
    rows = where_true(images, is_short & is_late & ~works_well)

    def describe(stock: int, target: int, start: Any, rounds: float) -> str:
        usual, most = (format_minutes(rounds * time) for time in (_FILL_TIME, _LIMIT))
        return (
            f"{stock:,} of {target:,} snapshots available, below target "
            f"{format_since(start, facts.at)}; a refill takes about {usual}, at most {most}"
        )

    columns = ("_stock", "target_resource_count", "below_target_since", "_rounds")
    advice = "Look whether preparation instances are at work. If none is, look at their errors."
    return make_problems(
        rows,
        RowText(describe, *columns),
        advice,
        row_command(list_preparations, "image_id"),
        severity=rows["_stock"].eq(0).map({True: "high", False: "medium"}),
    )


@rule(
    "cold-launches",
    "medium",
    "more than 1 in 100 launches found no snapshot and booted cold",
    source="EC2 User Guide: Monitor EC2 Fast Launch; cdk-github-runners 466",
    statement="NumberOfInstancesNotFastLaunched counts launches that found no snapshot. "
    "The report: the target is a guess, and an empty pool is silent.",
    reads=("fast_launches", "cold_launches"),
    silent="launches lost less than 10 minutes in all, or Fast Launch has failed",
    advises="choose the target from the launches",
    yields_to=(*_SPECIFIC, "pool-bypassed"),
)
def find_cold_launches(facts: RuleInput) -> Problems:
    """Find images whose launches lost time because too many found no snapshot."""
    images = facts.images
    lost = images["cold_launches"] * (COLD_BOOT_DELAY.total_seconds() / 60)
    is_bypassed = (images["instances_cold_since_enabled"] > 0).fillna(False)
    is_cold = (_warm_share(images) < MIN_WARM_SHARE) & (lost >= MIN_MINUTES_LOST)
    is_failed = images["state"].isin(FAILED_STATES)
    rows = where_true(images.assign(_lost=lost), is_cold & ~is_bypassed & ~is_failed)

    def describe(cold: int, fast: int, start: Any, target: Any, lost: float) -> str:
        since = f" since {start:%Y-%m-%d}" if is_known(start) else ""
        target = f"{target:,}" if is_known(target) else "unknown"
        duration = format_duration(pd.Timedelta(minutes=min(lost, _MAX_MINUTES)))
        return (
            f"{cold:,} of {cold + fast:,} launches{since} found no snapshot and lost about "
            f"{duration} in all; the target is {target}"
        )

    columns = ("cold_launches", "fast_launches", "metrics_since", "target_resource_count", "_lost")
    advice = (
        "Let fl.right_size choose the target and the maximum of parallel launches from the "
        "launches of fl.metrics. More snapshots cost more: fl.sizing_curve shows how much."
    )
    is_severe = _warm_share(rows) < 1 - MANY_COLD
    severity = is_severe.map({True: "high", False: "medium"})
    return make_problems(rows, RowText(describe, *columns), advice, severity=severity)


@rule(
    "pool-bypassed",
    "high",
    "snapshots are available, but instances are launched without them",
    source="karpenter-provider-aws 9014",
    statement="Launches with BlockDeviceMappings do not use the snapshots: the root volume "
    "of such an instance comes from the AMI's own snapshot.",
    reads=(STOCK, "instances"),
    silent="an instance since enabling came from the pool, or the stock is unknown",
    advises="look at how the instances are launched",
    yields_to=("failed", "image-gone"),
)
def find_bypassed_pools(facts: RuleInput) -> Problems:
    """Find pools that instances launched since enabling do not use."""
    images = facts.images.assign(_stock=facts.stock)
    mask = (
        (images["_stock"] > 0)
        & (images["instances_cold_since_enabled"] > 0)
        & (images["instances_fast_since_enabled"] == 0)
        & ~(images["fast_launches"] > 0).fillna(False)
    )
    rows = where_true(images, mask)

    def describe(stock: int, instances: int) -> str:
        count = format_count(instances, "instance")
        return (
            f"{count} launched since enabling booted from the AMI's own snapshot; "
            f"{format_count(stock, 'snapshot')} available"
        )

    advice = (
        "Look at how the instances are launched: BlockDeviceMappings in the request or its launch "
        "template bypass the snapshots. Remove them, or disable Fast Launch if they must stay."
    )
    evidence = RowText(describe, "_stock", "instances_cold_since_enabled")
    usd = rows["monthly_usd_low"], rows["monthly_usd_high"]
    command = row_command(list_instances, "image_id")
    return make_problems(rows, evidence, advice, command, usd=usd)


@rule(
    "bypass-ahead",
    "medium",
    "a launch template or an Auto Scaling group will bypass the pool at its next launch",
    source="karpenter-provider-aws 9014",
    statement="Launches with BlockDeviceMappings do not use the snapshots.",
    reads=("bypassing_launchers",),
    advises="remove the BlockDeviceMappings, or accept cold launches",
    yields_to=(*_SPECIFIC, "pool-bypassed"),
)
def find_bypassing_launchers(facts: RuleInput) -> Problems:
    """Find launch templates and Auto Scaling groups that will bypass a pool."""
    images = facts.images
    is_on = images["state"].isin(ACTIVE_STATES)
    rows = where_true(images, is_on & images["bypassing_launchers"].fillna("").ne(""))

    def describe(launchers: str) -> str:
        return f"BlockDeviceMappings in {to_single_line(launchers)}"

    advice = (
        "Remove the BlockDeviceMappings of the root volume there. If they must stay, this image "
        "needs no Fast Launch for these launches."
    )
    return make_problems(rows, RowText(describe, "bypassing_launchers"), advice)


@rule(
    "slow-to-fill",
    "low",
    "an empty pool takes more than 4 hours to fill",
    source="EC2 User Guide: Manage costs for EC2 Fast Launch",
    statement="A preparation instance takes several minutes (10 are assumed here), and no more "
    "of them run than the maximum of parallel launches. The 4 hours are our choice.",
    reads=("target_resource_count", "max_parallel_launches"),
    advises="raise the maximum of parallel launches",
    yields_to=(*_SPECIFIC, "cold-launches"),
)
def find_slow_fills(facts: RuleInput) -> Problems:
    """Find targets that are too high for the parallel launches that fill them."""
    images = facts.images
    target, parallel = images["target_resource_count"], images["max_parallel_launches"]
    rounds = (-(-target // parallel.where(parallel > 0))).clip(-_MAX_ROUNDS, _MAX_ROUNDS)
    max_rounds = int(FILL_LIMIT / _FILL_TIME)
    rows = where_true(
        images.assign(_rounds=rounds), images["state"].isin(ACTIVE_STATES) & (rounds > max_rounds)
    )

    def describe(target: int, parallel: int, rounds: int) -> str:
        usual, least, most = (
            format_minutes(rounds * time) for time in (_FILL_TIME, _FAST_FILL, _LIMIT)
        )
        return (
            f"{target:,} snapshots, {parallel:,} at a time, take about {usual} to fill "
            f"({least} to {most})"
        )

    def advise(target: int, quota: Any) -> str:
        enough = -(-target // max_rounds)
        limit = f"{quota:,}" if is_known(quota) else "unknown"
        return (
            f"Raise the maximum of parallel launches to {enough:,}. The quota of the region for "
            f"all images is {limit}."
        )

    columns = ("target_resource_count", "max_parallel_launches", "_rounds")
    advice = RowText(advise, "target_resource_count", "parallel_launches_quota")
    return make_problems(rows, RowText(describe, *columns), advice)


@rule(
    "over-quota",
    "low",
    "images of a region may together start more preparation instances than its quota allows",
    source="Service Quotas: Parallel instance launches (ec2fastlaunch, L-DC79B53E)",
    statement="The quota holds for all AMIs of a region together. An image never has more "
    "at work than its target.",
    reads=("parallel_launches_quota", "target_resource_count", "max_parallel_launches"),
    silent="the quota was not read",
    advises="request a higher quota, or accept that pools wait for each other",
)
def find_exceeded_quotas(facts: RuleInput) -> Problems:
    """Find regions where images may together start more instances than the quota allows."""
    numbers = ["target_resource_count", "max_parallel_launches"]
    images = facts.images[[*ACCOUNT_REGION, *numbers, "parallel_launches_quota"]]
    images = where_true(images, facts.images["state"].isin(ACTIVE_STATES))
    regions = images.assign(_parallel=images[numbers].min(axis=1, skipna=False)).groupby(
        list(ACCOUNT_REGION), dropna=False, as_index=False
    )
    sums = regions.agg(
        images=("_parallel", "count"),  # those with known numbers, which the sum is of
        parallel=("_parallel", "sum"),
        quota=("parallel_launches_quota", "max"),
    )
    rows = where_true(sums, sums["parallel"] > sums["quota"]).assign(image_id=None)

    def describe(images: int, parallel: int, quota: int) -> str:
        instances = f"{format_count(images, 'image')} may start {parallel:,} preparation instances"
        return f"{instances} at once; the quota is {quota:,}"

    def request(region: Any, parallel: int) -> Step:
        options = ("--service-code", "ec2fastlaunch", "--quota-code", "L-DC79B53E")
        operation = "request-service-quota-increase"
        return make_step("service-quotas", operation, region, *options, "--desired-value", parallel)

    advice = (
        "Decide whether pools of this region may wait for each other. If not, request a higher "
        "quota: the command sends the request."
    )
    evidence = RowText(describe, "images", "parallel", "quota")
    return make_problems(rows, evidence, advice, row_command(request, "parallel"))


@rule(
    "stock-differs",
    "info",
    "CloudWatch and EC2 count different numbers of snapshots",
    source="EC2 User Guide: Monitor EC2 Fast Launch; EC2 API Reference: DescribeSnapshots",
    statement="NumberOfAvailableFastLaunchSnapshots is the stock of an AMI; completed snapshots "
    "with the tag of Fast Launch should be as many.",
    reads=("available_snapshots", "available_snapshots_time", "snapshots", "snapshots_pending"),
    silent="CloudWatch's number is older than an hour, or launches may explain the difference",
    advises="read both again",
    yields_to=("failed", "excess-snapshots", "image-gone"),
)
def find_stock_differences(facts: RuleInput) -> Problems:
    """Find images for which CloudWatch and EC2 disagree about the stock."""
    images = facts.images
    listed = images["snapshots"] - images["snapshots_pending"]
    larger = listed.where((listed > images["available_snapshots"]).fillna(False))
    larger = larger.fillna(images["available_snapshots"])
    difference = (listed - images["available_snapshots"]).abs()
    is_recent = facts.at - images["available_snapshots_time"] <= _RECENT
    mask = is_recent & (difference >= MIN_DIFFERENCE) & (difference > larger * MAX_DIFFERENCE)
    rows = where_true(images.assign(_listed=listed), mask & images["state"].isin(["enabled"]))

    def describe(available: int, time: Any, listed: int) -> str:
        since = format_since(time, facts.at)
        return f"CloudWatch counts {available:,} available {since}; EC2 lists {listed:,} completed"

    columns = ("available_snapshots", "available_snapshots_time", "_listed")
    advice = "Read both again in 15 minutes. If they still differ, rely on what EC2 lists."
    return make_problems(rows, RowText(describe, *columns), advice)
