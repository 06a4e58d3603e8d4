"""Rules about what is paid for: unused, for images that are gone, left over.

Where the stock is not known, nothing here is said to cost anything.
"""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

from fastlaunch_nb.formatting import single_line
from fastlaunch_nb.rules import cli_commands
from fastlaunch_nb.rules.rule import (
    Rule,
    RuleInput,
    format_since,
    is_known,
    map_rows,
    rounded_duration,
    where_true,
    with_evidence,
)
from fastlaunch_nb.schema.columns import COMPLETE, NUMBER
from fastlaunch_nb.schema.joins import Prices

LEAST_WINDOW: Final = pd.Timedelta(days=7)
"""How long a pool must be without launches to count as unused."""
MOST_COMMANDS: Final = 20
"""How many snapshots one remedy deletes by their ids."""
_KEPT = ("enabling", "enabling-failed", "enabled", "enabled-failed")


def unused(facts: RuleInput) -> pd.DataFrame:
    """Find pools that nothing was launched from in the whole window."""
    images = facts.images.assign(_stock=facts.stock)
    window = images["metrics_until"] - images["metrics_since"]
    mask = (
        (images["state"] == "enabled")
        & (images["_stock"] > 0)
        & (images["fast_launches"] == 0)
        & ~(images["cold_launches"] > 0).fillna(False)
        & (window >= LEAST_WINDOW)
        & (images["state_transition_time"] <= images["metrics_since"])
    )
    rows = where_true(images.assign(_window=window), mask)
    said = map_rows(
        rows,
        lambda stock, window: (
            f"no launch in {rounded_duration(window)}, with {stock} snapshots in stock"
        ),
        *("_stock", "_window"),
    )
    remedy = map_rows(rows, cli_commands.disable, "region", "image_id")
    return with_evidence(rows, said, remedy, rows["monthly_usd"])


def image_gone(facts: RuleInput) -> pd.DataFrame:
    """Find images that can not be launched any more, and have Fast Launch all the same."""
    images = facts.images
    gone = images["image_state"].notna() & (images["image_state"] != "available")
    rows = where_true(images, gone & images["state"].isin(_KEPT))
    said = map_rows(rows, _gone, "image_state", "state")
    return with_evidence(
        rows, said, map_rows(rows, cli_commands.disable, "region", "image_id"), _paid(rows, facts)
    )


def _gone(image_state: str, state: str) -> str:
    what = (
        "EC2 lists it no more"
        if image_state == "absent"
        else f"the AMI is {single_line(image_state)}"
    )
    return f"{what}, and Fast Launch is {state}"


def image_deprecated(facts: RuleInput) -> pd.DataFrame:
    """Find images that are deprecated, and have Fast Launch all the same."""
    images = facts.images
    over = images["image_deprecation_time"] <= facts.at
    rows = where_true(images, over & images["state"].isin(_KEPT))
    said = map_rows(
        rows,
        lambda moment: f"deprecated {format_since(moment, facts.at)}",
        "image_deprecation_time",
    )
    return with_evidence(
        rows, said, map_rows(rows, cli_commands.disable, "region", "image_id"), _paid(rows, facts)
    )


def _paid(rows: pd.DataFrame, facts: RuleInput) -> pd.Series:
    """Return what images cost; null where the stock is not known."""
    return rows["monthly_usd"].where(facts.stock[rows.index].notna())


def left_over(facts: RuleInput) -> pd.DataFrame:
    """Find images that have more snapshots than they are to keep."""
    rows = where_true(facts.images, facts.images["leftover_snapshots"] > 0)
    said = map_rows(
        rows,
        lambda left, all_of, state: (
            f"{left} of {all_of} snapshots are left over; it is {single_line(state)}"
        ),
        *("leftover_snapshots", "snapshots", "state"),
    )
    share = (rows["leftover_snapshots"] / rows["snapshots"]).astype(NUMBER)
    remedy = map_rows(rows, _remove, "state", "region", "image_id")
    return with_evidence(rows, said, remedy, rows["snapshots_monthly_usd"] * share)


def _remove(state: Any, region: Any, image_id: Any) -> str:
    look = f"See them: {cli_commands.list_snapshots(region, image_id)}"
    if is_known(state) and state == "disabling-failed":
        return f"{look} and then: {cli_commands.disable(region, image_id, force=True)}"
    return look


def orphaned(facts: RuleInput) -> pd.DataFrame:
    """Find snapshots of images that have no Fast Launch any more, where all images are known."""
    names = ["account_id", "region", "image_id"]
    if facts.snapshots is None or facts.coverage is None:
        return facts.images.head(0).assign(evidence="", remedy="")
    whole = _whole(facts.coverage, facts.images)
    left = facts.snapshots[facts.snapshots["image_id"].notna()]
    left = left.merge(whole[names[:2]].drop_duplicates(), on=names[:2])
    kept = facts.images[names].drop_duplicates().assign(_kept=True)
    left = left.merge(kept, on=names, how="left")
    left = left[left["_kept"].isna()].sort_values([*names, "snapshot_id"])
    rows = left.groupby(names, as_index=False).agg(
        count=("snapshot_id", "size"),
        gib=("volume_gib", "sum"),
        oldest=("snapshot_time", "min"),
        ids=("snapshot_id", list),
    )
    price = Prices().snapshot_gib_month
    said = map_rows(
        rows,
        lambda count, gib, oldest: (
            f"{count} snapshots of {gib} GiB in all, "
            f"{format_since(oldest, facts.at)}, at {price} USD a GiB-month at most"
        ),
        *("count", "gib", "oldest"),
    )
    remedy = map_rows(rows, _delete, "region", "image_id", "ids")
    return with_evidence(rows, said, remedy, rows["gib"].astype(NUMBER) * price)


def _whole(coverage: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """Return the places of which all images are known: read whole, and each of them is here."""
    place = ["account_id", "region"]
    last = coverage.sort_values("observed_at", kind="stable").drop_duplicates(place, keep="last")
    whole = last[(last["status"] == COMPLETE) & last["scope"].fillna("").eq("")]
    here = whole[place].merge(images.groupby(place, as_index=False).size(), on=place, how="left")
    return whole[(here["size"].fillna(0) == whole["rows"].to_numpy()).to_numpy()]


def _delete(region: Any, image_id: Any, ids: list[str]) -> str:
    if len(ids) > MOST_COMMANDS:
        return f"Delete what this lists: {cli_commands.list_snapshots(region, image_id)}"
    return " && ".join(
        cli_commands.command("ec2", "delete-snapshot", region, "--snapshot-id", snapshot_id)
        for snapshot_id in ids
    )


RULES = (
    Rule(
        "unused",
        "medium",
        "snapshots are kept, and nothing was launched from them in a week or more",
        "EC2 User Guide: Manage costs for EC2 Fast Launch; karpenter-provider-aws 9014",
        unused,
    ),
    Rule(
        "image-gone",
        "medium",
        "the AMI is deregistered or not available, and Fast Launch goes on",
        "packer-plugin-amazon 570; EC2 API Reference: DescribeImages",
        image_gone,
    ),
    Rule(
        "image-deprecated",
        "low",
        "the AMI is deprecated, and Fast Launch goes on",
        "EC2 User Guide: Deprecate an AMI",
        image_deprecated,
    ),
    Rule(
        "left-over",
        "low",
        "more snapshots than the target, or some after disabling has failed",
        "EC2 User Guide: Monitor EC2 Fast Launch, disabling-failed",
        left_over,
    ),
    Rule(
        "orphaned",
        "medium",
        "snapshots of Fast Launch whose image has it no more",
        "jenkins-infra helpdesk 4548; packer-plugin-amazon 570",
        orphaned,
    ),
)
