"""Rules about cost: unused pools, images that are gone, and snapshots that are left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.helpers.rules import (
    ACCOUNT,
    AT,
    DISABLE,
    FORCE,
    IMAGE_ID,
    OTHER,
    REGION,
    SECOND,
    Case,
    Finding,
    ago,
    check,
    params,
    snapshots_of,
    unknown,
)

# --- unused ---------------------------------------------------------------------------

IDLE = {"fast_launches": 0}


def unused(days: str = "14 d", stock: int = 10, usd: float | None = 29.3) -> Finding:
    """Return the finding of a pool that nothing was launched from."""
    evidence = f"no launch in {days}; {stock} snapshot{'s' * (stock > 1)} available"
    return Finding("unused", "medium", evidence, DISABLE, usd)


UNUSED = [
    Case("unused", "no launch", IDLE, unused()),
    Case("unused", "one launch", {"fast_launches": 1}),
    Case("unused", "one cold launch", {**IDLE, "cold_launches": 1}, also=("pool-bypassed",)),
    Case("unused", "how many were cold is unknown", {**IDLE, "cold_launches": None}, unused()),
    Case("unused", "in a week", {**IDLE, "metrics_since": ago(days=7)}, unused("7 d")),
    Case("unused", "in a second less", {**IDLE, "metrics_since": ago(days=7) + SECOND}),
    Case(
        "unused",
        "in a week that ended yesterday",
        {**IDLE, "metrics_since": ago(days=8), "metrics_until": ago(days=1)},
        unused("7 d"),
    ),
    Case(
        "unused",
        "enabled where the window begins",
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
    Case(
        "unused",
        "no snapshot",
        {**IDLE, "available_snapshots": 0, "target_resource_count": 0},
    ),
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
    Case("unused", "what it costs is unknown", {**IDLE, "monthly_usd": None}, unused(usd=None)),
    *unknown(
        "unused",
        IDLE,
        *("state", "fast_launches", "metrics_since", "metrics_until", "state_transition_time"),
    ),
    *(
        Case("unused", f"while it is {state}", {**IDLE, "state": state}, also=also)
        for state, also in (
            ("enabling", ("stuck",)),
            ("enabling-failed", ("failed",)),
            ("enabled-failed", ("failed",)),
            ("disabling", ("stuck",)),
        )
    ),
]

# --- image-gone and image-deprecated --------------------------------------------------

STATES = {  # to whether Fast Launch goes on, and which rules speak of the state itself
    "enabling": (True, ("stuck",)),
    "enabling-failed": (True, ("failed",)),
    "enabled": (True, ()),
    "enabled-failed": (True, ("failed",)),
    "disabling": (False, ("stuck",)),
    "disabling-failed": (False, ("failed",)),
    "some-new-state": (False, ()),
}
NO_STOCK = {"available_snapshots": None, "snapshots": None}


def gone(what: str = "EC2 no longer lists the AMI", state: str = "enabled", usd: Any = 29.3) -> Finding:
    """Return the finding of an image that is gone."""
    return Finding("image-gone", "medium", f"{what}; Fast Launch is {state}", DISABLE, usd)


def deprecated(since: str, usd: float | None = 29.3) -> Finding:
    """Return the finding of an image that is deprecated."""
    return Finding("image-deprecated", "low", f"deprecated since {since}", DISABLE, usd)


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
        "a state that no screen should see",
        {"image_state": "a\nb\x1b"},
        gone("the AMI is a b\\x1b"),
    ),
    *(
        Case(
            "image-gone",
            f"absent, and {state}",
            {"image_state": "absent", "state": state},
            gone(state=state) if goes_on else (),
            also=also,
        )
        for state, (goes_on, also) in STATES.items()
    ),
    Case(
        "image-gone",
        "the stock is unknown, and so is what it costs",
        {"image_state": "absent", **NO_STOCK},
        gone(usd=None),
    ),
    Case(
        "image-gone",
        "what it costs is unknown",
        {"image_state": "absent", "monthly_usd": None},
        gone(usd=None),
    ),
    *unknown("image-gone", {"image_state": "absent"}, "image_state", "state"),
]
IMAGE_DEPRECATED = [
    Case(
        "image-deprecated",
        "this second",
        {"image_deprecation_time": AT},
        deprecated("2026-01-15 12:00 UTC (0 min)"),
    ),
    Case("image-deprecated", "in a second", {"image_deprecation_time": AT + SECOND}),
    *(
        Case(
            "image-deprecated",
            f"yesterday, and {state}",
            {"image_deprecation_time": ago(days=1), "state": state},
            deprecated(YESTERDAY) if goes_on else (),
            also=also,
        )
        for state, (goes_on, also) in STATES.items()
    ),
    Case(
        "image-deprecated",
        "the stock is unknown, and so is what it costs",
        {"image_deprecation_time": ago(days=1), **NO_STOCK},
        deprecated(YESTERDAY, None),
    ),
    *unknown(
        "image-deprecated",
        {"image_deprecation_time": ago(days=1)},
        *("image_deprecation_time", "state"),
    ),
]

# --- excess-snapshots ------------------------------------------------------------------------

LIST_THEM = f"List them: {snapshots_of()}"


def left(evidence: str, usd: float | None, remedy: str = LIST_THEM) -> Finding:
    """Return the finding of snapshots that are left over."""
    return Finding("excess-snapshots", "low", evidence, remedy, usd)


LEFT_OVER = [
    Case("excess-snapshots", "none"),
    Case(
        "excess-snapshots",
        "one of ten",
        {"leftover_snapshots": 1},
        left("1 of 10 snapshots above the target; the state is enabled", 2.5),
    ),
    Case(
        "excess-snapshots",
        "three of twelve",
        {"leftover_snapshots": 3, "snapshots": 12},
        left("3 of 12 snapshots above the target; the state is enabled", 6.25),
    ),
    Case(
        "excess-snapshots",
        "all of them, as disabling has failed",
        {"leftover_snapshots": 10, "state": "disabling-failed"},
        left(
            "10 of 10 snapshots left after disabling failed",
            25.0,
            f"{LIST_THEM} and then: {FORCE}",
        ),
        also=("failed",),
    ),
    Case(
        "excess-snapshots",
        "while it is enabling again",
        {"leftover_snapshots": 1, "state": "enabling", "state_transition_time": ago(minutes=1)},
        left("1 of 10 snapshots above the target; the state is enabling", 2.5),
    ),
    Case(
        "excess-snapshots",
        "what they cost is unknown",
        {"leftover_snapshots": 1, "snapshots_monthly_usd": None},
        left("1 of 10 snapshots above the target; the state is enabled", None),
    ),
    *unknown("excess-snapshots", {}, "leftover_snapshots"),
]

# --- orphaned -------------------------------------------------------------------------

WHOLE = {
    "account_id": ACCOUNT,
    "region": REGION,
    "status": "complete",
    "scope": "",
    "rows": 1,
    "observed_at": AT,
}
GONE = "ami-0fedcba9876543210"


def snapshots(count: int, image_id: str | None = GONE, **more: Any) -> list[dict[str, Any]]:
    """Return snapshots of an image, each of 50 GiB and 40 days old."""
    row = {
        "account_id": ACCOUNT,
        "region": REGION,
        "image_id": image_id,
        "snapshot_time": ago(days=40),
        "volume_gib": 50,
    }
    return [{**row, "snapshot_id": f"snap-{number}", **more} for number in range(count)]


def delete(*numbers: int) -> str:
    """Return the commands that delete snapshots."""
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
    given: Any = (),
    coverage: Any = WHOLE,
    made: Any = None,
) -> Case:
    """Return a case of two snapshots without an image, unless it says otherwise."""
    looks = [coverage] if isinstance(coverage, dict) else coverage
    made = snapshots(2) if made is None else made
    return Case("orphaned", name, given or {}, expected, coverage=looks, snapshots=made)


TWO = orphans(2, 100, 5.0, delete(0, 1))
ORPHANED = [
    orphaned("two snapshots", TWO),
    orphaned("one snapshot", orphans(1, 50, 2.5, delete(0)), made=snapshots(1)),
    orphaned("in the order of their ids", TWO, made=snapshots(2)[::-1]),
    orphaned(
        "the oldest says since when",
        orphans(2, 57, 2.85, delete(0, 1), since="since 2025-11-26 12:00 UTC (50 d)"),
        made=[
            {**snapshots(1)[0], "snapshot_time": ago(days=50), "volume_gib": 7},
            snapshots(2)[1],
        ],
    ),
    orphaned(
        "since an unknown time",
        orphans(1, 50, 2.5, delete(0), since="since an unknown time"),
        made=snapshots(1, snapshot_time=None),
    ),
    orphaned(
        "twenty to delete",
        orphans(20, 1000, 50.0, delete(0, 1, *range(10, 20), *range(2, 10))),
        made=snapshots(20),
    ),
    orphaned(
        "twenty-one, which a list shows",
        orphans(21, 1050, 52.5, f"Delete the snapshots that this command lists: {snapshots_of(GONE)}"),
        made=snapshots(21),
    ),
    orphaned(
        "of two images",
        [
            orphans(1, 50, 2.5, delete(0), image_id="ami-1"),
            orphans(1, 50, 2.5, delete(0), image_id="ami-2"),
        ],
        made=[*snapshots(1, "ami-2"), *snapshots(1, "ami-1")],
    ),
    orphaned("of an image that has Fast Launch", made=snapshots(2, IMAGE_ID)),
    orphaned("of an image that is unknown", made=snapshots(2, None)),
    orphaned("none", made=[]),
    # The same image in another place is another one.
    orphaned(
        "of an image that has Fast Launch elsewhere",
        TWO,
        given=[
            {},
            {"image_id": GONE, "region": "us-east-1"},
            {"image_id": GONE, "account_id": OTHER},
        ],
    ),
    # All images of the place must be known.
    orphaned("no look", coverage=[]),
    orphaned("a look at another region", coverage={**WHOLE, "region": "us-east-1"}),
    orphaned("a look at another account", coverage={**WHOLE, "account_id": OTHER}),
    orphaned("a look that is partial", coverage={**WHOLE, "status": "partial"}),
    orphaned("a look that failed", coverage={**WHOLE, "status": "failed"}),
    orphaned("a look through a filter", coverage={**WHOLE, "scope": '{"state": ["enabled"]}'}),
    orphaned("a look whose scope is unknown", TWO, coverage={**WHOLE, "scope": None}),
    orphaned("one image is left out here", coverage={**WHOLE, "rows": 2}),
    orphaned("one image is more than was read", coverage={**WHOLE, "rows": 0}),
    orphaned(
        "all images of an empty region",
        TWO,
        given=[{"region": "us-east-1"}],
        coverage={**WHOLE, "rows": 0},
    ),
    # The last look at a place counts, wherever it stands.
    orphaned(
        "whole at last",
        TWO,
        coverage=[WHOLE, {**WHOLE, "status": "partial", "observed_at": ago(hours=1)}],
    ),
    orphaned(
        "whole at first",
        coverage=[{**WHOLE, "status": "partial"}, {**WHOLE, "observed_at": ago(hours=1)}],
    ),
    orphaned("the same look twice", TWO, coverage=[WHOLE, WHOLE]),
]

CASES = [*UNUSED, *IMAGE_GONE, *IMAGE_DEPRECATED, *LEFT_OVER, *ORPHANED]


@pytest.mark.parametrize("case", params(CASES))
def test_rules_about_cost(case: Case, judged: dict[str, list[Finding]]) -> None:
    """A case has the findings that it spells out, and no other."""
    check(case, judged[str(case)])
