"""Rules about states: failed images, and images that are stuck."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import pandas as pd

from fastlaunch_nb.formatting import to_single_line
from fastlaunch_nb.rules import cli_commands, failure_reasons
from fastlaunch_nb.rules.rule import (
    RuleInput,
    format_since,
    is_known,
    map_rows,
    rule,
    where_true,
    with_evidence,
)
from fastlaunch_nb.schema.columns import FAILED_STATES, KEY

MAX_TIME_IN_STATE: Final = {"enabling": pd.Timedelta(hours=2), "disabling": pd.Timedelta(hours=1)}
"""The time in each state after which an image counts as stuck."""


@rule(
    "failed",
    "high",
    "enabling, a later refill or disabling has failed",
    source="EC2 User Guide: Monitor EC2 Fast Launch",
)
def find_failures(facts: RuleInput) -> pd.DataFrame:
    """Find images in a failed state, with advice for the reason of each."""
    rows = where_true(facts.images, facts.images["state"].isin(FAILED_STATES))
    counts = _count_failures(facts.intervals)
    keys = rows[[*KEY, "state"]].itertuples(index=False, name=None)

    def describe(state: str, start: Any, reason: Any, count: int) -> str:
        times = f"; {count} times in the observed history" if count > 1 else ""
        cause = to_single_line(reason) if is_known(reason) else "no reason given"
        return f"{state} {format_since(start, facts.at)}{times}: {cause}"

    rows = rows.assign(_count=[counts.get(key, 0) for key in keys])
    columns = ("state", "state_transition_time", "state_transition_reason", "_count")
    settings = ("state", "state_transition_reason", *cli_commands.ENABLE_COLUMNS)
    return with_evidence(
        rows, map_rows(rows, describe, *columns), map_rows(rows, _format_advice, *settings)
    )


def _count_failures(intervals: pd.DataFrame | None) -> dict[Any, int]:
    """Count the intervals of each image in each failed state."""
    if intervals is None:
        return {}
    failed = intervals.loc[intervals["state"].isin(FAILED_STATES), [*KEY, "state"]]
    return Counter(failed.itertuples(index=False, name=None))


def _format_advice(state: str, reason: Any, *settings: Any) -> str:
    if state == "disabling-failed":
        region, image_id, *_ = settings
        return cli_commands.format_disable(region, image_id, force=True)
    enable = cli_commands.format_enable(*settings)
    return f"{failure_reasons.find_advice(reason)}. Then: {enable}"


@rule(
    "stuck",
    "medium",
    "enabling for more than 2 hours, or disabling for more than 1",
    source="EC2 User Guide: 30 minutes for a preparation instance; packer-plugin-amazon 445",
)
def find_stuck_images(facts: RuleInput) -> pd.DataFrame:
    """Find images that have been enabling or disabling for too long."""
    limits = facts.images["state"].map(MAX_TIME_IN_STATE).astype("timedelta64[us]")
    rows = where_true(facts.images, facts.age > limits)

    def describe(state: str, start: Any) -> str:
        return f"{state} {format_since(start, facts.at)}"

    def advise(state: str, region: Any, image_id: Any) -> str:
        if state == "disabling":
            command = cli_commands.format_list_snapshots(region, image_id)
            return f"List the snapshots that are left: {command}"
        command = cli_commands.format_list_preparations(region, image_id)
        return f"Check its preparation instances: {command}"

    evidence = map_rows(rows, describe, "state", "state_transition_time")
    return with_evidence(rows, evidence, map_rows(rows, advise, "state", "region", "image_id"))
