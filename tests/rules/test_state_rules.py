"""Rules about states: every failure speaks; what is stuck speaks when its patience is over."""

from __future__ import annotations

from functools import partial

import pytest

from tests.helpers.rules import (
    ACCOUNT,
    CONSOLE,
    FORCE,
    IMAGE_ID,
    OTHER,
    PREPARATIONS,
    REGION,
    SECOND,
    Case,
    Finding,
    ago,
    check,
    enable,
    params,
    snapshots_of,
    unknown,
)

# --- failed ---------------------------------------------------------------------------

UNKNOWN_CAUSE = "The cause is unknown. Look at the preparation instances. Then: "
SINCE = "enabled-failed since 2025-12-16 12:00 UTC (30 d)"
LATER = {"state": "enabled-failed"}
SEEN = {"account_id": ACCOUNT, "region": REGION, "image_id": IMAGE_ID, "state": "enabled-failed"}
failure = partial(Finding, "failed", "high")

FAILED = [
    Case(
        "failed",
        "on the first enable",
        {"state": "enabling-failed"},
        failure(
            "enabling-failed since 2025-12-16 12:00 UTC (30 d): Client.UserInitiated",
            UNKNOWN_CAUSE + enable(),
        ),
    ),
    Case(
        "failed",
        "in a later round",
        LATER,
        failure(f"{SINCE}: Client.UserInitiated", UNKNOWN_CAUSE + enable()),
    ),
    Case(
        "failed",
        "while it was disabled",
        {"state": "disabling-failed"},
        failure("disabling-failed since 2025-12-16 12:00 UTC (30 d): Client.UserInitiated", FORCE),
    ),
    *(
        Case(
            "failed",
            f"{state} is no failure",
            {"state": state, "state_transition_time": ago(minutes=1)},
        )
        for state in ("enabling", "enabled", "disabling", "disabled", "some-new-state", "Failed")
    ),
    Case("failed", "state is unknown", {"state": None}),
    Case(
        "failed",
        "since less than a minute",
        {**LATER, "state_transition_time": ago(seconds=59)},
        failure(
            "enabled-failed since 2026-01-15 11:59 UTC (0 min): Client.UserInitiated",
            UNKNOWN_CAUSE + enable(),
        ),
    ),
    Case(
        "failed",
        "since a minute",
        {**LATER, "state_transition_time": ago(seconds=60)},
        failure(
            "enabled-failed since 2026-01-15 11:59 UTC (1 min): Client.UserInitiated",
            UNKNOWN_CAUSE + enable(),
        ),
    ),
    Case(
        "failed",
        "without a time",
        {**LATER, "state_transition_time": None},
        failure("enabled-failed since an unknown time: Client.UserInitiated", UNKNOWN_CAUSE + enable()),
    ),
    Case(
        "failed",
        "without a reason",
        {**LATER, "state_transition_reason": None},
        failure(f"{SINCE}: no reason given", UNKNOWN_CAUSE + enable()),
    ),
    Case(
        "failed",
        "for a reason of two lines",
        {**LATER, "state_transition_reason": "Server\nOdd\x1b"},
        failure(f"{SINCE}: Server Odd\\x1b", UNKNOWN_CAUSE + enable()),
    ),
    Case(
        "failed",
        "for a reason that is known",
        {**LATER, "state_transition_reason": "VPC limit exceeded"},
        failure(
            f"{SINCE}: VPC limit exceeded",
            "Without a launch template, Fast Launch creates a VPC, and the VPC limit is reached. "
            "Use a launch template with a subnet, or request a higher quota. Then: "
            + enable(),
        ),
    ),
    # How often: only failures of the same image in the same state are counted.
    Case(
        "failed",
        "seen once",
        LATER,
        failure(f"{SINCE}: Client.UserInitiated", UNKNOWN_CAUSE + enable()),
        intervals=[SEEN, {**SEEN, "state": "enabling-failed"}, {**SEEN, "region": "us-east-1"}],
    ),
    Case(
        "failed",
        "seen twice",
        LATER,
        failure(f"{SINCE}; 2 times in the observed history: Client.UserInitiated", UNKNOWN_CAUSE + enable()),
        intervals=[SEEN, {**SEEN, "account_id": OTHER}, {**SEEN, "image_id": "ami-2"}, SEEN],
    ),
    # What is to be enabled again keeps its settings.
    *(
        Case(
            "failed",
            f"{name}, in the command",
            {**LATER, **given},
            failure(f"{SINCE}: Client.UserInitiated", UNKNOWN_CAUSE + command),
        )
        for name, given, command in (
            ("no target", {"target_resource_count": None}, enable(target=None)),
            ("no parallel launches", {"max_parallel_launches": None}, enable(parallel=None)),
            ("five parallel launches", {"max_parallel_launches": 5}, enable(parallel=6)),
            ("six parallel launches", {"max_parallel_launches": 6}, enable(parallel=6)),
            ("seven parallel launches", {"max_parallel_launches": 7}, enable(parallel=7)),
            (
                "a template by name",
                {"launch_template_id": None},
                enable(template="LaunchTemplateName=agent,Version=4"),
            ),
            ("a template without a name", {"launch_template_name": None}, enable()),
            (
                "no template",
                {"launch_template_id": None, "launch_template_name": None},
                enable(template=None),
            ),
            ("a template without a version", {"launch_template_version": None}, CONSOLE),
            (
                "a named template without a version",
                {"launch_template_version": None, "launch_template_id": None},
                CONSOLE,
            ),
        )
    ),
]

# --- stuck ----------------------------------------------------------------------------

STUCK = [
    Case(
        "stuck",
        "enabling for two hours",
        {"state": "enabling", "state_transition_time": ago(hours=2)},
    ),
    Case(
        "stuck",
        "enabling for two hours and a second",
        {"state": "enabling", "state_transition_time": ago(hours=2) - SECOND},
        Finding(
            "stuck",
            "medium",
            "enabling since 2026-01-15 09:59 UTC (2 h)",
            f"Check its preparation instances: {PREPARATIONS}",
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
        Finding(
            "stuck",
            "medium",
            "disabling since 2026-01-15 10:59 UTC (1 h)",
            f"List the snapshots that are left: {snapshots_of()}",
        ),
    ),
    Case("stuck", "disabled for long", {"state": "disabled"}),
    *unknown("stuck", {"state": "enabling"}, "state_transition_time", "state"),
]

CASES = [*FAILED, *STUCK]


@pytest.mark.parametrize("case", params(CASES))
def test_rules_about_states(case: Case, judged: dict[str, list[Finding]]) -> None:
    """A case has the findings that it spells out, and no other."""
    check(case, judged[str(case)])
