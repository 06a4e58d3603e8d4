"""Rules about states: what has failed, and what is stuck."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

from fastlaunch_nb.formatting import single_line
from fastlaunch_nb.rules import cli_commands, failure_reasons
from fastlaunch_nb.rules.rule import (
    Rule,
    RuleInput,
    format_since,
    is_known,
    map_rows,
    where_true,
    with_evidence,
)
from fastlaunch_nb.schema.columns import KEY

_FAILED = ("enabling-failed", "enabled-failed", "disabling-failed")
LONGEST_IN_STATE: Final = {
    "enabling": pd.Timedelta(hours=2),
    "disabling": pd.Timedelta(hours=1),
}
"""How long each state may last before an image counts as stuck."""


def failed(facts: RuleInput) -> pd.DataFrame:
    """Find images in a failed state, and say what may mend them."""
    rows = where_true(facts.images, facts.images["state"].isin(_FAILED))
    before = _times_failed(facts.intervals)
    keys = zip(*(rows[name] for name in (*KEY, "state")), strict=True)
    again = [before.get(key, 0) for key in keys]
    said = map_rows(
        rows.assign(_times=again),
        lambda state, moment, reason, times: _failure(facts, state, moment, reason, times),
        *("state", "state_transition_time", "state_transition_reason", "_times"),
    )
    return with_evidence(rows, said, map_rows(rows, _mend, "state", "state_transition_reason",
                                 *cli_commands.ENABLE_COLUMNS))  # fmt: skip


def _failure(facts: RuleInput, state: str, moment: Any, reason: Any, times: int) -> str:
    why = single_line(reason) if is_known(reason) else "no reason is given"
    often = f"; {times} times in what was seen" if times > 1 else ""
    return f"{state} {format_since(moment, facts.at)}{often}: {why}"


def _times_failed(intervals: pd.DataFrame | None) -> dict[Any, int]:
    if intervals is None:
        return {}
    bad = intervals[intervals["state"].isin(_FAILED)]
    return bad.groupby([*KEY, "state"]).size().to_dict()


def _mend(state: str, reason: Any, *settings: Any) -> str:
    region, image_id, *_ = settings
    if state == "disabling-failed":
        return cli_commands.disable(region, image_id, force=True)
    return f"{failure_reasons.advice(reason)}. Then: {cli_commands.enable(*settings)}"


def stuck(facts: RuleInput) -> pd.DataFrame:
    """Find images that have been enabling or disabling for too long."""
    longest = facts.images["state"].map(LONGEST_IN_STATE).astype("timedelta64[us]")
    rows = where_true(facts.images, facts.age > longest)
    return with_evidence(
        rows,
        map_rows(rows, lambda state, moment: f"{state} {format_since(moment, facts.at)}",
             "state", "state_transition_time"),
        map_rows(rows, _look, "state", "region", "image_id"),
    )  # fmt: skip


def _look(state: str, region: Any, image_id: Any) -> str:
    if state == "disabling":
        return f"See what is left: {cli_commands.list_snapshots(region, image_id)}"
    return f"See what its preparation instances do: {cli_commands.preparing(region, image_id)}"


RULES = (
    Rule(
        "failed",
        "high",
        "enabling, a later round or disabling has failed",
        "EC2 User Guide: Monitor EC2 Fast Launch",
        failed,
    ),
    Rule(
        "stuck",
        "medium",
        "enabling for more than 2 hours, or disabling for more than 1",
        "EC2 User Guide: 30 minutes for a preparation instance; packer-plugin-amazon 445",
        stuck,
    ),
)
