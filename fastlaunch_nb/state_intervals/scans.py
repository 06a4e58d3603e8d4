"""What the looks at a place tell of any moment: the complete ones beside it, the next failure."""

from __future__ import annotations

from datetime import timedelta

import narwhals.stable.v2 as nw

from fastlaunch_nb.state_intervals.inputs import PLACE, Frame, add_durations


def scan_times(facts: Frame, looks: Frame) -> Frame:
    """Return each `second` and `seen` of the facts, and the scans before the one, after the other.

    What lies between the two tells nothing of an image whose transition was seen ahead.
    """
    pairs = facts.group_by(*PLACE, "second", "seen").agg(nw.len()).drop("len")
    never = nw.when(nw.col("seen").is_null()).then("seen")
    points = [
        pairs.select(*PLACE, at=at, complete=never, failed=never) for at in ("second", "seen")
    ]
    told = neighbouring_scans(nw.concat([*points, looks]))
    before = told.select(*PLACE, "before", second="at")
    after = told.select(*PLACE, "after", "failed", seen="at")
    return pairs.join(before, on=[*PLACE, "second"]).join(after, on=[*PLACE, "seen"])


def neighbouring_scans(looks: Frame) -> Frame:
    """Return, for each place and moment in these rows, the looks before and after it.

    Parameters
    ----------
    looks : LazyFrame
        PLACE, `at`, `complete` and `failed`; both null where a moment is no look.

    Returns
    -------
    LazyFrame
        A row a moment: PLACE, `at`; `complete`, the moment where it is a complete look;
        `before` and `after`, the last complete look earlier and the first one later;
        `failed`, the first later look that failed.
    """
    moments = looks.group_by(*PLACE, "at").agg(nw.col("complete").max(), nw.col("failed").max())
    complete = nw.col("complete")
    return moments.with_columns(
        before=complete.shift(1).over(*PLACE, order_by="at"),
        after=complete.shift(-1).over(*PLACE, order_by="at"),
        failed=nw.col("failed").shift(-1).over(*PLACE, order_by="at"),
    ).with_columns(
        nw.col("before").fill_null(strategy="forward").over(*PLACE, order_by="at"),
        nw.col("after", "failed").fill_null(strategy="backward").over(*PLACE, order_by="at"),
    )


def certainty_end(
    certain: str,
    failed: str,
    gap: tuple[timedelta, ...],
    *,
    until: nw.Expr,
    last: nw.Expr,
    scanned: nw.Expr | None = None,
) -> nw.Expr:
    """Return when what was `certain` ceases to be; null where it does not before `until`.

    That is at the next look that failed, or after a silence of `gap`. After the
    `last` of all that is certain, every such look counts; else none from when the
    next thing was `scanned`, if that is sooner than `until`.
    """
    sooner = until if scanned is None else nw.min_horizontal(until, scanned)
    failure = nw.when(last | (nw.col(failed) < sooner)).then(failed)
    if not gap:
        return failure
    silence = add_durations(nw.col(certain), *gap)
    return nw.min_horizontal(failure, nw.when(silence < until).then(silence))
