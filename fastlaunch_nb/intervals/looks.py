"""What the looks at a place tell of any moment: the complete ones beside it, the next failure."""

from __future__ import annotations

from datetime import timedelta

import narwhals.stable.v2 as nw

from fastlaunch_nb.intervals.given import PLACE, Frame, later


def moments(facts: Frame, looks: Frame) -> Frame:
    """Return each `look` of the facts, `seen` in whole seconds, with what is beside it."""
    look = nw.col("look")
    when = facts.group_by(*PLACE, "look").agg(nw.len()).with_columns(seen=look.dt.truncate("1s"))
    never = nw.when(look.is_null()).then("seen")
    seen = when.select(*PLACE, at="seen", complete=never, failed=never)
    told = beside(nw.concat([seen, looks])).rename({"at": "seen"})
    return when.join(told, on=[*PLACE, "seen"]).drop("len", "complete")


def beside(looks: Frame) -> Frame:
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


def cut(
    certain: str, failed: str, gap: tuple[timedelta, ...], *, until: nw.Expr, last: nw.Expr
) -> nw.Expr:
    """Return when what was `certain` ceases to be; null where it does not before `until`.

    That is at the next look that failed, or after a silence of `gap`. After the
    `last` of all that is certain, every such look counts.
    """
    failure = nw.when(last | (nw.col(failed) < until)).then(failed)
    if not gap:
        return failure
    silence = later(nw.col(certain), *gap)
    return nw.min_horizontal(failure, nw.when(silence < until).then(silence))
