"""Rules about cost: unused pools, images that are gone or deprecated, snapshots left behind.

Where the stock is unknown, no rule claims that it costs anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from fastlaunch_nb.formatting import format_count, format_time, to_single_line
from fastlaunch_nb.rules.cli_commands import (
    CREATED_BY,
    Step,
    format_command,
    list_amis,
    list_fast_launch,
    list_instances,
    list_snapshots,
    make_step,
    require_none,
    row_command,
)
from fastlaunch_nb.rules.rule import (
    ENABLED_STATES,
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
from fastlaunch_nb.schema.columns import ACCOUNT_REGION, COMPLETE, KEY, NUMBER
from fastlaunch_nb.schema.prices import EXAMPLE_SHARE

MIN_WINDOW: Final = pd.Timedelta(days=7)
"""The time without launches after which a pool counts as unused."""
MIN_AGE: Final = pd.Timedelta(days=1)
"""The time that something must have lasted before a command deletes or disables it."""
MAX_COMMANDS: Final = 20
"""The number of snapshots that one command deletes by their ids."""
_LAST_LAUNCH_DELAY = pd.Timedelta(days=1)
"""EC2 reports LastLaunchedTime up to 24 hours late (EC2 API Reference: Image)."""


@rule(
    "unused",
    "medium",
    "snapshots are available, but nothing was launched for a week or more",
    source="EC2 User Guide: Manage costs for EC2 Fast Launch; EC2 API Reference: Image",
    statement="You pay for snapshots until a launch uses them or Fast Launch is disabled. "
    "LastLaunchedTime is the last launch of an AMI, reported up to 24 hours late.",
    reads=(STOCK, "fast_launches", "cold_launches", "image_state", "instances"),
    silent="an instance of the AMI exists, or the metrics cover less than a week",
    advises="ask the owner whether the pool is still needed",
    yields_to=("image-gone", "image-deprecated", "pool-bypassed"),
)
def find_unused_pools(facts: RuleInput) -> Problems:
    """Find pools without any launch that CloudWatch, the AMI or an instance shows."""
    images = facts.images.assign(_stock=facts.stock)
    images = images.assign(_window=images["metrics_until"] - images["metrics_since"])
    launched = images["image_last_launched_time"] + _LAST_LAUNCH_DELAY
    mask = (
        (images["state"] == "enabled")
        & (images["_stock"] > 0)
        & (images["fast_launches"] == 0)
        & (images["cold_launches"] == 0)
        & (images["instances"] == 0)
        & images["image_state"].notna()
        & ~(launched > images["metrics_since"])  # an unknown time is not after any
        & (images["_window"] >= MIN_WINDOW)
        & (images["state_transition_time"] <= images["metrics_since"])
    )
    rows = where_true(images, mask)

    def describe(stock: int, window: pd.Timedelta, launched: Any) -> str:
        last = "no launch known to EC2"  # which knows those of an AMI's owner only
        if is_known(launched):
            last = f"last launched {format_time(launched)} by EC2"
        available = format_count(stock, "snapshot")
        return f"no launch in {format_minutes(window)}, {last}, no instance; {available} available"

    advice = (
        "Ask the owner of the image whether it is still needed: for a rare or an urgent start it "
        "may be. If not, disable Fast Launch, which deletes the snapshots."
    )
    columns = ("_stock", "_window", "image_last_launched_time")
    evidence = RowText(describe, *columns)
    command = row_command(list_instances, "image_id")
    return make_problems(rows, evidence, advice, command, usd=_cost_of_pool(rows, facts))


def _cost_of_pool(rows: pd.DataFrame, facts: RuleInput) -> tuple[pd.Series, pd.Series]:
    """Return what images cost; null where the stock is unknown."""
    is_stock_known = facts.stock[rows.index].notna()
    low, high = rows["monthly_usd_low"], rows["monthly_usd_high"]
    return low.where(is_stock_known), high.where(is_stock_known)


@rule(
    "image-gone",
    "medium",
    "the AMI is deregistered or not available, but Fast Launch is still on",
    source="EC2 API Reference: DescribeImages; sloper-ai/cucina",
    statement="EC2 does not list a deregistered AMI. The report: Fast Launch and its snapshots "
    "stay, so disable it before you deregister an AMI.",
    reads=("image_state",),
    advises="read again; if the AMI is still gone, disable Fast Launch",
)
def find_gone_images(facts: RuleInput) -> Problems:
    """Find images with Fast Launch that can no longer be launched."""
    images = facts.images
    is_gone = images["image_state"].notna() & (images["image_state"] != "available")
    rows = where_true(images, is_gone & images["state"].isin(ENABLED_STATES))

    def describe(image_state: str, state: str) -> str:
        if image_state == "absent":
            return f"EC2 no longer lists the AMI; Fast Launch is {state}"
        return f"the AMI is {to_single_line(image_state)}; Fast Launch is {state}"

    def act(image_state: str, age: Any, *key: Any) -> str | None:
        account_id, region, image_id = key
        look = list_amis(region, image_id)
        if image_state != "absent" or not is_known(age) or age < MIN_AGE:
            return format_command(account_id, look)
        disable = make_step("ec2", "disable-fast-launch", region, "--image-id", image_id)
        return format_command(account_id, require_none(look, "Images"), disable)

    advice = (
        "Read the AMI again: one answer of EC2 may miss it. If it is still gone, disable Fast "
        "Launch: no launch can use its snapshots."
    )
    evidence = RowText(describe, "image_state", "state")
    command = RowText(act, "image_state", "_age", *KEY)
    rows = rows.assign(_age=facts.age[rows.index])
    return make_problems(rows, evidence, advice, command, usd=_cost_of_pool(rows, facts))


@rule(
    "image-deprecated",
    "low",
    "the AMI is deprecated, but Fast Launch is still on",
    source="EC2 User Guide: Deprecate an AMI",
    statement="A deprecated AMI can still be launched by its id.",
    reads=("image_state",),
    advises="move launches to a newer AMI, then disable Fast Launch",
    yields_to=("image-gone",),
)
def find_deprecated_images(facts: RuleInput) -> Problems:
    """Find deprecated images with Fast Launch."""
    images = facts.images
    is_deprecated = images["image_deprecation_time"] <= facts.at
    rows = where_true(images, is_deprecated & images["state"].isin(ENABLED_STATES))
    rows = rows.assign(_launches=rows["fast_launches"] + rows["cold_launches"])

    def describe(start: Any, launches: Any) -> str:
        count = format_count(launches, "launch") if is_known(launches) else "launches unknown"
        return f"deprecated {format_since(start, facts.at)}; {count}"

    def advise(launches: Any) -> str:
        if is_known(launches) and launches:
            return "It is still in use: move the launches to a newer AMI, then disable Fast Launch."
        return "Ask its owner whether it is still launched. If not, disable Fast Launch."

    evidence = RowText(describe, "image_deprecation_time", "_launches")
    advice = RowText(advise, "_launches")
    command = row_command(list_instances, "image_id")
    return make_problems(rows, evidence, advice, command, usd=_cost_of_pool(rows, facts))


@rule(
    "excess-snapshots",
    "low",
    "more snapshots than the target",
    source="EC2 User Guide: Monitor EC2 Fast Launch",
    statement="EC2 keeps as many snapshots as the target.",
    reads=("leftover_snapshots", "snapshots"),
    silent="the state is not older than a day",
    advises="see which snapshots they are",
    yields_to=("failed", "image-gone"),
)
def find_excess_snapshots(facts: RuleInput) -> Problems:
    """Find images that have had more snapshots than they should for a day."""
    images = facts.images
    is_above = (images["leftover_snapshots"] > 0) & (images["snapshots"] > 0)
    rows = where_true(images, is_above & (facts.age >= MIN_AGE))

    def describe(excess: int, total: int, state: Any) -> str:
        counts = f"{excess:,} of {format_count(total, 'snapshot')}"
        return f"{counts} above the target; the state is {to_single_line(state)}"

    evidence = RowText(describe, "leftover_snapshots", "snapshots", "state")
    share = (rows["leftover_snapshots"] / rows["snapshots"]).astype(NUMBER)
    usd = rows["snapshots_monthly_usd_low"] * share, rows["snapshots_monthly_usd_high"] * share
    advice = "List them. Read the image again later: EC2 may still be deleting snapshots."
    command = row_command(list_snapshots, "image_id")
    return make_problems(rows, evidence, advice, command, usd=usd)


@rule(
    "orphaned",
    "medium",
    "Fast Launch snapshots of an image that no longer has Fast Launch",
    source="jenkins-infra helpdesk 4548; EC2 User Guide: Manage costs for EC2 Fast Launch",
    statement="The report: snapshots of Fast Launch stayed and cost money after the images were "
    "gone. AWS: you pay for snapshots until they are deleted.",
    needs=("coverage", "snapshots"),
    silent="a scan of the region was not complete, or a snapshot is newer than two of them",
    advises="look at the snapshots; after two complete scans without the image, delete them",
)
def find_orphans(facts: RuleInput) -> Problems:
    """Find snapshots of images without Fast Launch, in regions where all images are known."""
    key, region = list(KEY), list(ACCOUNT_REGION)
    assert facts.snapshots is not None and facts.coverage is not None  # noqa: S101, PT018 (needs)
    regions = _find_complete_regions(facts.coverage, facts.images)
    snapshots = facts.snapshots[facts.snapshots["image_id"].notna()].merge(regions, on=region)
    snapshots = snapshots[(snapshots["snapshot_time"] < snapshots["_scanned_at"]).fillna(False)]
    images = facts.images[key].drop_duplicates().assign(_has_image=True)
    snapshots = snapshots.merge(images, on=key, how="left")
    orphans = snapshots[snapshots["_has_image"].isna()].sort_values([*key, "snapshot_id"])
    rows = orphans.groupby(key, as_index=False).agg(
        count=("snapshot_id", "size"),
        oldest=("snapshot_time", "min"),
        newest=("snapshot_time", "max"),
        before=("_scanned_before", "min"),
        ids=("snapshot_id", list),
    )

    def describe(count: int, oldest: Any, before: Any) -> str:
        scans = "two complete scans" if is_known(before) else "a complete scan"
        since = format_since(oldest, facts.at)
        return f"{format_count(count, 'snapshot')} {since}; no Fast Launch in {scans}"

    def act(ids: list[str], newest: Any, before: Any, *key: Any) -> str | None:
        account_id, region, image_id = key
        is_old = is_known(before) and newest < before - MIN_AGE
        if not is_old or len(ids) > MAX_COMMANDS:
            return format_command(account_id, list_snapshots(region, image_id))
        still_none = require_none(list_fast_launch(region, image_id), "FastLaunchImages")
        return format_command(account_id, still_none, *_delete(region, ids))

    evidence = RowText(describe, "count", "oldest", "before")
    command = RowText(act, "ids", "newest", "before", *KEY)
    advice = (
        "Look at the snapshots and at who created them. Delete them if nobody enables Fast Launch "
        "for this image again."
    )
    return make_problems(rows, evidence, advice, command, usd=_cost_of_orphans(orphans, facts))


def _cost_of_orphans(orphans: pd.DataFrame, facts: RuleInput) -> tuple[pd.Series, pd.Series]:
    """Return what the snapshots of each image cost."""
    written = orphans["full_snapshot_bytes"].astype(NUMBER) / 2**30
    gib = written.fillna(orphans["volume_gib"].astype(NUMBER))
    by_region = {name: facts.prices.find_snapshot_price(name) for name in set(orphans["region"])}
    prices = orphans["region"].astype(object).map(by_region).astype(NUMBER)
    usd = (gib * prices).groupby([orphans[name] for name in KEY])
    high = usd.sum().where(usd.count() == usd.size()).reset_index(drop=True)
    return high * EXAMPLE_SHARE, high


def _find_complete_regions(coverage: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """Return the accounts and regions that were read completely, with all their images here.

    `_scanned_at` is the time of the last scan, `_scanned_before` that of the last complete one
    before it, if there is one.
    """
    region = list(ACCOUNT_REGION)
    is_complete = coverage["status"].eq(COMPLETE) & coverage["scope"].fillna("").eq("")
    scans = coverage.assign(_complete=is_complete).sort_values("observed_at", kind="stable")
    scans = scans.drop_duplicates([*region, "observed_at"], keep="last")
    before = scans[scans.duplicated(region, keep="last") & scans["_complete"]]
    before = before.drop_duplicates(region, keep="last")[[*region, "observed_at"]]
    last = scans.drop_duplicates(region, keep="last")
    last = last[last["_complete"]].rename(columns={"observed_at": "_scanned_at"})
    counts = images.groupby(region, as_index=False).size()
    sizes = last[region].merge(counts, on=region, how="left")["size"].fillna(0)
    known = last.loc[(sizes == last["rows"].to_numpy()).to_numpy(), [*region, "_scanned_at"]]
    return known.merge(
        before.rename(columns={"observed_at": "_scanned_before"}), on=region, how="left"
    )


def _delete(region: Any, ids: Sequence[str]) -> list[Step]:
    return [
        make_step("ec2", "delete-snapshot", region, "--snapshot-id", snapshot_id)
        for snapshot_id in ids
    ]


# --- of whole regions -----------------------------------------------------------------


@rule(
    "recycle-bin",
    "low",
    "a Recycle Bin rule keeps every snapshot that a launch has used",
    source="EC2 User Guide: Manage costs for EC2 Fast Launch",
    statement="A retention rule for snapshots keeps consumed ones, which are paid for, unless it "
    "excludes the tag CreatedBy=EC2 Fast Launch.",
    reads=("recycle_bin_rules",),
    advises="exclude that tag from the retention rule",
)
def find_recycle_bins(facts: RuleInput) -> Problems:
    """Find regions with a retention rule that keeps the snapshots that launches have used."""
    images = facts.images
    rows = where_true(images, images["recycle_bin_rules"].fillna("").ne(""))
    rows = rows.drop_duplicates(list(ACCOUNT_REGION)).assign(image_id=None)

    def describe(rules: str) -> str:
        return f"retention rule {to_single_line(rules)} does not exclude snapshots of Fast Launch"

    def look(region: Any) -> Step:
        return make_step("rbin", "list-rules", region, "--resource-type", "EBS_SNAPSHOT")

    advice = (
        "Look at the rule. Exclude the tag CreatedBy=EC2 Fast Launch from it, unless used "
        "snapshots must be kept."
    )
    evidence = RowText(describe, "recycle_bin_rules")
    return make_problems(rows, evidence, advice, row_command(look))


@rule(
    "leftovers",
    "low",
    "volumes or network interfaces that Fast Launch created are left",
    source="jenkins-infra helpdesk 4548; AWS's change of the service-linked role of 2025-07-17",
    statement="AWS changed the role of Fast Launch so that it can delete volumes and interfaces "
    "that preparation instances leave behind.",
    reads=("leftover_volumes", "leftover_interfaces"),
    silent="they are attached to an instance",
    advises="look at them, and delete what nothing uses",
)
def find_leftovers(facts: RuleInput) -> Problems:
    """Find regions with volumes and network interfaces that no preparation instance uses."""
    images = facts.images
    rows = where_true(
        images, (images["leftover_volumes"] > 0) | (images["leftover_interfaces"] > 0)
    )
    rows = rows.drop_duplicates(list(ACCOUNT_REGION)).assign(image_id=None)

    def describe(volumes: Any, gib: Any, interfaces: Any) -> str:
        parts = []
        if is_known(volumes) and volumes:
            size = f" of {gib:,} GiB" if is_known(gib) else ""
            parts.append(f"{format_count(volumes, 'volume')}{size}")
        if is_known(interfaces) and interfaces:
            parts.append(format_count(interfaces, "network interface"))
        return f"{' and '.join(parts)} of Fast Launch, not attached"

    def look(region: Any, volumes: Any) -> Step:
        has_volumes = is_known(volumes) and volumes
        operation = "describe-volumes" if has_volumes else "describe-network-interfaces"
        filters = ("--filters", CREATED_BY, "Name=status,Values=available")
        return make_step("ec2", operation, region, *filters)

    columns = ("leftover_volumes", "leftover_volume_gib", "leftover_interfaces")
    advice = "Look at them again in an hour: EC2 may still delete them. Delete what is left then."
    evidence = RowText(describe, *columns)
    command = row_command(look, "leftover_volumes")
    return make_problems(rows, evidence, advice, command)
