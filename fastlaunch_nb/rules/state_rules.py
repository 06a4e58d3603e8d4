"""Rules about states: failed images, and images that are stuck."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import pandas as pd

from fastlaunch_nb.formatting import format_count, to_single_line
from fastlaunch_nb.rules import failure_reasons
from fastlaunch_nb.rules.cli_commands import Step, list_preparations, list_snapshots, row_command
from fastlaunch_nb.rules.rule import (
    Problems,
    RowText,
    RuleInput,
    format_since,
    is_known,
    make_problems,
    rule,
    where_true,
)
from fastlaunch_nb.schema.columns import FAILED_STATES, KEY

MAX_TIME_IN_STATE: Final = {
    "enabling": pd.Timedelta(minutes=45),
    "disabling": pd.Timedelta(hours=1),
}
"""The time in each state after which an image counts as stuck."""


@rule(
    "failed",
    "high",
    "enabling, a later refill or disabling has failed",
    source="EC2 User Guide: Monitor EC2 Fast Launch",
    statement="A failed state stays until Fast Launch is enabled or disabled again; "
    "after disabling-failed, snapshots may remain.",
    reads=("state",),
    advises="look at what is left, remove the cause, then enable or disable again",
)
def find_failures(facts: RuleInput) -> Problems:
    """Find images in a failed state, with advice for the reason of each."""
    rows = where_true(facts.images, facts.images["state"].isin(FAILED_STATES))
    counts = _count_failures(facts.intervals)

    def describe(start: Any, reason: Any, *key: Any) -> str:
        state, count = key[-1], counts.get(key, 0)
        times = f"; {count} times in the observed history" if count > 1 else ""
        cause = to_single_line(reason) if is_known(reason) else "no reason given"
        return f"{state} {format_since(start, facts.at)}{times}: {cause}"

    columns = ("state_transition_time", "state_transition_reason", *KEY, "state")
    return make_problems(
        rows,
        RowText(describe, *columns),
        RowText(_format_advice, "state", "state_transition_reason", "snapshots"),
        row_command(list_snapshots, "image_id"),
    )


def _count_failures(intervals: pd.DataFrame | None) -> dict[Any, int]:
    """Count the intervals of each image in each failed state."""
    if intervals is None:
        return {}
    failed = intervals.loc[intervals["state"].isin(FAILED_STATES), [*KEY, "state"]]
    return Counter(failed.itertuples(index=False, name=None))


def _format_advice(state: str, reason: Any, snapshots: Any) -> str:
    look = "List what is left: you pay for snapshots until they are deleted."
    if is_known(snapshots):
        count = format_count(snapshots, "snapshot")
        look = f"List what is left: you pay for {count}." if snapshots else "No snapshot is left."
    if state == "disabling-failed":
        return f"{look} Then disable Fast Launch again. Use --force only if that fails, too."
    fix = failure_reasons.find_advice(reason)
    return f"{look} {fix}. Then enable Fast Launch again, or disable it if nobody needs it."


@rule(
    "stuck",
    "medium",
    "enabling for more than 45 minutes, or disabling for more than an hour",
    source="EC2 User Guide: Troubleshoot EC2 Fast Launch; packer-plugin-amazon 445",
    statement="After 30 minutes EC2 ends the preparation instances and the state is "
    "enabling-failed, so enabling cannot last longer. It names no limit for disabling: the hour is "
    "our choice.",
    reads=("state", "state_transition_time"),
    silent="the time of observation or of the transition is unknown",
    advises="look again, then at what is running or left",
)
def find_stuck_images(facts: RuleInput) -> Problems:
    """Find images that have been enabling or disabling for too long."""
    limits = facts.images["state"].map(MAX_TIME_IN_STATE).astype("timedelta64[us]")
    rows = where_true(facts.images, facts.age > limits)

    def describe(state: str, start: Any) -> str:
        return f"{state} {format_since(start, facts.at)}"

    def advise(state: str) -> str:
        if state == "disabling":
            return "Read the image again. If it is still disabling, look at the snapshots left."
        return "Read the image again. If it is still enabling, look at its preparation instances."

    def look(region: Any, state: str, image_id: Any) -> Step:
        list_them = list_snapshots if state == "disabling" else list_preparations
        return list_them(region, image_id)

    return make_problems(
        rows,
        RowText(describe, "state", "state_transition_time"),
        RowText(advise, "state"),
        row_command(look, "state", "image_id"),
    )
