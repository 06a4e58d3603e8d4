"""Changes: the times at which runs, absences and uncertain times begin, merged into intervals."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import narwhals.stable.v2 as nw

from fastlaunch_nb.schema.columns import ABSENT, ACCOUNT_REGION, DISABLED, KEY, UNKNOWN
from fastlaunch_nb.state_intervals.inputs import NULL_SENTINEL, SECOND, Frame, Inputs, add_durations
from fastlaunch_nb.state_intervals.runs import null_as_false
from fastlaunch_nb.state_intervals.scans import certainty_end, find_neighbouring_scans

_UNCERTAIN: Final = ("uncertain", "absence uncertain", "uncertain again")
_CHANGES: Final = {
    "start": ("start", "state", "certain_before"),
    "uncertain": ("uncertain", "unknown", "instant"),
    "absent": ("absent_from", "absence", "instant"),
    "absence uncertain": ("uncertain_absence", "unknown", "scan"),
    "absence certain": ("uncertain_absence", "absence", "scan"),
    "uncertain again": ("uncertain_again", "unknown", "absent_until"),
    "end": ("end", "nothing", "certain_until"),
}
"""Kinds of changes; their columns for the time, the new state and the last sight before."""


def find_changes(runs: Frame, inputs: Inputs) -> Frame:
    """Return a row for each time at which the state of an image changes, or seems to.

    It has KEY and `image`; the `time` of the change, and its `turn` among those at one time,
    odd where the state becomes uncertain; the new state, `to`; `start_exact`; of the state
    before, `seen`, its last sight, and `reason`. One row more, to NULL_SENTINEL, marks the end
    of what is known of an image.
    """
    scans = find_neighbouring_scans(inputs.scans)
    rows = _add_uncertain_times(_add_absences(runs, inputs, scans), inputs)
    absence = nw.when(nw.col("state") == DISABLED).then("state").otherwise(nw.lit(ABSENT))
    rows = rows.with_columns(
        unknown=nw.lit(UNKNOWN), nothing=nw.lit(NULL_SENTINEL), absence=absence
    )
    in_absence = nw.col("kind").is_in(["absence uncertain", "absence certain"])
    rows = rows.join(list_kinds(inputs.observations), how="cross")
    rows = rows.filter(~in_absence | ~nw.col("absent_from").is_null())
    rows = rows.join(
        _find_uncertain_absences(scans, inputs), on=[*ACCOUNT_REGION, "kind"], how="left"
    )
    within = (nw.col("scan") >= nw.col("absent_from")) & (nw.col("scan") < nw.col("absent_until"))
    is_start = nw.col("kind") == "start"
    time, to, seen = (_select_by_kind(number) for number in range(3))
    changes = rows.filter(~in_absence | null_as_false(within)).select(
        *KEY,
        "image",
        time=time,
        turn=nw.col("turn") * 2 + nw.col("kind").is_in(_UNCERTAIN).cast(nw.Int64),
        to=to,
        seen=seen,
        reason=nw.when(is_start).then("previous_reason").otherwise("reason"),
        start_exact=is_start & nw.col("start_exact"),
    )
    return changes.filter(~nw.col("time").is_null())


def list_kinds(observations: Frame) -> Frame:
    """Return a row for each kind of change, in the engine of the observations."""
    one = observations.head(1)  # SQL engines repeat a literal for each row
    return nw.concat([one.select(kind=nw.lit(kind)) for kind in _CHANGES])


def _add_absences(runs: Frame, inputs: Inputs, scans: Frame) -> Frame:
    """Add `absent_from` and `absent_until`: the first and last scan after a run without the image.

    `until` is the start of the next run; after the last run it is the last scan of any kind
    in that account and region.
    """
    is_last, absent_until = nw.col("is_last"), nw.col("absent_until")
    last_scans = inputs.scans.group_by(*ACCOUNT_REGION).agg(
        last_complete=nw.col("complete").max(), last_scan=nw.col("time").max()
    )
    following = nw.col("complete_before", "scanned", "start", "is_seam").shift(-1)
    runs = runs.join(last_scans, on=list(ACCOUNT_REGION), how="left").with_columns(
        following.over("image", order_by="turn").name.prefix("next_"),
        last_sight=nw.col("last_scanned").max().over(*ACCOUNT_REGION),
    )
    absent = nw.when(is_last).then("last_complete").otherwise("next_complete_before")
    runs = runs.with_columns(absent_until=absent)
    was_absent = nw.col("complete_after") <= absent_until
    last = nw.max_horizontal("last_scan", "last_sight")
    runs = runs.with_columns(
        absent_from=nw.when(was_absent).then("complete_after"),
        absent_until=nw.when(was_absent).then("absent_until"),
        until=nw.when(is_last).then(last).otherwise("next_start"),
    )
    failures = scans.select(
        *ACCOUNT_REGION,
        absent_until="time",
        failed_after_absence="failed_after",
        opted_out_after_absence="opted_out_after",
    )
    runs = runs.join(failures, on=[*ACCOUNT_REGION, "absent_until"], how="left")
    first_failures = scans.select(
        *ACCOUNT_REGION,
        failed_after="time",
        opted_out_after=nw.coalesce("opted_out", "opted_out_after"),
    )
    return runs.join(first_failures, on=[*ACCOUNT_REGION, "failed_after"], how="left")


def _add_uncertain_times(runs: Frame, inputs: Inputs) -> Frame:
    """Add when the state becomes `uncertain` after a run, and `uncertain_again` after an absence.

    A run that goes on with the one before it loses its start.
    """
    end = partial(certainty_end, gap=inputs.gap, next_scanned=nw.col("next_scanned"))
    until, next_change = nw.col("until"), nw.coalesce("absent_from", "until")
    is_last, is_absent = nw.col("is_last"), ~nw.col("absent_from").is_null()
    columns = ["instant", "failed_after", "opted_out_after"]
    uncertain = end(*columns, until=next_change, is_last=is_last & ~is_absent)
    columns = ["absent_until", "failed_after_absence", "opted_out_after_absence"]
    uncertain_again = end(*columns, until=until, is_last=is_last)
    before_seam = null_as_false(nw.col("next_is_seam"))
    runs = runs.with_columns(
        uncertain=nw.when(before_seam).then("instant").otherwise(uncertain),
        uncertain_again=uncertain_again,
    )
    previous = nw.col("uncertain").shift(1).over("image", order_by="turn")
    runs = runs.with_columns(previous_uncertain=previous)
    begins = (nw.col("starts_block") == 1) | ~nw.col("previous_uncertain").is_null()
    last = nw.max_horizontal("instant", "absent_until", "uncertain", "uncertain_again")
    return runs.with_columns(
        start=nw.when(begins).then("start"),
        certain_before=nw.when("was_absent").then("complete_before").otherwise("previous_instant"),
        certain_until=nw.max_horizontal("instant", "absent_until"),
        end=nw.when(is_last).then(add_durations(last, SECOND, SECOND)),
    )


def _find_uncertain_absences(scans: Frame, inputs: Inputs) -> Frame:
    """Return the complete scans after which an absence becomes uncertain, and certain again."""
    scans = scans.filter(~nw.col("complete").is_null())
    until = nw.col("complete_after")
    columns = ("time", "failed_after", "opted_out_after")
    uncertain = certainty_end(*columns, gap=inputs.gap, until=until)
    scans = scans.select(*ACCOUNT_REGION, "complete_after", scan="time", uncertain=uncertain)
    scans = scans.filter(~nw.col("uncertain").is_null())
    times = {"absence uncertain": "uncertain", "absence certain": "complete_after"}
    return nw.concat(
        [
            scans.select(*ACCOUNT_REGION, "scan", kind=nw.lit(kind), uncertain_absence=time)
            for kind, time in times.items()
        ]
    )


def _select_by_kind(number: int) -> nw.Expr:
    """Return the column that `_CHANGES` names at this number, for the kind of each row."""
    selected: Any = nw.col(_CHANGES["start"][number])
    for kind, columns in _CHANGES.items():
        selected = nw.when(nw.col("kind") == kind).then(columns[number]).otherwise(selected)
    return selected  # type: ignore[no-any-return]


def merge_changes(changes: Frame) -> Frame:
    """Merge changes into intervals: drop those that change nothing, and end each at the next."""

    def neighbour(steps: int, *names: str) -> nw.Expr:
        return nw.col(*names).shift(steps).over("image", order_by=("time", "turn"))

    # What is uncertain from its own start on lasts at least a second.
    changes = changes.with_columns(
        previous_time=neighbour(1, "time"), next_time=neighbour(-1, "time")
    )
    is_sight = (nw.col("turn") % 2 == 1) & null_as_false(nw.col("previous_time") == nw.col("time"))
    later = nw.min_horizontal(add_durations(nw.col("time"), SECOND), "next_time")
    changes = changes.with_columns(time=nw.when(is_sight).then(later).otherwise("time"))
    changes = changes.with_columns(
        previous_time=neighbour(1, "time"), next_time=neighbour(-1, "time")
    )
    # Of changes at one time the last counts, and the first knows the state before them.
    is_first = ~null_as_false(nw.col("previous_time") == nw.col("time"))
    changes = changes.with_columns(
        seen=nw.when(is_first).then("seen"), reason=nw.when(is_first).then("reason")
    )
    before = nw.col("seen", "reason").fill_null(strategy="forward")
    changes = changes.with_columns(before.over("image", order_by=("time", "turn")))
    changes = changes.filter(~null_as_false(nw.col("next_time") == nw.col("time")))
    changes = changes.with_columns(previous_to=neighbour(1, "to"))
    previous_to = nw.col("previous_to")
    changes = changes.filter(previous_to.is_null() | null_as_false(nw.col("to") != previous_to))
    following = neighbour(-1, "time", "to", "seen", "reason").name.prefix("next_")
    changes = changes.drop("next_time").with_columns(following)
    return _select_interval_columns(changes.filter(nw.col("to") != NULL_SENTINEL))


def _select_interval_columns(intervals: Frame) -> Frame:
    def restore_nulls(name: str) -> nw.Expr:
        return nw.when(nw.col(name) != NULL_SENTINEL).then(name)

    state, has_next = nw.col("to"), nw.col("next_to") != NULL_SENTINEL
    has_reason = ~state.is_in([ABSENT, UNKNOWN])
    return intervals.select(
        *(restore_nulls(name).alias(name) for name in KEY),
        state=state,
        start="time",
        end=nw.when(has_next).then("next_time"),
        last_seen=nw.when(state != UNKNOWN).then("next_seen"),
        start_exact="start_exact",
        state_transition_reason=nw.when(has_reason).then(restore_nulls("next_reason")),
    )
