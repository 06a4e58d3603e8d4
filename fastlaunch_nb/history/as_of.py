"""The time machine: the fleet as it was at a moment, and what differs between two.

States come from the intervals, so that what was learnt later counts, and so that
the machine and the timeline agree at every instant. The rest is what the last look
until that moment saw; one that saw a transition ahead counts as made at that.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import pandas as pd

from fastlaunch_nb.filters.fields import facet_values
from fastlaunch_nb.history.file_schema import NAMES, PLACE
from fastlaunch_nb.schema.columns import COLUMNS, COMPLETE, KEY, NOT_OPTED_IN, TEXT
from fastlaunch_nb.state_intervals.inputs import made_at

UNKNOWN, GONE = "unknown", ("absent", "disabled")
STATELESS: Final = ""  # of an image that was seen, without a state
TOLD: Final = ("state", "target", "parallel launches", "template")
CHANGES: Final = ("appeared", "gone", "not known before", "not known after", *TOLD)
"""What may be said of an image: that it came or went, or which of these changed."""
NAMED: Final = tuple(column.name for column in NAMES)
DIFFERENCE: Final = (*KEY, *NAMED, "change", "before", "after")
"""The columns of a difference."""


class HistoryData(NamedTuple):
    """What is known of a fleet.

    Attributes
    ----------
    images, coverage : pandas.DataFrame
        What the looks saw, and what they covered.
    intervals : pandas.DataFrame
        Since when and until when each image was in which state.
    told_anew : pandas.Series
        Of each row of the coverage, whether the images have its rows; else it
        brought what the look before it brought.
    """

    images: pd.DataFrame
    coverage: pd.DataFrame
    intervals: pd.DataFrame
    told_anew: pd.Series


def images_at(known: HistoryData, moment: pd.Timestamp) -> pd.DataFrame:
    """Return the images that there were at a moment, in the columns of the frame."""
    there = _then(known, moment)
    there = there[~there["was"].isin(GONE)]
    columns = (*COLUMNS, *NAMES)
    dtypes = {column.name: column.dtype for column in columns}
    return there[list(dtypes)].astype(dtypes).reset_index(drop=True)


def _then(known: HistoryData, moment: pd.Timestamp) -> pd.DataFrame:
    """Return a row for each image that was known until a moment; `was` is its state then.

    What the last look saw is `own` to a row; else an event or a later look told its state.
    """
    told = known.intervals
    told = told[(told["start"] <= moment) & ~(told["end"] <= moment)]
    told = told.rename(columns={"state": "was", "state_transition_reason": "why"})
    rows = told[[*KEY, "was", "why", "start", "start_exact"]].merge(
        _last_rows(known, moment), on=list(KEY), how="left"
    )
    seen, since = rows["observed_at"], rows["start"]
    own = rows["was"].eq(rows["state"].fillna(UNKNOWN)) & (rows["made"] >= since)
    known_since = seen.where(rows["was"].eq(UNKNOWN), rows[["observed_at", "start"]].max(axis=1))
    exact = since.where(rows["start_exact"])
    return rows.assign(
        was=rows["was"].mask(own & rows["state"].isna(), STATELESS),
        state=rows["state"].where(own, rows["was"]),
        state_transition_reason=rows["state_transition_reason"].where(own, rows["why"]),
        state_transition_time=rows["state_transition_time"].where(own, exact),
        observed_at=seen.where(own, known_since).fillna(since),
    )


def _last_rows(known: HistoryData, moment: pd.Timestamp) -> pd.DataFrame:
    """Return the row of each image that a look saw last until a moment, and when that was `made`.

    A look whose rows are not among the images saw those of the look before it.
    """
    rows = known.images.assign(made=made_at(known.images))
    rows = rows[rows["made"] <= moment].sort_values(["made", "observed_at"], kind="stable")
    rows = rows.drop_duplicates(list(KEY), keep="last")
    looks = known.coverage[[*PLACE, "observed_at"]]
    looks = looks.assign(told=looks["observed_at"].where(known.told_anew))
    looks = looks[looks["observed_at"].dt.floor("s") <= moment].sort_values("observed_at")
    looks["told"] = looks.groupby(list(PLACE), dropna=False)["told"].ffill()
    last = looks.groupby([*PLACE, "told"], dropna=False, as_index=False)["observed_at"].max()
    rows = rows.merge(
        last,
        how="left",
        left_on=[*PLACE, "observed_at"],
        right_on=[*PLACE, "told"],
        suffixes=("_own", ""),
    )
    seen = rows["observed_at"].fillna(rows["observed_at_own"])
    made = rows["made"].where(rows["made"] > seen, seen.dt.floor("s"))
    return rows.assign(observed_at=seen, made=made).drop(columns=["observed_at_own", "told"])


def difference(known: HistoryData, first: pd.Timestamp, second: pd.Timestamp) -> pd.DataFrame:
    """Return a row for each way in which an image differs between two moments."""
    sides = _side(known, first), _side(known, second)
    both = sides[0].merge(sides[1], how="outer", on=list(KEY), suffixes=("_1", "_2"))
    never_seen = _lacked(known, both, first).map({True: "absent", False: UNKNOWN})
    was = both["was_1"].fillna(never_seen.astype(TEXT))
    is_now = both["was_2"].fillna(UNKNOWN)
    before, after = (~state.isin([*GONE, UNKNOWN]) for state in (was, is_now))
    none = pd.Series(pd.NA, index=both.index, dtype=TEXT)
    rows = [
        _rows(both, was.isin(GONE) & after, "appeared", was, is_now),
        _rows(both, before & is_now.isin(GONE), "gone", was, is_now),
        _rows(both, was.eq(UNKNOWN) & is_now.ne(UNKNOWN), "not known before", none, is_now),
        _rows(both, before & is_now.eq(UNKNOWN), "not known after", was, none),
    ]
    for change in TOLD:
        told = [both[f"{change}_{side}"] for side in (1, 2)]
        differs = before & after & (told[0].fillna("") != told[1].fillna(""))
        rows.append(_rows(both, differs, change, *told))
    found = pd.concat(rows, ignore_index=True)
    rank = found["change"].map({change: place for place, change in enumerate(CHANGES)})
    return found.assign(rank=rank).sort_values([*KEY, "rank"], ignore_index=True)[list(DIFFERENCE)]


def _side(known: HistoryData, moment: pd.Timestamp) -> pd.DataFrame:
    """Return what may differ of each image, as text."""
    rows = _then(known, moment)
    template, version = facet_values(rows, "launch_template"), rows["launch_template_version"]
    return pd.DataFrame(
        {
            **{name: rows[name] for name in (*KEY, "was", *NAMED)},
            "state": rows["state"],
            "target": rows["target_resource_count"].astype(TEXT),
            "parallel launches": rows["max_parallel_launches"].astype(TEXT),
            "template": template.astype(TEXT) + (":" + version).fillna(""),
        }
    )


def _lacked(known: HistoryData, places: pd.DataFrame, moment: pd.Timestamp) -> pd.Series:
    """Tell of each row's place whether all images there were known at a moment."""
    looks = known.coverage[known.coverage["scope"].fillna("").eq("")]
    looks = looks[looks["observed_at"].dt.floor("s") <= moment]
    looks = looks.sort_values("observed_at", kind="stable")
    last = looks.drop_duplicates(list(PLACE), keep="last")
    known_all = last.assign(all=last["status"].isin([COMPLETE, NOT_OPTED_IN]))
    found = places[list(PLACE)].merge(known_all[[*PLACE, "all"]], on=list(PLACE), how="left")
    return found["all"].eq(True)


def _rows(
    both: pd.DataFrame, which: pd.Series, change: str, before: pd.Series, after: pd.Series
) -> pd.DataFrame:
    named = {name: both[f"{name}_2"].fillna(both[f"{name}_1"]) for name in NAMED}
    rows = both[list(KEY)].assign(**named, change=change, before=before, after=after)[which]
    return rows.replace(STATELESS, pd.NA).astype(TEXT)
