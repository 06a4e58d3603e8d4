"""Scans around a time: the complete scans before and after it, and the next failed one."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import narwhals.stable.v2 as nw

from fastlaunch_nb.schema.columns import ACCOUNT_REGION
from fastlaunch_nb.state_intervals.inputs import Frame, Inputs, add_durations

_NEVER: Final = nw.lit(value=False)
_ENDS: Final = ("complete", "failed", "opted_out")
_AFTER: Final = ("complete_after", "failed_after", "opted_out_after")


def find_scans_around(inputs: Inputs) -> Frame:
    """Return the scans around each pair of `scanned` and `instant_second`.

    Scans between the two prove nothing about an image whose transition was seen ahead. So
    `complete_before` lies before `scanned`, `complete_after` and `failed_after` lie after
    `instant_second`.
    """
    keys = [*ACCOUNT_REGION, "scanned", "instant_second"]
    pairs = inputs.observations.group_by(*keys).agg(nw.len()).drop("len")
    null = nw.when(nw.col("scanned").is_null()).then("scanned")
    times = [
        pairs.select(*ACCOUNT_REGION, time=name, complete=null, failed=null, opted_out=null)
        for name in keys[2:]
    ]
    neighbours = find_neighbouring_scans(nw.concat([*times, inputs.scans]))
    before = neighbours.select(*ACCOUNT_REGION, "complete_before", scanned="time")
    after = neighbours.select(
        *ACCOUNT_REGION, "complete_after", "failed_after", instant_second="time"
    )
    return pairs.join(before, on=[*ACCOUNT_REGION, "scanned"]).join(
        after, on=[*ACCOUNT_REGION, "instant_second"]
    )


def find_neighbouring_scans(scans: Frame) -> Frame:
    """Return the scans before and after each time of an account and region.

    `scans` are as in :class:`Inputs`; `complete`, `failed` and `opted_out` are null where a time
    is not that of a scan. A row for each time has ACCOUNT_REGION, `time`, `complete` and
    `opted_out`; `complete_before` and `complete_after`, the nearest complete scans;
    `failed_after`, the next scan that failed; and `opted_out_after`, the next one that found
    the region not opted in.
    """
    times = scans.group_by(*ACCOUNT_REGION, "time").agg(nw.col(*_ENDS).max())
    previous, following = nw.col("complete").shift(1), nw.col(*_ENDS).shift(-1)
    before, after = nw.col("complete_before"), nw.col(*_AFTER)
    return times.with_columns(
        previous.over(*ACCOUNT_REGION, order_by="time").name.suffix("_before"),
        following.over(*ACCOUNT_REGION, order_by="time").name.suffix("_after"),
    ).with_columns(
        before.fill_null(strategy="forward").over(*ACCOUNT_REGION, order_by="time"),
        after.fill_null(strategy="backward").over(*ACCOUNT_REGION, order_by="time"),
    )


def certainty_end(
    certain: str,
    failed: str,
    opted_out: str | None = None,
    *,
    gap: tuple[timedelta, ...],
    until: nw.Expr,
    is_last: nw.Expr = _NEVER,
    next_scanned: nw.Expr | None = None,
) -> nw.Expr:
    """Return when a state becomes uncertain, or null if it stays certain.

    `certain` is the column of the last time at which the state was certain, `failed` that of
    the first failed scan after it, and `opted_out` that of the first one that found the region
    not opted in: then nothing is certain from `certain` on. `gap` is the longest time without a
    scan after which the state is still certain. The next state starts at `until`, and
    `next_scanned` saw it: from that scan on no failed scan counts. If `is_last`, no state
    follows, and any counts.
    """
    end = until if next_scanned is None else nw.min_horizontal(until, next_scanned)
    ends = [nw.when(is_last | (nw.col(failed) < end)).then(failed)]
    if opted_out:
        is_opted_out = (is_last & ~nw.col(opted_out).is_null()) | (nw.col(opted_out) < end)
        ends.append(nw.when(is_opted_out).then(certain))
    if gap:
        limit = add_durations(nw.col(certain), *gap)
        ends.append(nw.when(limit < until).then(limit))
    return nw.min_horizontal(*ends) if ends[1:] else ends[0]  # Spark has no minimum of one column
