"""Rules about states: every failed state, and the time after which an image is stuck."""

from __future__ import annotations

from functools import partial

import pytest

from tests.helpers.rules import (
    ACCOUNT,
    IMAGE_ID,
    LIST_PREPARATIONS,
    OTHER,
    REGION,
    SECOND,
    Case,
    Finding,
    ago,
    check_case,
    list_snapshots,
    make_params,
    make_unknown_cases,
)

# --- failed ---------------------------------------------------------------------------

SINCE = "enabled-failed since 2025-12-16 12:00 UTC (30 d)"
REFILL_FAILED = {"state": "enabled-failed"}
OBSERVED = {
    "account_id": ACCOUNT,
    "region": REGION,
    "image_id": IMAGE_ID,
    "state": "enabled-failed",
}
LOOK = "List what is left: you pay for 10 snapshots."
AGAIN = "Then enable Fast Launch again, or disable it if nobody needs it."


def make_finding(evidence: str, advice: str | None = None) -> Finding:
    """Return the finding of a failure, which only looks at the snapshots."""
    return Finding("failed", "high", evidence, list_snapshots(), advice=advice)


FAILED = [
    Case(
        "failed",
        "enabling failed",
        {"state": "enabling-failed"},
        make_finding(
            "enabling-failed since 2025-12-16 12:00 UTC (30 d): Client.UserInitiated",
            f"{LOOK} The cause is unknown. Look at the preparation instances. {AGAIN}",
        ),
    ),
    Case(
        "failed", "a refill failed", REFILL_FAILED, make_finding(f"{SINCE}: Client.UserInitiated")
    ),
    Case(
        "failed",
        "disabling failed",
        {"state": "disabling-failed"},
        make_finding(
            "disabling-failed since 2025-12-16 12:00 UTC (30 d): Client.UserInitiated",
            f"{LOOK} Then disable Fast Launch again. Use --force only if that fails, too.",
        ),
    ),
    *(
        Case(
            "failed",
            f"{state} is not a failure",
            {"state": state, "state_transition_time": ago(minutes=1)},
        )
        for state in ("enabling", "enabled", "disabling", "disabled", "some-new-state", "Failed")
    ),
    Case("failed", "state is unknown", {"state": None}),
    Case(
        "failed",
        "for less than a minute",
        {**REFILL_FAILED, "state_transition_time": ago(seconds=59)},
        make_finding("enabled-failed since 2026-01-15 11:59 UTC (0 min): Client.UserInitiated"),
    ),
    Case(
        "failed",
        "for a minute",
        {**REFILL_FAILED, "state_transition_time": ago(seconds=60)},
        make_finding("enabled-failed since 2026-01-15 11:59 UTC (1 min): Client.UserInitiated"),
    ),
    Case(
        "failed",
        "without a time",
        {**REFILL_FAILED, "state_transition_time": None},
        make_finding("enabled-failed since an unknown time: Client.UserInitiated"),
    ),
    Case(
        "failed",
        "without a reason",
        {**REFILL_FAILED, "state_transition_reason": None},
        make_finding(f"{SINCE}: no reason given"),
    ),
    Case(
        "failed",
        "with a reason of two lines",
        {**REFILL_FAILED, "state_transition_reason": "Server\nOdd\x1b"},
        make_finding(f"{SINCE}: Server Odd\\x1b"),
    ),
    Case(
        "failed",
        "with a reason in the catalogue",
        {**REFILL_FAILED, "state_transition_reason": "VPC limit exceeded"},
        make_finding(
            f"{SINCE}: VPC limit exceeded",
            f"{LOOK} Without a launch template, Fast Launch creates a VPC, and the VPC limit is "
            f"reached. Use a launch template with a subnet, or request a higher quota. {AGAIN}",
        ),
    ),
    Case(
        "failed",
        "with no snapshot left",
        {**REFILL_FAILED, "snapshots": 0},
        make_finding(
            f"{SINCE}: Client.UserInitiated",
            "No snapshot is left. The cause is unknown. Look at the preparation instances. "
            f"{AGAIN}",
        ),
    ),
    Case(
        "failed",
        "with an unknown number of snapshots",
        {**REFILL_FAILED, "snapshots": None},
        make_finding(
            f"{SINCE}: Client.UserInitiated",
            "List what is left: you pay for snapshots until they are deleted. The cause is "
            f"unknown. Look at the preparation instances. {AGAIN}",
        ),
    ),
    # Only failures of the same image in the same state are counted.
    Case(
        "failed",
        "observed once",
        REFILL_FAILED,
        make_finding(f"{SINCE}: Client.UserInitiated"),
        intervals=[
            OBSERVED,
            {**OBSERVED, "state": "enabling-failed"},
            {**OBSERVED, "region": "us-east-1"},
        ],
    ),
    Case(
        "failed",
        "observed twice",
        REFILL_FAILED,
        make_finding(f"{SINCE}; 2 times in the observed history: Client.UserInitiated"),
        intervals=[
            OBSERVED,
            {**OBSERVED, "account_id": OTHER},
            {**OBSERVED, "image_id": "ami-2"},
            OBSERVED,
        ],
    ),
]

# --- stuck ----------------------------------------------------------------------------

make_stuck = partial(Finding, "stuck", "medium")
STUCK = [
    Case(
        "stuck",
        "enabling for 45 minutes",
        {"state": "enabling", "state_transition_time": ago(minutes=45)},
    ),
    Case(
        "stuck",
        "enabling for 45 minutes and a second",
        {"state": "enabling", "state_transition_time": ago(minutes=45) - SECOND},
        make_stuck(
            "enabling since 2026-01-15 11:14 UTC (45 min)",
            LIST_PREPARATIONS,
            advice="Read the image again. If it is still enabling, look at its preparation "
            "instances.",
        ),
    ),
    Case(
        "stuck",
        "disabling for an hour",
        {"state": "disabling", "state_transition_time": ago(hours=1)},
    ),
    Case(
        "stuck",
        "disabling for an hour and a second",
        {"state": "disabling", "state_transition_time": ago(hours=1) - SECOND},
        make_stuck(
            "disabling since 2026-01-15 10:59 UTC (1 h)",
            list_snapshots(),
            advice="Read the image again. If it is still disabling, look at the snapshots left.",
        ),
    ),
    Case("stuck", "disabled for a long time", {"state": "disabled"}),
    *make_unknown_cases("stuck", {"state": "enabling"}, "state_transition_time", "state"),
]

CASES = [*FAILED, *STUCK]


@pytest.mark.parametrize("case", make_params(CASES))
def test_rules_about_states(case: Case, findings_by_case: dict[str, list[Finding]]) -> None:
    """A case causes exactly the expected findings."""
    check_case(case, findings_by_case[str(case)])
