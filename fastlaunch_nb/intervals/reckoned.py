"""The reckoning: from observations and looks to intervals, in steps that every engine can do.

No step brings images and looks together one by one. Each observation learns which
looks are beside it, and is compared with the next of its image; what tells
nothing new goes, and there is little left to reckon with.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import narwhals.stable.v2 as nw
from narwhals.stable.v2.typing import IntoFrameT

from fastlaunch_nb.frame import API_STATES, KEY, TEXT
from fastlaunch_nb.intervals.given import (
    ABSENT,
    DISABLED,
    NOTHING,
    PLACE,
    SECOND,
    UNKNOWN,
    Frame,
    Given,
    given,
    later,
    like,
)
from fastlaunch_nb.intervals.looks import beside, cut, moments

COLUMNS: Final = (
    *KEY, "state", "start", "end", "last_seen", "start_exact", "state_transition_reason",
)  # fmt: skip
_IN_TURN: Final = ("at", "since", "word")
_LIFE: Final = (UNKNOWN, ABSENT, *API_STATES, DISABLED)
_END: Final = NOTHING  # the state in the row that comes after an image's last interval


def intervals(
    observations: IntoFrameT, coverage: IntoFrameT | None = None, *, max_gap: Any = None
) -> IntoFrameT:
    """Reckon since when and until when each image was in each of its states.

    Returns
    -------
    DataFrame
    """
    told = given(observations, coverage, max_gap)
    result = _intervals(told).sort(*KEY, "start")
    reckoned: IntoFrameT = like(observations, result)
    return reckoned


def _intervals(told: Given) -> Frame:
    images, words = _images(told.facts), _words(told.facts)
    facts = _numbered(told.facts, images, words, moments(told.facts, told.looks))
    ends = _ends(_timed(facts), told.max_gap)
    runs = _started(_runs(ends, images, words))
    changes = _changes(_gaps(runs, told), told)
    # The names come before the windows: a join also numbers pandas' rows anew, as those need.
    return _named(_merged(changes.join(images.select(*KEY, "image"), on="image")))


# --- numbers instead of text ----------------------------------------------------------


def _images(facts: Frame) -> Frame:
    """Return each image, its number, and when it was first seen."""
    found = facts.group_by(*KEY).agg(first_look=nw.col("look").min())
    first_seen = nw.col("first_look").dt.truncate("1s")
    found = found.select(*KEY, first_seen=first_seen)
    return found.with_row_index("image", order_by=KEY)


def _words(facts: Frame) -> Frame:
    """Return each state with each reason, and its number: what comes later in life is higher."""
    rank: Any = nw.lit(len(_LIFE))
    for place, state in enumerate(_LIFE):
        rank = nw.when(nw.col("state") == state).then(nw.lit(place)).otherwise(rank)
    found = facts.group_by("state", "reason").agg(nw.len())
    return found.select("state", "reason", rank=rank).with_row_index("word", order_by=("rank", "state", "reason"))


def _numbered(facts: Frame, images: Frame, words: Frame, looks: Frame) -> Frame:
    return (
        facts.join(images, on=list(KEY))
        .join(words.select("state", "reason", "word"), on=["state", "reason"])
        .join(looks, on=[*PLACE, "look"])
        .select("image", "word", "since", "seen", "first_seen", "before", "after", "failed")
    )


def _timed(facts: Frame) -> Frame:
    """Add `at`, the moment at which it was surely so.

    AWS tells a look's time in whole seconds, so that a transition may seem to come
    after it. One that comes later still can not be believed.
    """
    since = nw.col("since")
    facts = facts.with_columns(since=nw.when(since < later(nw.col("seen"), SECOND)).then(since))
    return facts.with_columns(at=nw.max_horizontal("seen", "since"))


# --- runs: observations that tell the same --------------------------------------------


def _ends(facts: Frame, gap: tuple[timedelta, ...]) -> Frame:
    """Keep an observation if the next one of its image tells something new, or is none.

    The first of an image stays as well: it says when that was first seen.
    """
    following = nw.col("word", "since", "at", "before").shift(-1).over("image", order_by=_IN_TURN)
    since, next_since = nw.col("since"), nw.col("next_since")
    lost = cut("at", "failed", gap, until=nw.col("next_at"), last=nw.lit(value=False))
    same = (next_since == since).fill_null(False) | (  # noqa: FBT003
        since.is_null() & next_since.is_null() & lost.is_null()
    )
    told = (nw.col("next_word") == nw.col("word")).fill_null(False)
    away = (nw.col("next_before") > nw.col("seen")).fill_null(False)
    return (
        facts.with_columns(following.name.prefix("next_"))
        .filter(~(told & same & ~away) | (nw.col("seen") == nw.col("first_seen")))
        .drop("first_seen", "next_word", "next_since")
    )


def _runs(ends: Frame, images: Frame, words: Frame) -> Frame:
    """Add to each run when it was first seen, and what was certain before.

    `certain` is when the image was last seen in another state or was last absent,
    `block` counts such changes: an image that was absent meanwhile begins anew.
    """
    runs = ends.join(images.drop("first_seen"), on="image").join(words, on="word")
    # Of rows that are alike, the one that something else comes after is the last.
    runs = runs.with_columns(then=nw.coalesce("next_at", later(nw.col("at"), SECOND)))
    in_turn = (*_IN_TURN, "then")
    former = nw.col("state", "reason", "at", "seen", "next_at", "next_before").shift(1)
    runs = runs.with_columns(
        former.over("image", order_by=in_turn).name.prefix("last_"), last=nw.col("next_at").is_null()
    )
    first = nw.col("last_at").is_null()
    runs = runs.with_columns(
        began=nw.when(first).then("at").otherwise("last_next_at"),
        before=nw.when(first).then("before").otherwise("last_next_before"),
    )
    away = (first & ~nw.col("before").is_null()) | (nw.col("before") > nw.col("last_seen"))
    changed = first | (nw.col("state") != nw.col("last_state"))
    runs = runs.with_columns(away=away.fill_null(False), changed=changed)  # noqa: FBT003
    since_then = nw.when(nw.col("changed")).then("last_at")
    return runs.with_columns(
        certain=nw.when(nw.col("away")).then("before").otherwise(since_then),
        new=(nw.col("away") | nw.col("changed")).cast(nw.Int64),
        one=nw.lit(1),
    ).with_columns(
        block=nw.col("new").cum_sum().over("image", order_by=in_turn),
        turn=nw.col("one").cum_sum().over("image", order_by=in_turn),
    )


def _started(runs: Frame) -> Frame:
    """Add the `start` of each run; null where it goes on with what the last one told.

    A time of transition proves the time from then on, whichever look told it: of
    those that no earlier look contradicts, the earliest holds.
    """
    since, block = nw.col("since"), ("image", "block")
    runs = runs.with_columns(nw.col("certain").max().over(*block)).with_columns(
        believed=nw.when(nw.col("certain").is_null() | (since > nw.col("certain"))).then(since),
        proven=since.cum_min(reverse=True).over(*block, order_by="turn"),
    )
    runs = runs.with_columns(
        nw.col("proven").fill_null(strategy="backward").over(*block, order_by="turn"),
        believed=nw.col("believed").min().over(*block),
    )
    new = nw.col("new") == 1
    goes_on = ~new & (nw.col("proven") <= nw.col("last_at")).fill_null(False)  # noqa: FBT003
    earliest = nw.when(new).then("believed").otherwise("proven")
    return runs.with_columns(
        start=nw.when(~goes_on).then(nw.min_horizontal(earliest, "began")),
        start_exact=(earliest <= nw.col("began")).fill_null(False),  # noqa: FBT003
    )


# --- gaps: what is between runs, and after the last -----------------------------------


def _gaps(runs: Frame, told: Given) -> Frame:
    """Add what comes after each run, until the next: null where it does not.

    `lost`, when it is no longer certain; `gone` and `missed`, the first and the last
    complete look without the image; `lost_again`, when that is no longer certain.
    """
    places = told.looks.group_by(*PLACE).agg(
        last_complete=nw.col("complete").max(), last_look=nw.col("at").max()
    )
    failures = beside(told.looks).select(*PLACE, missed="at", failed_again="failed")
    last, after = nw.col("last"), nw.col("after")
    runs = runs.join(places, on=list(PLACE), how="left").with_columns(
        nw.col("start").shift(-1).over("image", order_by="turn").alias("next_start"),
        missed=nw.when(last).then("last_complete").otherwise("next_before"),
        last_seen_there=nw.col("seen").max().over(*PLACE),
    )
    runs = runs.with_columns(
        gone=nw.when(after <= nw.col("missed")).then(after),
        missed=nw.when(after <= nw.col("missed")).then("missed"),
        until=nw.when(last)
        .then(nw.max_horizontal("last_look", "last_seen_there"))
        .otherwise("next_start"),
    ).join(failures, on=[*PLACE, "missed"], how="left")
    here, until = nw.col("gone").is_null(), nw.col("until")
    sooner = nw.coalesce("gone", "until")
    return runs.with_columns(
        lost=cut("at", "failed", told.max_gap, until=sooner, last=last & here),
        lost_again=cut("missed", "failed_again", told.max_gap, until=until, last=last),
        lack=nw.when(nw.col("state") == DISABLED).then("state").otherwise(nw.lit(ABSENT)),
    ).with_columns(nw.col("lost").shift(1).over("image", order_by="turn").alias("last_lost"))


def _changes(gaps: Frame, told: Given) -> Frame:
    """Return a row whenever a state begins: which, and what was known of the one before.

    That is when it was last seen and for what reason. One row more comes after
    the last of each image.
    """
    unknown, certain = nw.lit(UNKNOWN), nw.max_horizontal("at", "missed")
    anew = gaps.filter((nw.col("new") == 1) | ~nw.col("last_lost").is_null())
    end = later(nw.max_horizontal("at", "missed", "lost", "lost_again"), SECOND)
    seen = nw.when(nw.col("away")).then("before").otherwise("last_at")
    breaks = _breaks(gaps, told)
    return nw.concat(
        [
            _begins(anew, nw.col("start"), nw.col("state"), seen, "last_reason", exact="start_exact"),
            _begins(gaps, nw.col("lost"), unknown, nw.col("at")),
            _begins(gaps, nw.col("gone"), nw.col("lack"), nw.col("at")),
            _begins(breaks, nw.col("broken"), unknown, nw.col("look")),
            _begins(breaks, nw.col("mended"), nw.col("lack"), nw.col("look")),
            _begins(gaps, nw.col("lost_again"), unknown, nw.col("missed")),
            _begins(gaps.filter(nw.col("last")), end, nw.lit(_END), certain),
        ]
    )


def _begins(
    rows: Frame,
    time: nw.Expr,
    state: nw.Expr,
    seen: nw.Expr,
    reason: str = "reason",
    exact: str | None = None,
) -> Frame:
    return rows.filter(~time.is_null()).select(
        "image",
        "turn",
        time=time,
        state=state,
        seen=seen,
        reason=nw.col(reason),
        start_exact=nw.col(exact) if exact else nw.lit(value=False),
    )


def _breaks(gaps: Frame, told: Given) -> Frame:
    """Return what interrupts absences: from the look before it until the one after."""
    looks = beside(told.looks).filter(~nw.col("complete").is_null())
    broken = cut(
        "at", "failed", told.max_gap, until=nw.col("after"), last=nw.lit(value=False)
    )
    breaks = looks.select(*PLACE, look="at", mended="after", broken=broken)
    breaks = breaks.filter(~nw.col("broken").is_null())
    absences = gaps.filter(~nw.col("gone").is_null()).select(
        *PLACE, "image", "turn", "gone", "missed", "lack", "reason"
    )
    within = (nw.col("look") >= nw.col("gone")) & (nw.col("mended") <= nw.col("missed"))
    return absences.join(breaks, on=list(PLACE)).filter(within)


# --- intervals ------------------------------------------------------------------------


def _merged(changes: Frame) -> Frame:
    """Return intervals: what begins, where it is no more of the same, until the next."""
    order = ("time", "turn")

    def beside_it(steps: int, *names: str) -> nw.Expr:
        return nw.col(*names).shift(steps).over("image", order_by=order)

    changes = changes.with_columns(
        beside_it(1, "time").alias("last_time"), beside_it(-1, "time").alias("next_time")
    )
    # Of what begins at one moment the last one holds, and comes after what was before the first.
    at_once = (nw.col("last_time") == nw.col("time")).fill_null(False)  # noqa: FBT003
    ends_at_once = (nw.col("next_time") == nw.col("time")).fill_null(False)  # noqa: FBT003
    changes = changes.with_columns(
        seen=nw.when(~at_once).then("seen"), reason=nw.when(~at_once).then("reason")
    )
    former = nw.col("seen", "reason").fill_null(strategy="forward")
    changes = changes.with_columns(former.over("image", order_by=order)).filter(~ends_at_once)
    changes = changes.with_columns(beside_it(1, "state").alias("last_state"))
    is_new = nw.col("last_state").is_null() | (nw.col("state") != nw.col("last_state"))
    changes = changes.filter(is_new).drop("last_time", "next_time", "last_state")
    following = beside_it(-1, "time", "state", "seen", "reason").name.prefix("next_")
    return changes.with_columns(following).filter(nw.col("state") != _END)


def _named(merged: Frame) -> Frame:
    """Return intervals with their columns, and nulls where they were."""

    def given_back(name: str) -> nw.Expr:
        return nw.when(nw.col(name) != NOTHING).then(name)

    state = nw.col("state")
    reasoned = ~state.is_in([ABSENT, UNKNOWN]) & (nw.col("next_reason") != NOTHING)
    return merged.select(
        *(given_back(name).alias(name) for name in KEY),
        "state",
        start="time",
        end=nw.when(nw.col("next_state") != _END).then("next_time"),
        last_seen=nw.when(state != UNKNOWN).then("next_seen"),
        start_exact="start_exact",
        state_transition_reason=nw.when(reasoned).then("next_reason"),
    )
