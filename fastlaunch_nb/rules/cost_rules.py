"""Rules about cost: unused pools, images that are gone or deprecated, excess snapshots.

Where the stock is unknown, no rule claims that it costs anything.
"""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

from fastlaunch_nb.formatting import format_count, to_single_line
from fastlaunch_nb.rules import cli_commands
from fastlaunch_nb.rules.rule import (
    RuleInput,
    format_minutes,
    format_since,
    is_known,
    map_rows,
    rule,
    where_true,
    with_evidence,
)
from fastlaunch_nb.schema.columns import ACCOUNT_REGION, COMPLETE, KEY, NUMBER
from fastlaunch_nb.schema.prices import Prices

MIN_WINDOW: Final = pd.Timedelta(days=7)
"""The time without launches after which a pool counts as unused."""
MAX_COMMANDS: Final = 20
"""The number of snapshots that one remedy deletes by their ids."""
_WITH_POOL = ("enabling", "enabling-failed", "enabled", "enabled-failed")


@rule(
    "unused",
    "medium",
    "snapshots are available, but nothing was launched from them for a week or more",
    source="EC2 User Guide: Manage costs for EC2 Fast Launch; karpenter-provider-aws 9014",
)
def find_unused_pools(facts: RuleInput) -> pd.DataFrame:
    """Find pools without a launch in the whole window of the metrics."""
    images = facts.images.assign(_stock=facts.stock)
    images = images.assign(_window=images["metrics_until"] - images["metrics_since"])
    mask = (
        (images["state"] == "enabled")
        & (images["_stock"] > 0)
        & (images["fast_launches"] == 0)
        & ~(images["cold_launches"] > 0).fillna(False)
        & (images["_window"] >= MIN_WINDOW)
        & (images["state_transition_time"] <= images["metrics_since"])
    )
    rows = where_true(images, mask)

    def describe(stock: int, window: pd.Timedelta) -> str:
        return f"no launch in {format_minutes(window)}; {format_count(stock, 'snapshot')} available"

    return _advise_disabling(rows, map_rows(rows, describe, "_stock", "_window"), facts)


@rule(
    "image-gone",
    "medium",
    "the AMI is deregistered or not available, but Fast Launch is still on",
    source="packer-plugin-amazon 570; EC2 API Reference: DescribeImages",
)
def find_gone_images(facts: RuleInput) -> pd.DataFrame:
    """Find images with Fast Launch that can no longer be launched."""
    images = facts.images
    is_gone = images["image_state"].notna() & (images["image_state"] != "available")
    rows = where_true(images, is_gone & images["state"].isin(_WITH_POOL))

    def describe(image_state: str, state: str) -> str:
        if image_state == "absent":
            return f"EC2 no longer lists the AMI; Fast Launch is {state}"
        return f"the AMI is {to_single_line(image_state)}; Fast Launch is {state}"

    return _advise_disabling(rows, map_rows(rows, describe, "image_state", "state"), facts)


@rule(
    "image-deprecated",
    "low",
    "the AMI is deprecated, but Fast Launch is still on",
    source="EC2 User Guide: Deprecate an AMI",
)
def find_deprecated_images(facts: RuleInput) -> pd.DataFrame:
    """Find deprecated images with Fast Launch."""
    images = facts.images
    is_deprecated = images["image_deprecation_time"] <= facts.at
    rows = where_true(images, is_deprecated & images["state"].isin(_WITH_POOL))

    def describe(start: Any) -> str:
        return f"deprecated {format_since(start, facts.at)}"

    return _advise_disabling(rows, map_rows(rows, describe, "image_deprecation_time"), facts)


def _advise_disabling(rows: pd.DataFrame, evidence: list[str], facts: RuleInput) -> pd.DataFrame:
    """Add the command that disables each image, and its cost: null where the stock is unknown."""
    remedy = map_rows(rows, cli_commands.format_disable, "region", "image_id")
    cost = rows["monthly_usd"].where(facts.stock[rows.index].notna())
    return with_evidence(rows, evidence, remedy, cost)


@rule(
    "excess-snapshots",
    "low",
    "more snapshots than the target, or snapshots that are left after disabling has failed",
    source="EC2 User Guide: Monitor EC2 Fast Launch, disabling-failed",
)
def find_excess_snapshots(facts: RuleInput) -> pd.DataFrame:
    """Find images with more snapshots than they should have."""
    images = facts.images
    rows = where_true(images, (images["leftover_snapshots"] > 0) & (images["snapshots"] > 0))

    def describe(excess: int, total: int, state: Any) -> str:
        counts = f"{excess:,} of {format_count(total, 'snapshot')}"
        if is_known(state) and state == "disabling-failed":
            return f"{counts} left after disabling failed"
        return f"{counts} above the target; the state is {to_single_line(state)}"

    def advise(state: Any, region: Any, image_id: Any) -> str:
        look = f"List them: {cli_commands.format_list_snapshots(region, image_id)}"
        if is_known(state) and state == "disabling-failed":
            return f"{look} and then: {cli_commands.format_disable(region, image_id, force=True)}"
        return look

    evidence = map_rows(rows, describe, "leftover_snapshots", "snapshots", "state")
    remedy = map_rows(rows, advise, "state", "region", "image_id")
    share = (rows["leftover_snapshots"] / rows["snapshots"]).astype(NUMBER)
    return with_evidence(rows, evidence, remedy, rows["snapshots_monthly_usd"] * share)


@rule(
    "orphaned",
    "medium",
    "Fast Launch snapshots of an image that no longer has Fast Launch",
    source="jenkins-infra helpdesk 4548; packer-plugin-amazon 570",
    needs=("coverage", "snapshots"),
)
def find_orphans(facts: RuleInput) -> pd.DataFrame:
    """Find snapshots of images without Fast Launch, in regions where all images are known."""
    key, region = list(KEY), list(ACCOUNT_REGION)
    assert facts.snapshots is not None and facts.coverage is not None  # noqa: S101, PT018 (needs)
    regions = _find_complete_regions(facts.coverage, facts.images)
    snapshots = facts.snapshots[facts.snapshots["image_id"].notna()].merge(regions, on=region)
    images = facts.images[key].drop_duplicates().assign(_has_image=True)
    snapshots = snapshots.merge(images, on=key, how="left")
    orphans = snapshots[snapshots["_has_image"].isna()].sort_values([*key, "snapshot_id"])
    rows = orphans.groupby(key, as_index=False).agg(
        count=("snapshot_id", "size"),
        gib=("volume_gib", "sum"),
        oldest=("snapshot_time", "min"),
        ids=("snapshot_id", list),
    )
    prices = map_rows(rows, Prices().find_snapshot_price, "region")

    def describe(count: int, gib: int, oldest: Any, price: float | None) -> str:
        size = f"{format_count(count, 'snapshot')} of {gib} GiB in total"
        cost = "" if pd.isna(price) else f", at most {price} USD per GiB-month"
        return f"{size} {format_since(oldest, facts.at)}{cost}"

    rows = rows.assign(price=pd.array(prices, dtype=NUMBER))
    evidence = map_rows(rows, describe, "count", "gib", "oldest", "price")
    remedy = map_rows(rows, _format_delete, "region", "image_id", "ids")
    return with_evidence(rows, evidence, remedy, rows["gib"].astype(NUMBER) * rows["price"])


def _find_complete_regions(coverage: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """Return the accounts and regions that were read completely, with all their images here."""
    region = list(ACCOUNT_REGION)
    last = coverage.sort_values("observed_at", kind="stable").drop_duplicates(region, keep="last")
    complete = last[(last["status"] == COMPLETE) & last["scope"].fillna("").eq("")]
    counts = images.groupby(region, as_index=False).size()
    sizes = complete[region].merge(counts, on=region, how="left")["size"].fillna(0)
    return complete.loc[(sizes == complete["rows"].to_numpy()).to_numpy(), region]


def _format_delete(region: Any, image_id: Any, ids: list[str]) -> str:
    if len(ids) > MAX_COMMANDS:
        command = cli_commands.format_list_snapshots(region, image_id)
        return f"Delete the snapshots that this command lists: {command}"
    return " && ".join(
        cli_commands.format_command("ec2", "delete-snapshot", region, "--snapshot-id", snapshot_id)
        for snapshot_id in ids
    )
