"""Runs: observations of one image in a row that show the same, from first to last sight.

Images and states become numbers first, because engines sort and compare numbers
faster. Every step uses the frame before it once: an engine that stores no
intermediate results would compute it again.
"""

from __future__ import annotations

from typing import Any, Final

import narwhals.stable.v2 as nw

from fastlaunch_nb.schema.columns import ABSENT, ACCOUNT_REGION, API_STATES, DISABLED, KEY, UNKNOWN
from fastlaunch_nb.state_intervals.inputs import SECOND, Frame, Inputs, add_durations
from fastlaunch_nb.state_intervals.scans import certainty_end, find_scans_around

_LIFE_CYCLE: Final = (UNKNOWN, ABSENT, *API_STATES, DISABLED)
_ORDER: Final = ("instant", "transition", "state_code", "scanned")
_TIMES: Final = ("scanned", "transition", "instant", "instant_second")
_FIRST: Final = ("next_instant", "next_scanned", "next_complete_before")
"""Columns of the end of a run that describe the first observation of the next run."""
_PREVIOUS: Final = ("state", "reason", "transition", "instant", "instant_second", "complete_after")
_SCANS: Final = ("complete_before", "complete_after", "failed_after")


def find_runs(inputs: Inputs) -> Frame:
    """Return the runs of each image, in order.

    Each has the columns of its last observation and of the scans around that; `image` and
    `turn`, the numbers of the image and of the run; `start` and `start_exact`; `scanned`, the
    scan that saw the run first, `last_scanned`, the one that saw it last, and
    `complete_before`, the complete scan before the first; `was_absent`, true if that one did
    not list the image; `starts_block`, 1 if the state changed or the image was absent since
    the run before, or if a transition between the two is a seam, else 0; `is_seam`, true for
    the latter; `previous_instant` and `previous_reason`; `is_last`.
    """
    observations = inputs.observations
    images = observations.group_by(*KEY).agg(first_second=nw.col("instant_second").min())
    images = images.with_row_index("image", order_by=KEY)
    states = _number_states(observations)
    encoded = (
        observations.join(images, on=list(KEY))
        .join(states, on=["state", "reason"])
        .join(find_scans_around(inputs), on=[*ACCOUNT_REGION, "scanned", "instant_second"])
        .select("image", "state_code", *_TIMES, "first_second", *_SCANS)
    )
    ends = _find_ends(encoded, inputs)
    runs = ends.join(images.drop("first_second"), on="image").join(states, on="state_code")
    return _add_starts(_add_blocks(_heal_absences(_apply_later_scans(_add_first_sights(runs)))))


def _number_states(observations: Frame) -> Frame:
    """Give each state and reason a number; what comes later in an image's life is higher."""
    rank: Any = nw.lit(len(_LIFE_CYCLE))
    for number, state in enumerate(_LIFE_CYCLE):
        rank = nw.when(nw.col("state") == state).then(nw.lit(number)).otherwise(rank)
    states = observations.group_by("state", "reason").agg(nw.len())
    states = states.select("state", "reason", rank=rank)
    return states.with_row_index("state_code", order_by=("rank", "state", "reason")).drop("rank")


def _find_ends(encoded: Frame, inputs: Inputs) -> Frame:
    """Return the last observation of each run, and the first observation of each image.

    A run goes on while the next observation has the same state, reason and transition;
    where neither has a transition, no time between them may be uncertain.
    """
    following = nw.col("state_code", "transition", "instant", "complete_before", "scanned")
    following = following.shift(-1).over("image", order_by=_ORDER).name.prefix("next_")
    now, then = nw.col("transition"), nw.col("next_transition")
    next_instant = nw.col("next_instant")
    uncertain = certainty_end("instant", "failed_after", gap=inputs.gap, until=next_instant)
    same_transition = null_as_false(then == now) | (
        now.is_null() & then.is_null() & uncertain.is_null()
    )
    same_state = null_as_false(nw.col("next_state_code") == nw.col("state_code"))
    absent_between = null_as_false(nw.col("next_complete_before") > nw.col("instant_second"))
    is_first = nw.col("instant_second") == nw.col("first_second")
    return (
        encoded.with_columns(following)
        .filter(~(same_state & same_transition) | absent_between | is_first)
        .drop("first_second", "next_state_code", "next_transition")
    )


def _add_first_sights(runs: Frame) -> Frame:
    """Add to each run its number, when it was first seen, and by which scan."""
    # Of equal rows, the one that another observation follows is the last.
    then = nw.coalesce("next_instant", add_durations(nw.col("instant"), SECOND))
    runs = runs.with_columns(then=then, one=nw.lit(1), is_last=nw.col("next_instant").is_null())
    order = (*_ORDER, "then")
    previous = nw.col(*_PREVIOUS, *_FIRST).shift(1)
    runs = runs.with_columns(
        previous.over("image", order_by=order).name.prefix("previous_"),
        turn=nw.col("one").cum_sum().over("image", order_by=order),
    )
    is_first = nw.when(nw.col("previous_instant").is_null())
    instant, scanned, complete_before = (f"previous_{name}" for name in _FIRST)
    return runs.with_columns(
        first_instant=is_first.then("instant").otherwise(instant),
        scanned=is_first.then("scanned").otherwise(scanned),
        last_scanned="scanned",
        complete_before=is_first.then("complete_before").otherwise(complete_before),
    )


def _apply_later_scans(runs: Frame) -> Frame:
    """Cap `scanned` and `complete_before` of each run at the earliest of later runs.

    A scan that saw a transition ahead counts from that transition, which may come after
    a scan of a later run.
    """
    runs = runs.with_columns(has_scan=(~nw.col("complete_before").is_null()).cast(nw.Int64))
    earliest = nw.col("scanned", "complete_before", "has_scan").cum_min(reverse=True)
    runs = runs.with_columns(earliest.over("image", order_by="turn"))
    return runs.with_columns(
        complete_before=nw.when(nw.col("has_scan") == 1).then("complete_before")
    )


def _heal_absences(runs: Frame) -> Frame:
    """Forget the one scan that missed an image between two that saw the same transition.

    An event knows only the second of its transition. Two scans in a row that missed the image
    are no lag of EC2's answers: they stay an absence.
    """
    changed = nw.col("previous_state").is_null() | (nw.col("state") != nw.col("previous_state"))
    own, last = (nw.col(name).dt.truncate("1s") for name in ("transition", "previous_transition"))
    runs = runs.with_columns(changed=changed, same_transition=null_as_false(own == last))
    missed_once = nw.col("complete_before") == nw.col("previous_complete_after")
    is_healed = ~nw.col("changed") & nw.col("same_transition") & null_as_false(missed_once)
    return runs.with_columns(complete_before=nw.when(~is_healed).then("complete_before"))


def _add_blocks(runs: Frame) -> Frame:
    """Add the number of the block: runs of one state in a row, without absence or seam between.

    `other_until` is the last time before the block at which the image was in another state or
    absent, or after which it left the state of the block.
    """
    before, last = nw.col("complete_before"), nw.col("previous_instant")
    absent = (last.is_null() & ~before.is_null()) | null_as_false(
        before > nw.col("previous_instant_second")
    )
    runs = runs.with_columns(was_absent=absent)
    is_seam = ~nw.col("changed") & ~nw.col("same_transition") & ~nw.col("was_absent")
    is_seam = is_seam & null_as_false(nw.col("transition") > last)
    runs = runs.with_columns(is_seam=is_seam)
    left = nw.col("changed") | nw.col("is_seam")
    other = nw.when("was_absent").then("complete_before").otherwise(nw.when(left).then(last))
    new = (nw.col("was_absent") | left).cast(nw.Int64)
    runs = runs.with_columns(other_until=other, starts_block=new)
    runs = runs.with_columns(block=nw.col("starts_block").cum_sum().over("image", order_by="turn"))
    return runs.with_columns(nw.col("other_until").max().over("image", "block"))


def _add_starts(runs: Frame) -> Frame:
    """Add the `start` of each run; inside a block it is no later than the end of the run before.

    A transition proves the time from then on, whichever scan saw it. The earliest counts of
    those that no earlier scan contradicts.
    """
    transition, other = nw.col("transition"), nw.col("other_until")
    is_credible = other.is_null() | (transition > other) | (transition == nw.col("first_instant"))
    runs = runs.with_columns(
        credible=nw.when(is_credible).then(transition),
        proven=transition.cum_min(reverse=True).over("image", "block", order_by="turn"),
    )
    proven = nw.col("proven").fill_null(strategy="backward")
    runs = runs.with_columns(
        proven.over("image", "block", order_by="turn"),
        credible=nw.col("credible").min().over("image", "block"),
    )
    earliest = nw.when(nw.col("starts_block") == 1).then("credible").otherwise("proven")
    return runs.with_columns(
        start=nw.min_horizontal(earliest, "first_instant"),
        start_exact=null_as_false(earliest <= nw.col("first_instant")),
    )


def null_as_false(condition: nw.Expr) -> nw.Expr:
    """Return a condition that is false where it compares nulls, in every engine alike."""
    return condition.fill_null(value=False)
