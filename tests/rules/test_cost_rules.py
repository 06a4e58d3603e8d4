"""Rules about cost: unused pools, gone or deprecated images, excess and orphaned snapshots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.helpers.rules import (
    ACCOUNT,
    AT,
    DISABLE_COMMAND,
    FORCE_DISABLE_COMMAND,
    IMAGE_ID,
    OTHER,
    REGION,
    SECOND,
    Case,
    Finding,
    ago,
    check_case,
    list_snapshots_command,
    make_params,
    make_unknown_cases,
)

# --- unused ---------------------------------------------------------------------------

IDLE = {"fast_launches": 0}


def unused(days: str = "14 d", stock: int = 10, usd: float | None = 29.3) -> Finding:
    """Return the finding of a pool without launches."""
    evidence = f"no launch in {days}; {stock} snapshot{'s' * (stock > 1)} available"
    return Finding("unused", "medium", evidence, DISABLE_COMMAND, usd)


UNUSED = [
    Case("unused", "no launch", IDLE, unused()),
    Case("unused", "one launch", {"fast_launches": 1}),
    Case("unused", "one cold launch", {**IDLE, "cold_launches": 1}, other_rules=("pool-bypassed",)),
    Case(
        "unused",
        "the number of cold launches is unknown",
        {**IDLE, "cold_launches": None},
        unused(),
    ),
    Case("unused", "for a week", {**IDLE, "metrics_since": ago(days=7)}, unused("7 d")),
    Case("unused", "for a second less", {**IDLE, "metrics_since": ago(days=7) + SECOND}),
    Case(
        "unused",
        "for a week that ended yesterday",
        {**IDLE, "metrics_since": ago(days=8), "metrics_until": ago(days=1)},
        unused("7 d"),
    ),
    Case(
        "unused",
        "enabled at the start of the window",
        {**IDLE, "state_transition_time": ago(days=14)},
        unused(),
    ),
    Case(
        "unused", "enabled a second later", {**IDLE, "state_transition_time": ago(days=14) + SECOND}
    ),
    Case(
        "unused",
        "one snapshot",
        {**IDLE, "available_snapshots": 1, "target_resource_count": 1},
        unused(stock=1),
    ),
    Case("unused", "no snapshot", {**IDLE, "available_snapshots": 0, "target_resource_count": 0}),
    Case(
        "unused",
        "three are completed",
        {
            **IDLE,
            "available_snapshots": None,
            "snapshots": 5,
            "snapshots_pending": 2,
            "target_resource_count": 3,
        },
        unused(stock=3),
    ),
    Case(
        "unused", "the stock is unknown", {**IDLE, "available_snapshots": None, "snapshots": None}
    ),
    Case("unused", "the cost is unknown", {**IDLE, "monthly_usd": None}, unused(usd=None)),
    *make_unknown_cases(
        "unused",
        IDLE,
        *("state", "fast_launches", "metrics_since", "metrics_until", "state_transition_time"),
    ),
    *(
        Case("unused", f"while it is {state}", {**IDLE, "state": state}, other_rules=other_rules)
        for state, other_rules in (
            ("enabling", ("stuck",)),
            ("enabling-failed", ("failed",)),
            ("enabled-failed", ("failed",)),
            ("disabling", ("stuck",)),
        )
    ),
]

# --- image-gone and image-deprecated --------------------------------------------------

STATES = {  # to whether Fast Launch is still on, and the rules with a finding about the state
    "enabling": (True, ("stuck",)),
    "enabling-failed": (True, ("failed",)),
    "enabled": (True, ()),
    "enabled-failed": (True, ("failed",)),
    "disabling": (False, ("stuck",)),
    "disabling-failed": (False, ("failed",)),
    "some-new-state": (False, ()),
}
NO_STOCK = {"available_snapshots": None, "snapshots": None}


def gone(
    what: str = "EC2 no longer lists the AMI", state: str = "enabled", usd: Any = 29.3
) -> Finding:
    """Return the finding of an image that is gone."""
    return Finding("image-gone", "medium", f"{what}; Fast Launch is {state}", DISABLE_COMMAND, usd)


def deprecated(since: str, usd: float | None = 29.3) -> Finding:
    """Return the finding of an image that is deprecated."""
    return Finding("image-deprecated", "low", f"deprecated since {since}", DISABLE_COMMAND, usd)


YESTERDAY = "2026-01-14 12:00 UTC (1 d)"
IMAGE_GONE = [
    Case("image-gone", "available"),
    Case("image-gone", "absent", {"image_state": "absent"}, gone()),
    *(
        Case("image-gone", state, {"image_state": state}, gone(f"the AMI is {state}"))
        for state in ("deregistered", "disabled", "invalid", "pending", "failed")
    ),
    Case(
        "image-gone",
        "a state with control characters",
        {"image_state": "a\nb\x1b"},
        gone("the AMI is a b\\x1b"),
    ),
    *(
        Case(
            "image-gone",
            f"absent, and {state}",
            {"image_state": "absent", "state": state},
            gone(state=state) if is_on else (),
            other_rules=other_rules,
        )
        for state, (is_on, other_rules) in STATES.items()
    ),
    Case(
        "image-gone",
        "the stock is unknown, and so is the cost",
        {"image_state": "absent", **NO_STOCK},
        gone(usd=None),
    ),
    Case(
        "image-gone",
        "the cost is unknown",
        {"image_state": "absent", "monthly_usd": None},
        gone(usd=None),
    ),
    *make_unknown_cases("image-gone", {"image_state": "absent"}, "image_state", "state"),
]
IMAGE_DEPRECATED = [
    Case(
        "image-deprecated",
        "now",
        {"image_deprecation_time": AT},
        deprecated("2026-01-15 12:00 UTC (0 min)"),
    ),
    Case("image-deprecated", "in a second", {"image_deprecation_time": AT + SECOND}),
    *(
        Case(
            "image-deprecated",
            f"yesterday, and {state}",
            {"image_deprecation_time": ago(days=1), "state": state},
            deprecated(YESTERDAY) if is_on else (),
            other_rules=other_rules,
        )
        for state, (is_on, other_rules) in STATES.items()
    ),
    Case(
        "image-deprecated",
        "the stock is unknown, and so is the cost",
        {"image_deprecation_time": ago(days=1), **NO_STOCK},
        deprecated(YESTERDAY, None),
    ),
    *make_unknown_cases(
        "image-deprecated",
        {"image_deprecation_time": ago(days=1)},
        *("image_deprecation_time", "state"),
    ),
]

# --- excess-snapshots -----------------------------------------------------------------

LIST_THEM = f"List them: {list_snapshots_command()}"


def excess(evidence: str, usd: float | None, remedy: str = LIST_THEM) -> Finding:
    """Return the finding of excess snapshots."""
    return Finding("excess-snapshots", "low", evidence, remedy, usd)


EXCESS_SNAPSHOTS = [
    Case("excess-snapshots", "none"),
    Case(
        "excess-snapshots",
        "one of ten",
        {"leftover_snapshots": 1},
        excess("1 of 10 snapshots above the target; the state is enabled", 2.5),
    ),
    Case(
        "excess-snapshots",
        "three of twelve",
        {"leftover_snapshots": 3, "snapshots": 12},
        excess("3 of 12 snapshots above the target; the state is enabled", 6.25),
    ),
    Case(
        "excess-snapshots",
        "all of them after disabling failed",
        {"leftover_snapshots": 10, "state": "disabling-failed"},
        excess(
            "10 of 10 snapshots left after disabling failed",
            25.0,
            f"{LIST_THEM} and then: {FORCE_DISABLE_COMMAND}",
        ),
        other_rules=("failed",),
    ),
    Case(
        "excess-snapshots",
        "while it is enabling again",
        {"leftover_snapshots": 1, "state": "enabling", "state_transition_time": ago(minutes=1)},
        excess("1 of 10 snapshots above the target; the state is enabling", 2.5),
    ),
    Case(
        "excess-snapshots",
        "the cost is unknown",
        {"leftover_snapshots": 1, "snapshots_monthly_usd": None},
        excess("1 of 10 snapshots above the target; the state is enabled", None),
    ),
    *make_unknown_cases("excess-snapshots", {}, "leftover_snapshots"),
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


def delete_command(*numbers: int) -> str:
    """Return the command that deletes snapshots."""
    return " && ".join(
        f"aws ec2 delete-snapshot --region {REGION} --snapshot-id snap-{number}"
        for number in numbers
    )


def orphans(
    count: int,
    gib: int,
    usd: float,
    remedy: str,
    *,
    since: str = "since 2025-12-06 12:00 UTC (40 d)",
    image_id: str = GONE,
) -> Finding:
    """Return the finding of snapshots without an image."""
    plural = "s" if count > 1 else ""
    size = f"{count} snapshot{plural} of {gib} GiB in total"
    evidence = f"{size} {since}, at most 0.05 USD per GiB-month"
    return Finding("orphaned", "medium", evidence, remedy, usd, image_id=image_id)


def orphaned(
    name: str,
    expected: Finding | Sequence[Finding] = (),
    *,
    changes: Any = (),
    coverage: Any = COMPLETE,
    snapshots: Any = None,
) -> Case:
    """Return a case; by default, of two snapshots without an image."""
    scans = [coverage] if isinstance(coverage, dict) else coverage
    snapshots = make_snapshots(2) if snapshots is None else snapshots
    return Case("orphaned", name, changes or {}, expected, coverage=scans, snapshots=snapshots)


TWO = orphans(2, 100, 5.0, delete_command(0, 1))
ORPHANED = [
    orphaned("two snapshots", TWO),
    orphaned("one snapshot", orphans(1, 50, 2.5, delete_command(0)), snapshots=make_snapshots(1)),
    orphaned("in the order of their ids", TWO, snapshots=make_snapshots(2)[::-1]),
    orphaned(
        "the evidence has the oldest time",
        orphans(2, 57, 2.85, delete_command(0, 1), since="since 2025-11-26 12:00 UTC (50 d)"),
        snapshots=[
            {**make_snapshots(1)[0], "snapshot_time": ago(days=50), "volume_gib": 7},
            make_snapshots(2)[1],
        ],
    ),
    orphaned(
        "since an unknown time",
        orphans(1, 50, 2.5, delete_command(0), since="since an unknown time"),
        snapshots=make_snapshots(1, snapshot_time=None),
    ),
    orphaned(
        "twenty to delete",
        orphans(20, 1000, 50.0, delete_command(0, 1, *range(10, 20), *range(2, 10))),
        snapshots=make_snapshots(20),
    ),
    orphaned(
        "twenty-one are too many for commands",
        orphans(
            21,
            1050,
            52.5,
            f"Delete the snapshots that this command lists: {list_snapshots_command(GONE)}",
        ),
        snapshots=make_snapshots(21),
    ),
    orphaned(
        "of two images",
        [
            orphans(1, 50, 2.5, delete_command(0), image_id="ami-1"),
            orphans(1, 50, 2.5, delete_command(0), image_id="ami-2"),
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
    # All images of the account and region must be known.
    orphaned("no scan", coverage=[]),
    orphaned("a scan of another region", coverage={**COMPLETE, "region": "us-east-1"}),
    orphaned("a scan of another account", coverage={**COMPLETE, "account_id": OTHER}),
    orphaned("a partial scan", coverage={**COMPLETE, "status": "partial"}),
    orphaned("a failed scan", coverage={**COMPLETE, "status": "failed"}),
    orphaned("a scan with a filter", coverage={**COMPLETE, "scope": '{"state": ["enabled"]}'}),
    orphaned("a scan with an unknown scope", TWO, coverage={**COMPLETE, "scope": None}),
    orphaned("one image is missing here", coverage={**COMPLETE, "rows": 2}),
    orphaned("one image more than the scan found", coverage={**COMPLETE, "rows": 0}),
    orphaned(
        "all images of an empty region",
        TWO,
        changes=[{"region": "us-east-1"}],
        coverage={**COMPLETE, "rows": 0},
    ),
    # The last scan of an account and region counts, whatever the order of the rows.
    orphaned(
        "the last scan is complete",
        TWO,
        coverage=[COMPLETE, {**COMPLETE, "status": "partial", "observed_at": ago(hours=1)}],
    ),
    orphaned(
        "only the first scan is complete",
        coverage=[{**COMPLETE, "status": "partial"}, {**COMPLETE, "observed_at": ago(hours=1)}],
    ),
    orphaned("the same scan twice", TWO, coverage=[COMPLETE, COMPLETE]),
]

CASES = [*UNUSED, *IMAGE_GONE, *IMAGE_DEPRECATED, *EXCESS_SNAPSHOTS, *ORPHANED]


@pytest.mark.parametrize("case", make_params(CASES))
def test_rules_about_cost(case: Case, findings_by_case: dict[str, list[Finding]]) -> None:
    """A case causes exactly the expected findings."""
    check_case(case, findings_by_case[str(case)])
