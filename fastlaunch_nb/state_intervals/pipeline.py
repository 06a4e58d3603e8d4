"""The reckoning: from observations and looks to intervals, in steps that every engine can do.

No step brings images and looks together one by one. Each observation learns which
looks are beside it and is compared with the next of its image; what tells
nothing new goes, and there is little left to reckon with. Each step takes the
one before it once: an engine that keeps no results would do it again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import narwhals.stable.v2 as nw
from narwhals.stable.v2.typing import IntoFrameT

from fastlaunch_nb.schema.columns import API_STATES, KEY
from fastlaunch_nb.state_intervals.inputs import (
    ABSENT,
    DISABLED,
    NULL_SENTINEL,
    PLACE,
    SECOND,
    UNKNOWN,
    Frame,
    Inputs,
    add_durations,
    prepare_inputs,
    to_native_like,
)
from fastlaunch_nb.state_intervals.scans import certainty_end, neighbouring_scans, scan_times

_LIFE: Final = (UNKNOWN, ABSENT, *API_STATES, DISABLED)
_NEVER: Final = nw.lit(value=False)
_OF_FACTS: Final = ("second", "since", "at", "seen")
_OF_NEXT: Final = ("next_at", "next_before", "next_second")
_KINDS: Final = {
    "start": ("start", "state", "last_certain"),
    "lost": ("lost", "unknown", "at"),
    "gone": ("gone", "lack", "at"),
    "broken": ("break", "unknown", "look"),
    "mended": ("break", "lack", "look"),
    "lost again": ("lost_again", "unknown", "missed"),
    "over": ("over", "nothing", "certain"),
}
"""What may change at a run, the columns of when and to which state, and of the last look before."""


def intervals(
    observations: IntoFrameT,
    coverage: IntoFrameT | None = None,
    *,
    max_gap: str | timedelta | None = None,
) -> IntoFrameT:
    """Reckon since when and until when each image was in which state.

    Parameters
    ----------
    observations : DataFrame of pandas, Polars (lazy or not), DuckDB or PySpark
        A row for each image and look: ``account_id``, ``region``, ``image_id``,
        ``state``, ``state_transition_reason``, ``state_transition_time`` and
        ``observed_at``, as :func:`fastlaunch_nb.describe` gives them; and a row for
        each event, both of whose times are the event's. In any order; repeated rows
        do no harm, further columns do not matter, rows never observed do not count.
    coverage : DataFrame, optional
        Of the same kind, a row for each look at an account and region: ``account_id``,
        ``region``, ``scope``, ``status`` and ``observed_at``. Where that is null, a
        column ``asked_at`` is taken, if there is one. Without a coverage no look
        proves an absence, and none failed.
    max_gap : str or timedelta, optional
        How long a silence between looks may last before the state is unknown where
        nothing proves it, such as ``"1h"``; None is for ever.

    Returns
    -------
    DataFrame
        Of the kind that came in, sorted by image and start: ``account_id``, ``region``,
        ``image_id``, ``state``, ``start``, ``end``, ``last_seen``, ``start_exact``,
        ``state_transition_reason``; times in UTC. Those of an image follow each other
        without a gap, from its first sight on; the last one has no end.

    Raises
    ------
    InputError
        It is no such frame, a column is missing or of another kind, or `max_gap` is no
        duration.

    Notes
    -----
    Besides AWS's states there are three:

    ``disabled``
        An event said so. It stays so while the image is not seen again.
    ``absent``
        A complete look at everything there did not list the image.
    ``unknown``
        After a look that failed, or a silence of `max_gap`, until something is certain
        again. A later look at the same state whose transition lies before proves that
        there was no gap.

    An interval starts at the transition (``start_exact``), or at the first look that
    saw it: where AWS gave no time, or one that an earlier look contradicts. A look
    knows its time by the second, rounded down: what it saw holds at that time, and a
    transition in that second that it did not see comes after it. Where it saw a
    transition up to five seconds ahead, it counts, for that image, as made at that
    transition; looks in between tell nothing of the image. Of what is told for one
    moment the latest in an image's life holds.

    Examples
    --------
    >>> import pandas as pd
    >>> import fastlaunch_nb as fl
    >>> item = {"ImageId": "ami-0abcdef1234567890", "State": "enabled",
    ...         "StateTransitionTime": "2026-01-15T09:10:00Z"}
    >>> place = {"account_id": "111122223333", "region": "eu-west-1"}
    >>> images = fl.from_pages([item], **place, observed_at="2026-01-15T09:30:00Z")
    >>> looks = pd.DataFrame({**place, "scope": "", "status": ["complete", "complete", "failed"],
    ...                       "observed_at": pd.to_datetime(["2026-01-15T09:30:00Z",
    ...                           "2026-01-15T09:45:00Z", "2026-01-15T10:00:00Z"])})
    >>> fl.intervals(images, looks)[["state", "start", "end"]]
         state                     start                       end
    0  enabled 2026-01-15 09:10:00+00:00 2026-01-15 09:45:00+00:00
    1   absent 2026-01-15 09:45:00+00:00 2026-01-15 10:00:00+00:00
    2  unknown 2026-01-15 10:00:00+00:00                       NaT
    """
    told = prepare_inputs(observations, coverage, max_gap)
    images, words = _images(told.facts), _words(told.facts)
    facts = _numbered(told.facts, images, words, scan_times(told.facts, told.looks))
    runs = _blocks(_runs(_ends(facts, told.max_gap), images, words))
    changes = _changes(_gaps(_missed(_started(runs), told), told), told)
    reckoned: IntoFrameT = to_native_like(
        observations, _named(_merged(changes)).sort(*KEY, "start")
    )
    return reckoned


# --- numbers instead of text ----------------------------------------------------------


def _images(facts: Frame) -> Frame:
    """Return each image, its number, and when it was first seen."""
    found = facts.group_by(*KEY).agg(first_seen=nw.col("seen").min())
    return found.with_row_index("image", order_by=KEY)


def _words(facts: Frame) -> Frame:
    """Return each state with each reason, and its number: what comes later in life is higher."""
    rank: Any = nw.lit(len(_LIFE))
    for place, state in enumerate(_LIFE):
        rank = nw.when(nw.col("state") == state).then(nw.lit(place)).otherwise(rank)
    found = facts.group_by("state", "reason").agg(nw.len()).select("state", "reason", rank=rank)
    found = found.with_row_index("word", order_by=("rank", "state", "reason"))
    return found.drop("rank")


def _numbered(facts: Frame, images: Frame, words: Frame, looks: Frame) -> Frame:
    return (
        facts.join(images, on=list(KEY))
        .join(words, on=["state", "reason"])
        .join(looks, on=[*PLACE, "second", "seen"])
        .select("image", "word", *_OF_FACTS, "first_seen", "before", "after", "failed")
    )


# --- runs: observations that tell the same --------------------------------------------


def _ends(facts: Frame, gap: tuple[timedelta, ...]) -> Frame:
    """Keep an observation if the next one of its image tells something new, or is none.

    The first of an image stays as well: it says when that was first seen.
    """
    following = nw.col("word", "since", "at", "before", "second").shift(-1)
    following = following.over("image", order_by=("at", "since", "word", "second"))
    since, next_since = nw.col("since"), nw.col("next_since")
    lost = certainty_end("at", "failed", gap, until=nw.col("next_at"), last=_NEVER)
    same_since = _null_as_false(next_since == since) | (
        since.is_null() & next_since.is_null() & lost.is_null()
    )
    same = _null_as_false(nw.col("next_word") == nw.col("word")) & same_since
    away = _null_as_false(nw.col("next_before") > nw.col("seen"))
    return (
        facts.with_columns(following.name.prefix("next_"))
        .filter(~same | away | (nw.col("seen") == nw.col("first_seen")))
        .drop("first_seen", "next_word", "next_since")
    )


def _runs(ends: Frame, images: Frame, words: Frame) -> Frame:
    """Put runs in turn, and add to each when it was first seen, and what came before.

    `scanned` is the scan that saw it first, `before` the last complete look before that,
    `away` whether that lacks the image.
    """
    runs = ends.join(images.drop("first_seen"), on="image").join(words, on="word")
    # Of rows that are alike, the one that something else comes after is the last.
    then = nw.coalesce("next_at", add_durations(nw.col("at"), SECOND))
    runs = runs.with_columns(then=then, one=nw.lit(1), last=nw.col("next_at").is_null())
    in_turn: Any = {"order_by": ("at", "since", "word", "second", "then")}
    former = nw.col("state", "reason", "at", "seen", *_OF_NEXT).shift(1)
    runs = runs.with_columns(
        former.over("image", **in_turn).name.prefix("last_"),
        turn=nw.col("one").cum_sum().over("image", **in_turn),
    )
    first = nw.col("last_at").is_null()
    runs = runs.with_columns(
        began=nw.when(first).then("at").otherwise("last_next_at"),
        before=nw.when(first).then("before").otherwise("last_next_before"),
        scanned=nw.when(first).then("second").otherwise("last_next_second"),
    )
    runs = _by_scans(runs)
    away = (first & ~nw.col("before").is_null()) | _null_as_false(
        nw.col("before") > nw.col("last_seen")
    )
    return runs.with_columns(away=away)


def _by_scans(runs: Frame) -> Frame:
    """Let nothing come before a run that a scan for a later run has followed.

    A scan that saw a transition ahead may turn out to be later than one that followed it.
    """

    def from_then_on(column: nw.Expr) -> nw.Expr:
        return column.over("image", order_by="turn")

    unproven = nw.col("before").is_null().cast(nw.Int64).cum_max(reverse=True)
    return runs.with_columns(
        from_then_on(nw.col("scanned").cum_min(reverse=True)),
        from_then_on(nw.col("before").cum_min(reverse=True)),
        unproven=from_then_on(unproven),
    ).with_columns(before=nw.when(nw.col("unproven") == 0).then("before"))


def _blocks(runs: Frame) -> Frame:
    """Return runs with the number of their block: adjacent runs of one state.

    `other` is when the image was last seen in another state, or was last absent.
    """
    changed = nw.col("last_at").is_null() | _null_as_false(nw.col("state") != nw.col("last_state"))
    other = nw.when(nw.col("away")).then("before").otherwise(nw.when(changed).then("last_at"))
    runs = runs.with_columns(other=other, new=(nw.col("away") | changed).cast(nw.Int64))
    runs = runs.with_columns(block=nw.col("new").cum_sum().over("image", order_by="turn"))
    return runs.with_columns(nw.col("other").max().over("image", "block"))


def _started(runs: Frame) -> Frame:
    """Add the `start` of each run; it is before the end of the last where nothing lies between.

    A time of transition proves the time from then on, whichever look told it: of
    those that no earlier look contradicts, the earliest holds.
    """
    since, other = nw.col("since"), nw.col("other")
    later_or_as_seen = other.is_null() | (since > other) | (since == nw.col("at"))
    runs = runs.with_columns(
        believed=nw.when(later_or_as_seen).then(since),
        proven=since.cum_min(reverse=True).over("image", "block", order_by="turn"),
    )
    proven = nw.col("proven").fill_null(strategy="backward")
    runs = runs.with_columns(
        proven.over("image", "block", order_by="turn"),
        believed=nw.col("believed").min().over("image", "block"),
    )
    earliest = nw.when(nw.col("new") == 1).then("believed").otherwise("proven")
    return runs.with_columns(
        start=nw.min_horizontal(earliest, "began"),
        start_exact=_null_as_false(earliest <= nw.col("began")),
    )


# --- gaps: what comes between runs, and after the last --------------------------------


def _missed(runs: Frame, told: Inputs) -> Frame:
    """Add `until`, when the next run starts, and `gone` and `missed`.

    Those are the first and the last of the complete looks until then that lack the
    image. After the last run `until` is the last look of any kind at the place.
    """
    last, missed = nw.col("last"), nw.col("missed")
    places = told.looks.group_by(*PLACE).agg(
        last_complete=nw.col("complete").max(), last_look=nw.col("at").max()
    )
    runs = runs.join(places, on=list(PLACE), how="left").with_columns(
        nw.col("before", "scanned", "start")
        .shift(-1)
        .over("image", order_by="turn")
        .name.prefix("next_"),
        last_sight=nw.col("second").max().over(*PLACE),
    )
    runs = runs.with_columns(missed=nw.when(last).then("last_complete").otherwise("next_before"))
    in_the_end = nw.max_horizontal("last_look", "last_sight")
    runs = runs.with_columns(
        gone=nw.when(nw.col("after") <= missed).then("after"),
        missed=nw.when(nw.col("after") <= missed).then("missed"),
        until=nw.when(last).then(in_the_end).otherwise("next_start"),
    )
    failures = neighbouring_scans(told.looks).select(*PLACE, missed="at", failed_again="failed")
    return runs.join(failures, on=[*PLACE, "missed"], how="left")


def _gaps(runs: Frame, told: Inputs) -> Frame:
    """Add when it ceases to be certain: `lost` after a run, `lost_again` after an absence.

    The start stays where a run does not go on with the one before it.
    """
    last, here = nw.col("last"), nw.col("gone").is_null()
    until, scanned = nw.col("until"), nw.col("next_scanned")
    sooner, gap = nw.coalesce("gone", "until"), told.max_gap
    gaps = runs.with_columns(
        lost=certainty_end("at", "failed", gap, until=sooner, scanned=scanned, last=last & here),
        lost_again=certainty_end(
            "missed", "failed_again", gap, until=until, scanned=scanned, last=last
        ),
    )
    gaps = gaps.with_columns(last_lost=nw.col("lost").shift(1).over("image", order_by="turn"))
    anew = (nw.col("new") == 1) | ~nw.col("last_lost").is_null()
    over = add_durations(nw.max_horizontal("at", "missed", "lost", "lost_again"), SECOND)
    return gaps.with_columns(
        start=nw.when(anew).then("start"),
        last_certain=nw.when(nw.col("away")).then("before").otherwise("last_at"),
        certain=nw.max_horizontal("at", "missed"),
        over=nw.when(last).then(over),
    )


def _breaks(told: Inputs) -> Frame:
    """Return what may break an absence: the look before, and when it is broken and mended."""
    looks = neighbouring_scans(told.looks).filter(~nw.col("complete").is_null())
    broken = certainty_end("at", "failed", told.max_gap, until=nw.col("after"), last=_NEVER)
    breaks = looks.select(*PLACE, look="at", broken=broken, mended="after")
    breaks = breaks.filter(~nw.col("broken").is_null())
    return nw.concat(
        [
            breaks.select(*PLACE, "look", nw.col(kind).alias("break"), kind=nw.lit(kind))
            for kind in ("broken", "mended")
        ]
    )


def _changes(gaps: Frame, told: Inputs) -> Frame:
    """Return a row whenever a state begins: which, and what was known of the one before it.

    That is when it was last seen, and for what reason. One row more comes when all is over.
    """
    kinds = nw.concat([told.facts.head(1).select(kind=nw.lit(kind)) for kind in _KINDS])
    in_absence = nw.col("kind").is_in(["broken", "mended"])
    absent = nw.when(nw.col("state") == DISABLED).then("state").otherwise(nw.lit(ABSENT))
    rows = gaps.with_columns(unknown=nw.lit(UNKNOWN), nothing=nw.lit(NULL_SENTINEL), lack=absent)
    rows = rows.join(kinds, how="cross").filter(~in_absence | ~nw.col("gone").is_null())
    rows = rows.join(_breaks(told), on=[*PLACE, "kind"], how="left")
    within = (nw.col("look") >= nw.col("gone")) & (nw.col("look") < nw.col("missed"))
    start = nw.col("kind") == "start"
    changes = rows.filter(~in_absence | _null_as_false(within)).select(
        *KEY,
        "image",
        "turn",
        time=_of_kind(0),
        to=_of_kind(1),
        seen=_of_kind(2),
        reason=nw.when(start).then("last_reason").otherwise("reason"),
        start_exact=start & nw.col("start_exact"),
    )
    return changes.filter(~nw.col("time").is_null())


def _of_kind(part: int) -> nw.Expr:
    """Return of each row the column that its kind of change names in this part of its entry."""
    chosen: Any = nw.col(_KINDS["start"][part])
    for kind, columns in _KINDS.items():
        chosen = nw.when(nw.col("kind") == kind).then(columns[part]).otherwise(chosen)
    return chosen  # type: ignore[no-any-return]


# --- intervals ------------------------------------------------------------------------


def _merged(changes: Frame) -> Frame:
    """Keep a change if it leads to another state, and add the next one."""

    def neighbour(steps: int, *names: str) -> nw.Expr:
        return nw.col(*names).shift(steps).over("image", order_by=("time", "turn"))

    changes = changes.with_columns(last_time=neighbour(1, "time"), next_time=neighbour(-1, "time"))
    # Of changes at one moment the last one holds, and comes after what was before the first.
    at_once = _null_as_false(nw.col("last_time") == nw.col("time"))
    changes = changes.with_columns(
        seen=nw.when(~at_once).then("seen"), reason=nw.when(~at_once).then("reason")
    )
    former = nw.col("seen", "reason").fill_null(strategy="forward")
    changes = changes.with_columns(former.over("image", order_by=("time", "turn")))
    changes = changes.filter(~_null_as_false(nw.col("next_time") == nw.col("time")))
    changes = changes.with_columns(last_to=neighbour(1, "to"))
    real = nw.col("last_to").is_null() | _null_as_false(nw.col("to") != nw.col("last_to"))
    changes = changes.filter(real).drop("last_time", "next_time")
    following = neighbour(-1, "time", "to", "seen", "reason").name.prefix("next_")
    return changes.with_columns(following).filter(nw.col("to") != NULL_SENTINEL)


def _named(merged: Frame) -> Frame:
    """Return intervals with their columns, and nulls where they were."""

    def restored(name: str) -> nw.Expr:
        return nw.when(nw.col(name) != NULL_SENTINEL).then(name)

    state = nw.col("to")
    return merged.select(
        *(restored(name).alias(name) for name in KEY),
        state=state,
        start="time",
        end=nw.when(nw.col("next_to") != NULL_SENTINEL).then("next_time"),
        last_seen=nw.when(state != UNKNOWN).then("next_seen"),
        start_exact="start_exact",
        state_transition_reason=nw.when(~state.is_in([ABSENT, UNKNOWN])).then(
            restored("next_reason")
        ),
    )


def _null_as_false(condition: nw.Expr) -> nw.Expr:
    """Return a condition that is false where engines differ on what a null makes of it."""
    return condition.fill_null(value=False)
