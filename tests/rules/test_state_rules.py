"""Rules about states: every failed state, and the time after which an image is stuck."""

from __future__ import annotations

from functools import partial

import pytest

from tests.helpers.rules import (
    ACCOUNT,
    FORCE_DISABLE_COMMAND,
    IMAGE_ID,
    LIST_PREPARATIONS_COMMAND,
    OTHER,
    REGION,
    SECOND,
    USE_CONSOLE,
    Case,
    Finding,
    ago,
    check_case,
    enable_command,
    list_snapshots_command,
    make_params,
    make_unknown_cases,
)

# --- failed ---------------------------------------------------------------------------

UNKNOWN_CAUSE = "The cause is unknown. Look at the preparation instances. Then: "
SINCE = "enabled-failed since 2025-12-16 12:00 UTC (30 d)"
REFILL_FAILED = {"state": "enabled-failed"}
OBSERVED = {
    "account_id": ACCOUNT,
    "region": REGION,
    "image_id": IMAGE_ID,
    "state": "enabled-failed",
}
make_finding = partial(Finding, "failed", "high")

FAILED = [
    Case(
        "failed",
        "enabling failed",
        {"state": "enabling-failed"},
        make_finding(
            "enabling-failed since 2025-12-16 12:00 UTC (30 d): Client.UserInitiated",
            UNKNOWN_CAUSE + enable_command(),
        ),
    ),
    Case(
        "failed",
        "a refill failed",
        REFILL_FAILED,
        make_finding(f"{SINCE}: Client.UserInitiated", UNKNOWN_CAUSE + enable_command()),
    ),
    Case(
        "failed",
        "disabling failed",
        {"state": "disabling-failed"},
        make_finding(
            "disabling-failed since 2025-12-16 12:00 UTC (30 d): Client.UserInitiated",
            FORCE_DISABLE_COMMAND,
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
        make_finding(
            "enabled-failed since 2026-01-15 11:59 UTC (0 min): Client.UserInitiated",
            UNKNOWN_CAUSE + enable_command(),
        ),
    ),
    Case(
        "failed",
        "for a minute",
        {**REFILL_FAILED, "state_transition_time": ago(seconds=60)},
        make_finding(
            "enabled-failed since 2026-01-15 11:59 UTC (1 min): Client.UserInitiated",
            UNKNOWN_CAUSE + enable_command(),
        ),
    ),
    Case(
        "failed",
        "without a time",
        {**REFILL_FAILED, "state_transition_time": None},
        make_finding(
            "enabled-failed since an unknown time: Client.UserInitiated",
            UNKNOWN_CAUSE + enable_command(),
        ),
    ),
    Case(
        "failed",
        "without a reason",
        {**REFILL_FAILED, "state_transition_reason": None},
        make_finding(f"{SINCE}: no reason given", UNKNOWN_CAUSE + enable_command()),
    ),
    Case(
        "failed",
        "with a reason of two lines",
        {**REFILL_FAILED, "state_transition_reason": "Server\nOdd\x1b"},
        make_finding(f"{SINCE}: Server Odd\\x1b", UNKNOWN_CAUSE + enable_command()),
    ),
    Case(
        "failed",
        "with a reason in the catalogue",
        {**REFILL_FAILED, "state_transition_reason": "VPC limit exceeded"},
        make_finding(
            f"{SINCE}: VPC limit exceeded",
            "Without a launch template, Fast Launch creates a VPC, and the VPC limit is reached. "
            "Use a launch template with a subnet, or request a higher quota. Then: "
            + enable_command(),
        ),
    ),
    # Only failures of the same image in the same state are counted.
    Case(
        "failed",
        "observed once",
        REFILL_FAILED,
        make_finding(f"{SINCE}: Client.UserInitiated", UNKNOWN_CAUSE + enable_command()),
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
        make_finding(
            f"{SINCE}; 2 times in the observed history: Client.UserInitiated",
            UNKNOWN_CAUSE + enable_command(),
        ),
        intervals=[
            OBSERVED,
            {**OBSERVED, "account_id": OTHER},
            {**OBSERVED, "image_id": "ami-2"},
            OBSERVED,
        ],
    ),
    # The command to enable the image again keeps its settings.
    *(
        Case(
            "failed",
            f"{name}, in the command",
            {**REFILL_FAILED, **changes},
            make_finding(f"{SINCE}: Client.UserInitiated", UNKNOWN_CAUSE + command),
        )
        for name, changes, command in (
            ("no target", {"target_resource_count": None}, enable_command(target=None)),
            (
                "no parallel launches",
                {"max_parallel_launches": None},
                enable_command(parallel=None),
            ),
            ("five parallel launches", {"max_parallel_launches": 5}, enable_command(parallel=6)),
            ("six parallel launches", {"max_parallel_launches": 6}, enable_command(parallel=6)),
            ("seven parallel launches", {"max_parallel_launches": 7}, enable_command(parallel=7)),
            (
                "a template by name",
                {"launch_template_id": None},
                enable_command(template="LaunchTemplateName=agent,Version=4"),
            ),
            ("a template without a name", {"launch_template_name": None}, enable_command()),
            (
                "no template",
                {"launch_template_id": None, "launch_template_name": None},
                enable_command(template=None),
            ),
            ("a template without a version", {"launch_template_version": None}, USE_CONSOLE),
            (
                "a named template without a version",
                {"launch_template_version": None, "launch_template_id": None},
                USE_CONSOLE,
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
            f"Check its preparation instances: {LIST_PREPARATIONS_COMMAND}",
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
            f"List the snapshots that are left: {list_snapshots_command()}",
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
