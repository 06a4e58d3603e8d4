"""Rules about pools: a pool that is short, cold, bypassed or slow, and the quota of a region."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from tests.helpers.rules import (
    AT,
    LIST_INSTANCES,
    LIST_PREPARATIONS,
    SECOND,
    Case,
    Finding,
    ago,
    check_case,
    command,
    make_params,
    make_unknown_cases,
)

# --- below-target ---------------------------------------------------------------------

# Nine in ten launches were warm, and the cold ones lost less than ten minutes.
BUSY = {"fast_launches": 9, "cold_launches": 1}
SHORT = {**BUSY, "available_snapshots": 4, "below_target_since": ago(hours=1) - SECOND}
EMPTY = {**BUSY, "available_snapshots": 0, "below_target_since": ago(days=2)}


def short(severity: str, evidence: str) -> Finding:
    """Return the finding of a pool below its target."""
    return Finding("below-target", severity, evidence, LIST_PREPARATIONS)


BELOW_TARGET = [
    Case("below-target", "ten of ten"),
    Case("below-target", "nine of ten", {**SHORT, "available_snapshots": 10}),
    # A refill may take 30 minutes a round, and the first launch may have been in a round.
    Case("below-target", "for two rounds", {**SHORT, "below_target_since": ago(hours=1)}),
    Case(
        "below-target",
        "for more than two rounds",
        SHORT,
        short(
            "medium",
            "4 of 10 snapshots available, below target since 2026-01-15 10:59 UTC (1 h); "
            "a refill takes about 10 min, at most 30 min",
        ),
    ),
    Case(
        "below-target",
        "seven missing take two rounds",
        {**SHORT, "available_snapshots": 3, "below_target_since": ago(minutes=90)},
    ),
    Case(
        "below-target",
        "seven missing for more than three rounds",
        {**SHORT, "available_snapshots": 3, "below_target_since": ago(minutes=90) - SECOND},
        short(
            "medium",
            "3 of 10 snapshots available, below target since 2026-01-15 10:29 UTC (1 h 30 min); "
            "a refill takes about 20 min, at most 1 h",
        ),
    ),
    Case(
        "below-target",
        "none in stock",
        EMPTY,
        short(
            "high",
            "0 of 10 snapshots available, below target since 2026-01-13 12:00 UTC (2 d); "
            "a refill takes about 20 min, at most 1 h",
        ),
    ),
    # A busy pool may be below its target at each moment, and yet serve all launches.
    Case("below-target", "99 in 100 launches are warm", {**EMPTY, "fast_launches": 99}),
    Case(
        "below-target",
        "fewer than 99 in 100 launches are warm",
        {**EMPTY, "fast_launches": 98},
        short(
            "high",
            "0 of 10 snapshots available, below target since 2026-01-13 12:00 UTC (2 d); "
            "a refill takes about 20 min, at most 1 h",
        ),
    ),
    # The stock comes from CloudWatch, or else from the completed snapshots.
    Case(
        "below-target",
        "six are completed",
        {**SHORT, "available_snapshots": None, "snapshots": 6, "snapshots_pending": 2},
        short(
            "medium",
            "4 of 10 snapshots available, below target since 2026-01-15 10:59 UTC (1 h); "
            "a refill takes about 10 min, at most 30 min",
        ),
    ),
    *(
        Case("below-target", f"none in stock, and {name} is {value}", {**EMPTY, name: value})
        for name, value in (
            ("below_target_since", None),
            ("max_parallel_launches", None),
            ("max_parallel_launches", 0),
            ("target_resource_count", None),
            ("state", None),
        )
    ),
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

cold = partial(Finding, "cold-launches")
COLD = {"cold_launches": 6, "fast_launches": 594 - 1}
COLD_LAUNCHES = [
    Case("cold-launches", "none of forty"),
    Case("cold-launches", "1 in 100", {"cold_launches": 6, "fast_launches": 594}),
    Case(
        "cold-launches",
        "more than 1 in 100",
        COLD,
        cold(
            "medium",
            "6 of 599 launches since 2026-01-01 found no snapshot and lost about 10 min in all; "
            "the target is 10",
        ),
    ),
    Case("cold-launches", "less than ten minutes lost", {"cold_launches": 5, "fast_launches": 9}),
    Case("cold-launches", "one in 5,000", {"cold_launches": 1, "fast_launches": 5_000}),
    Case(
        "cold-launches",
        "a tenth of them",
        {"cold_launches": 10, "fast_launches": 90},
        cold(
            "medium",
            "10 of 100 launches since 2026-01-01 found no snapshot and lost about 17 min in all; "
            "the target is 10",
        ),
    ),
    Case(
        "cold-launches",
        "more than a tenth of them",
        {"cold_launches": 10, "fast_launches": 89},
        cold(
            "high",
            "10 of 99 launches since 2026-01-01 found no snapshot and lost about 17 min in all; "
            "the target is 10",
        ),
    ),
    Case(
        "cold-launches",
        "all of them",
        {"cold_launches": 60, "fast_launches": 0},
        cold(
            "high",
            "60 of 60 launches since 2026-01-01 found no snapshot and lost about 1 h 40 min in "
            "all; the target is 10",
        ),
    ),
    Case(
        "cold-launches",
        "target and time are unknown",
        {**COLD, "target_resource_count": None, "metrics_since": None},
        cold(
            "medium",
            "6 of 599 launches found no snapshot and lost about 10 min in all; "
            "the target is unknown",
        ),
    ),
    Case("cold-launches", "volumes show a bypass", {**COLD, "instances_cold_since_enabled": 1}),
    Case(
        "cold-launches",
        "it has failed",
        {**COLD, "state": "enabled-failed"},
        other_rules=("failed",),
    ),
    # More specific than the stock of the moment.
    Case(
        "cold-launches",
        "below the target as well",
        {**COLD, "available_snapshots": 0, "below_target_since": ago(days=2), "fast_launches": 60},
        cold(
            "medium",
            "6 of 66 launches since 2026-01-01 found no snapshot and lost about 10 min in all; "
            "the target is 10",
        ),
    ),
    *make_unknown_cases("cold-launches", COLD, "cold_launches", "fast_launches"),
]

# --- pool-bypassed and bypass-ahead ---------------------------------------------------

BYPASSED = {
    "fast_launches": 0,
    "cold_launches": 60,
    "instances_fast_since_enabled": 0,
    "instances_cold_since_enabled": 1,
}


def bypassed(evidence: str, usd: tuple[float | None, float | None] = (6.0, 29.3)) -> Finding:
    """Return the finding of a pool that launches do not use."""
    return Finding("pool-bypassed", "high", evidence, LIST_INSTANCES, usd)


ONE = "1 instance launched since enabling booted from the AMI's own snapshot; "
POOL_BYPASSED = [
    Case("pool-bypassed", "one instance", BYPASSED, bypassed(f"{ONE}10 snapshots available")),
    Case(
        "pool-bypassed",
        "two instances, one snapshot",
        {**BYPASSED, "instances_cold_since_enabled": 2, "available_snapshots": 1},
        bypassed(
            "2 instances launched since enabling booted from the AMI's own snapshot; "
            "1 snapshot available"
        ),
    ),
    Case("pool-bypassed", "no stock", {**BYPASSED, "available_snapshots": 0}),
    Case(
        "pool-bypassed",
        "no such instance",
        {**BYPASSED, "instances_cold_since_enabled": 0, "cold_launches": 0, "fast_launches": 1},
    ),
    Case(
        "pool-bypassed",
        "one instance is from the pool",
        {**BYPASSED, "instances_fast_since_enabled": 1},
    ),
    Case("pool-bypassed", "CloudWatch counted a fast launch", {**BYPASSED, "fast_launches": 1}),
    # Older instances prove nothing: Fast Launch was not on then.
    Case(
        "pool-bypassed",
        "only instances from before it was enabled",
        {"instances_cold": 2, "instances_fast": 0, "instances_fast_since_enabled": 0},
    ),
    Case(
        "pool-bypassed",
        "the cost is unknown",
        {**BYPASSED, "monthly_usd_low": None, "monthly_usd_high": None},
        bypassed(f"{ONE}10 snapshots available", (None, None)),
    ),
    Case(
        "pool-bypassed",
        "no metrics",
        {**BYPASSED, "fast_launches": None, "cold_launches": None},
        bypassed(f"{ONE}10 snapshots available"),
    ),
    *make_unknown_cases(
        "pool-bypassed", {**BYPASSED, "cold_launches": 0}, "instances_fast_since_enabled"
    ),
]
AHEAD = {"bypassing_launchers": "lt-0123 (version 2), group web"}
BYPASS_AHEAD = [
    Case(
        "bypass-ahead",
        "a launch template and a group",
        AHEAD,
        Finding("bypass-ahead", "medium", "BlockDeviceMappings in lt-0123 (version 2), group web"),
    ),
    Case(
        "bypass-ahead",
        "instances show it already",
        {**AHEAD, **BYPASSED},
        bypassed(f"{ONE}10 snapshots available"),
    ),
    Case(
        "bypass-ahead",
        "it is being disabled",
        {**AHEAD, "state": "disabling", "state_transition_time": AT},
    ),
    *make_unknown_cases("bypass-ahead", AHEAD, "bypassing_launchers", "state"),
]

# --- slow-to-fill ---------------------------------------------------------------------


def pool_of(target: int, parallel: int | None = 6) -> dict[str, int | None]:
    """Return the changes for a full pool of this size."""
    return {
        "target_resource_count": target,
        "max_parallel_launches": parallel,
        "available_snapshots": target,
        "snapshots": target,
        "parallel_launches_quota": 5_000,
    }


slow = partial(Finding, "slow-to-fill", "low")
SLOW = slow(
    "145 snapshots, 6 at a time, take about 4 h 10 min to fill (1 h 40 min to 12 h 30 min)",
    advice="Raise the maximum of parallel launches to 7. The quota of the region for all images is "
    "5,000.",
)
SLOW_TO_FILL = [
    Case("slow-to-fill", "24 rounds, four hours", pool_of(144)),
    Case("slow-to-fill", "25 rounds", pool_of(145), SLOW),
    Case(
        "slow-to-fill",
        "25 rounds while it is enabling",
        {**pool_of(145), "state": "enabling", "state_transition_time": ago(minutes=1)},
        SLOW,
    ),
    Case(
        "slow-to-fill",
        "one at a time, and the quota is unknown",
        {**pool_of(25, 1), "parallel_launches_quota": None},
        slow(
            "25 snapshots, 1 at a time, take about 4 h 10 min to fill (1 h 40 min to 12 h 30 min)",
            advice="Raise the maximum of parallel launches to 2. The quota of the region for all "
            "images is unknown.",
        ),
    ),
    Case("slow-to-fill", "one at a time, 24 of them", pool_of(24, 1)),
    Case("slow-to-fill", "none at a time", pool_of(145, 0)),
    *make_unknown_cases(
        "slow-to-fill", pool_of(145), "target_resource_count", "max_parallel_launches", "state"
    ),
    *(
        Case(
            "slow-to-fill",
            f"25 rounds while it is {state}",
            {**pool_of(145), "state": state, "state_transition_time": ago(minutes=1)},
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
        command(
            "service-quotas request-service-quota-increase --service-code ec2fastlaunch "
            f"--quota-code L-DC79B53E --desired-value {parallel}"
        ),
        image_id=None,
    )


def make_rows(*parallel: int, target: int | None = 2_000, **changes: Any) -> list[dict[str, Any]]:
    """Return images of one region with these numbers of parallel launches and a high target."""
    return [
        {
            **pool_of(1, most),
            "target_resource_count": target,
            "fast_launches": None,
            "below_target_since": None,
            "parallel_launches_quota": 40,
            "image_id": f"ami-{number}",
            "image_name": f"win-{most}",
            **changes,
        }
        for number, most in enumerate(parallel)
    ]


SLOW_TOO = ("slow-to-fill",)
OVER_QUOTA = [
    Case("over-quota", "as many as the quota", make_rows(20, 20, target=20)),
    Case("over-quota", "one more than the quota", make_rows(20, 21, target=21), over(2, 41, "40")),
    # An image never has more at work than its target.
    Case("over-quota", "the targets are as low as the quota", make_rows(100, 100, target=20)),
    Case(
        "over-quota",
        "the targets are above the quota",
        make_rows(100, 100, target=21),
        over(2, 42, "40"),
    ),
    Case(
        "over-quota",
        "as many as a higher quota",
        make_rows(41, 59, target=60, parallel_launches_quota=100),
    ),
    Case(
        "over-quota",
        "more than a thousand",
        make_rows(1001, parallel_launches_quota=1000),
        over(1, 1001, "1,000"),
    ),
    # An unknown quota is unknown: AWS's default is no evidence.
    Case(
        "over-quota", "the quota is unknown", make_rows(41, target=41, parallel_launches_quota=None)
    ),
    Case(
        "over-quota",
        "the quota is known for one image of the region",
        [
            *make_rows(41, target=41, parallel_launches_quota=None),
            *make_rows(2, target=41, parallel_launches_quota=40),
        ],
        over(2, 43, "40"),
    ),
    Case(
        "over-quota",
        "the numbers of one image are unknown: it does not count",
        [*make_rows(20, 21, target=21), *make_rows(99, target=None)],
        over(2, 41, "40"),
    ),
    Case(
        "over-quota",
        "two regions",
        [*make_rows(40, target=40), *make_rows(40, target=40, region="us-east-1")],
    ),
    *(
        Case(
            "over-quota",
            f"{state} images count" if counts else f"{state} images do not count",
            [
                *make_rows(40, target=40),
                *make_rows(1, target=1, state=state, state_transition_time=ago(minutes=1)),
            ],
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
    *make_unknown_cases(
        "over-quota",
        make_rows(41, target=41)[0],
        "max_parallel_launches",
        "target_resource_count",
        "state",
    ),
]

# --- stock-differs --------------------------------------------------------------------

LISTED = {
    "snapshots": 10,
    "snapshots_pending": 0,
    "target_resource_count": 10,
    "available_snapshots_time": AT,
}


def differ(available: int, time: str = "2026-01-15 12:00 UTC (0 min)") -> Finding:
    """Return the finding of a different stock."""
    return Finding(
        "stock-differs",
        "info",
        f"CloudWatch counts {available} available since {time}; EC2 lists 10 completed",
    )


STOCK_DIFFERS = [
    Case("stock-differs", "a fifth less", {**LISTED, "available_snapshots": 8}),
    Case(
        "stock-differs", "more than a fifth less", {**LISTED, "available_snapshots": 7}, differ(7)
    ),
    Case("stock-differs", "a sixth more", {**LISTED, "available_snapshots": 12}),
    Case(
        "stock-differs", "more than a fifth more", {**LISTED, "available_snapshots": 13}, differ(13)
    ),
    Case(
        "stock-differs",
        "one of two",
        {**LISTED, "snapshots": 2, "available_snapshots": 1, "target_resource_count": 2},
    ),
    Case(
        "stock-differs",
        "CloudWatch's number is an hour old",
        {**LISTED, "available_snapshots": 7, "available_snapshots_time": ago(hours=1)},
        differ(7, "2026-01-15 11:00 UTC (1 h)"),
    ),
    Case(
        "stock-differs",
        "CloudWatch's number is older than an hour",
        {**LISTED, "available_snapshots": 7, "available_snapshots_time": ago(hours=1) - SECOND},
    ),
    *make_unknown_cases(
        "stock-differs",
        {**LISTED, "available_snapshots": 7},
        *("available_snapshots", "available_snapshots_time", "snapshots", "snapshots_pending"),
        "state",
    ),
]

CASES = [
    *BELOW_TARGET,
    *COLD_LAUNCHES,
    *POOL_BYPASSED,
    *BYPASS_AHEAD,
    *SLOW_TO_FILL,
    *OVER_QUOTA,
    *STOCK_DIFFERS,
]


@pytest.mark.parametrize("case", make_params(CASES))
def test_rules_about_pools(case: Case, findings_by_case: dict[str, list[Finding]]) -> None:
    """A case causes exactly the expected findings."""
    check_case(case, findings_by_case[str(case)])
