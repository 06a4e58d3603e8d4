"""Rules about pools: a pool that is short, cold, bypassed or slow, and the quota of a region."""

from __future__ import annotations

from typing import Any

import pytest

from tests.helpers.rules import (
    AT,
    LIST_INSTANCES_COMMAND,
    LIST_PREPARATIONS_COMMAND,
    REGION,
    SECOND,
    Case,
    Finding,
    ago,
    check_case,
    enable_command,
    make_params,
    make_unknown_cases,
)

# --- below-target ---------------------------------------------------------------------

SHORT = {"available_snapshots": 4, "below_target_since": ago(minutes=10)}  # one round refills it
EMPTY = {"available_snapshots": 0}  # two rounds do
ADVICE = f"Check whether preparation instances are at work: {LIST_PREPARATIONS_COMMAND}"


def short(severity: str, evidence: str) -> Finding:
    """Return the finding of a pool below its target."""
    return Finding("below-target", severity, evidence, ADVICE)


BELOW_TARGET = [
    Case("below-target", "ten of ten"),
    Case("below-target", "eleven of ten", {"available_snapshots": 11}),
    Case(
        "below-target",
        "nine of ten",
        {"available_snapshots": 9, "below_target_since": AT},
        short(
            "low",
            "9 of 10 snapshots available, below target since 2026-01-15 12:00 UTC (0 min); "
            "a refill takes 30 min",
        ),
    ),
    # A refill gets the time of its rounds, and half an hour more.
    Case(
        "below-target",
        "one round and half an hour",
        {**SHORT, "below_target_since": ago(hours=1)},
        short(
            "low",
            "4 of 10 snapshots available, below target since 2026-01-15 11:00 UTC (1 h); "
            "a refill takes 30 min",
        ),
    ),
    Case(
        "below-target",
        "one round and half an hour and a second",
        {**SHORT, "below_target_since": ago(hours=1) - SECOND},
        short(
            "medium",
            "4 of 10 snapshots available, below target since 2026-01-15 10:59 UTC (1 h); "
            "a refill takes 30 min",
        ),
    ),
    Case(
        "below-target",
        "seven missing take two rounds, which are not over",
        {"available_snapshots": 3, "below_target_since": ago(minutes=90)},
        short(
            "low",
            "3 of 10 snapshots available, below target since 2026-01-15 10:30 UTC (1 h 30 min); "
            "a refill takes 1 h",
        ),
    ),
    Case(
        "below-target",
        "seven missing take two rounds, which are over",
        {"available_snapshots": 3, "below_target_since": ago(minutes=90) - SECOND},
        short(
            "medium",
            "3 of 10 snapshots available, below target since 2026-01-15 10:29 UTC (1 h 30 min); "
            "a refill takes 1 h",
        ),
    ),
    Case(
        "below-target",
        "one in stock for a long time",
        {"available_snapshots": 1, "below_target_since": ago(days=2)},
        short(
            "medium",
            "1 of 10 snapshots available, below target since 2026-01-13 12:00 UTC (2 d); "
            "a refill takes 1 h",
        ),
    ),
    Case(
        "below-target",
        "none in stock, and a refill may go on",
        {**EMPTY, "below_target_since": ago(minutes=90)},
        short(
            "low",
            "0 of 10 snapshots available, below target since 2026-01-15 10:30 UTC (1 h 30 min); "
            "a refill takes 1 h",
        ),
    ),
    Case(
        "below-target",
        "none in stock, and a refill is over",
        {**EMPTY, "below_target_since": ago(minutes=90) - SECOND},
        short(
            "high",
            "0 of 10 snapshots available, below target since 2026-01-15 10:29 UTC (1 h 30 min); "
            "a refill takes 1 h",
        ),
    ),
    # An unknown value does not raise the severity.
    Case(
        "below-target",
        "the start is unknown",
        {**EMPTY, "below_target_since": None},
        short(
            "low",
            "0 of 10 snapshots available, below target since an unknown time; a refill takes 1 h",
        ),
    ),
    Case(
        "below-target",
        "the number at a time is unknown",
        {**EMPTY, "below_target_since": ago(days=2), "max_parallel_launches": None},
        short("low", "0 of 10 snapshots available, below target since 2026-01-13 12:00 UTC (2 d)"),
    ),
    Case(
        "below-target",
        "none at a time",
        {**EMPTY, "below_target_since": ago(days=2), "max_parallel_launches": 0},
        short("low", "0 of 10 snapshots available, below target since 2026-01-13 12:00 UTC (2 d)"),
    ),
    # The stock comes from CloudWatch, or else from the completed snapshots.
    Case(
        "below-target",
        "CloudWatch counts more than EC2 lists",
        {"snapshots": 4, "available_snapshots": 10},
    ),
    Case(
        "below-target",
        "ten are completed",
        {"available_snapshots": None, "snapshots": 12, "snapshots_pending": 2},
    ),
    Case(
        "below-target",
        "nine are completed",
        {"available_snapshots": None, "snapshots": 12, "snapshots_pending": 3},
        short(
            "low",
            "9 of 10 snapshots available, below target since an unknown time; "
            "a refill takes 30 min",
        ),
    ),
    *(
        Case(
            "below-target",
            f"none in stock, and {column} is unknown",
            {"available_snapshots": None, "snapshots": 0, column: None},
        )
        for column in ("snapshots", "snapshots_pending")
    ),
    *make_unknown_cases("below-target", EMPTY, "target_resource_count", "state"),
    *(
        Case(
            "below-target",
            f"none in stock while it is {state}",
            {**EMPTY, "state": state, "state_transition_time": ago(minutes=1)},
            other_rules=("failed",) if state.endswith("failed") else (),
        )
        for state in ("enabling", "enabling-failed", "enabled-failed", "disabling")
    ),
]

# --- cold-launches --------------------------------------------------------------------

SIZE_IT = (
    "Choose a target with fl.right_size and the launches of fl.metrics. As a first step, raise "
    "the target by the cold launches of an average day: "
)


def cold(severity: str, evidence: str, command: str) -> Finding:
    """Return the finding of cold launches."""
    return Finding("cold-launches", severity, evidence, SIZE_IT + command)


COLD_LAUNCHES = [
    Case("cold-launches", "none of forty"),
    Case(
        "cold-launches",
        "one of forty-one",
        {"cold_launches": 1},
        cold(
            "medium",
            "1 of 41 launches since 2026-01-01 found no snapshot; the target is 10",
            enable_command(target=11),
        ),
    ),
    Case(
        "cold-launches",
        "a tenth of them",
        {"cold_launches": 4, "fast_launches": 36},
        cold(
            "medium",
            "4 of 40 launches since 2026-01-01 found no snapshot; the target is 10",
            enable_command(target=11),
        ),
    ),
    Case(
        "cold-launches",
        "more than a tenth of them",
        {"cold_launches": 4, "fast_launches": 35},
        cold(
            "high",
            "4 of 39 launches since 2026-01-01 found no snapshot; the target is 10",
            enable_command(target=11),
        ),
    ),
    Case(
        "cold-launches",
        "one on an average day",
        {"cold_launches": 14, "fast_launches": 400},
        cold(
            "medium",
            "14 of 414 launches since 2026-01-01 found no snapshot; the target is 10",
            enable_command(target=11),
        ),
    ),
    Case(
        "cold-launches",
        "more than one on an average day",
        {"cold_launches": 15, "fast_launches": 400},
        cold(
            "medium",
            "15 of 415 launches since 2026-01-01 found no snapshot; the target is 10",
            enable_command(target=12),
        ),
    ),
    Case(
        "cold-launches",
        "the number of fast launches is unknown",
        {"cold_launches": 1, "fast_launches": None},
        cold(
            "high",
            "1 launch since 2026-01-01 found no snapshot; the target is 10",
            enable_command(target=11),
        ),
    ),
    Case(
        "cold-launches",
        "the target is unknown",
        {"cold_launches": 1, "target_resource_count": None},
        cold(
            "medium",
            "1 of 41 launches since 2026-01-01 found no snapshot; the target is unknown",
            enable_command(target=None),
        ),
    ),
    *(
        Case(
            "cold-launches",
            f"metrics_{end} is unknown",
            {"cold_launches": 1, f"metrics_{end}": None},
            cold(
                "medium",
                f"1 of 41 launches{when} found no snapshot; the target is 10",
                enable_command(target=None),
            ),
        )
        for end, when in (("since", ""), ("until", " since 2026-01-01"))
    ),
    *make_unknown_cases("cold-launches", {}, "cold_launches"),
]

# --- pool-bypassed --------------------------------------------------------------------

BYPASSED = {"fast_launches": 0, "cold_launches": 1}
BY_VOLUMES = {"fast_launches": None, "cold_launches": None, "instances_fast": 0}
CHECK_LAUNCHES = (
    "Check how the instances are launched. BlockDeviceMappings in the request or its launch "
    f"template bypass the snapshots: {LIST_INSTANCES_COMMAND}"
)


def bypassed(evidence: str, usd: float | None = 29.3) -> Finding:
    """Return the finding of a full pool that launches do not use."""
    return Finding("pool-bypassed", "high", evidence, CHECK_LAUNCHES, usd)


POOL_BYPASSED = [
    Case(
        "pool-bypassed",
        "one cold launch, no fast one",
        BYPASSED,
        bypassed("1 launch booted from the AMI's own snapshot; 10 of 10 snapshots available"),
    ),
    Case(
        "pool-bypassed",
        "one fast launch",
        {**BYPASSED, "fast_launches": 1},
        other_rules=("cold-launches",),
    ),
    Case("pool-bypassed", "no launch at all", {"fast_launches": 0}, other_rules=("unused",)),
    Case(
        "pool-bypassed",
        "one instance with a volume from outside the pool",
        {**BY_VOLUMES, "instances_cold": 1},
        bypassed("1 instance booted from the AMI's own snapshot; 10 of 10 snapshots available"),
    ),
    Case("pool-bypassed", "no instance", {**BY_VOLUMES, "instances_cold": 0}),
    Case(
        "pool-bypassed",
        "one instance of two is from the pool",
        {**BY_VOLUMES, "instances_cold": 1, "instances_fast": 1},
    ),
    Case(
        "pool-bypassed",
        "no instance from the pool is left, but CloudWatch counted one",
        {"fast_launches": 1, "instances_fast": 0, "instances_cold": 2},
    ),
    Case(
        "pool-bypassed",
        "no cold launch lately, but cold instances",
        {"fast_launches": 0, "instances_fast": 0, "instances_cold": 2},
        bypassed("2 instances booted from the AMI's own snapshot; 10 of 10 snapshots available"),
        other_rules=("unused",),
    ),
    # If the pool is not full, cold launches do not prove that it is bypassed.
    Case(
        "pool-bypassed",
        "one snapshot is missing",
        {**BYPASSED, "available_snapshots": 9},
        other_rules=("below-target", "cold-launches"),
    ),
    Case(
        "pool-bypassed",
        "one snapshot more than the target",
        {**BYPASSED, "available_snapshots": 11},
        bypassed("1 launch booted from the AMI's own snapshot; 11 of 10 snapshots available"),
    ),
    Case(
        "pool-bypassed",
        "one of one",
        {**BYPASSED, "available_snapshots": 1, "target_resource_count": 1},
        bypassed("1 launch booted from the AMI's own snapshot; 1 of 1 snapshots available"),
    ),
    Case(
        "pool-bypassed",
        "none of none",
        {**BYPASSED, "available_snapshots": 0, "target_resource_count": 0},
        other_rules=("cold-launches",),
    ),
    Case(
        "pool-bypassed",
        "the cost is unknown",
        {**BYPASSED, "monthly_usd": None},
        bypassed("1 launch booted from the AMI's own snapshot; 10 of 10 snapshots available", None),
    ),
    Case(
        "pool-bypassed",
        "the stock is unknown",
        {**BYPASSED, "available_snapshots": None, "snapshots": None},
        other_rules=("cold-launches",),
    ),
    *make_unknown_cases(
        "pool-bypassed",
        BYPASSED,
        "target_resource_count",
        "fast_launches",
        other_rules=["cold-launches"],
    ),
    *make_unknown_cases(
        "pool-bypassed", {**BY_VOLUMES, "instances_cold": 1}, "instances_cold", "instances_fast"
    ),
]

# --- slow-to-fill ---------------------------------------------------------------------


def pool_of(target: int, parallel: int | None = 6) -> dict[str, int | None]:
    """Return the changes for a full pool of this size."""
    return {
        "target_resource_count": target,
        "max_parallel_launches": parallel,
        "available_snapshots": target,
        "snapshots": target,
    }


SLOW = Finding(
    "slow-to-fill",
    "low",
    "49 snapshots, 6 at a time, take 4 h 30 min to fill",
    enable_command(target=49, parallel=7),
)
SLOW_TO_FILL = [
    Case("slow-to-fill", "eight rounds, four hours", pool_of(48)),
    Case("slow-to-fill", "nine rounds", pool_of(49), SLOW),
    Case(
        "slow-to-fill",
        "nine rounds while it is enabling",
        {**pool_of(49), "state": "enabling", "state_transition_time": ago(minutes=1)},
        SLOW,
    ),
    Case(
        "slow-to-fill",
        "one at a time",
        pool_of(9, 1),
        Finding(
            "slow-to-fill",
            "low",
            "9 snapshots, 1 at a time, take 4 h 30 min to fill",
            enable_command(target=9, parallel=6),
        ),
    ),
    Case("slow-to-fill", "one at a time, eight of them", pool_of(8, 1)),
    Case(
        "slow-to-fill",
        "days",
        pool_of(300),
        Finding(
            "slow-to-fill",
            "low",
            "300 snapshots, 6 at a time, take 1 d 1 h to fill",
            enable_command(target=300, parallel=38),
        ),
    ),
    Case("slow-to-fill", "none at a time", pool_of(49, 0)),
    *make_unknown_cases(
        "slow-to-fill", pool_of(49), "target_resource_count", "max_parallel_launches", "state"
    ),
    *(
        Case(
            "slow-to-fill",
            f"nine rounds while it is {state}",
            {**pool_of(49), "state": state, "state_transition_time": ago(minutes=1)},
            other_rules=("failed",) if state.endswith("failed") else (),
        )
        for state in ("enabling-failed", "enabled-failed", "disabling")
    ),
]

# --- over-quota -----------------------------------------------------------------------


def over(images: int, parallel: int, quota: str) -> Finding:
    """Return the finding of a region above its quota."""
    return Finding(
        "over-quota",
        "low",
        f"{images} image{'s' * (images > 1)} may start {parallel:,} preparation instances at once; "
        f"the quota is {quota}",
        f"aws service-quotas request-service-quota-increase --region {REGION} --service-code "
        f"ec2fastlaunch --quota-code L-DC79B53E --desired-value {parallel}",
        image_id=None,
    )


def make_rows(*parallel: int, **changes: Any) -> list[dict[str, Any]]:
    """Return images of one region with these numbers of parallel launches."""
    return [
        {**pool_of(1, most), "image_id": f"ami-{number}", "image_name": f"win-{most}", **changes}
        for number, most in enumerate(parallel)
    ]


OVER_QUOTA = [
    Case("over-quota", "as many as the quota", make_rows(20, 20)),
    Case("over-quota", "one more than the quota", make_rows(20, 21), over(2, 41, "40")),
    Case(
        "over-quota",
        "one image is enough",
        {"max_parallel_launches": 8, "parallel_launches_quota": 7},
        over(1, 8, "7"),
    ),
    Case("over-quota", "as many as a higher quota", make_rows(41, 59, parallel_launches_quota=100)),
    Case(
        "over-quota",
        "more than a thousand",
        make_rows(1001, parallel_launches_quota=1000),
        over(1, 1001, "1,000"),
    ),
    # An unknown quota counts as AWS's default.
    Case("over-quota", "as many as the default", make_rows(40, parallel_launches_quota=None)),
    Case(
        "over-quota",
        "one more than the default",
        make_rows(41, parallel_launches_quota=None),
        over(1, 41, "40, AWS's default"),
    ),
    Case(
        "over-quota",
        "the quota is known for one image of the region",
        [*make_rows(41, parallel_launches_quota=None), *make_rows(1, parallel_launches_quota=50)],
    ),
    Case("over-quota", "two regions", [*make_rows(40), *make_rows(40, region="us-east-1")]),
    *(
        Case(
            "over-quota",
            f"{state} images count" if counts else f"{state} images do not count",
            [*make_rows(40), *make_rows(1, state=state, state_transition_time=ago(minutes=1))],
            over(2, 41, "40") if counts else (),
            other_rules=("failed",) if state.endswith("failed") else (),
        )
        for state, counts in (
            ("enabling", True),
            ("enabled", True),
            ("disabling", False),
            ("enabling-failed", False),
            ("enabled-failed", False),
            ("disabling-failed", False),
        )
    ),
    *make_unknown_cases("over-quota", make_rows(41)[0], "max_parallel_launches", "state"),
]

CASES = [*BELOW_TARGET, *COLD_LAUNCHES, *POOL_BYPASSED, *SLOW_TO_FILL, *OVER_QUOTA]


@pytest.mark.parametrize("case", make_params(CASES))
def test_rules_about_pools(case: Case, findings_by_case: dict[str, list[Finding]]) -> None:
    """A case causes exactly the expected findings."""
    check_case(case, findings_by_case[str(case)])
