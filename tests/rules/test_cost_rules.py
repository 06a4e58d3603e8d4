"""Rules about cost: unused pools, gone or deprecated images, what is left of Fast Launch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from fastlaunch_nb.schema.prices import EXAMPLE_SHARE
from tests.helpers.rules import (
    ACCOUNT,
    AT,
    IMAGE_ID,
    LIST_INSTANCES,
    OTHER,
    REGION,
    SECOND,
    Case,
    Finding,
    ago,
    check_case,
    command,
    list_snapshots,
    make_params,
    make_unknown_cases,
)

COST = (6.0, 29.3)
UNKNOWN_COST = (None, None)

# --- unused ---------------------------------------------------------------------------

IDLE = {"fast_launches": 0, "instances": 0, "image_last_launched_time": ago(days=20)}


def unused(
    days: str = "14 d",
    stock: int = 10,
    usd: tuple[float | None, float | None] = COST,
    last: str = "last launched 2025-12-26 12:00 UTC by EC2",
) -> Finding:
    """Return the finding of a pool without launches: its command disables nothing."""
    count = f"{stock} snapshot{'s' * (stock > 1)}"
    evidence = f"no launch in {days}, {last}, no instance; {count} available"
    return Finding("unused", "medium", evidence, LIST_INSTANCES, usd)


UNUSED = [
    Case("unused", "no launch", IDLE, unused()),
    Case("unused", "one launch", {**IDLE, "fast_launches": 1}),
    Case("unused", "one cold launch", {**IDLE, "cold_launches": 1}),
    Case("unused", "an instance", {**IDLE, "instances": 1}),
    # EC2 reports the last launch a day late.
    Case(
        "unused",
        "EC2 knows a launch in the window",
        {**IDLE, "image_last_launched_time": ago(days=15) + SECOND},
    ),
    Case(
        "unused",
        "EC2 knows a launch before the window",
        {**IDLE, "image_last_launched_time": ago(days=15)},
        unused(last="last launched 2025-12-31 12:00 UTC by EC2"),
    ),
    Case(
        "unused",
        "EC2 knows no launch",
        {**IDLE, "image_last_launched_time": None},
        unused(last="no launch known to EC2"),
    ),
    Case("unused", "for a week", {**IDLE, "metrics_since": ago(days=7)}, unused("7 d")),
    Case("unused", "for a second less", {**IDLE, "metrics_since": ago(days=7) + SECOND}),
    Case(
        "unused",
        "enabled at the start of the window",
        {**IDLE, "state_transition_time": ago(days=14)},
        unused(),
    ),
    Case(
        "unused",
        "enabled within the window",
        {**IDLE, "state_transition_time": ago(days=14) + SECOND},
    ),
    Case("unused", "one snapshot", {**IDLE, "available_snapshots": 1}, unused(stock=1)),
    Case("unused", "no snapshot", {**IDLE, "available_snapshots": 0}),
    Case(
        "unused",
        "the cost is unknown",
        {**IDLE, "monthly_usd_low": None, "monthly_usd_high": None},
        unused(usd=UNKNOWN_COST),
    ),
    Case("unused", "it has failed", {**IDLE, "state": "enabled-failed"}, other_rules=("failed",)),
    *make_unknown_cases(
        "unused",
        IDLE,
        *("fast_launches", "cold_launches", "instances", "image_state", "state"),
        *("metrics_since", "metrics_until", "state_transition_time"),
    ),
    Case(
        "unused", "the stock is unknown", {**IDLE, "available_snapshots": None, "snapshots": None}
    ),
]

# --- image-gone -----------------------------------------------------------------------

AMI = f"--filters Name=image-id,Values={IMAGE_ID} --include-deprecated --include-disabled"
LIST_AMI = command(f"ec2 describe-images {AMI}")
_GUARD, _CALL = LIST_AMI.split(" && ")
DISABLE = (
    f"{_GUARD} && test \"$({_CALL} --query 'length(Images)' --output text)\" = 0 && "
    f"aws ec2 disable-fast-launch --region {REGION} --image-id {IMAGE_ID}"
)


def gone(
    evidence: str, command: str = LIST_AMI, usd: tuple[float | None, float | None] = COST
) -> Finding:
    """Return the finding of an image that is gone."""
    return Finding("image-gone", "medium", evidence, command, usd)


ABSENT = {"image_state": "absent"}
IMAGE_GONE = [
    Case(
        "image-gone",
        "EC2 does not list it",
        ABSENT,
        gone("EC2 no longer lists the AMI; Fast Launch is enabled", DISABLE),
    ),
    # The command disables only what has been on for a day, and reads again before.
    Case(
        "image-gone",
        "enabled a day ago",
        {**ABSENT, "state_transition_time": ago(days=1)},
        gone("EC2 no longer lists the AMI; Fast Launch is enabled", DISABLE),
    ),
    Case(
        "image-gone",
        "enabled less than a day ago",
        {**ABSENT, "state_transition_time": ago(days=1) + SECOND},
        gone("EC2 no longer lists the AMI; Fast Launch is enabled"),
    ),
    Case(
        "image-gone",
        "enabled at an unknown time",
        {**ABSENT, "state_transition_time": None},
        gone("EC2 no longer lists the AMI; Fast Launch is enabled"),
    ),
    *(
        Case(
            "image-gone",
            f"it is {state}",
            {"image_state": state},
            gone(f"the AMI is {state}; Fast Launch is enabled"),
        )
        for state in ("deregistered", "disabled", "failed", "Available")
    ),
    Case(
        "image-gone",
        "while it is enabling",
        {**ABSENT, "state": "enabling", "state_transition_time": ago(minutes=1)},
        gone("EC2 no longer lists the AMI; Fast Launch is enabling"),
    ),
    *(
        Case(
            "image-gone",
            f"while it is {state}",
            {**ABSENT, "state": state},
            gone(f"EC2 no longer lists the AMI; Fast Launch is {state}", DISABLE),
            other_rules=("failed",),
        )
        for state in ("enabling-failed", "enabled-failed")
    ),
    Case(
        "image-gone",
        "while it is disabling",
        {**ABSENT, "state": "disabling", "state_transition_time": ago(minutes=1)},
    ),
    Case(
        "image-gone",
        "more specific than unused, deprecated and below its target",
        {
            **IDLE,
            **ABSENT,
            "image_deprecation_time": ago(days=1),
            "available_snapshots": 1,
            "below_target_since": ago(days=2),
        },
        gone("EC2 no longer lists the AMI; Fast Launch is enabled", DISABLE),
    ),
    Case(
        "image-gone",
        "the stock is unknown, and so is the cost",
        {**ABSENT, "available_snapshots": None, "snapshots": None},
        gone("EC2 no longer lists the AMI; Fast Launch is enabled", DISABLE, UNKNOWN_COST),
    ),
    *make_unknown_cases("image-gone", ABSENT, "image_state", "state"),
]

# --- image-deprecated -----------------------------------------------------------------


def deprecated(evidence: str, advice: str | None = None) -> Finding:
    """Return the finding of a deprecated image."""
    return Finding("image-deprecated", "low", evidence, LIST_INSTANCES, COST, advice)


OLD = {"image_deprecation_time": ago(days=2)}
IMAGE_DEPRECATED = [
    Case(
        "image-deprecated",
        "in use",
        OLD,
        deprecated(
            "deprecated since 2026-01-13 12:00 UTC (2 d); 40 launches",
            "It is still in use: move the launches to a newer AMI, then disable Fast Launch.",
        ),
    ),
    Case(
        "image-deprecated",
        "not in use",
        {**OLD, "fast_launches": 0},
        deprecated(
            "deprecated since 2026-01-13 12:00 UTC (2 d); 0 launches",
            "Ask its owner whether it is still launched. If not, disable Fast Launch.",
        ),
    ),
    Case(
        "image-deprecated",
        "its use is unknown",
        {**OLD, "fast_launches": None},
        deprecated(
            "deprecated since 2026-01-13 12:00 UTC (2 d); launches unknown",
            "Ask its owner whether it is still launched. If not, disable Fast Launch.",
        ),
    ),
    Case(
        "image-deprecated",
        "now",
        {"image_deprecation_time": AT},
        deprecated("deprecated since 2026-01-15 12:00 UTC (0 min); 40 launches"),
    ),
    Case("image-deprecated", "in a second", {"image_deprecation_time": AT + SECOND}),
    Case(
        "image-deprecated",
        "while it is disabling",
        {**OLD, "state": "disabling", "state_transition_time": ago(minutes=1)},
    ),
    *make_unknown_cases("image-deprecated", OLD, "image_deprecation_time", "state"),
]

# --- excess-snapshots -----------------------------------------------------------------


def excess(evidence: str, usd: tuple[float | None, float | None]) -> Finding:
    """Return the finding of snapshots above the target."""
    return Finding("excess-snapshots", "low", evidence, list_snapshots(), usd)


EXCESS_SNAPSHOTS = [
    Case(
        "excess-snapshots",
        "one of ten",
        {"leftover_snapshots": 1},
        excess("1 of 10 snapshots above the target; the state is enabled", (0.5, 2.5)),
    ),
    Case("excess-snapshots", "none", {"leftover_snapshots": 0}),
    Case(
        "excess-snapshots",
        "for a day",
        {"leftover_snapshots": 1, "state_transition_time": ago(days=1)},
        excess("1 of 10 snapshots above the target; the state is enabled", (0.5, 2.5)),
    ),
    # EC2 may still be deleting them.
    Case(
        "excess-snapshots",
        "for less than a day",
        {"leftover_snapshots": 1, "state_transition_time": ago(days=1) + SECOND},
    ),
    Case(
        "excess-snapshots",
        "after disabling failed: the failure lists them",
        {"leftover_snapshots": 10, "state": "disabling-failed"},
        other_rules=("failed",),
    ),
    Case(
        "excess-snapshots",
        "the cost is unknown",
        {
            "leftover_snapshots": 1,
            "snapshots_monthly_usd_low": None,
            "snapshots_monthly_usd_high": None,
        },
        excess("1 of 10 snapshots above the target; the state is enabled", UNKNOWN_COST),
    ),
    *make_unknown_cases(
        "excess-snapshots", {"leftover_snapshots": 1}, "leftover_snapshots", "state_transition_time"
    ),
]

# --- orphaned -------------------------------------------------------------------------

COMPLETE = {
    "account_id": ACCOUNT,
    "region": REGION,
    "status": "complete",
    "scope": "",
    "rows": 1,
    "observed_at": AT,
}
BEFORE = {**COMPLETE, "observed_at": ago(days=30)}
"""A scan before the last one, more than a day after the snapshots were made."""
GONE = "ami-0fedcba9876543210"


def make_snapshots(count: int, image_id: str | None = GONE, **changes: Any) -> list[dict[str, Any]]:
    """Return snapshots of an image, each 50 GiB in size and 40 days old."""
    row = {
        "account_id": ACCOUNT,
        "region": REGION,
        "image_id": image_id,
        "snapshot_time": ago(days=40),
        "volume_gib": 50,
    }
    return [{**row, "snapshot_id": f"snap-{number}", **changes} for number in range(count)]


def delete_command(*numbers: int, image_id: str = GONE) -> str:
    """Return the command that deletes snapshots if the image still has no Fast Launch."""
    guard, call = command(f"ec2 describe-fast-launch-images --image-ids {image_id}").split(" && ")
    deletions = (
        f"aws ec2 delete-snapshot --region {REGION} --snapshot-id snap-{number}"
        for number in numbers
    )
    none_left = f"test \"$({call} --query 'length(FastLaunchImages)' --output text)\" = 0"
    return " && ".join([guard, none_left, *deletions])


def orphans(
    count: int,
    usd: float | None,
    command: str,
    *,
    since: str = "since 2025-12-06 12:00 UTC (40 d)",
    scans: str = "two complete scans",
    image_id: str = GONE,
    region: str = REGION,
) -> Finding:
    """Return the finding of snapshots without an image."""
    evidence = f"{count} snapshot{'s' * (count > 1)} {since}; no Fast Launch in {scans}"
    low = None if usd is None else round(usd * EXAMPLE_SHARE, 9)
    return Finding(
        "orphaned", "medium", evidence, command, (low, usd), region=region, image_id=image_id
    )


def orphaned(
    name: str,
    expected: Finding | Sequence[Finding] = (),
    *,
    changes: Any = (),
    coverage: Any = (BEFORE, COMPLETE),
    snapshots: Any = None,
) -> Case:
    """Return a case; by default, of two snapshots without an image in two complete scans."""
    scans = [coverage] if isinstance(coverage, dict) else list(coverage)
    snapshots = make_snapshots(2) if snapshots is None else snapshots
    return Case("orphaned", name, changes or {}, expected, coverage=scans, snapshots=snapshots)


TWO = orphans(2, 5.0, delete_command(0, 1))
LOOK = orphans(2, 5.0, list_snapshots(GONE))
ORPHANED = [
    orphaned("two snapshots", TWO),
    orphaned("one snapshot", orphans(1, 2.5, delete_command(0)), snapshots=make_snapshots(1)),
    orphaned("in the order of their ids", TWO, snapshots=make_snapshots(2)[::-1]),
    orphaned(
        "the evidence has the oldest time",
        orphans(2, 2.85, delete_command(0, 1), since="since 2025-11-26 12:00 UTC (50 d)"),
        snapshots=[
            {**make_snapshots(1)[0], "snapshot_time": ago(days=50), "volume_gib": 7},
            make_snapshots(2)[1],
        ],
    ),
    orphaned(
        "only half of it is written",
        orphans(1, 1.25, delete_command(0)),
        snapshots=make_snapshots(1, full_snapshot_bytes=25 * 2**30),
    ),
    orphaned(
        "the size of one is unknown",
        orphans(2, None, delete_command(0, 1)),
        snapshots=[*make_snapshots(1, volume_gib=None), make_snapshots(2)[1]],
    ),
    orphaned(
        "the region has no price",
        orphans(2, None, delete_command(0, 1).replace(REGION, "xx-north-1"), region="xx-north-1"),
        changes={"region": "xx-north-1"},
        coverage=[{**BEFORE, "region": "xx-north-1"}, {**COMPLETE, "region": "xx-north-1"}],
        snapshots=make_snapshots(2, region="xx-north-1"),
    ),
    orphaned(
        "the size is unknown",
        orphans(1, None, delete_command(0)),
        snapshots=make_snapshots(1, volume_gib=None),
    ),
    orphaned(
        "twenty to delete",
        orphans(20, 50.0, delete_command(0, 1, *range(10, 20), *range(2, 10))),
        snapshots=make_snapshots(20),
    ),
    orphaned(
        "twenty-one are too many for one command",
        orphans(21, 52.5, list_snapshots(GONE)),
        snapshots=make_snapshots(21),
    ),
    orphaned(
        "of two images",
        [
            orphans(1, 2.5, delete_command(0, image_id="ami-1"), image_id="ami-1"),
            orphans(1, 2.5, delete_command(0, image_id="ami-2"), image_id="ami-2"),
        ],
        snapshots=[*make_snapshots(1, "ami-2"), *make_snapshots(1, "ami-1")],
    ),
    orphaned("of an image that has Fast Launch", snapshots=make_snapshots(2, IMAGE_ID)),
    orphaned("of an image that is unknown", snapshots=make_snapshots(2, None)),
    orphaned("none", snapshots=[]),
    # An image with the same id in another region or account is a different one.
    orphaned(
        "of an image that has Fast Launch elsewhere",
        TWO,
        changes=[
            {},
            {"image_id": GONE, "region": "us-east-1"},
            {"image_id": GONE, "account_id": OTHER},
        ],
    ),
    # A snapshot that is newer than the scan may belong to an image that was enabled since.
    orphaned("made after the scan", snapshots=make_snapshots(2, snapshot_time=AT)),
    orphaned(
        "made before the scan",
        orphans(2, 5.0, list_snapshots(GONE), since="since 2026-01-15 11:59 UTC (0 min)"),
        snapshots=make_snapshots(2, snapshot_time=AT - SECOND),
    ),
    orphaned("made at an unknown time", snapshots=make_snapshots(1, snapshot_time=None)),
    # The command deletes only what two scans knew of, and what was a day old in the first.
    orphaned(
        "one complete scan",
        orphans(2, 5.0, list_snapshots(GONE), scans="a complete scan"),
        coverage=COMPLETE,
    ),
    orphaned(
        "the same scan twice",
        orphans(2, 5.0, list_snapshots(GONE), scans="a complete scan"),
        coverage=[COMPLETE, COMPLETE],
    ),
    orphaned(
        "a partial scan before",
        orphans(2, 5.0, list_snapshots(GONE), scans="a complete scan"),
        coverage=[{**BEFORE, "status": "partial"}, COMPLETE],
    ),
    orphaned(
        "a day old in the first scan",
        LOOK,
        coverage=[{**BEFORE, "observed_at": ago(days=39)}, COMPLETE],
    ),
    orphaned(
        "more than a day old in the first scan",
        TWO,
        coverage=[{**BEFORE, "observed_at": ago(days=39) + SECOND}, COMPLETE],
    ),
    # All images of the account and region must be known.
    orphaned("no scan", coverage=[]),
    orphaned("a scan of another region", coverage={**COMPLETE, "region": "us-east-1"}),
    orphaned("a scan of another account", coverage={**COMPLETE, "account_id": OTHER}),
    orphaned("a partial scan", coverage={**COMPLETE, "status": "partial"}),
    orphaned("a failed scan", coverage={**COMPLETE, "status": "failed"}),
    orphaned("a scan with a filter", coverage={**COMPLETE, "scope": '{"state": ["enabled"]}'}),
    orphaned("a scan with an unknown scope", TWO, coverage=[BEFORE, {**COMPLETE, "scope": None}]),
    orphaned("one image is missing here", coverage={**COMPLETE, "rows": 2}),
    orphaned("one image more than the scan found", coverage={**COMPLETE, "rows": 0}),
    orphaned(
        "all images of an empty region",
        TWO,
        changes=[{"region": "us-east-1"}],
        coverage=[BEFORE, {**COMPLETE, "rows": 0}],
    ),
    # The last scan of an account and region counts, whatever the order of the rows.
    orphaned("the rows of the coverage are in another order", TWO, coverage=[COMPLETE, BEFORE]),
    orphaned(
        "only the first scan is complete", coverage=[{**COMPLETE, "status": "partial"}, BEFORE]
    ),
]

# --- regions --------------------------------------------------------------------------


def of_region(rule: str, evidence: str, text: str) -> Finding:
    """Return the finding of a whole region."""
    return Finding(rule, "low", evidence, command(text), image_id=None)


KEEPS = {"recycle_bin_rules": "rule-1, rule-2"}
BIN = of_region(
    "recycle-bin",
    "retention rule rule-1, rule-2 does not exclude snapshots of Fast Launch",
    "rbin list-rules --resource-type EBS_SNAPSHOT",
)
LEFT = "Name=status,Values=available"
CREATED = "--filters 'Name=tag:CreatedBy,Values=EC2 Fast Launch'"
VOLUMES = f"ec2 describe-volumes {CREATED} {LEFT}"
INTERFACES = f"ec2 describe-network-interfaces {CREATED} {LEFT}"
REGIONS = [
    Case("recycle-bin", "two rules", KEEPS, BIN),
    Case("recycle-bin", "of two images", [KEEPS, {**KEEPS, "image_id": "ami-1"}], BIN),
    Case("recycle-bin", "none", {"recycle_bin_rules": ""}),
    *make_unknown_cases("recycle-bin", {}, "recycle_bin_rules"),
    Case(
        "leftovers",
        "a volume",
        {"leftover_volumes": 1, "leftover_volume_gib": 50},
        of_region("leftovers", "1 volume of 50 GiB of Fast Launch, not attached", VOLUMES),
    ),
    Case(
        "leftovers",
        "volumes of an unknown size, and an interface",
        {"leftover_volumes": 2, "leftover_volume_gib": None, "leftover_interfaces": 1},
        of_region(
            "leftovers", "2 volumes and 1 network interface of Fast Launch, not attached", VOLUMES
        ),
    ),
    Case(
        "leftovers",
        "interfaces, and an unknown number of volumes",
        {"leftover_volumes": None, "leftover_interfaces": 2},
        of_region("leftovers", "2 network interfaces of Fast Launch, not attached", INTERFACES),
    ),
    Case("leftovers", "nothing is known", {"leftover_volumes": None, "leftover_interfaces": None}),
]

CASES = [*UNUSED, *IMAGE_GONE, *IMAGE_DEPRECATED, *EXCESS_SNAPSHOTS, *ORPHANED, *REGIONS]


@pytest.mark.parametrize("case", make_params(CASES))
def test_rules_about_cost(case: Case, findings_by_case: dict[str, list[Finding]]) -> None:
    """A case causes exactly the expected findings."""
    check_case(case, findings_by_case[str(case)])
